import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { isRunning, untilGone } from '../helpers/system.ts';

let agent: RunningAgent;
before(async () => {
  agent = await startAgent();
});
after(() => agent[Symbol.asyncDispose]());

test('GET /health needs no key and answers what pipelines look for', async () => {
  const answer = await agent.call('GET', '/health', undefined, { authorization: '' });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, { status: 'ok', message: 'Service agent is running' });
});

test('a deploy with nothing but a command answers with the pid of what runs', async () => {
  const { status, body } = await agent.call('POST', '/service/web/deploy', { command: 'exec sleep 1000' });
  assert.equal(status, 200);
  assert.equal(body.status, 'deployed');
  assert.equal(typeof body.message, 'string');
  assert.ok(isRunning(body.pid));
});

test('the status of a running service says since when and what runs', async () => {
  const deployed = await agent.call('POST', '/service/web/deploy', { command: 'exec sleep 1001' });
  const { status, body } = await agent.call('GET', '/service/web/status');
  assert.equal(status, 200);
  assert.equal(body.status, 'running');
  assert.equal(body.pid, deployed.body.pid);
  assert.equal(body.command, 'exec sleep 1001');
  assert.ok(Math.abs(Date.now() - Date.parse(body.start_time)) < 60_000);
});

test('a restart without a body starts the last command again as another process', async () => {
  const before = (await agent.call('POST', '/service/again/deploy', { command: 'exec sleep 1002' })).body.pid;
  const { status, body } = await agent.call('POST', '/service/again/restart');
  assert.equal(status, 200);
  assert.equal(body.status, 'restarted');
  assert.notEqual(body.pid, before);
  assert.ok(isRunning(body.pid));
  await untilGone(before);
  assert.equal((await agent.call('GET', '/service/again/status')).body.command, 'exec sleep 1002');
});

test('a restart with a command runs that from now on', async () => {
  await agent.call('POST', '/service/again/deploy', { command: 'exec sleep 1002' });
  const { body } = await agent.call('POST', '/service/again/restart', { command: 'exec sleep 1003' });
  assert.equal(body.status, 'restarted');
  assert.equal((await agent.call('GET', '/service/again/status')).body.command, 'exec sleep 1003');
});

test('a restart of a service that is not known is 404, and names the one that was meant', async () => {
  await agent.call('POST', '/service/billing/deploy', { command: 'exec sleep 1002' });
  const { status, body } = await agent.call('POST', '/service/biling/restart');
  assert.equal(status, 404);
  assert.equal(body.code, 'service_not_found');
  assert.match(body.error, /"billing"/);
  assert.equal(typeof body.request_id, 'string');
});

test('a stop ends the process and says so; a second stop is 200 and says that it was stopped already', async () => {
  const { pid } = (await agent.call('POST', '/service/halt/deploy', { command: 'exec sleep 1000' })).body;
  const first = await agent.call('POST', '/service/halt/stop');
  assert.equal(first.status, 200);
  assert.equal(first.body.status, 'stopped');
  assert.equal(first.body.stop.ended_by, 'signal');
  assert.ok(!isRunning(pid));
  const second = await agent.call('POST', '/service/halt/stop');
  assert.equal(second.status, 200);
  assert.equal(second.body.status, 'stopped');
  assert.match(second.body.message, /already/);
  const { body } = await agent.call('GET', '/service/halt/status');
  assert.equal(body.status, 'stopped');
  assert.equal(body.return_code, 143);
  assert.equal(typeof body.message, 'string');
});

test('a service that ends by itself is stopped with its return code', async () => {
  await agent.call('POST', '/service/short/deploy', {
    command: 'sleep 0.2; exit 3',
    min_uptime: '0s',
    restart: { policy: 'never' },
  });
  const seen = await agent.until('GET', '/service/short/status', (body) => body.status === 'stopped');
  assert.equal(seen.return_code, 3);
});

test('a service that ended well has return code 0', async () => {
  await agent.call('POST', '/service/task/deploy', {
    command: 'true',
    min_uptime: '0s',
    restart: { policy: 'never' },
  });
  const seen = await agent.until('GET', '/service/task/status', (body) => body.status === 'stopped');
  assert.equal(seen.return_code, 0);
});

test('GET /services gives each service by its id', async () => {
  await agent.call('POST', '/service/listed/deploy', { command: 'exec sleep 1000' });
  const { status, body } = await agent.call('GET', '/services');
  assert.equal(status, 200);
  assert.equal(body.listed.status, 'running');
  assert.equal(body.listed.command, 'exec sleep 1000');
});

test('the last lines of both streams can be read', async () => {
  const command = 'echo to stdout; echo to stderr >&2; exec sleep 1000';
  await agent.call('POST', '/service/talker/deploy', { command });
  const { status, body } = await agent.call('GET', '/service/talker/logs?lines=10');
  assert.equal(status, 200);
  const lines = body.lines
    .map(({ stream, line }: { stream: string; line: string }) => `${stream}: ${line}`)
    .sort();
  assert.deepEqual(lines, ['stderr: to stderr', 'stdout: to stdout']);
  const errors = await agent.call('GET', '/service/talker/logs?stream=stderr');
  assert.deepEqual(
    errors.body.lines.map((entry: { line: string }) => entry.line),
    ['to stderr'],
  );
});

