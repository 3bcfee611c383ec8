import type { Schedule } from '../contract/policies.ts';

/** How it stands with a task when it is due. */
export interface TaskStanding {
  /** A run of it has not ended. */
  readonly isRunning: boolean;
  /** Another run waits for the end of that one. */
  readonly isWaiting: boolean;
}

/**
 * What becomes of a run that is due. `start`: it begins; `wait`: it begins when the present one ends; `replace`: the present
 * one is ended for it; `supersede`: that is under way already, and it takes the place of the one that waits; `skip`: it is not run.
 */
export type DueAction = 'start' | 'wait' | 'replace' | 'supersede' | 'skip';

export function onDue(overlap: Schedule['overlap'], { isRunning, isWaiting }: TaskStanding): DueAction {
  if (!isRunning && !isWaiting) return 'start';
  switch (overlap) {
    case 'skip':
      return 'skip';
    case 'queue':
      return isWaiting ? 'skip' : 'wait';
    case 'replace':
      return isWaiting ? 'supersede' : 'replace';
  }
}
