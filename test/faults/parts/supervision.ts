import assert from 'node:assert/strict';
import type { InstanceStatus } from '../../../src/contract/instances.ts';
import type { FailPointName } from '../../../src/lib/fail_point.ts';
import { until } from '../../helpers/system.ts';
import type { FaultCase } from '../fault_case.ts';
import { livingInstances, writtenRuns } from '../host.ts';
import { Sandbox } from '../sandbox.ts';
import { runs, succeeds } from '../steps.ts';

/** A program that ends at once, and is restarted for ever; its deploy succeeds as soon as it has been started. */
const looping = {
  min_uptime: '0s',
  restart: { backoff: { initial: '10ms', max: '10ms', jitter: 0 }, limit: { count: 'unlimited' } },
};
const restarts = { restart: { backoff: { initial: '10ms', jitter: 0 } } };

/** The agent killed while it keeps what is real at what is wanted: restarts, waits, many instances. */
export function supervisionCases(): FaultCase[] {
  return [
    restartCase('start.prepared', false),
    restartCase('start.recorded', true),
    restartCase('start.let_go', true),
    restartCase('stop.noted', false),
    scaleCase('up', 'start.recorded', 3, true),
    scaleCase('up', 'start.let_go', 2, false),
    scaleCase('down', 'stop.signalled', 1, true),
    scaleCase('down', 'stop.emptied', 1, false),
    restartOfInstance('stop.noted', 1, true),
    restartOfInstance('stop.emptied', 1, false),
    restartOfInstance('start.recorded', 4, false),
    quickCase('an instance that waits for its restart', waitsForRestart),
    quickCase('two of three instances that die meanwhile', someDieMeanwhile),
    quickCase('an instance that has failed', staysFailed),
    quickCase('a service that waits for what it depends on', staysPending),
  ];
}

function quickCase(step: string, act: (sandbox: Sandbox) => Promise<string>): FaultCase {
  return supervisionCase(step, true, act);
}

function supervisionCase(
  step: string,
  isQuick: boolean,
  act: (sandbox: Sandbox) => Promise<string>,
): FaultCase {
  return {
    fault: 'SIGKILL while services are kept up',
    step,
    isQuick,
    run: async () => {
      await using sandbox = new Sandbox();
      const note = await act(sandbox);
      assert.deepEqual(overlapping(sandbox), [], 'an instance ran twice at a time');
      assert.deepEqual((await sandbox.ask('GET', '/api/v1/orphans'))?.body.orphans, []);
      await succeeds(sandbox.ask('POST', '/service/web/stop'));
      assert.deepEqual(livingInstances(sandbox.folder).filter(isWeb), [], 'something is left');
      assert.equal(await sandbox.agent.end(), 0, 'the agent does not end well');
      return note;
    },
  };
}

/** A restart by policy of a program that dies again and again. */
function restartCase(point: FailPointName, isQuick: boolean): FaultCase {
  return supervisionCase(`restart by policy at ${point}`, isQuick, async (sandbox) => {
    await sandbox.start({}, `${point}=kill@3`);
    await runs(sandbox, 'steady', restarts);
    await killUntilAgentDies(sandbox);
    await sandbox.start();
    const [found] = await untilWeb(sandbox, (all) => all.every(isUp));
    assert.ok((found?.restarts ?? 0) >= 2, `restarts are forgotten: ${JSON.stringify(found)}`);
    return `${found?.restarts} restarts by then`;
  });
}

function scaleCase(way: 'up' | 'down', point: FailPointName, at: number, isQuick: boolean): FaultCase {
  const [before, after] = way === 'up' ? [1, 3] : [3, 1];
  return supervisionCase(`scale ${way} at ${point}`, isQuick, async (sandbox) => {
    await sandbox.start({}, `${point}=kill@${at}`);
    await runs(sandbox, 'steady', { ...restarts, instances: before });
    await sandbox.ask('POST', '/api/v1/services/web/scale', { instances: after });
    await sandbox.untilDead();
    await sandbox.start();
    await untilWeb(sandbox, (all) => all.length === after && all.every(isUp));
    await until('as many run', () => livingInstances(sandbox.folder).length === after);
    return '';
  });
}

function restartOfInstance(point: FailPointName, at: number, isQuick: boolean): FaultCase {
  return supervisionCase(`restart of one instance at ${point}`, isQuick, async (sandbox) => {
    await sandbox.start({}, `${point}=kill@${at}`);
    await runs(sandbox, 'steady', { ...restarts, instances: 3 });
    const others = (await instances(sandbox)).filter(({ instance }) => instance !== 2);
    await sandbox.ask('POST', '/api/v1/services/web/instances/2/restart');
    await sandbox.untilDead();
    await sandbox.start();
    const all = await untilWeb(sandbox, (each) => each.length === 3 && each.every(isUp));
    assert.deepEqual(
      all.filter(({ instance }) => instance !== 2).map(({ pid }) => pid),
      others.map(({ pid }) => pid),
      'the others were touched',
    );
    return '';
  });
}

