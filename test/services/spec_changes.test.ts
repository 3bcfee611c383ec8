import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spec } from '../../src/contract/spec.ts';
import { needsRestart, specChanges } from '../../src/services/spec_changes.ts';

const make = (fields: object = {}) => spec.parse({ command: 'node server.js', ...fields });

test('the same spec has no changes, in whatever order it was written', () => {
  const one = make({ env: { A: '1', B: '2' }, stop: { timeout: '9s' } });
  const other = make({ stop: { timeout: '9s' }, env: { B: '2', A: '1' } });
  assert.deepEqual(specChanges(one, other), []);
  assert.equal(needsRestart(one, other), false);
});

test('each field that differs is named with both values', () => {
  assert.deepEqual(
    specChanges(
      make({ user: 'www' }),
      make({ command: ['node', 'a.js'], stop: { timeout: '9s' }, instances: 3 }),
    ),
    [
      { field: 'command', from: 'node server.js', to: ['node', 'a.js'] },
      { field: 'user', from: 'www', to: null },
      { field: 'instances', from: 1, to: 3 },
      { field: 'stop.timeout', from: '5s', to: '9s' },
    ],
  );
});

test('a value of the environment is never shown', () => {
  const changes = specChanges(
    make({ env: { KEPT: 'a', TURNED: 'secret-one', GONE: 'secret-two' } }),
    make({ env: { KEPT: 'a', TURNED: 'secret-three', NEW: 'secret-four' } }),
  );
  assert.deepEqual(changes, [
    { field: 'env.TURNED', from: '***', to: '*** (changed)' },
    { field: 'env.GONE', from: '***', to: null },
    { field: 'env.NEW', from: null, to: '***' },
  ]);
});

test('a probe that appears is one change, one that changes is named by its fields', () => {
  const probe = { type: 'tcp', port: 80 };
  assert.deepEqual(
    specChanges(make(), make({ readiness: probe })).map(({ field }) => field),
    ['readiness'],
  );
  assert.deepEqual(specChanges(make({ readiness: probe }), make({ readiness: { ...probe, port: 81 } })), [
    { field: 'readiness.port', from: 80, to: 81 },
  ]);
});

for (const [name, fields] of Object.entries({
  command: { command: 'node other.js' },
  cwd: { cwd: '/tmp' },
  env: { env: { A: '1' } },
  port: { port: 3000 },
  limits: { limits: { memory: '1GB' } },
  readiness: { readiness: { type: 'tcp', port: 80 } },
})) {
  test(`another ${name} needs a restart`, () => assert.equal(needsRestart(make(), make(fields)), true));
}

for (const [name, fields] of Object.entries({
  instances: { instances: 2 },
  logs: { logs: { max_size: '1GB' } },
  restart: { restart: { policy: 'never' } },
  stop: { stop: { timeout: '1m' } },
  depends_on: { depends_on: { db: 'started' } },
  rollout: { rollout: { ready_timeout: '1m' } },
})) {
  test(`another ${name} needs none: a process cannot notice it`, () =>
    assert.equal(needsRestart(make(), make(fields)), false));
}
