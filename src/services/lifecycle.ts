import type { InstanceState } from '../contract/instances.ts';
import { DavitError } from '../lib/errors.ts';

/**
 * What can happen to an instance. How a process that is gone leaves it: `ended` for good, `completed` its task, `backed_off`
 * until its next restart, `gave_up` on restarts, or `waits` for what it depends on. `rests`: nothing is to follow any more.
 * One that is to `drain` gets nothing new, and ends when it has finished what it has, unless it is to `readmit` new work.
 */
export type LifecycleEvent =
  | 'start'
  | 'started'
  | 'stop'
  | 'pause'
  | 'resume'
  | 'drain'
  | 'readmit'
  | 'ended'
  | 'completed'
  | 'backed_off'
  | 'gave_up'
  | 'waits'
  | 'rests';

type Transitions = Readonly<Partial<Record<LifecycleEvent, InstanceState>>>;

const ends = {
  ended: 'stopped',
  completed: 'completed',
  backed_off: 'backoff',
  gave_up: 'failed',
  waits: 'pending',
} as const satisfies Transitions;

/** What can happen to an instance that has no process. */
const begins = { start: 'starting', waits: 'pending', rests: 'stopped' } as const satisfies Transitions;

/** The state that follows; an event that is left out cannot happen. */
const transitions: Readonly<Record<InstanceState, Transitions>> = {
  stopped: begins,
  pending: begins,
  backoff: begins,
  failed: begins,
  completed: begins,
  starting: { ...ends, started: 'running', stop: 'stopping' },
  running: { ...ends, stop: 'stopping', pause: 'paused', drain: 'draining' },
  paused: { ...ends, stop: 'stopping', resume: 'running' },
  draining: { ...ends, stop: 'stopping', readmit: 'running' },
  // A stop that did not come to its end is made again, by the same agent or the next one.
  stopping: { ...ends, stop: 'stopping' },
};

/** The state after `event`. Throws `state_conflict` where the event cannot happen in `state`. */
export function nextState(state: InstanceState, event: LifecycleEvent): InstanceState {
  const next = transitions[state][event];
  if (next === undefined)
    throw new DavitError('state_conflict', `cannot ${event} a service that is ${state}`);
  return next;
}
