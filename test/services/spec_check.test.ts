import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Spec, spec } from '../../src/contract/spec.ts';
import { DavitError } from '../../src/lib/errors.ts';
import { checkSpec } from '../../src/services/spec_check.ts';

function checked(fields: object): DavitError | null {
  const given: Spec = spec.parse({ command: 'x', ...fields });
  try {
    checkSpec(given);
    return null;
  } catch (error) {
    assert.ok(error instanceof DavitError);
    return error;
  }
}

test('a spec whose expressions are well formed is accepted', () => {
  const schedule = { cron: '0 3 * * *', time_zone: 'Europe/Berlin' };
  assert.equal(checked({}), null);
  assert.equal(checked({ type: 'task', schedule }), null);
  assert.equal(checked({ ready_log: 'listening on \\d+' }), null);
  assert.equal(checked({ port: 'auto', readiness: { type: 'http', body: '^ok$' } }), null);
});

test('a wrong cron expression or time zone is refused with its place', () => {
  const error = checked({ type: 'task', schedule: { cron: '0 3 * *' } });
  assert.equal(error?.code, 'invalid_request');
  assert.match(
    error?.message ?? '',
    /^schedule\.cron in the service: must have five or six fields, not 4; five such as "0 3 \* \* \*"/,
  );
  const zone = checked({ type: 'task', schedule: { cron: '0 3 * * *', time_zone: 'Mars' } });
  assert.deepEqual(
    zone?.details.map(({ path }) => path),
    ['schedule.time_zone'],
  );
});

test('a schedule that never comes due is refused', () => {
  const error = checked({ type: 'task', schedule: { cron: '0 0 31 2 *' } });
  assert.match(error?.message ?? '', /schedule\.cron in the service: is never due/);
});

test('every pattern that does not compile is named, with what is wrong with it', () => {
  const error = checked({
    port: 'auto',
    ready_log: '(',
    readiness: { type: 'http', body: '(?=x)' },
    liveness: { type: 'websocket', expect: '[z-a]' },
  });
  assert.deepEqual(
    error?.details.map(({ path }) => path),
    ['ready_log', 'readiness.body', 'liveness.expect'],
  );
  assert.match(error?.message ?? '', /^ready_log in the service: is not a regular .*\(and 2 more\)$/);
  assert.match(error?.details[1]?.message ?? '', /RE2's syntax: .*unsupported Perl syntax/);
});

test('what routes ask for that cannot be understood is named, with its place', () => {
  const error = checked({
    port: 'auto',
    routes: [
      { hosts: ['a.test'] },
      { path_regex: '(' },
      { headers: { 'x-a': { regex: '[' } }, networks: ['10.0.0.0/8', '10.0.0.0/40'] },
    ],
  });
  assert.deepEqual(
    error?.details.map(({ path }) => path),
    ['routes.1.path_regex', 'routes.2.headers.x-a.regex', 'routes.2.networks.1'],
  );
});