test('a body without any Content-Type header of JSON is read as JSON, as curl -d sends it', async () => {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const { status } = await agent.call(
    'POST',
    '/service/curl/deploy',
    { command: 'exec sleep 1000' },
    headers,
  );
  assert.equal(status, 200);
});

for (const [what, path, body, status, code, place] of [
  [
    'a key that is not known',
    '/service/a/deploy',
    { comand: 'x' },
    400,
    'invalid_request',
    /comand.*did you mean "command"/,
  ],
  [
    'a nested key that is not known',
    '/service/a/deploy',
    { command: 'x', stop: { sinal: 'SIGINT' } },
    400,
    'invalid_request',
    /stop\.sinal/,
  ],
  ['a deploy without a command', '/service/a/deploy', {}, 400, 'invalid_request', /command.*missing/],
  ['a bad service id', '/service/A%20b/deploy', { command: 'x' }, 400, 'invalid_request', /id in the path/],
  [
    'a path out of its folder',
    '/service/..%2f..%2fetc/deploy',
    { command: 'x' },
    400,
    'invalid_request',
    /id in the path/,
  ],
  [
    'a bare number as duration',
    '/service/a/deploy',
    { command: 'x', min_uptime: 5 },
    400,
    'invalid_request',
    /min_uptime/,
  ],
  ['a body that is no JSON', '/service/a/deploy', '{"command":', 400, 'invalid_json', /JSON/],
  [
    'a body over the limit',
    '/service/a/deploy',
    { command: 'x'.repeat(1_100_000) },
    413,
    'body_too_large',
    /larger/,
  ],
  ['a path that is not there', '/service/a/explode', {}, 404, 'not_found', /explode/],
  ['a path with a slash at its end', '/api/v1/services/', { id: 'x' }, 404, 'not_found', /services\//],
] as const) {
  test(`${what} is answered ${status} with the place that is wrong`, async () => {
    const answer = await agent.call('POST', path, body);
    assert.equal(answer.status, status);
    assert.equal(answer.body.code, code);
    assert.match(answer.body.error, place);
    assert.equal(answer.body.request_id, answer.headers.get('x-request-id'));
  });
}

test('a verb that a path does not take is 405 and names those that it takes', async () => {
  const answer = await agent.call('DELETE', '/service/web/status');
  assert.equal(answer.status, 405);
  assert.equal(answer.headers.get('allow'), 'GET');
});

test('a command that fails at once fails the deploy with its code and its last words', async () => {
  const answer = await agent.call('POST', '/service/bad/deploy', {
    command: 'echo "cannot find the database"; exit 7',
  });
  assert.equal(answer.status, 422);
  assert.equal(answer.body.code, 'exited_early');
  assert.equal(answer.body.return_code, 7);
  assert.deepEqual(answer.body.last_lines, ['cannot find the database']);
  assert.equal(answer.body.restored, null);
});

test('a deploy that cannot be started changes nothing of what runs', async () => {
  const { pid } = (await agent.call('POST', '/service/steady/deploy', { command: 'exec sleep 1000' })).body;
  const cases = [
    [{ command: ['no-such-program'] }, /no-such-program.*no such file|not found/i],
    [{ cwd: '/no/such/place' }, /\/no\/such\/place/],
    [{ user: 'no-such-user' }, /no-such-user/],
    [{ env_file: '/no/such/file.env' }, /\/no\/such\/file\.env/],
  ] as const;
  for (const [patch, reason] of cases) {
    const { status, body } = await agent.call('POST', '/service/steady/deploy', patch);
    assert.equal(status, 422);
    assert.equal(body.code, 'spawn_failed');
    assert.match(body.error, reason);
  }
  const { body } = await agent.call('GET', '/service/steady/status');
  assert.equal(body.pid, pid);
  assert.equal(body.command, 'exec sleep 1000');
});

test('a deploy that fails while starting leaves the release before it running', async () => {
  await agent.call('POST', '/service/safe/deploy', { command: 'exec sleep 1000', env: { A: 'kept' } });
  const failed = await agent.call('POST', '/service/safe/deploy', { command: 'exit 1' });
  assert.equal(failed.status, 422);
  assert.equal(failed.body.restored.release, 1);
  assert.ok(isRunning(failed.body.restored.pid));
  const { body } = await agent.call('GET', '/service/safe/status');
  assert.equal(body.status, 'running');
  assert.equal(body.command, 'exec sleep 1000');
  assert.equal(body.release, 1);
});

test('100 deploys of one service at once end with exactly one instance', async () => {
  const deploys = Array.from({ length: 100 }, (_, n) =>
    agent.call('POST', '/service/rush/deploy', { command: `exec sleep ${20_000 + n}`, min_uptime: '0s' }),
  );
  const pids = (await Promise.all(deploys)).map(({ status, body }) => {
    assert.equal(status, 200);
    return body.pid as number;
  });
  const { pid } = (await agent.call('GET', '/service/rush/status')).body;
  assert.deepEqual(pids.filter(isRunning), [pid]);
  const { releases } = (await agent.call('GET', '/api/v1/services/rush/releases')).body;
  assert.equal(releases.length, 100);
  assert.equal(releases[0].current, true);
});
