import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Adoption } from '../../src/processes/adopt.ts';
import type { ProcessIdentity } from '../../src/processes/identity.ts';
import { Lifelines } from '../../src/processes/lifeline.ts';
import { ProcessTable } from '../../src/processes/process_table.ts';
import { stopTree } from '../../src/processes/stop.ts';
import { exitOf, killGroup, launchTree, programOf } from '../helpers/processes.ts';
import { isRunning, untilGone } from '../helpers/system.ts';

const linuxOnly = { skip: process.platform === 'linux' ? false : 'reads /proc' };

interface Orphan {
  readonly instance_id: string;
  readonly identity: ProcessIdentity;
  readonly pid: number;
  readonly lifelines: Lifelines;
}

/** A process whose agent has been killed after it let it go, or before that. */
async function orphan(t: TestContext, command: string, letGo = true): Promise<Orphan> {
  const instance_id = randomUUID();
  const folder = mkdtempSync(join(tmpdir(), 'davit-adopt-'));
  const source = (name: string) => new URL(`../../src/processes/${name}.ts`, import.meta.url);
  const script = `
    setInterval(() => {}, 1000);
    const { launchHeld } = await import('${new URL('../helpers/processes.ts', import.meta.url)}');
    const { Lifelines } = await import('${source('lifeline')}');
    const lifeline = new Lifelines('${folder}', console.error).open('${instance_id}');
    const program = ${JSON.stringify(programOf(command, { instance_id }))};
    const { identity, letGo } = await launchHeld(program, { stdout: 2, stderr: 2, lifeline });
    const pid = ${letGo} ? await letGo() : 0;
    console.log(JSON.stringify({ identity, pid }));`;
  const agent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(agent.stdout, 'data');
  agent.kill('SIGKILL');
  await once(agent, 'exit');
  const { identity, pid } = JSON.parse(String(line));
  t.after(() => {
    killGroup(identity.pid);
    rmSync(folder, { recursive: true });
  });
  return { instance_id, identity, pid, lifelines: new Lifelines(folder, assert.fail) };
}

function adopt({ lifelines, identity, instance_id }: Orphan) {
  return new Adoption(lifelines).adopt(identity, instance_id) ?? assert.fail('not taken up');
}

test('a process of an earlier agent is taken up, and how it ends is known', linuxOnly, async (t) => {
  const left = await orphan(t, 'trap "exit 7" USR1; while :; do sleep 0.01; done');
  const adopted = adopt(left);
  assert.deepEqual(adopted.identity, left.identity);
  process.kill(left.pid, 'SIGUSR1');
  assert.deepEqual(await exitOf(adopted), { return_code: 7, signal: null });
});

test('the pid of a program is told to every agent', linuxOnly, async (t) => {
  const left = await orphan(t, 'sleep 1000');
  assert.equal(await adopt(left).told, left.pid);
  assert.equal(await adopt(left).told, left.pid);
});

for (const [what, command, status] of [
  ['an exit code', 'exit 143 & exit 3', { return_code: 3, signal: null }],
  ['a signal', 'kill -USR2 $$', { return_code: null, signal: 'SIGUSR2' }],
  ['a success', 'true', { return_code: 0, signal: null }],
] as const) {
  test(`${what} is known of a process that ended while no agent was there`, linuxOnly, async (t) => {
    const left = await orphan(t, `sleep 0.2; ${command}`);
    await untilGone(left.identity.pid);
    const adoption = new Adoption(left.lifelines);
    assert.equal(adoption.adopt(left.identity, left.instance_id), null);
    assert.deepEqual(left.lifelines.notesOf(left.instance_id), { pid: left.pid, exit: status });
  });
}

test(
  'a wrapper that was killed has its program killed by nobody, and is known to have been killed',
  linuxOnly,
  async (t) => {
    const left = await orphan(t, 'sleep 1000');
    const adopted = adopt(left);
    process.kill(left.identity.pid, 'SIGKILL');
    assert.deepEqual(await exitOf(adopted), { return_code: null, signal: 'SIGKILL' });
  },
);

test('an agent that dies before it lets a process go has started nothing', linuxOnly, async (t) => {
  const left = await orphan(t, 'sleep 1000', false);
  await untilGone(left.identity.pid);
  assert.equal(left.lifelines.notesOf(left.instance_id).pid, null);
});

test('an end is noticed, if later, without a lifeline', linuxOnly, async (t) => {
  const left = await orphan(t, 'sleep 1000');
  const adopted = new Adoption(left.lifelines).adopt(left.identity, 'another') ?? assert.fail('not taken up');
  process.kill(left.pid, 'SIGKILL');
  assert.deepEqual(await exitOf(adopted), { return_code: null, signal: null });
});

test('what cannot be proved to be the same process is not taken up', linuxOnly, async (t) => {
  const tree = await launchTree(t, ['sleep', '1000']);
  const folder = mkdtempSync(join(tmpdir(), 'davit-adopt-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const adoption = new Adoption(new Lifelines(folder, assert.fail));
  const others: Partial<ProcessIdentity>[] = [
    { start_ticks: '1' },
    { start_ticks: '' },
    { boot_id: '' },
    { boot_id: randomUUID() },
  ];
  for (const other of others)
    assert.equal(adoption.adopt({ ...tree.identity, ...other }, tree.instance_id), null);
  const gone = await launchTree(t, ['true']);
  await exitOf(gone);
  assert.equal(adoption.adopt(gone.identity, gone.instance_id), null);
});

test('a process that was taken up is stopped like any other', linuxOnly, async (t) => {
  const left = await orphan(t, 'sleep 1000');
  const target = { ...adopt(left), instance_id: left.instance_id };
  const report = await stopTree(new ProcessTable(), target, { signal: 'SIGTERM', timeout_ms: 10_000 });
  assert.equal(report.ended_by, 'signal');
  assert.equal(isRunning(left.pid), false);
});
