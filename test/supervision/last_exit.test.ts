import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastExit, startsAgain, unseenExit } from '../../src/supervision/last_exit.ts';

const started = Date.now() - 1_500;

for (const [what, reason, status, code, message] of [
  [
    'an exit code is kept as it is',
    'exited',
    { return_code: 3, signal: null },
    3,
    /^Process exited with code 3 after 1\.\d s$/,
  ],
  [
    'an end by a signal has the code that a shell gives it',
    'exited',
    { return_code: null, signal: 'SIGKILL' },
    137,
    /^Process was ended by SIGKILL/,
  ],
  [
    'an end that was asked for says so',
    'stopped',
    { return_code: null, signal: 'SIGTERM' },
    143,
    /^Service was stopped; its process was ended by SIGTERM$/,
  ],
  [
    'a stop that the process answered by itself says so, too',
    'stopped',
    { return_code: 0, signal: null },
    0,
    /^Service was stopped; its process exited with code 0$/,
  ],
  [
    'an end that nobody saw has no code',
    'exited',
    { return_code: null, signal: null },
    null,
    /code that is not known/,
  ],
] as const) {
  test(what, () => {
    const exit = lastExit(reason, status, started);
    assert.equal(exit.return_code, code);
    assert.equal(exit.signal, status.signal);
    assert.equal(exit.reason, reason);
    assert.match(exit.message, message);
  });
}

test('only what ended with the agent or with the host, or was never begun, is started again', () => {
  const status = { return_code: 1, signal: null };
  assert.equal(startsAgain(lastExit('agent_stopped', status, started)), true);
  assert.equal(startsAgain(unseenExit('host_rebooted')), true);
  assert.equal(startsAgain(unseenExit('start_lost')), true);
  for (const reason of ['exited', 'stopped', 'start_failed'] as const) {
    assert.equal(startsAgain(lastExit(reason, status, started)), false, reason);
  }
  assert.equal(startsAgain(null), false);
});
