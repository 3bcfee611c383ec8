import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyPatch, hideValues } from '../../src/services/spec.ts';

const base = applyPatch(null, {
  command: 'node app.js',
  cwd: '/opt',
  env: { A: '1', B: '2' },
  stop: { timeout: '9s' },
});

test('a first patch is filled up with the defaults', () => {
  assert.deepEqual(applyPatch(null, { command: ['sleep', '1'] }), {
    command: ['sleep', '1'],
    type: 'service',
    cwd: '/',
    env: {},
    env_file: [],
    user: null,
    group: null,
    instances: 1,
    port: null,
    runner: 'direct',
    min_uptime: '1s',
    ready_log: null,
    readiness: null,
    liveness: null,
    restart: {
      policy: null,
      backoff: { initial: '500ms', max: '30s', factor: 2, jitter: 0.2 },
      limit: { count: 5, within: '60s', retry_after: null },
      reset_after: '60s',
    },
    success_exit_codes: [0],
    schedule: null,
    depends_on: {},
    on_dependency_failure: 'wait',
    stop: { signal: 'SIGTERM', timeout: '5s' },
    limits: { memory: null, cpu: null, pids: null, open_files: null, enforcement: 'required' },
    configs: [],
    logs: { max_size: '256MB', max_age: null, max_releases: null, compress: true },
    rollout: {
      strategy: null,
      max_surge: '25%',
      ready_timeout: '60s',
      drain_timeout: '30s',
      drain_spread: '5s',
      bake: '10s',
      tolerance: { requests: 20, error_rate: 0.05, latency: 3, restarts: 0 },
      canary: { weight: 10, steps: [] },
      auto_rollback: true,
      hold: false,
      hold_timeout: '30s',
    },
    tags: [],
    routes: [],
    routing: {
      strategy: 'round_robin',
      weights: {},
      hash_by: { source: 'address', name: null },
      load_factor: 1.25,
      affinity: null,
      slow_start: '0s',
      outliers: { consecutive_failures: 5, base_time: '5s', max_time: '5m', max_percent: 50 },
      circuit_breaker: { max_requests: null },
      retries: { attempts: 2, budget_percent: 20 },
      connect_timeout: '3s',
      response_timeout: '60s',
      idle_timeout: null,
    },
    artifact: null,
    sealed: false,
    parameters: {},
    arguments: {},
  });
});

test('a first patch without a command is refused with the place that is missing', () => {
  assert.throws(() => applyPatch(null, { cwd: '/' }), {
    code: 'invalid_request',
    message: /command.*is missing/,
  });
});

test('what a patch leaves out keeps its value', () => {
  assert.deepEqual(applyPatch(base, { command: 'node next.js' }), { ...base, command: 'node next.js' });
});

test('null takes a field back to its default, and a variable out of env', () => {
  const patched = applyPatch(base, { cwd: null, env: { A: null, C: '3' }, stop: { timeout: null } });
  assert.equal(patched.cwd, '/');
  assert.deepEqual(patched.env, { B: '2', C: '3' });
  assert.deepEqual(patched.stop, { signal: 'SIGTERM', timeout: '5s' });
});

test('a list replaces a list as a whole', () => {
  const patched = applyPatch(applyPatch(base, { command: ['a', 'b', 'c'] }), { command: ['d'] });
  assert.deepEqual(patched.command, ['d']);
});

test('what is patched stays as it was', () => {
  const before = structuredClone(base);
  applyPatch(base, { env: { A: 'changed' }, stop: { signal: 'SIGINT' } });
  assert.deepEqual(base, before);
});

test('a spec is shown with the names of its variables and without their values', () => {
  assert.deepEqual(hideValues(base), { ...base, env: { A: '***', B: '***' } });
});

test('a probe is replaced as it stands: what another kind of it said is gone', () => {
  const probed = applyPatch(base, { port: 80, readiness: { type: 'http', path: '/up', interval: '3s' } });
  const { readiness } = applyPatch(probed, { readiness: { type: 'tcp' } });
  assert.equal(readiness?.type, 'tcp');
  assert.equal(readiness?.interval, '10s');
  assert.equal('path' in readiness, false);
  assert.equal(applyPatch(probed, { readiness: null }).readiness, null);
});

for (const [what, patch, message] of [
  ['a schedule of something that never ends', { schedule: { cron: '@daily' } }, /schedule.*type: task/],
  [
    'a task that is always started again',
    { type: 'task', restart: { policy: 'always' } },
    /restart\.policy.*on_failure or never/,
  ],
  [
    'several instances of a task with a schedule',
    { type: 'task', schedule: { cron: '@daily' }, instances: 2 },
    /instances.*must be 1/,
  ],
  ['a probe of a port where there is none', { readiness: { type: 'tcp' } }, /readiness\.port.*is missing/],
  ['ports beyond the last one', { port: 65_535, instances: 2 }, /port.*65535/],
  ['a dependency on something that no service is named', { depends_on: { 'No!': 'started' } }, /depends_on/],
] as const) {
  test(`${what} is refused, with what would be right`, () => {
    assert.throws(() => applyPatch(base, patch as never), { code: 'invalid_request', message });
  });
}

test('dependencies are merged name by name, and null takes one out', () => {
  const dependent = applyPatch(base, { depends_on: { db: 'healthy', cache: 'started' } });
  assert.deepEqual(applyPatch(dependent, { depends_on: { db: null, queue: 'completed' } }).depends_on, {
    cache: 'started',
    queue: 'completed',
  });
});
