import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { InstanceStatus } from '../../src/contract/instances.ts';
import { type Answer, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { freePort, steadyPort } from '../helpers/free_port.ts';
import { fixture } from '../helpers/processes.ts';
import { isRunning, until, untilGone } from '../helpers/system.ts';

let agent: RunningAgent;
let config: Record<string, unknown>;
let url = '';
before(async () => {
  const address = `127.0.0.1:${await freePort()}`;
  url = `http://${address}`;
  config = { router: { listeners: [{ address }], processes: 1 } };
  agent = await startAgent({ config });
  await agent.until('GET', '/api/v1/routers', ({ routers }) => routers.length === 1);
});
after(() => agent[Symbol.asyncDispose]());

async function succeeds(asked: Promise<Answer>): Promise<Answer['body']> {
  const answer = await asked;
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

/** Deploys a service whose path is its name, and which takes its time to drain. */
function deploy(service: string, version: string, more: object = {}): Promise<Answer['body']> {
  const body = {
    command: fixture('versioned_service.mjs'),
    port: 'auto',
    min_uptime: '0s',
    ready_log: 'ready',
    env: { VERSION: version },
    routes: [{ path_prefix: `/${service}` }],
    rollout: { drain_timeout: '60s', drain_spread: '0s', bake: '0s' },
    stop: { timeout: '2s' },
    ...more,
  };
  return succeeds(agent.call('POST', `/service/${service}/deploy`, body));
}

async function ask(service: string, path = ''): Promise<string> {
  const response = await fetch(`${url}/${service}${path}`);
  return response.ok ? response.text() : `status ${response.status}`;
}

async function instances(service: string): Promise<InstanceStatus[]> {
  return (await agent.call('GET', `/api/v1/services/${service}/instances`)).body.instances;
}

/** Requests that are answered when their instance gets SIGUSR2, once they have reached one. */
async function openRequests(service: string, count: number): Promise<readonly Promise<string>[]> {
  const asked = Array.from({ length: count }, () => ask(service, '/wait').catch((error) => String(error)));
  await agent.until('GET', '/api/v1/traffic', ({ services }) => {
    const own = services.find((each: { service: string }) => each.service === service);
    return own?.total.open_requests === count;
  });
  return asked;
}

async function untilInstances(
  service: string,
  fits: (all: readonly InstanceStatus[]) => boolean,
): Promise<InstanceStatus[]> {
  const path = `/api/v1/services/${service}/instances`;
  return (await agent.until('GET', path, ({ instances: all }) => fits(all))).instances;
}

/** A service of which the instance of release 1 drains beside the one of release 2. */
async function draining(service: string): Promise<{ pid: number; open: Promise<string> }> {
  await deploy(service, 'old');
  const [open] = await openRequests(service, 1);
  await deploy(service, 'new');
  const old = (await instances(service)).find(({ status }) => status === 'draining');
  assert.ok(old?.pid && open);
  return { pid: old.pid, open };
}

test('what drains is not counted, and asks for no restart', async () => {
  const { pid, open } = await draining('count');
  const status = (await agent.call('GET', '/service/count/status')).body;
  assert.deepEqual(
    [status.status, status.restart_required, status.instances],
    ['running', false, { wanted: 1, running: 1, ready: 1 }],
  );
  assert.notEqual(status.pid, pid);
  const why = (await agent.call('GET', '/api/v1/services/count/why')).body;
  assert.equal(why.sentence, 'count is running. Service is running');
  process.kill(pid, 'SIGUSR2');
  assert.equal(await open, 'old');
  await untilGone(pid);
  await untilInstances('count', (all) => all.length === 1);
});

test('an instance that is on its way out is not started again', async () => {
  const { pid } = await draining('out');
  const number = (await instances('out')).find((each) => each.pid === pid)?.instance;
  const answer = await agent.call('POST', `/api/v1/services/out/instances/${number}/restart`);
  assert.deepEqual([answer.status, answer.body.code], [409, 'state_conflict'], JSON.stringify(answer.body));
  assert.equal(isRunning(pid), true);
  process.kill(pid, 'SIGKILL');
  const left = await untilInstances('out', (all) => all.length === 1);
  assert.deepEqual([left[0]?.release, left[0]?.status, left[0]?.restarts], [2, 'running', 0]);
  assert.equal(await ask('out'), 'new');
});

test('a stop and a delete end what drains, too', async () => {
  for (const [service, method, path] of [
    ['halt', 'POST', '/service/halt/stop'],
    ['gone', 'DELETE', '/api/v1/services/gone'],
  ] as const) {
    const { pid } = await draining(service);
    await succeeds(agent.call(method, path));
    await untilGone(pid);
  }
  await untilInstances('halt', (all) => all.length === 1 && all[0]?.status === 'stopped');
});

test('a scale to more lets those stay that were on their way out, with their fixed ports', async () => {
  const port = await steadyPort(2);
  await deploy('more', 'same', { port, instances: 2 });
  const all = await instances('more');
  const open = await openRequests('more', 2);
  await succeeds(agent.call('POST', '/api/v1/services/more/scale', { instances: 1 }));
  assert.equal((await instances('more'))[1]?.status, 'draining');
  await succeeds(agent.call('POST', '/api/v1/services/more/scale', { instances: 2 }));
  const now = await untilInstances('more', (each) => each.every(({ status }) => status === 'running'));
  assert.deepEqual(
    now.map((each) => [each.instance, each.port, each.pid]),
    all.map((each) => [each.instance, each.port, each.pid]),
  );
  for (const { pid } of all) process.kill(Number(pid), 'SIGUSR2');
  assert.deepEqual(await Promise.all(open), ['same', 'same']);
});

test('a release with more instances gets the fixed port of one that is on its way out', async () => {
  const port = await steadyPort(3);
  await deploy('wide', 'first', { port, instances: 3 });
  const open = await openRequests('wide', 3);
  await succeeds(agent.call('POST', '/api/v1/services/wide/scale', { instances: 2 }));
  await deploy('wide', 'second', { port, instances: 3, rollout: { drain_timeout: '1s', bake: '0s' } });
  const now = await untilInstances('wide', (all) => all.every(({ release }) => release === 2));
  assert.deepEqual(
    now.map((each) => [each.instance, each.port, each.status]),
    [1, 2, 3].map((number) => [number, port + number - 1, 'running']),
  );
  // What was cut off is tried again by the router, at new instances.
  for (const { pid } of now) process.kill(Number(pid), 'SIGUSR2');
  await Promise.all(open);
});

test('an agent that dies leaves to the next one what drains, and what it was about to start again', async () => {
  const { pid, open } = await draining('left');
  await deploy('again', 'same', { stop: { timeout: '60s' } });
  const [waiting] = await openRequests('again', 1);
  void agent.call('POST', '/api/v1/services/again/instances/1/restart').catch(() => {});
  const [again] = await untilInstances('again', ([only]) => only?.status === 'draining');
  await agent.end('SIGKILL');
  agent = await startAgent({ data: agent.data, config });
  assert.equal((await instances('left')).find((each) => each.pid === pid)?.status, 'draining');
  await untilInstances('again', ([only]) => only?.status === 'running');
  await until('it takes requests again', async () => (await ask('again')) === 'same');
  process.kill(Number(again?.pid), 'SIGUSR2');
  process.kill(pid, 'SIGUSR2');
  assert.deepEqual([await waiting, await open], ['same', 'old']);
  await untilGone(pid);
  await untilInstances('left', (all) => all.length === 1 && all[0]?.status === 'running');
});

test('what is on its way out is stopped as its own release says', async () => {
  await deploy('signal', 'old', { stop: { signal: 'SIGINT' } });
  const [{ pid } = { pid: 0 }] = await instances('signal');
  const [open] = await openRequests('signal', 1);
  await deploy('signal', 'new', { stop: { signal: 'SIGTERM' } });
  process.kill(Number(pid), 'SIGUSR2');
  assert.equal(await open, 'old');
  await untilGone(Number(pid));
  const { events } = (await agent.call('GET', '/api/v1/events?service=signal&type=service.stopping')).body;
  assert.deepEqual(
    events.map(({ message }: { message: string }) => message),
    [`SIGINT is sent to process ${pid}`],
  );
});
