import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Deployment } from '../../src/contract/deployments.ts';
import type { Event } from '../../src/contract/events.ts';
import type { InstanceStatus } from '../../src/contract/instances.ts';
import { type Answer, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { steadyPort } from '../helpers/free_port.ts';
import { isRunning, untilGone } from '../helpers/system.ts';

let agent: RunningAgent;
before(async () => {
  agent = await startAgent();
});
after(() => agent[Symbol.asyncDispose]());

const worker = 'exec sleep 1000';
const rolling = { strategy: 'rolling', max_surge: 1, ready_timeout: '20s' };
/** One that starts well and is ready only when the file that it waits for is there. */
const waitsFor = (file: string) => `while [ ! -e ${file} ]; do sleep 0.05; done; echo go; exec sleep 1000`;

function deploy(service: string, body: object, query = ''): Promise<Answer> {
  return agent.call('POST', `/service/${service}/deploy${query}`, { min_uptime: '0s', ...body });
}

async function deployed(service: string, body: object): Promise<Answer['body']> {
  const answer = await deploy(service, body);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

async function instances(service: string): Promise<InstanceStatus[]> {
  return (await agent.call('GET', `/api/v1/services/${service}/instances`)).body.instances;
}

async function deployments(service: string): Promise<Deployment[]> {
  return (await agent.call('GET', `/api/v1/services/${service}/deployments`)).body.deployments;
}

/** The newest deployment of a service, once it is as it is awaited. */
async function untilDeployment(service: string, fits: (newest: Deployment) => boolean): Promise<Deployment> {
  const path = `/api/v1/services/${service}/deployments`;
  const found = await agent.until('GET', path, (answer) => answer.deployments?.some(fits));
  return found.deployments.find(fits);
}

async function steer(service: string, { id }: Deployment, how: 'cancel' | 'promote'): Promise<Answer> {
  return agent.call('POST', `/api/v1/services/${service}/deployments/${id}/${how}`, {});
}

/** Every process of a service, as the instances say it. */
async function pids(service: string): Promise<number[]> {
  return (await instances(service)).flatMap(({ pid }) => pid ?? []);
}

test('a rolling deployment starts each new instance before an old one ends', async () => {
  await deployed('roll', { command: worker, instances: 3, rollout: rolling });
  const old = await pids('roll');
  const { release, deployment } = await deployed('roll', { env: { RELEASE: '2' } });
  assert.equal(release, 2);
  for (const pid of old) await untilGone(pid);
  const gone = ({ instances: all }: Answer['body']) => all.length === 3;
  const now: InstanceStatus[] = (await agent.until('GET', '/api/v1/services/roll/instances', gone)).instances;
  assert.ok(now.every(({ status, release: of }) => status === 'running' && of === 2));
  const { body } = await agent.call('GET', `/api/v1/services/roll/deployments/${deployment}`);
  assert.equal(body.status, 'succeeded');
  assert.equal(body.strategy, 'rolling');
  assert.deepEqual(
    body.steps.map(({ message }: { message: string }) => message),
    [...[1, 2, 3].map((count) => `${count} of 3 instances run release 2`), 'Release 2 is current'],
  );
  const events: Event[] = (await agent.call('GET', '/api/v1/events?service=roll&limit=1000')).body.events;
  const order = events
    .filter(
      ({ release: of, type }) => (type === 'service.starting' && of === 2) || type === 'service.stopping',
    )
    .map(({ type }) => type);
  assert.deepEqual(
    order,
    [1, 2, 3].flatMap(() => ['service.starting', 'service.stopping']),
  );
});

test('a release that does not come up leaves every old instance as it is', async () => {
  await deployed('keep', { command: worker, instances: 2, rollout: { ...rolling, max_surge: '100%' } });
  const old = await pids('keep');
  const answer = await deploy('keep', { command: 'echo no way; exit 3', min_uptime: '1s' });
  assert.equal(answer.status, 422);
  assert.equal(answer.body.code, 'exited_early');
  assert.deepEqual(answer.body.restored, { release: 1, pid: old[0] });
  assert.deepEqual(await pids('keep'), old);
  const status = (await agent.call('GET', '/service/keep/status')).body;
  assert.deepEqual([status.release, status.instances], [1, { wanted: 2, running: 2, ready: 2 }]);
  const [newest] = await deployments('keep');
  assert.equal(newest?.status, 'failed');
  assert.match(newest?.cause ?? '', /did not stay up/);
});

test('a release of which a later instance fails gives their places back to those that were replaced already', async () => {
  const file = `${agent.data}/first`;
  await deployed('half', { command: worker, instances: 2, rollout: rolling });
  // The first one of the new release stays up, every later one ends at once.
  const command = `mkdir ${file} 2>/dev/null || exit 4; exec sleep 1000`;
  const answer = await deploy('half', { command, min_uptime: '500ms' });
  assert.equal(answer.status, 422, JSON.stringify(answer.body));
  await agent.until(
    'GET',
    '/service/half/status',
    ({ instances: { running, ready }, release }) => running === 2 && ready === 2 && release === 1,
  );
  await agent.until('GET', '/api/v1/services/half/instances', ({ instances: all }) => all.length === 2);
  assert.ok((await instances('half')).every(({ release }) => release === 1));
});

test('a deployment that is cancelled ends, and what served before stays', async () => {
  await deployed('stay', { command: worker, rollout: rolling });
  const old = await pids('stay');
  const never = deploy('stay', { command: waitsFor('/nowhere'), ready_log: 'go' });
  const running = await untilDeployment(
    'stay',
    ({ status, release }) => status === 'running' && release === 2,
  );
  const { body } = await steer('stay', running, 'cancel');
  assert.equal(body.id, running.id);
  const answer = await never;
  assert.deepEqual([answer.status, answer.body.code], [409, 'deployment_cancelled']);
  assert.deepEqual(await pids('stay'), old);
  assert.equal((await deployments('stay'))[0]?.status, 'cancelled');
  const again = await steer('stay', running, 'cancel');
  assert.deepEqual([again.status, again.body.code], [409, 'state_conflict']);
});

test('a stop does not wait for a deployment that waits', async () => {
  await deployed('halt', { command: worker, rollout: rolling });
  const never = deploy('halt', { command: waitsFor('/nowhere'), ready_log: 'go' });
  await untilDeployment('halt', ({ status, release }) => status === 'running' && release === 2);
  const stopped = await agent.call('POST', '/service/halt/stop');
  assert.equal(stopped.body.status, 'stopped', JSON.stringify(stopped.body));
  assert.equal((await never).body.code, 'deployment_cancelled');
  const status = (await agent.call('GET', '/service/halt/status')).body;
  assert.deepEqual([status.status, status.wanted, status.release], ['stopped', 'stopped', 1]);
  assert.deepEqual(await pids('halt'), []);
});

test('a deployment that waits for its turn gives it up to a later one that supersedes it', async () => {
  const go = `${agent.data}/go`;
  await deployed('queue', { command: worker, rollout: rolling });
  const first = deploy('queue', { command: waitsFor(go), ready_log: 'go' });
  await untilDeployment('queue', ({ status }) => status === 'running');
  const second = deploy('queue', { env: { A: '2' } });
  await untilDeployment('queue', ({ status }) => status === 'waiting');
  const third = deploy('queue', { env: { A: '3' } }, '?supersede=true');
  assert.equal((await untilDeployment('queue', ({ status }) => status === 'superseded')).release, null);
  await agent.call('POST', '/service/queue-helper/deploy', {
    command: ['touch', go],
    type: 'task',
    min_uptime: '0s',
  });
  assert.equal((await first).status, 200);
  const lost = await second;
  assert.deepEqual([lost.status, lost.body.code], [409, 'deployment_superseded']);
  assert.equal((await third).body.release, 3);
});

test('a canary waits until it is promoted, and its answer does not', async () => {
  const rollout = { strategy: 'canary', bake: 'manual', canary: { weight: 50 } };
  await deployed('canary', { command: worker, instances: 2, rollout });
  const old = await pids('canary');
  const answer = await deployed('canary', { env: { RELEASE: '2' } });
  assert.match(answer.message, /waits to be promoted/);
  const shown = await untilDeployment('canary', ({ status }) => status === 'baking');
  assert.equal(shown.id, answer.deployment);
  const meanwhile = await instances('canary');
  assert.deepEqual(meanwhile.map(({ release }) => release).sort(), [1, 1, 2]);
  assert.equal((await agent.call('GET', '/service/canary/status')).body.release, 1);
  assert.equal((await steer('canary', shown, 'promote')).status, 200);
  await agent.until('GET', '/service/canary/status', ({ release }) => release === 2);
  for (const pid of old) await untilGone(pid);
  await agent.until(
    'GET',
    '/api/v1/services/canary/instances',
    ({ instances: all }) =>
      all.length === 2 && all.every((each: InstanceStatus) => each.release === 2 && each.ready),
  );
});

test('while a canary waits, nothing else is done with its service but what ends that', async () => {
  const rollout = { strategy: 'canary', bake: 'manual' };
  await deployed('wait', { command: worker, rollout });
  await deployed('wait', { env: { RELEASE: '2' } });
  for (const [path, body] of [
    ['/service/wait/restart', {}],
    ['/service/wait/deploy', { env: { RELEASE: '3' } }],
    ['/api/v1/services/wait/scale', { instances: 2 }],
  ] as const) {
    const answer = await agent.call('POST', path, body);
    assert.deepEqual([answer.status, answer.body.code], [409, 'state_conflict'], path);
    assert.match(answer.body.error, /promote or cancel deployment \d+ first/);
  }
  const later = deploy('wait', { env: { RELEASE: '3' }, rollout: { bake: '0s' } }, '?supersede=true');
  assert.equal((await later).body.release, 3);
  const [last, superseded] = await deployments('wait');
  assert.deepEqual([last?.status, superseded?.status], ['succeeded', 'superseded']);
});

test('a crash during a canary is found, and the canary is taken back', async () => {
  const rollout = { strategy: 'canary', bake: 'manual' };
  await deployed('sick', { command: worker, rollout });
  const [old] = await pids('sick');
  await deployed('sick', { env: { RELEASE: '2' } });
  const canary = (await instances('sick')).find(({ release }) => release === 2);
  process.kill(Number(canary?.pid), 'SIGKILL');
  const ended = await untilDeployment('sick', ({ status }) => status === 'failed');
  assert.match(
    ended.cause ?? '',
    /does worse than the one before: its instances ended by themselves 1 times/,
  );
  assert.equal(isRunning(Number(old)), true);
  await agent.until(
    'GET',
    '/service/sick/status',
    ({ instances: { running }, release }) => running === 1 && release === 1,
  );
});

test('the agent ends while a canary waits, and the next one goes on with it', async () => {
  const rollout = { strategy: 'canary', bake: 'manual' };
  const { data } = agent;
  await deployed('later', { command: worker, rollout });
  await deployed('later', { env: { RELEASE: '2' } });
  const before = await pids('later');
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGTERM'] as const) {
    await agent.end(signal);
    agent = await startAgent({ data });
    const shown = await untilDeployment('later', ({ status }) => status === 'baking');
    assert.deepEqual(await pids('later'), before, `after ${signal}`);
    assert.equal(shown.release, 2);
  }
  await steer('later', await untilDeployment('later', ({ status }) => status === 'baking'), 'promote');
  await agent.until('GET', '/service/later/status', ({ release }) => release === 2);
  await untilDeployment('later', ({ status, release }) => status === 'succeeded' && release === 2);
});

test('blue and green run beside each other until all connections have changed over', async () => {
  const rollout = { strategy: 'blue_green', bake: 'manual' };
  await deployed('both', { command: worker, instances: 2, port: 'auto', rollout });
  await deployed('both', { env: { RELEASE: '2' } });
  const all = await instances('both');
  assert.deepEqual(all.map(({ release }) => release).sort(), [1, 1, 2, 2]);
  assert.equal(new Set(all.map(({ port }) => port)).size, 4);
  const shown = await untilDeployment('both', ({ status }) => status === 'baking');
  await steer('both', shown, 'cancel');
  await untilDeployment('both', ({ status }) => status === 'cancelled');
  await agent.until('GET', '/api/v1/services/both/instances', ({ instances: left }) => left.length === 2);
  assert.ok((await instances('both')).every(({ release }) => release === 1));
});

test('fixed ports are taken over one after another', async () => {
  const server = [process.execPath, 'test/fixtures/http_server.mjs'];
  const base = await steadyPort(2);
  const body = {
    command: server,
    cwd: process.cwd(),
    port: base,
    instances: 2,
    ready_log: 'ready',
    rollout: rolling,
  };
  await deployed('fixed', body);
  const { deployment } = await deployed('fixed', { env: { RELEASE: '2' } });
  const now = await instances('fixed');
  assert.deepEqual(
    now.map(({ instance, port, release }) => [instance, port, release]),
    [
      [1, base, 2],
      [2, base + 1, 2],
    ],
  );
  const { steps } = (await agent.call('GET', `/api/v1/services/fixed/deployments/${deployment}`)).body;
  assert.deepEqual(
    steps.map(({ message }: { message: string }) => message),
    ['Instance 1 runs release 2', 'Instance 2 runs release 2', 'Release 2 is current'],
  );
});

test('services of the agent itself are nobody else’s', async () => {
  for (const [method, path, body] of [
    ['POST', '/service/davit.web/deploy', { command: worker }],
    ['POST', '/api/v1/services', { id: 'davit.web', command: worker }],
    ['POST', '/service/davit.web/stop', undefined],
  ] as const) {
    const answer = await agent.call(method, path, body);
    assert.deepEqual([answer.status, answer.body.code], [403, 'forbidden'], path);
  }
});
