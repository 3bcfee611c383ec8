import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { InstanceStatus } from '../../src/contract/instances.ts';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { isRunning, untilGone } from '../helpers/system.ts';

let agent: RunningAgent;
before(async () => {
  agent = await startAgent();
});
after(() => agent[Symbol.asyncDispose]());

const path = '/api/v1/services/web';

async function pids(): Promise<(number | undefined)[]> {
  const { body } = await agent.call('GET', `${path}/instances`);
  return body.instances.map(({ pid }: InstanceStatus) => pid);
}

/** The pids of all instances, once there are so many that run. */
async function runningPids(count: number): Promise<number[]> {
  await agent.until(
    'GET',
    `${path}/instances`,
    ({ instances }) =>
      instances.length === count && instances.every(({ status }: InstanceStatus) => status === 'running'),
  );
  return (await pids()).map(Number);
}

async function scale(instances: number): Promise<void> {
  const { status, body } = await agent.call('POST', `${path}/scale`, { instances });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.status, 'scaled');
}

test('a service is scaled up and down without touching what stays', async () => {
  const spec = { command: 'exec sleep 1000', instances: 2, port: 'auto', min_uptime: '0s' };
  assert.equal((await agent.call('POST', '/service/web/deploy', spec)).status, 200);
  const two = await runningPids(2);
  await scale(4);
  const four = await runningPids(4);
  assert.deepEqual(four.slice(0, 2), two);
  assert.equal(new Set(four).size, 4);
  const { instances } = (await agent.call('GET', `${path}/instances`)).body;
  assert.equal(new Set(instances.map(({ port }: InstanceStatus) => port)).size, 4);
  await scale(1);
  for (const pid of four.slice(1)) await untilGone(pid);
  assert.deepEqual(await pids(), [two[0]]);
  const status = (await agent.call('GET', '/service/web/status')).body;
  assert.deepEqual(status.instances, { wanted: 1, running: 1, ready: 1 });
  assert.equal(status.restarts, 0);
});

test('a crash restarts that instance only', async () => {
  await scale(3);
  const [one, two, three] = await runningPids(3);
  process.kill(Number(two), 'SIGKILL');
  await agent.until(
    'GET',
    `${path}/instances`,
    ({ instances: [, second] }) => second.status === 'running' && second.pid !== two,
  );
  const after_ = await pids();
  assert.deepEqual([after_[0], after_[2]], [one, three]);
  const { instances } = (await agent.call('GET', `${path}/instances`)).body;
  assert.deepEqual(
    instances.map(({ restarts }: InstanceStatus) => restarts),
    [0, 1, 0],
  );
});

test('one instance is restarted by itself', async () => {
  const [one, two, three] = await runningPids(3);
  const { status, body } = await agent.call('POST', `${path}/instances/2/restart`);
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.status, 'restarted');
  const after_ = await runningPids(3);
  assert.deepEqual([after_[0], after_[2]], [one, three]);
  assert.notEqual(after_[1], two);
  assert.ok(!isRunning(Number(two)));
});

test('scale goes in a batch too', async () => {
  const { body } = await agent.call('POST', '/api/v1/batch', {
    operations: [{ operation: 'scale', service: 'web', body: { instances: 2 } }],
  });
  assert.deepEqual([body.succeeded, body.results[0].result.status], [1, 'scaled']);
  await runningPids(2);
});

test('scaling needs the scope operate, a number that makes sense and a service', async () => {
  const made = await agent.call('POST', '/api/v1/keys', { name: 'reader', scopes: ['read'] });
  const headers = { authorization: `Bearer ${made.body.key}` };
  assert.equal((await agent.call('GET', `${path}/instances`, undefined, headers)).status, 200);
  assert.equal((await agent.call('POST', `${path}/scale`, { instances: 1 }, headers)).status, 403);
  assert.equal((await agent.call('POST', `${path}/instances/1/restart`, {}, headers)).status, 403);
  for (const instances of [0, 1_001, '3', 1.5])
    assert.equal((await agent.call('POST', `${path}/scale`, { instances })).status, 400);
  const missing = await agent.call('POST', `${path}/instances/9/restart`);
  assert.deepEqual([missing.status, missing.body.code], [404, 'instance_not_found']);
  assert.equal((await agent.call('POST', '/api/v1/services/nobody/scale', { instances: 1 })).status, 404);
});
