import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type InstanceState, instanceStates } from '../../src/contract/instances.ts';
import { type LifecycleEvent, nextState } from '../../src/services/lifecycle.ts';

const begins = ['start', 'waits', 'rests'] as const;
const ends = ['ended', 'completed', 'backed_off', 'gave_up', 'waits'] as const;

/** What can happen in each state; everything else is refused. */
const possible: Readonly<Record<InstanceState, readonly LifecycleEvent[]>> = {
  stopped: begins,
  pending: begins,
  backoff: begins,
  failed: begins,
  completed: begins,
  starting: [...ends, 'started', 'stop'],
  running: [...ends, 'stop', 'pause', 'drain'],
  paused: [...ends, 'stop', 'resume'],
  draining: [...ends, 'stop', 'readmit'],
  stopping: [...ends, 'stop'],
};

const follows: Readonly<Record<LifecycleEvent, InstanceState>> = {
  start: 'starting',
  started: 'running',
  stop: 'stopping',
  pause: 'paused',
  resume: 'running',
  drain: 'draining',
  readmit: 'running',
  ended: 'stopped',
  completed: 'completed',
  backed_off: 'backoff',
  gave_up: 'failed',
  waits: 'pending',
  rests: 'stopped',
};

for (const state of instanceStates) {
  for (const event of Object.keys(follows) as LifecycleEvent[]) {
    const next = possible[state].includes(event) ? follows[event] : null;
    test(
      next ? `${event} takes a ${state} instance to ${next}` : `${event} is refused while ${state}`,
      () => {
        if (next) assert.equal(nextState(state, event), next);
        else assert.throws(() => nextState(state, event), { code: 'state_conflict' });
      },
    );
  }
}
