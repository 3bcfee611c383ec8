import type { ServiceState } from '../contract/answers.ts';
import { DavitError } from '../lib/errors.ts';

/** What can happen to the process of a service. */
export type LifecycleEvent = 'start' | 'started' | 'stop' | 'pause' | 'resume' | 'ended';

/** The state that follows, or null where the event cannot happen. */
const transitions: Readonly<Record<ServiceState, Readonly<Record<LifecycleEvent, ServiceState | null>>>> = {
  stopped: { start: 'starting', started: null, stop: null, pause: null, resume: null, ended: null },
  starting: {
    start: null,
    started: 'running',
    stop: 'stopping',
    pause: null,
    resume: null,
    ended: 'stopped',
  },
  running: { start: null, started: null, stop: 'stopping', pause: 'paused', resume: null, ended: 'stopped' },
  paused: { start: null, started: null, stop: 'stopping', pause: null, resume: 'running', ended: 'stopped' },
  stopping: { start: null, started: null, stop: null, pause: null, resume: null, ended: 'stopped' },
};

/** The state after `event`. Throws `state_conflict` where the event cannot happen in `state`. */
export function nextState(state: ServiceState, event: LifecycleEvent): ServiceState {
  const next = transitions[state][event];
  if (next === null) throw new DavitError('state_conflict', `cannot ${event} a service that is ${state}`);
  return next;
}
