import type { ShownSpec } from '../../../contract/spec.ts';

type Field = keyof ShownSpec;

/** What belongs together in a spec, in the order in which people ask for it. */
export const specGroups: readonly { readonly name: string; readonly fields: readonly Field[] }[] = [
  {
    name: 'run',
    fields: [
      'command',
      'type',
      'cwd',
      'user',
      'group',
      'env',
      'env_file',
      'instances',
      'port',
      'runner',
      'tags',
      'schedule',
    ],
  },
  { name: 'artifact', fields: ['artifact', 'sealed', 'parameters', 'arguments'] },
  { name: 'health', fields: ['min_uptime', 'ready_log', 'readiness', 'liveness'] },
  {
    name: 'supervision',
    fields: ['restart', 'success_exit_codes', 'depends_on', 'on_dependency_failure', 'stop', 'limits'],
  },
  { name: 'rollout', fields: ['rollout'] },
  { name: 'routing', fields: ['routes', 'routing'] },
  { name: 'files', fields: ['configs', 'logs'] },
];

/** One line of a spec: which field, as a spec names it, and what it holds. */
export interface SpecRow {
  readonly path: string;
  readonly value: string;
}

/** The fields of a group that say something; with `isEverything` those as well that are off or empty. */
export function rowsOf(spec: ShownSpec, fields: readonly Field[], isEverything: boolean): SpecRow[] {
  const rows = fields.flatMap((field) => flatten(field, spec[field]));
  return isEverything ? rows : rows.filter(({ value }) => value !== '');
}

/** An object becomes a line for each of its fields; nothing, an empty list and an empty object become an empty text. */
function flatten(path: string, value: unknown): SpecRow[] {
  if (value === null || value === undefined) return [{ path, value: '' }];
  if (Array.isArray(value)) return flattenList(path, value);
  if (typeof value !== 'object') return [{ path, value: String(value) }];
  const entries = Object.entries(value);
  if (entries.length === 0) return [{ path, value: '' }];
  return entries.flatMap(([name, one]) => flatten(`${path}.${name}`, one));
}

function flattenList(path: string, list: readonly unknown[]): SpecRow[] {
  if (list.some((one) => typeof one === 'object'))
    return list.flatMap((one, index) => flatten(`${path}[${index + 1}]`, one));
  const isCommand = list.some((one) => typeof one === 'string' && /\s/.test(one));
  return [{ path, value: isCommand ? JSON.stringify(list) : list.join(', ') }];
}
