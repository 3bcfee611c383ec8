import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import type { TaskRun } from '../../src/contract/runs.ts';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { until, untilGone } from '../helpers/system.ts';

let folder: string;
let agent: RunningAgent;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'davit-tasks-'));
  agent = await startAgent();
});
after(async () => {
  await agent[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const eachSecond = { cron: '* * * * * *', time_zone: 'UTC' };

async function deploy(id: string, spec: object): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${id}/deploy`, { type: 'task', ...spec });
  assert.equal(status, 200, JSON.stringify(body));
}

/** The runs of a task, newest first, once they fit. */
async function runsOf(id: string, fit: (runs: TaskRun[]) => boolean = () => true): Promise<TaskRun[]> {
  return (await agent.until('GET', `/api/v1/services/${id}/runs`, ({ runs }) => fit(runs))).runs;
}

function outcomes(runs: readonly TaskRun[]): string[] {
  return runs.map(({ outcome }) => outcome);
}

/** A command that notes each of its runs in a file, and goes on until another file is there. */
function waitingCommand(name: string): { command: string; go: () => void; begun: () => number } {
  const [marks, gate] = [join(folder, `${name}.marks`), join(folder, `${name}.go`)];
  writeFileSync(marks, '');
  return {
    command: `echo x >> ${marks}; while [ ! -e ${gate} ]; do sleep 0.05; done`,
    go: () => writeFileSync(gate, ''),
    begun: () => readFileSync(marks, 'utf8').length / 2,
  };
}

test('a task that ends well has completed, and each of its runs stands in the history', async () => {
  await deploy('migrate', { command: 'echo migrated' });
  await agent.until('GET', '/service/migrate/status', ({ status }) => status === 'completed');
  assert.equal((await agent.call('POST', '/api/v1/services/migrate/start')).status, 200);
  const runs = await runsOf('migrate', (found) => outcomes(found).join() === 'succeeded,succeeded');
  assert.deepEqual(
    runs.map(({ trigger, return_code, release, scheduled_for, times }) => [
      trigger,
      return_code,
      release,
      scheduled_for,
      times,
    ]),
    [
      ['manual', 0, 1, null, 1],
      ['deploy', 0, 1, null, 1],
    ],
  );
  for (const { started_at, ended_at } of runs)
    assert.ok(Date.parse(ended_at ?? '') >= Date.parse(started_at ?? ''));
});

test('a task that fails says how, and is not started again by itself', async () => {
  await deploy('flaky', { command: 'exit 0' });
  await agent.call('PATCH', '/api/v1/services/flaky', { command: 'sleep 0.2; exit 9', min_uptime: '0s' });
  await agent.call('POST', '/api/v1/services/flaky/start');
  const [run] = await runsOf('flaky', ([newest]) => newest?.outcome === 'failed');
  assert.equal(run?.return_code, 9);
  assert.match(run?.message ?? '', /code 9/);
  const { status, restarts } = (await agent.call('GET', '/service/flaky/status')).body;
  assert.deepEqual([status, restarts], ['failed', 0]);
});

test('a task with a schedule is run each time, and no more once it is stopped', async () => {
  const before_ = Date.now();
  await deploy('tick', { command: 'echo tick', schedule: eachSecond });
  const { next_run } = (await agent.call('GET', '/service/tick/status')).body;
  assert.ok(Date.parse(next_run) > before_);
  const runs = await runsOf(
    'tick',
    (found) => found.filter(({ outcome }) => outcome === 'succeeded').length > 2,
  );
  const due = runs.filter(({ outcome }) => outcome === 'succeeded').map((run) => run.scheduled_for ?? '');
  assert.deepEqual(due, [...new Set(due)].sort().reverse());
  for (const time of due) assert.match(time, /:\d\d\.000Z$/);
  assert.ok(runs.every(({ trigger }) => trigger === 'schedule'));
  const { service } = (await agent.call('GET', '/api/v1/services/tick/runs?limit=1')).body;
  assert.equal(service, 'tick');

  const { body } = await agent.call('POST', '/service/tick/stop');
  assert.equal(body.status, 'stopped');
  const status = (await agent.call('GET', '/service/tick/status')).body;
  assert.deepEqual([status.next_run, status.wanted], [null, 'stopped']);
  const newest = (await runsOf('tick'))[0]?.id;
  // Another task proves that seconds pass.
  await deploy('tock', { command: 'true', schedule: eachSecond });
  await runsOf('tock', (found) => found.length > 2);
  assert.equal((await runsOf('tick'))[0]?.id, newest);
  await agent.call('POST', '/service/tock/stop');
});

test('skip: what is due while a run has not ended is not run', async () => {
  const { command, go, begun } = waitingCommand('skip');
  await deploy('skip', { command, schedule: { ...eachSecond, overlap: 'skip' } });
  const [skipped, run] = await runsOf('skip', ([newest]) => (newest?.times ?? 0) > 1);
  assert.deepEqual(outcomes([skipped as TaskRun, run as TaskRun]), ['skipped', 'running']);
  assert.equal(begun(), 1);
  go();
  await runsOf('skip', (found) => found.some(({ id, outcome }) => id === run?.id && outcome === 'succeeded'));
  await agent.call('POST', '/service/skip/stop');
});

test('queue: one run waits and begins when the present one has ended', async () => {
  const { command, go, begun } = waitingCommand('queue');
  await deploy('queue', { command, schedule: { ...eachSecond, overlap: 'queue' } });
  await runsOf('queue', ([newest]) => newest?.outcome === 'skipped');
  assert.equal(begun(), 1);
  go();
  const runs = await runsOf(
    'queue',
    (found) => found.filter(({ outcome }) => outcome === 'succeeded').length > 1,
  );
  const [first, second] = runs.filter(({ started_at }) => started_at !== null).reverse();
  assert.ok(Date.parse(second?.scheduled_for ?? '') < Date.parse(first?.ended_at ?? ''), 'it waited');
  assert.ok(Date.parse(second?.started_at ?? '') >= Date.parse(first?.ended_at ?? ''), 'not beside it');
  await agent.call('POST', '/service/queue/stop');
});

test('replace: the present run is ended for the next one', async () => {
  const { command, begun } = waitingCommand('replace');
  await deploy('replace', { command, schedule: { ...eachSecond, overlap: 'replace' } });
  const runs = await runsOf(
    'replace',
    (found) => found.filter(({ outcome }) => outcome === 'stopped').length > 1,
  );
  assert.ok(begun() >= 2);
  assert.ok(outcomes(runs).filter((outcome) => outcome === 'running').length <= 1);
  const { body } = await agent.call('POST', '/service/replace/stop');
  assert.equal(body.status, 'stopped');
  assert.ok(!outcomes(await runsOf('replace')).includes('running'));
});

test('a schedule that cannot be followed is refused with what is wrong and where', async () => {
  const refused = async (spec: object) => {
    const { status, body } = await agent.call('POST', '/service/wrong/deploy', {
      command: 'true',
      type: 'task',
      ...spec,
    });
    assert.equal(status, 400, JSON.stringify(body));
    return body;
  };
  const few = await refused({ schedule: { cron: '0 3 * *' } });
  assert.equal(few.code, 'invalid_request');
  assert.deepEqual(
    few.details.map(({ path }: { path: string }) => path),
    ['schedule.cron'],
  );
  assert.match(few.error, /must have five or six fields, not 4/);
  assert.match((await refused({ schedule: { cron: '0 0 31 2 *' } })).error, /is never due/);
  assert.match(
    (await refused({ schedule: { cron: '@daily', time_zone: 'Europe/Berln' } })).error,
    /did you mean "Europe\/Berlin"/,
  );
  assert.match(
    (await refused({ type: 'service', schedule: { cron: '@daily' } })).error,
    /needs "type: task"/,
  );
  assert.match((await refused({ ready_log: '(' })).error, /ready_log in the service: is not a regular/);
  assert.equal((await agent.call('GET', '/service/wrong/status')).status, 404);
});

test('a run that goes on while the agent is killed ends in the history of the next agent', async () => {
  const { command, go } = waitingCommand('survivor');
  const first = await startAgent();
  await first.call('POST', '/service/survivor/deploy', { command, type: 'task', min_uptime: '0s' });
  const { pid } = await first.until('GET', '/service/survivor/status', ({ status }) => status === 'running');
  await first.end('SIGKILL');
  await using second = await startAgent({ data: first.data });
  const path = '/api/v1/services/survivor/runs';
  assert.equal((await second.call('GET', path)).body.runs[0].outcome, 'running');
  go();
  await untilGone(pid);
  const { runs } = await second.until('GET', path, ({ runs: [run] }) => run.outcome !== 'running');
  assert.equal(runs.length, 1);
  assert.equal(runs[0].outcome, 'succeeded');
  assert.ok(runs[0].ended_at !== null);
});

test('a schedule goes on with the next agent', async () => {
  const first = await startAgent();
  const spec = { command: 'true', type: 'task', schedule: eachSecond };
  await first.call('POST', '/service/tick/deploy', spec);
  const path = '/api/v1/services/tick/runs';
  await first.until('GET', path, ({ runs }) => runs.length > 0);
  await first.end('SIGKILL');
  await using second = await startAgent({ data: first.data });
  const known = (await second.call('GET', path)).body.runs[0].id;
  await second.until('GET', path, ({ runs }) =>
    runs.some((run: TaskRun) => run.id > known && run.outcome === 'succeeded'),
  );
});

test('what was due while no agent ran is missed, and the schedule goes on', async () => {
  const first = await startAgent();
  const spec = { command: 'true', type: 'task', schedule: eachSecond };
  await first.call('POST', '/service/tick/deploy', spec);
  const path = '/api/v1/services/tick/runs';
  await first.until('GET', path, ({ runs }) => runs.length > 0);
  await first.end();
  // As if it had been ten minutes ago.
  const database = new DatabaseSync(join(first.data, 'davit.db'));
  database.exec(
    'UPDATE events SET time = time - 600000; UPDATE task_runs SET scheduled_for = scheduled_for - 600000',
  );
  database.close();
  await using second = await startAgent({ data: first.data });
  const { runs } = await second.until('GET', path, ({ runs: [newest] }) => newest.outcome === 'succeeded');
  const missed = runs.find(({ outcome }: TaskRun) => outcome === 'missed');
  assert.ok(missed.times >= 599, JSON.stringify(missed));
  assert.equal(missed.started_at, null);
});

test('the history of a task goes with the task', async () => {
  await deploy('gone', { command: 'true' });
  await runsOf('gone', (found) => found.length === 1);
  await agent.call('DELETE', '/api/v1/services/gone');
  assert.equal((await agent.call('GET', '/api/v1/services/gone/runs')).status, 404);
  await deploy('gone', { command: 'true' });
  await until('the new task has its own run only', async () => (await runsOf('gone')).length === 1);
});
