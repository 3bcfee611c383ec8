import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { fixture } from '../helpers/processes.ts';
import { untilGone } from '../helpers/system.ts';

// biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects
type Any = any;

let agent: RunningAgent;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-supervision-'));
  agent = await startAgent();
});
after(async () => {
  await agent[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const sleeper = { command: 'exec sleep 1000', min_uptime: '0s' };
const atOnce = { backoff: { initial: '0ms', jitter: 0 } };

function deploy(service: string, spec: object) {
  return agent.call('POST', `/service/${service}/deploy`, spec);
}

async function deployed(service: string, spec: object): Promise<Any> {
  const { status, body } = await deploy(service, spec);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

async function instances(service: string): Promise<Any[]> {
  return (await agent.call('GET', `/api/v1/services/${service}/instances`)).body.instances;
}

async function events(service: string): Promise<Any[]> {
  return (await agent.call('GET', `/api/v1/events?service=${service}&limit=1000`)).body.events;
}

async function untilStatus(service: string, fits: (body: Any) => boolean): Promise<Any> {
  return agent.until('GET', `/service/${service}/status`, fits);
}

function probe(path: string, more: object = {}) {
  return { type: 'http', path, interval: '100ms', timeout: '2s', unhealthy_threshold: 2, ...more };
}

test('what dies is started again, and each step names the one that led to it', async () => {
  const { pid } = await deployed('phoenix', { ...sleeper, restart: atOnce });
  process.kill(pid, 'SIGKILL');
  const status = await untilStatus('phoenix', (body) => body.status === 'running' && body.pid !== pid);
  assert.equal(status.restarts, 1);
  const happened = await events('phoenix');
  const last = happened.at(-1);
  const chain: string[] = [];
  for (let event = last; event; event = happened.find(({ id }) => id === event.cause)) chain.push(event.type);
  assert.deepEqual(chain, [
    'service.started',
    'service.starting',
    'service.restarting',
    'service.exited',
    'service.started',
    'service.starting',
    'deployment.started',
  ]);
});

test('a limit of restarts makes a service failed, once, until someone acts', async () => {
  const restart = { ...atOnce, limit: { count: 2, within: '1h' } };
  await deployed('doomed', { command: 'sleep 0.05; exit 9', min_uptime: '0s', restart });
  const failed = await untilStatus('doomed', (body) => body.status === 'failed');
  assert.equal(failed.return_code, 9);
  assert.equal(failed.restarts, 2);
  assert.equal((await events('doomed')).filter(({ type }) => type === 'service.failed').length, 1);
  const started = await agent.call('POST', '/api/v1/services/doomed/start');
  assert.equal(started.body.status, 'started');
  await untilStatus('doomed', (body) => body.status === 'failed');
  assert.equal((await agent.call('POST', '/service/doomed/stop')).status, 200);
  assert.equal((await untilStatus('doomed', () => true)).status, 'stopped');
});

test('a failed service is tried again after retry_after', async () => {
  const limit = { count: 1, within: '1h', retry_after: '200ms' };
  await deployed('patient', {
    command: 'sleep 0.05; exit 1',
    min_uptime: '0s',
    restart: { ...atOnce, limit },
  });
  const restarts = (body: Any) => body.restarts;
  await untilStatus('patient', (body) => restarts(body) >= 3);
  const failures = (await events('patient')).filter(({ type }) => type === 'service.failed');
  assert.match(failures[0].message, /tried again at/);
  await agent.call('POST', '/service/patient/stop');
});

test('a task that ends well has completed, also before it has been up for min_uptime', async () => {
  const { pid } = await deployed('migrate', { command: 'echo done', type: 'task' });
  assert.equal(pid, undefined);
  const status = await untilStatus('migrate', ({ status }) => status === 'completed');
  assert.equal(status.return_code, 0);
  const refused = await deploy('migrate', { command: 'echo broken; exit 4' });
  assert.equal(refused.status, 422);
  assert.equal(refused.body.code, 'exited_early');
  assert.deepEqual(refused.body.last_lines, ['broken']);
});

test('each instance has its number and its port, and dies and is restarted alone', async () => {
  const command = fixture('health_server.mjs');
  await deployed('many', { command, port: 'auto', instances: 3, readiness: probe('/'), restart: atOnce });
  const first = await instances('many');
  assert.deepEqual(
    first.map(({ instance, status, ready }) => [instance, status, ready]),
    [
      [1, 'running', true],
      [2, 'running', true],
      [3, 'running', true],
    ],
  );
  assert.equal(new Set(first.map(({ port }) => port)).size, 3);
  for (const { port, pid } of first) {
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), String(pid));
  }
  process.kill(first[1].pid, 'SIGKILL');
  await untilStatus('many', (body) => body.instances.ready === 3 && body.restarts === 1);
  const second = await instances('many');
  assert.equal(second[0].pid, first[0].pid);
  assert.equal(second[2].pid, first[2].pid);
  assert.notEqual(second[1].pid, first[1].pid);
  assert.equal(second[1].port, first[1].port);
});

test('a service is scaled up and down, and what runs stays', async () => {
  const { pid } = await deployed('elastic', { ...sleeper, port: 'auto' });
  const scaled = await agent.call('POST', '/api/v1/services/elastic/scale', { instances: 3 });
  assert.equal(scaled.body.status, 'scaled');
  await untilStatus('elastic', (body) => body.instances.running === 3);
  const three = await instances('elastic');
  assert.equal(three[0].pid, pid);
  await deployed('elastic', { env: { CHANGED: '1' } });
  assert.equal((await instances('elastic')).length, 3);
  const down = await agent.call('POST', '/api/v1/services/elastic/scale', { instances: 1 });
  assert.equal(down.status, 200);
  for (const { pid } of three) await untilGone(pid);
  assert.deepEqual(
    (await instances('elastic')).map(({ instance }) => instance),
    [1],
  );
  await deployed('elastic', { instances: 2 });
  assert.equal((await instances('elastic')).length, 2);
});

test('a port that another process has is refused before anything is touched, with its holder', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const { pid } = await deployed('polite', sleeper);
  const { status, body } = await deploy('polite', { port });
  server.close();
  assert.equal(status, 422);
  assert.equal(body.code, 'port_taken');
  assert.match(body.error, new RegExp(`${port}.*pid ${process.pid}`));
  assert.equal((await untilStatus('polite', () => true)).pid, pid);
});

test('placeholders are filled in for each instance', async () => {
  const words = ['SERVICE', 'INSTANCE', 'RELEASE'].map((name) => `\${${name}}`).join('-');
  const command = ['/bin/sh', '-c', 'echo "$WHO $0 $PORT"; exec sleep 1000', words];
  const env = { WHO: `at \${PORT}` };
  await deployed('named', { command, env, port: 'auto', instances: 2, min_uptime: '0s' });
  const [, second] = await instances('named');
  const page = await agent.until('GET', '/service/named/logs?instance=2', ({ lines }) => lines.length > 0);
  assert.equal(page.lines[0].line, `at ${second.port} named-2-1 ${second.port}`);
});

test('a release that never becomes ready fails its deploy, and what served before it is back', async () => {
  const command = fixture('health_server.mjs');
  const good = { command, port: 'auto', readiness: probe('/health'), rollout: { ready_timeout: '1s' } };
  await deployed('gated', good);
  const sick = join(folder, 'gated');
  await writeFile(sick, '');
  const { status, body } = await deploy('gated', { env: { SICK: sick }, min_uptime: '0s' });
  assert.equal(status, 422);
  assert.equal(body.code, 'not_ready');
  assert.match(body.error, /answered 503.*the disk is on fire/s);
  assert.equal(body.restored.release, 1);
  const after = await untilStatus('gated', (seen) => seen.instances.ready === 1);
  assert.equal(after.release, 1);
});

test('a liveness probe that fails has the instance restarted, and says what it saw', async () => {
  const sick = join(folder, 'frail');
  const { pid } = await deployed('frail', {
    command: fixture('health_server.mjs'),
    env: { SICK: sick },
    port: 'auto',
    liveness: probe('/health', { start_period: '1m' }),
    restart: atOnce,
    min_uptime: '0s',
  });
  await writeFile(sick, '');
  await untilStatus('frail', (body) => body.pid !== undefined && body.pid !== pid);
  await rm(sick);
  await untilStatus('frail', (body) => body.instances.ready === 1);
  const unhealthy = (await events('frail')).find(({ type }) => type === 'service.unhealthy');
  assert.match(unhealthy.message, /2 times in a row.*503.*the disk is on fire/s);
});

test('readiness that is lost and comes back changes nothing but where connections may go', async () => {
  const sick = join(folder, 'moody');
  const { pid } = await deployed('moody', {
    command: fixture('health_server.mjs'),
    env: { SICK: sick },
    port: 'auto',
    readiness: probe('/health'),
  });
  await writeFile(sick, '');
  await untilStatus('moody', (body) => body.instances.ready === 0);
  await rm(sick);
  const back = await untilStatus('moody', (body) => body.instances.ready === 1);
  assert.equal(back.pid, pid);
  assert.equal(back.restarts, 0);
});

test('a line of its output can say that an instance is ready', async () => {
  const command = 'sleep 0.3; echo "listening on 80"; exec sleep 1000';
  await deployed('chatty', { command, min_uptime: '0s', ready_log: 'listening on \\d+' });
  const [{ ready }] = await instances('chatty');
  assert.equal(ready, true);
  const ready_timeout = '300ms';
  const silent = await deploy('silent', { ...sleeper, ready_log: 'listening', rollout: { ready_timeout } });
  assert.equal(silent.body.code, 'not_ready');
});

test('a service waits for what it depends on, and starts when that is there', async () => {
  await deployed('base', { command: 'echo up; exec sleep 1000', min_uptime: '0s', ready_log: 'up' });
  await deployed('api', { ...sleeper, depends_on: { base: 'log_ready' } });
  for (const service of ['api', 'base']) await agent.call('POST', `/service/${service}/stop`);
  const waiting = await agent.call('POST', '/api/v1/services/api/start');
  assert.equal(waiting.body.status, 'waiting');
  assert.equal((await untilStatus('api', () => true)).status, 'pending');
  await agent.call('POST', '/api/v1/services/base/start');
  await untilStatus('api', (body) => body.status === 'running');
  const started = (await events('api')).findLast(({ type }) => type === 'service.starting');
  const cause = (await events('base')).find(({ id }) => id === started.cause);
  assert.equal(cause?.service, 'base');
});

test('a deploy fails when what it depends on is not there in time, and nothing is touched', async () => {
  await deployed('absent', { ...sleeper });
  const { pid } = await deployed('needy', sleeper);
  await agent.call('POST', '/service/absent/stop');
  const change = { depends_on: { absent: 'started' }, rollout: { ready_timeout: '200ms' } };
  const { status, body } = await deploy('needy', change);
  assert.equal(status, 422);
  assert.equal(body.code, 'dependency_unmet');
  assert.match(body.error, /absent to be started/);
  assert.equal((await untilStatus('needy', () => true)).pid, pid);
});

for (const [policy, what] of [
  ['stop', 'ends when that is lost, and starts again when it is back'],
  ['restart', 'is restarted when that is back'],
  ['wait', 'goes on'],
] as const) {
  test(`a service whose on_dependency_failure is ${policy} ${what}`, async () => {
    const [db, api] = [`db-${policy}`, `api-${policy}`];
    await deployed(db, sleeper);
    const { pid } = await deployed(api, {
      ...sleeper,
      depends_on: { [db]: 'started' },
      on_dependency_failure: policy,
    });
    await agent.call('POST', `/service/${db}/stop`);
    if (policy === 'stop') await untilStatus(api, ({ status }) => status === 'pending');
    await agent.call('POST', `/api/v1/services/${db}/start`);
    if (policy !== 'wait') await untilStatus(api, (body) => body.status === 'running' && body.pid !== pid);
    else assert.equal((await untilStatus(api, () => true)).pid, pid);
  });
}

test('a service that others depend on is not deleted, and a circle or an unknown name is refused', async () => {
  await deployed('ground', sleeper);
  await deployed('house', { ...sleeper, depends_on: { ground: 'started' } });
  const refused = await agent.call('DELETE', '/api/v1/services/ground');
  assert.equal(refused.status, 409);
  assert.match(refused.body.error, /house depends on "ground"/);
  const circle = await deploy('ground', { depends_on: { house: 'started' } });
  assert.equal(circle.status, 400);
  assert.match(circle.body.error, /ground → house → ground|house → ground → house/);
  const unknown = await deploy('house', { depends_on: { groud: 'started' } });
  assert.match(unknown.body.error, /did you mean "ground"/);
});

test('one instance is restarted alone', async () => {
  await deployed('pair', { ...sleeper, instances: 2 });
  const [one, two] = await instances('pair');
  const { status } = await agent.call('POST', '/api/v1/services/pair/instances/2/restart');
  assert.equal(status, 200);
  const after = await instances('pair');
  assert.equal(after[0].pid, one.pid);
  assert.notEqual(after[1].pid, two.pid);
  assert.equal((await agent.call('POST', '/api/v1/services/pair/instances/3/restart')).status, 404);
});

test('a service that has just been deployed ends with what it depends on', async () => {
  const ground = await deployed('ground', { ...sleeper, restart: { policy: 'never' } });
  const after = { depends_on: { ground: 'started' }, on_dependency_failure: 'stop' };
  const { pid } = await deployed('house', { ...sleeper, ...after });
  process.kill(ground.pid, 'SIGKILL');
  await untilStatus('house', ({ status }) => status === 'pending');
  await untilGone(pid);
});

test('what has waited for what it depends on is started once', async () => {
  await deployed('engine', sleeper);
  const after = { depends_on: { engine: 'started' }, on_dependency_failure: 'restart' };
  await deployed('train', { ...sleeper, ...after });
  await agent.call('POST', '/service/train/stop', {});
  await agent.call('POST', '/service/engine/stop', {});
  const { body } = await agent.call('POST', '/api/v1/services/train/start', {});
  assert.equal(body.status, 'waiting');
  await agent.call('POST', '/api/v1/services/engine/start', {});
  await untilStatus('train', ({ status }) => status === 'running');
  // Its turn comes after all that was to be done with it.
  const before = (await agent.call('GET', '/service/train/status')).body;
  await agent.call('PATCH', '/api/v1/services/train', { env: { NOTE: 'x' } });
  const status = (await agent.call('GET', '/service/train/status')).body;
  assert.equal(status.pid, before.pid);
  const starts = (await events('train')).filter(({ type }) => type === 'service.starting');
  assert.equal(starts.length, 2);
});

test('a deploy that fails while instances are still being started leaves what there was', async () => {
  await deployed('crowd', sleeper);
  const failed = { command: 'exit 3', min_uptime: '5s', instances: 20 };
  const { status, body } = await deploy('crowd', failed);
  assert.equal(status, 422, JSON.stringify(body));
  assert.equal(body.code, 'exited_early');
  assert.equal(body.restored.release, 1);
  const [first, ...others] = await instances('crowd');
  assert.equal(first.status, 'running');
  assert.deepEqual(others, []);
});
