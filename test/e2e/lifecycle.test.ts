import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { isRunning, untilGone } from '../helpers/system.ts';

let agent: RunningAgent;
before(async () => {
  agent = await startAgent();
});
after(() => agent[Symbol.asyncDispose]());

const quick = { min_uptime: '0s' };

async function deploy(id: string, body: Record<string, unknown>) {
  const answer = await agent.call('POST', `/service/${id}/deploy`, { ...quick, ...body });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

test('a service can be created, changed, started and deleted', async () => {
  const created = await agent.call('POST', '/api/v1/services', {
    id: 'crud',
    command: 'exec sleep 1000',
    ...quick,
  });
  assert.equal(created.status, 201);
  assert.equal((await agent.call('GET', '/service/crud/status')).body.status, 'stopped');
  const again = await agent.call('POST', '/api/v1/services', { id: 'crud', command: 'true' });
  assert.equal(again.status, 409);
  assert.equal(again.body.code, 'service_exists');

  const started = await agent.call('POST', '/api/v1/services/crud/start');
  assert.equal(started.body.status, 'started');
  const updated = await agent.call('PATCH', '/api/v1/services/crud', { command: 'exec sleep 1001' });
  assert.equal(updated.body.status, 'updated');
  assert.equal(updated.body.release, 2);
  const status = (await agent.call('GET', '/service/crud/status')).body;
  assert.equal(status.restart_required, true);
  assert.equal(status.pid, started.body.pid);
  await agent.call('POST', '/service/crud/restart');
  assert.equal((await agent.call('GET', '/service/crud/status')).body.restart_required, false);

  const deleted = await agent.call('DELETE', '/api/v1/services/crud');
  assert.equal(deleted.body.status, 'deleted');
  assert.equal((await agent.call('GET', '/api/v1/services/crud')).status, 404);
  assert.equal((await agent.call('GET', '/service/crud/logs')).status, 404);
});

test('starting what runs changes nothing and says so', async () => {
  const { pid } = await deploy('twice', { command: 'exec sleep 1000' });
  const { status, body } = await agent.call('POST', '/api/v1/services/twice/start');
  assert.equal(status, 200);
  assert.equal(body.pid, pid);
  assert.match(body.message, /already/);
});

test('a rollback takes back the last good release, or the one that is named', async () => {
  for (const seconds of [1001, 1002, 1003]) await deploy('back', { command: `exec sleep ${seconds}` });
  const failed = await agent.call('POST', '/service/back/deploy', { command: 'exit 1', min_uptime: '1s' });
  assert.equal(failed.status, 422);
  const command = async () => (await agent.call('GET', '/service/back/status')).body.command;

  const last = await agent.call('POST', '/api/v1/services/back/rollback');
  assert.equal(last.body.status, 'rolled_back');
  assert.equal(await command(), 'exec sleep 1002');
  await agent.call('POST', '/api/v1/services/back/rollback', { release: 3 });
  assert.equal(await command(), 'exec sleep 1003');
  const missing = await agent.call('POST', '/api/v1/services/back/rollback', { release: 99 });
  assert.equal(missing.status, 404);
  assert.equal(missing.body.code, 'release_not_found');

  const { releases } = (await agent.call('GET', '/api/v1/services/back/releases')).body;
  const seen = releases.map((item: Record<string, unknown>) => [
    item['release'],
    item['outcome'],
    item['current'],
  ]);
  assert.deepEqual(seen, [
    [4, 'failed', false],
    [3, 'succeeded', true],
    [2, 'succeeded', false],
    [1, 'succeeded', false],
  ]);
  assert.match(releases[0].cause, /exited with code 1/);
});

test('a paused service stands still, goes on when resumed, and can be stopped while paused', async () => {
  const { pid } = await deploy('still', { command: 'while :; do sleep 0.05; done' });
  assert.equal((await agent.call('POST', '/api/v1/services/still/pause')).body.status, 'paused');
  assert.equal((await agent.call('GET', '/service/still/status')).body.status, 'paused');
  const twice = await agent.call('POST', '/api/v1/services/still/pause');
  assert.equal(twice.status, 409);
  assert.equal(twice.body.code, 'state_conflict');
  assert.equal((await agent.call('POST', '/api/v1/services/still/resume')).body.status, 'resumed');
  assert.equal((await agent.call('GET', '/service/still/status')).body.status, 'running');
  await agent.call('POST', '/api/v1/services/still/pause');
  const stopped = await agent.call('POST', '/service/still/stop');
  assert.equal(stopped.body.stop.ended_by, 'signal');
  assert.ok(!isRunning(pid));
});

test('a signal reaches the process', async () => {
  const command = 'trap "echo got it" USR1; echo ready; while :; do sleep 0.02; done';
  await deploy('signalled', { command });
  await agent.until('GET', '/service/signalled/logs', (body) => body.lines?.length > 0);
  const { body } = await agent.call('POST', '/api/v1/services/signalled/signal', { signal: 'SIGUSR1' });
  assert.equal(body.status, 'signalled');
  await agent.until('GET', '/service/signalled/logs?grep=got', (page) => page.lines.length === 1);
  const wrong = await agent.call('POST', '/api/v1/services/signalled/signal', { signal: 'SIGNONE' });
  assert.equal(wrong.status, 400);
});

test('signalling, pausing and resuming what does not run is 409', async () => {
  await deploy('off', { command: 'exec sleep 1000' });
  await agent.call('POST', '/service/off/stop');
  for (const [verb, body] of [
    ['signal', { signal: 'SIGHUP' }],
    ['pause', {}],
    ['resume', {}],
  ] as const) {
    const answer = await agent.call('POST', `/api/v1/services/off/${verb}`, body);
    assert.equal(answer.status, 409, verb);
  }
});

for (const [what, command, expected] of [
  ['ignores SIGTERM', "trap '' TERM; echo ready; while :; do sleep 0.1; done", { ended_by: 'kill' }],
  ['has children', 'sleep 1000 & sleep 1000 & echo ready; wait', { ended_by: 'signal' }],
  ['has a child in a session of its own', 'setsid sleep 1000 & echo ready; wait', {}],
  [
    'has a daemon that forked twice',
    '(setsid sh -c "sleep 1000 & sleep 1000 & wait" &); echo ready; exec sleep 1000',
    {},
  ],
] as const) {
  test(`nothing is left after the stop of a service that ${what}`, async () => {
    const id = what.replaceAll(/[^a-z]+/gi, '-').toLowerCase();
    await deploy(id, { command, stop: { timeout: '300ms' } });
    await agent.until('GET', `/service/${id}/logs`, (body) => body.lines?.length > 0);
    const tree = await agent.tree(id);
    assert.ok(tree.length > 0);
    const { status, body } = await agent.call('POST', `/service/${id}/stop`);
    assert.equal(status, 200);
    assert.partialDeepStrictEqual(body.stop, { ...expected, survivors: [] });
    for (const pid of tree) assert.ok(!isRunning(pid), `process ${pid} is left`);
    assert.deepEqual(await agent.tree(id), []);
  });
}

test('what a process leaves behind when it dies by itself is cleared away', async () => {
  await deploy('dies', {
    command: 'sleep 1000 & echo $!; sleep 0.1; exit 5',
    restart: { policy: 'never' },
  });
  await agent.until('GET', '/service/dies/status', (body) => body.status === 'stopped');
  const page = await agent.until('GET', '/service/dies/logs', (body) => body.lines?.length > 0);
  await untilGone(Number(page.lines[0].line));
});

test('a batch acts on several services and tells how each went', async () => {
  const operations = [
    { operation: 'deploy', service: 'batch-a', body: { command: 'exec sleep 1000', ...quick } },
    { operation: 'deploy', service: 'batch-b', body: { command: 'exit 4' } },
    { operation: 'stop', service: 'batch-none' },
  ];
  const { status, body } = await agent.call('POST', '/api/v1/batch', { operations });
  assert.equal(status, 200);
  assert.deepEqual(
    body.results.map((result: { http_status: number }) => result.http_status),
    [200, 422, 404],
  );
  assert.equal(body.results[0].result.status, 'deployed');
  assert.equal(body.results[1].result.return_code, 4);
  assert.equal(body.succeeded, 1);
  assert.equal(body.failed, 2);
});

test("a process gets its environment, and nothing of what is the agent's own", async () => {
  await deploy('environment', { command: 'env; exec sleep 1000', env: { GREETING: 'hello there' } });
  const page = await agent.until('GET', '/service/environment/logs?lines=1000', (body) =>
    body.lines?.some(({ line }: { line: string }) => line.startsWith('PATH=')),
  );
  const lines: string[] = page.lines.map(({ line }: { line: string }) => line);
  assert.ok(lines.includes('GREETING=hello there'));
  const path =
    lines
      .find((line) => line.startsWith('PATH='))
      ?.slice(5)
      .split(':') ?? [];
  for (const directory of ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']) {
    assert.ok(path.includes(directory), directory);
  }
  const own = lines.map((line) => line.split('=')[0] ?? '').filter((name) => name.startsWith('DAVIT_'));
  assert.deepEqual(own.sort(), ['DAVIT_INSTANCE', 'DAVIT_INSTANCE_ID', 'DAVIT_RELEASE', 'DAVIT_SERVICE']);
});

test('an Idempotency-Key gives the first answer again, and refuses another request', async () => {
  const headers = { 'idempotency-key': 'deploy-42' };
  const body = { command: 'exec sleep 1000', ...quick };
  const [first, same] = await Promise.all([
    agent.call('POST', '/service/once/deploy', body, headers),
    agent.call('POST', '/service/once/deploy', body, headers),
  ]);
  const later = await agent.call('POST', '/service/once/deploy', body, headers);
  assert.equal(first.status, 200);
  assert.deepEqual(same.body, first.body);
  assert.deepEqual(later.body, first.body);
  assert.equal(later.headers.get('idempotency-replayed'), 'true');
  assert.equal((await agent.call('GET', '/api/v1/services/once/releases')).body.releases.length, 1);
  const other = await agent.call('POST', '/service/once/deploy', { ...body, cwd: '/tmp' }, headers);
  assert.equal(other.status, 409);
  assert.equal(other.body.code, 'idempotency_conflict');
  const failing = { 'idempotency-key': 'deploy-43' };
  const failed = await agent.call('POST', '/service/once-bad/deploy', { command: 'exit 9' }, failing);
  const failedAgain = await agent.call('POST', '/service/once-bad/deploy', { command: 'exit 9' }, failing);
  assert.equal(failedAgain.status, 422);
  assert.deepEqual(failedAgain.body, failed.body);
});

test('events tell what happened to a service, in order and by whom', async () => {
  await deploy('told', { command: 'exec sleep 1000' });
  await agent.call('POST', '/service/told/stop');
  const { events } = (await agent.call('GET', '/api/v1/events?service=told')).body;
  const types = events.map((event: { type: string }) => event.type);
  assert.deepEqual(types, [
    'deployment.started',
    'service.starting',
    'service.started',
    'deployment.succeeded',
    'service.stopping',
    'service.stopped',
  ]);
  const byItself = events.filter(({ actor }: { actor: string | null }) => actor === null);
  assert.deepEqual(
    byItself.map(({ type }: { type: string }) => type),
    ['service.started'],
  );
  const ids = events.map(({ id }: { id: number }) => id);
  const causes = events.map(({ cause }: { cause: number | null }) => cause && ids.indexOf(cause));
  assert.deepEqual(causes, [null, 0, 1, 2, 2, 4]);
});
