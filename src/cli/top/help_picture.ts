import { facts } from '../table.ts';
import { type Binding, bindings } from './keys.ts';
import type { View } from './state.ts';

const titles: Readonly<Record<View['kind'], string>> = {
  list: 'Keys in the list of services',
  logs: 'Keys in the logs of a service',
  details: 'Keys in the details of a service',
};

/** What each key of a view does. */
export function helpLines(view: View['kind']): string[] {
  const table: Readonly<Record<string, Binding>> = bindings[view];
  const rows = Object.values(table).map(({ label, help }) => [label, help] as const);
  return [titles[view], '', ...facts(rows).split('\n')];
}
