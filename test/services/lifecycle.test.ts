import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ServiceState, serviceStates } from '../../src/contract/answers.ts';
import { type LifecycleEvent, nextState } from '../../src/services/lifecycle.ts';

const events: readonly LifecycleEvent[] = ['start', 'started', 'stop', 'pause', 'resume', 'ended'];

const possible: Readonly<Record<string, ServiceState>> = {
  'stopped start': 'starting',
  'starting started': 'running',
  'starting stop': 'stopping',
  'starting ended': 'stopped',
  'running stop': 'stopping',
  'running pause': 'paused',
  'running ended': 'stopped',
  'paused stop': 'stopping',
  'paused resume': 'running',
  'paused ended': 'stopped',
  'stopping ended': 'stopped',
};

for (const state of serviceStates) {
  for (const event of events) {
    const next = possible[`${state} ${event}`];
    test(next ? `${event} takes a ${state} service to ${next}` : `${event} is refused while ${state}`, () => {
      if (next) assert.equal(nextState(state, event), next);
      else assert.throws(() => nextState(state, event), { code: 'state_conflict' });
    });
  }
}
