import type { LogLevel } from '../contract/scalars.ts';
import type { Run } from './run.ts';
import type { StreamName } from './run_files.ts';

/** Whose lines are wanted. A cursor belongs to the selection with which it came. */
export interface Selection {
  readonly stream?: StreamName | undefined;
  readonly release?: number | undefined;
  readonly instance?: number | undefined;
}

/** Which lines are wanted. */
export interface LogQuery extends Selection {
  /** At most so many: the last ones, or with `after` the first ones. */
  readonly lines: number;
  /** Milliseconds since the epoch. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** A regular expression in RE2's syntax. */
  readonly grep?: string | undefined;
  /** The least level. */
  readonly level?: LogLevel | undefined;
  /** Whether a line must be the same whenever it is read: only that is given whose time has been noted, and each has an id. */
  readonly lasting?: boolean | undefined;
}

/** How much one question may cost; what was found until then is its answer. */
export interface SearchBudget {
  /** How many bytes of output are searched. */
  readonly searched_bytes: number;
  /** How long it may take, in milliseconds. */
  readonly milliseconds: number;
  /** How many bytes of lines an answer holds. */
  readonly answered_bytes: number;
}

export const defaultBudget: SearchBudget = {
  searched_bytes: 256 * 2 ** 20,
  milliseconds: 3_000,
  answered_bytes: 8 * 2 ** 20,
};

/** Whether a run is among those that are wanted. */
export function isSelected({ name }: Run, { release, instance }: Selection): boolean {
  return (
    (release === undefined || name.release === release) &&
    (instance === undefined || name.instance === instance)
  );
}
