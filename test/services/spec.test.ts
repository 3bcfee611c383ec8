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
    cwd: '/',
    env: {},
    env_file: [],
    user: null,
    group: null,
    stop: { signal: 'SIGTERM', timeout: '5s' },
    min_uptime: '1s',
    logs: { max_size: '256MB', max_age: null, max_releases: null, compress: true },
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
