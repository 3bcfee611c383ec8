import { isDeepStrictEqual } from 'node:util';
import type { Config } from './schema.ts';

/** Settings that take effect only when the agent starts. */
const startOnly: ReadonlySet<string> = new Set([
  'listen',
  'tls',
  'data',
  'body_limit',
  'cgroups',
] satisfies (keyof Config)[]);

/** What differs between two configurations, by the names of the settings. */
export interface ConfigChange {
  readonly changed: readonly string[];
  /** Those of them that wait for the next start of the agent. */
  readonly needRestart: readonly string[];
}

/** Compares two configurations. */
export function changedSettings(before: Config, after: Config): ConfigChange {
  const names = Object.keys(after) as (keyof Config)[];
  const changed = names.filter((name) => !isDeepStrictEqual(before[name], after[name]));
  return { changed, needRestart: changed.filter((name) => startOnly.has(name)) };
}
