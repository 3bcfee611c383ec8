import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
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
const fails = { command: 'exit 3', min_uptime: '1s' };
const server = { command: [process.execPath, 'test/fixtures/http_server.mjs'], cwd: process.cwd() };
function deploy(service: string, body: object): Promise<Answer> {
  return agent.call('POST', `/service/${service}/deploy`, { min_uptime: '0s', ...body });
}

async function succeeds(asked: Promise<Answer>): Promise<Answer['body']> {
  const answer = await asked;
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

async function instances(service: string): Promise<InstanceStatus[]> {
  return (await agent.call('GET', `/api/v1/services/${service}/instances`)).body.instances;
}

async function pids(service: string): Promise<number[]> {
  return (await instances(service)).flatMap(({ pid }) => pid ?? []);
}

/** The instances of a service once so many are there, all up and of one release. */
async function untilSettled(service: string, count: number, release: number): Promise<InstanceStatus[]> {
  const isSettled = (all: InstanceStatus[]) =>
    all.length === count && all.every((each) => each.status === 'running' && each.release === release);
  const path = `/api/v1/services/${service}/instances`;
  return (await agent.until('GET', path, ({ instances: all }) => isSettled(all))).instances;
}

test('fixed ports are given back when a later instance of the new release fails', async () => {
  const port = await steadyPort(4);
  const first = `${agent.data}/fixed-is-replaced`;
  const body = { ...server, port, instances: 3, ready_log: 'ready', rollout: rolling };
  await succeeds(deploy('fixed', body));
  const old = await pids('fixed');
  const command = `mkdir ${first} 2>/dev/null || exit 4; exec '${process.execPath}' test/fixtures/http_server.mjs`;
  const answer = await deploy('fixed', { command });
  assert.deepEqual([answer.status, answer.body.code], [422, 'exited_early'], JSON.stringify(answer.body));
  const now = await untilSettled('fixed', 3, 1);
  assert.deepEqual(
    now.map((each) => [each.instance, each.port]),
    [1, 2, 3].map((number) => [number, port + number - 1]),
  );
  assert.equal(now[2]?.pid, old[2], 'an instance that was not replaced yet was touched');
});

test('places are given back, too, where each new instance takes that of an old one', async () => {
  const first = `${agent.data}/place-is-replaced`;
  const rollout = { ...rolling, max_surge: 0 };
  await succeeds(deploy('place', { command: worker, instances: 2, rollout }));
  const command = `mkdir ${first} 2>/dev/null || exit 4; ${worker}`;
  assert.equal((await deploy('place', { command, min_uptime: '300ms' })).status, 422);
  const now = await untilSettled('place', 2, 1);
  assert.deepEqual(
    now.map(({ instance }) => instance),
    [1, 2],
  );
});

test('fixed ports are given back after a failed change to ports that are chosen', async () => {
  const port = await steadyPort(4);
  const first = `${agent.data}/auto-is-replaced`;
  const body = { ...server, port, instances: 2, ready_log: 'ready', rollout: rolling };
  await succeeds(deploy('chosen', body));
  const command = `mkdir ${first} 2>/dev/null || exit 4; exec '${process.execPath}' test/fixtures/http_server.mjs`;
  const answer = await deploy('chosen', { command, port: 'auto' });
  assert.deepEqual([answer.status, answer.body.code], [422, 'exited_early'], JSON.stringify(answer.body));
  const now = await untilSettled('chosen', 2, 1);
  assert.deepEqual(
    now.map((each) => [each.instance, each.port]),
    [
      [1, port],
      [2, port + 1],
    ],
  );
});

test('a port changes from chosen to fixed and back', async () => {
  const port = await steadyPort(4);
  const body = { ...server, port: 'auto', instances: 2, ready_log: 'ready', rollout: rolling };
  await succeeds(deploy('change', body));
  await succeeds(deploy('change', { env: { A: '2' } }));
  for (const [release, change] of [
    [3, { port }],
    [4, { port: 'auto' }],
    [5, { port, env: { A: '5' } }],
  ] as const) {
    await succeeds(deploy('change', change));
    const now = await untilSettled('change', 2, release);
    if (change.port === port)
      assert.deepEqual(
        now.map((each) => [each.instance, each.port]),
        [
          [1, port],
          [2, port + 1],
        ],
      );
  }
});

test('a release with fewer or more instances replaces all, and one that fails leaves all', async () => {
  await succeeds(deploy('count', { command: worker, instances: 3, rollout: { ...rolling, max_surge: 50 } }));
  const old = await pids('count');
  assert.equal((await deploy('count', { ...fails, instances: 1 })).status, 422);
  assert.deepEqual(await pids('count'), old);
  assert.equal((await deploy('count', { ...fails, instances: 4 })).status, 422);
  assert.deepEqual(await pids('count'), old);
  await succeeds(deploy('count', { instances: 1 }));
  await untilSettled('count', 1, 4);
  await succeeds(deploy('count', { instances: 3 }));
  await untilSettled('count', 3, 5);
  const rollout = { ...rolling, max_surge: 0 };
  await succeeds(deploy('count', { instances: 1, rollout }));
  await untilSettled('count', 1, 6);
  await succeeds(deploy('count', { instances: 3 }));
  await untilSettled('count', 3, 7);
});

test('a restart replaces what runs and what waits for its restart', async () => {
  const broken = `${agent.data}/broken`;
  const command = `[ -e ${broken}.$DAVIT_INSTANCE ] && exit 5; ${worker}`;
  const restart = { backoff: { initial: '1h', max: '1h' } };
  await succeeds(deploy('again', { command, instances: 2, rollout: rolling, restart }));
  writeFileSync(`${broken}.2`, '');
  const [first, second] = await pids('again');
  process.kill(Number(second), 'SIGKILL');
  await agent.until('GET', '/api/v1/services/again/instances', ({ instances: all }) =>
    all.some(({ status }: InstanceStatus) => status === 'backoff'),
  );
  await succeeds(agent.call('POST', '/service/again/restart'));
  const now = await untilSettled('again', 2, 1);
  assert.ok(now.every(({ pid }) => pid !== first));
});

test('instances that are paused are replaced, and stay paused where that fails', async () => {
  await succeeds(deploy('paused', { command: worker, instances: 2, rollout: rolling }));
  const old = await pids('paused');
  await succeeds(agent.call('POST', '/api/v1/services/paused/pause'));
  assert.equal((await deploy('paused', fails)).status, 422);
  assert.deepEqual(
    (await instances('paused')).map(({ status, pid }) => [status, pid]),
    old.map((pid) => ['paused', pid]),
  );
  await succeeds(deploy('paused', { env: { A: '2' } }));
  for (const pid of old) await untilGone(pid);
  await untilSettled('paused', 2, 3);
});

test('a stop while a canary waits ends both releases', async () => {
  const rollout = { strategy: 'canary', bake: 'manual' };
  await succeeds(deploy('canary', { command: worker, instances: 2, rollout }));
  await succeeds(deploy('canary', { env: { A: '2' } }));
  const all = await pids('canary');
  assert.equal(all.length, 3);
  await succeeds(agent.call('POST', '/service/canary/stop'));
  for (const pid of all) await untilGone(pid);
  await agent.until(
    'GET',
    '/api/v1/services/canary/instances',
    ({ instances: left }) =>
      left.length === 2 && left.every(({ status }: InstanceStatus) => status === 'stopped'),
  );
  await succeeds(agent.call('POST', '/api/v1/services/canary/start'));
  await untilSettled('canary', 2, 1);
});

test('an old instance that ends while a canary waits is started again, by its own release', async () => {
  const rollout = { strategy: 'canary', bake: 'manual', canary: { weight: 50 } };
  const restart = { backoff: { initial: '0s', jitter: 0 } };
  await succeeds(deploy('old', { command: worker, rollout, restart }));
  const [old] = await pids('old');
  await succeeds(deploy('old', { env: { A: '2' } }));
  process.kill(Number(old), 'SIGKILL');
  await agent.until('GET', '/api/v1/services/old/instances', ({ instances: all }) => {
    const releases = all.map(({ status, release }: InstanceStatus) => `${status} ${release}`).sort();
    return releases.join() === 'running 1,running 2' && all.every(({ pid }: InstanceStatus) => pid !== old);
  });
  await succeeds(agent.call('DELETE', '/api/v1/services/old'));
  assert.equal(isRunning(Number(old)), false);
});

test('fixed ports stay the first ones, also where a later instance does not run', async () => {
  const port = await steadyPort(4);
  const restart = { policy: 'never' };
  await succeeds(
    deploy('fewer', { ...server, port, instances: 3, ready_log: 'ready', rollout: rolling, restart }),
  );
  const [, , third] = await pids('fewer');
  process.kill(Number(third), 'SIGKILL');
  await agent.until(
    'GET',
    '/api/v1/services/fewer/instances',
    ({ instances: all }) => all[2].status === 'stopped',
  );
  await succeeds(deploy('fewer', { instances: 2 }));
  const now = await untilSettled('fewer', 2, 2);
  assert.deepEqual(
    now.map((each) => [each.instance, each.port]),
    [
      [1, port],
      [2, port + 1],
    ],
  );
});

test('an agent that ends in the midst of it leaves the rest to the next one', async () => {
  const go = `${agent.data}/go-on`;
  await succeeds(deploy('midst', { command: worker, instances: 3, rollout: rolling }));
  const command = `while [ ! -e ${go} ]; do sleep 0.05; done; echo go; ${worker}`;
  const answer = deploy('midst', { command, ready_log: 'go' }).catch(() => null);
  await agent.until('GET', '/api/v1/services/midst/instances', ({ instances: all }) => all.length === 4);
  const ended = agent.end('SIGTERM');
  writeFileSync(go, '');
  await Promise.all([ended, answer]);
  agent = await startAgent({ data: agent.data });
  await untilSettled('midst', 3, 2);
  const path = '/api/v1/services/midst/deployments';
  await agent.until('GET', path, ({ deployments }) => deployments[0].ended_at !== null);
  const [newest] = (await agent.call('GET', path)).body.deployments;
  assert.deepEqual([newest.release, newest.status], [2, 'succeeded']);
});

test('an agent that ends begins no deployment that waits for its turn', async () => {
  const go = `${agent.data}/go-first`;
  await succeeds(deploy('turn', { command: worker, instances: 2, rollout: rolling }));
  const command = `while [ ! -e ${go} ]; do sleep 0.05; done; echo go; ${worker}`;
  const first = deploy('turn', { command, ready_log: 'go' }).catch(() => null);
  await agent.until('GET', '/api/v1/services/turn/instances', ({ instances: all }) => all.length === 3);
  const second = deploy('turn', { env: { A: '3' } }).catch(() => null);
  const path = '/api/v1/services/turn/deployments';
  await agent.until('GET', path, ({ deployments }) => deployments[0].status === 'waiting');
  const ended = agent.end('SIGTERM');
  writeFileSync(go, '');
  await Promise.all([ended, first, second]);
  agent = await startAgent({ data: agent.data });
  await untilSettled('turn', 2, 2);
  await agent.until('GET', path, ({ deployments }) => deployments[1].status === 'succeeded');
  const { deployments } = (await agent.call('GET', path)).body;
  assert.deepEqual([deployments[0].release, deployments[0].status], [null, 'cancelled']);
});

test('a stop waits for nothing that waits for its turn before it', async () => {
  await succeeds(deploy('pile', { command: worker, instances: 2, rollout: rolling }));
  const old = await pids('pile');
  const first = deploy('pile', { command: 'exec sleep 1001', ready_log: 'never' });
  await agent.until('GET', '/api/v1/services/pile/instances', ({ instances: all }) => all.length === 3);
  const restart = agent.call('POST', '/service/pile/restart');
  // A round trip later the restart waits for its turn.
  await agent.call('GET', '/service/pile/status');
  await succeeds(agent.call('POST', '/service/pile/stop'));
  const codes = (await Promise.all([first, restart])).map(({ body }) => body.code);
  assert.deepEqual(codes, ['deployment_cancelled', 'deployment_cancelled']);
  for (const pid of old) await untilGone(pid);
  await agent.until('GET', '/api/v1/services/pile/instances', ({ instances: all }) =>
    all.every(({ status }: InstanceStatus) => status === 'stopped'),
  );
});