/** Kills each program that runs, until the agent has come to where it dies. */
async function killUntilAgentDies(sandbox: Sandbox): Promise<void> {
  const killed = new Set<number>();
  await until('the agent has died', async () => {
    const answer = await sandbox.ask('GET', '/api/v1/services/web/instances');
    const [instance]: InstanceStatus[] = answer?.body.instances ?? [];
    if (instance?.pid !== undefined && isUp(instance) && !killed.has(instance.pid)) {
      killed.add(instance.pid);
      process.kill(instance.pid, 'SIGKILL');
    }
    return answer === null;
  });
  await sandbox.untilDead();
}

async function waitsForRestart(sandbox: Sandbox): Promise<string> {
  await sandbox.start();
  await runs(sandbox, 'steady', { restart: { backoff: { initial: '1h', max: '1h' } } });
  const [first] = await instances(sandbox);
  process.kill(first?.pid ?? Number.NaN, 'SIGKILL');
  const before = await untilWeb(sandbox, ([instance]) => instance?.status === 'backoff');
  await sandbox.kill();
  await sandbox.start();
  assert.deepEqual(await instances(sandbox), before, 'the next agent knows something else');
  assert.deepEqual(livingInstances(sandbox.folder), [], 'something runs');
  return `until ${before[0]?.retry_time}`;
}

async function someDieMeanwhile(sandbox: Sandbox): Promise<string> {
  await sandbox.start();
  await runs(sandbox, 'steady', { ...restarts, instances: 3 });
  const before = await instances(sandbox);
  await sandbox.kill();
  for (const { pid } of before.slice(0, 2)) process.kill(pid ?? Number.NaN, 'SIGKILL');
  await sandbox.start();
  const after = await untilWeb(sandbox, (all) => all.every(isUp));
  assert.deepEqual(
    after.map(({ restarts }) => restarts),
    [1, 1, 0],
  );
  assert.equal(after[2]?.pid, before[2]?.pid, 'what ran was touched');
  await until('three run', () => livingInstances(sandbox.folder).length === 3);
  return '';
}

async function staysFailed(sandbox: Sandbox): Promise<string> {
  await sandbox.start();
  const { restart } = looping;
  await sandbox.deploy('web', 'brief', { ...looping, restart: { ...restart, limit: { count: 2 } } });
  const before = await untilWeb(sandbox, ([instance]) => instance?.status === 'failed');
  assert.equal(before[0]?.restarts, 2);
  await sandbox.kill();
  await sandbox.start();
  const after = await instances(sandbox);
  assert.deepEqual(after, before, 'the next agent knows something else');
  // An operation in its turn comes after all that the agent does by itself at its start.
  await succeeds(sandbox.ask('PATCH', '/api/v1/services/web', { env: { NOTE: 'x' } }));
  assert.equal(writtenRuns(sandbox.written, 'web').length, 3, 'it was started again');
  return '';
}

async function staysPending(sandbox: Sandbox): Promise<string> {
  await sandbox.start();
  await succeeds(sandbox.deploy('db', 'steady'));
  await runs(sandbox, 'steady', { depends_on: { db: 'started' } });
  for (const name of ['web', 'db']) await succeeds(sandbox.ask('POST', `/service/${name}/stop`));
  await succeeds(sandbox.ask('POST', '/api/v1/services/web/start'));
  const before = await instances(sandbox);
  assert.equal(before[0]?.status, 'pending');
  await sandbox.kill();
  await sandbox.start();
  assert.deepEqual(await instances(sandbox), before, 'the next agent knows something else');
  assert.deepEqual(livingInstances(sandbox.folder), [], 'something runs');
  await succeeds(sandbox.ask('POST', '/api/v1/services/db/start'));
  await untilWeb(sandbox, ([instance]) => instance?.status === 'running');
  return '';
}

async function instances(sandbox: Sandbox): Promise<InstanceStatus[]> {
  const answer = await sandbox.ask('GET', '/api/v1/services/web/instances');
  assert.equal(answer?.status, 200, JSON.stringify(answer?.body));
  return answer?.body.instances;
}

async function untilWeb(
  sandbox: Sandbox,
  fits: (all: InstanceStatus[]) => boolean,
): Promise<InstanceStatus[]> {
  let seen: InstanceStatus[] = [];
  const look = async () => {
    seen = await instances(sandbox);
    return fits(seen);
  };
  await until('the instances are as expected', look).catch((error: Error) => {
    throw new Error(`${error.message}; they are ${JSON.stringify(seen)}`);
  });
  return seen;
}

function isUp({ status, pid }: InstanceStatus): boolean {
  return status === 'running' && pid !== undefined;
}

function isWeb({ service }: { readonly service: string }): boolean {
  return service === 'web';
}

/** Instances that live more than once, by the number that each was given. */
function overlapping(sandbox: Sandbox): string[] {
  const numbers = livingInstances(sandbox.folder).map(({ service, number }) => `${service}/${number}`);
  return numbers.filter((name, at) => numbers.indexOf(name) !== at);
}
