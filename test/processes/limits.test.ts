import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { ControlGroup, ControlGroups, findControlGroupPlace } from '../../src/processes/control_group.ts';
import type { ProgramLimits } from '../../src/processes/launch.ts';
import { applyLimits, checkLimits, openFilesOf } from '../../src/processes/limits.ts';
import { whyOutOfMemory } from '../../src/processes/out_of_memory.ts';
import { Runtime } from '../../src/processes/runtime.ts';
import { exitOf, killGroup, programOf } from '../helpers/processes.ts';
import { isRunning, until } from '../helpers/system.ts';

const none: ProgramLimits = {
  memory_bytes: null,
  cpu_cores: null,
  pids: null,
  open_files: null,
  enforcement: 'required',
};
const place = findControlGroupPlace('auto');
const groups = new ControlGroups(place);
/** Made for `test(…, { skip })`: a host may have none of these, or have them elsewhere (version 1). */
const memoryOnly = { skip: groups.enable('memory') ?? false };
const pidsOnly = { skip: groups.enable('pids') ?? false };
const cpuOnly = { skip: groups.enable('cpu') ?? false };
const hardLimit = Number(/^Max open files +\S+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
const off = findControlGroupPlace('off');

/** Starts a program as the agent does. */
async function start(
  t: TestContext,
  command: string | string[],
  limits: Partial<ProgramLimits>,
  where = place,
) {
  const folder = mkdtempSync(join(tmpdir(), 'davit-limits-'));
  const problems: string[] = [];
  const runtime = new Runtime({
    directory: folder,
    controlGroups: where,
    onProblem: (message) => problems.push(message),
  });
  const output = openSync(join(folder, 'output'), 'a');
  const program = {
    ...programOf(command),
    limits: { ...none, ...limits },
    runner: 'direct',
    stop: { signal: 'SIGTERM', timeout_ms: 1_000 },
  } as const;
  const tree = await runtime.prepare(program, { stdout: output, stderr: output });
  closeSync(output);
  const pid = await tree.letGo();
  t.after(async () => {
    killGroup(tree.identity.pid);
    tree.control_group?.kill();
    // It writes down its end there.
    await tree.exited;
    await runtime.forget(tree.instance_id, tree.control_group);
    runtime.close();
    rmSync(folder, { recursive: true, maxRetries: 10 });
  });
  return { ...tree, runtime, pid, problems, output: () => readFileSync(join(folder, 'output'), 'utf8') };
}

test('a program that has no limits asks nothing of the host', () => {
  assert.deepEqual(checkLimits(none, new ControlGroups(off)), []);
  assert.deepEqual(applyLimits(none, null), []);
});

test('a limit that cannot be set is refused, with the reason and what would help', () => {
  const limits = { ...none, memory_bytes: 1e8, cpu_cores: 0.5, pids: 10 };
  const reason = 'control groups are switched off (cgroups: off)';
  const sentences = ['memory', 'cpu', 'pids'].map((name) => `the limit ${name} cannot be set: ${reason}`);
  assert.throws(() => checkLimits(limits, new ControlGroups(off)), {
    code: 'not_supported',
    message: `${sentences.join('; ')}; set limits.enforcement to best_effort to start without it`,
  });
  assert.deepEqual(checkLimits({ ...limits, enforcement: 'best_effort' }, new ControlGroups(off)), sentences);
});

test('a limit that the system refuses at the last moment keeps the program from starting, or is told', () => {
  const limits = { ...none, pids: 10 };
  assert.throws(() => applyLimits(limits, null), {
    code: 'not_supported',
    message: 'the limit pids cannot be set: it has no control group',
  });
  const gone = new ControlGroup('/sys/fs/cgroup/no-such-group');
  assert.deepEqual(applyLimits({ ...limits, enforcement: 'best_effort' }, gone), [
    'the limit pids cannot be set: pids.max: no such file or directory',
  ]);
});

test('a program that must not run without a limit is not started, and leaves nothing', async (t) => {
  const file = join(tmpdir(), `davit-limits-${randomUUID()}`);
  await assert.rejects(start(t, ['touch', file], { memory_bytes: 1e8 }, off), {
    code: 'not_supported',
    message: 'the limit memory cannot be set: it has no control group',
  });
  assert.equal(existsSync(file), false);
});

test('a program that may run without a limit is started', async (t) => {
  const tree = await start(t, 'echo started', { pids: 1, enforcement: 'best_effort' }, off);
  assert.equal((await exitOf(tree)).return_code, 0);
  assert.equal(tree.output(), 'started\n');
  assert.deepEqual(tree.problems, ['the limit pids cannot be set: it has no control group']);
});

test('a program may open as many files as it is given, also by its children, and cannot take more', async (t) => {
  const script = 'ulimit -Sn; ulimit -Hn; sh -c "ulimit -n"; ulimit -n 78 2>&1 || true';
  const tree = await start(t, script, { open_files: 77 });
  await exitOf(tree);
  assert.match(tree.output(), /^77\n77\n77\n/);
});

test('the wrapper of a program keeps the limit of the agent', async (t) => {
  const tree = await start(t, ['sleep', '1000'], { open_files: 77 });
  const limitOf = (pid: number) =>
    /^Max open files +\S+ +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1];
  await until('the program has begun', () => limitOf(tree.pid) === '77');
  assert.equal(limitOf(tree.identity.pid), String(hardLimit));
});

test('more open files than the agent has are refused, or all that it has are given', async (t) => {
  const limits = { ...none, open_files: hardLimit + 1 };
  const reason = `the limit open_files cannot be set: the agent itself may open no more than ${hardLimit} (the hard limit; LimitNOFILE= of its unit)`;
  assert.throws(() => checkLimits(limits, groups), {
    code: 'not_supported',
    message: `${reason}; set limits.enforcement to best_effort to start without it`,
  });
  const gently = { ...limits, enforcement: 'best_effort' } as const;
  assert.deepEqual(checkLimits(gently, groups), [reason]);
  assert.equal(openFilesOf(gently), hardLimit);
  assert.equal(openFilesOf(none), null);
  const tree = await start(t, 'ulimit -Hn', gently);
  await exitOf(tree);
  assert.equal(tree.output(), `${hardLimit}\n`);
});

test('a unit of systemd is not checked by what the agent may do', async (t) => {
  const { runtime } = await start(t, 'true', {}, off);
  const limits = { ...none, memory_bytes: 1 };
  assert.deepEqual(runtime.checkLimits({ runner: 'systemd', limits }), []);
  assert.throws(() => runtime.checkLimits({ runner: 'direct', limits }), { code: 'not_supported' });
});

test('the limits of a group are what was asked for', {
  skip: memoryOnly.skip || pidsOnly.skip || cpuOnly.skip,
}, async (t) => {
  const limits = { memory_bytes: 100 * 2 ** 20, cpu_cores: 0.5, pids: 10 };
  const { control_group } = await start(t, ['sleep', '1000'], limits);
  const read = (file: string) => readFileSync(join(control_group?.folder ?? '', file), 'utf8').trim();
  assert.equal(read('memory.max'), String(100 * 2 ** 20));
  assert.equal(read('cpu.max'), '50000 100000');
  // One for the process of davit that leads the tree.
  assert.equal(read('pids.max'), '11');
  if (control_group?.has('memory.swap.max')) assert.equal(read('memory.swap.max'), '0');
});

test('a program beyond its memory is killed, and its limit is named as the cause', memoryOnly, async (t) => {
  const tree = await start(t, ['tail', '/dev/zero'], { memory_bytes: 16 * 2 ** 20 });
  assert.equal((await exitOf(tree)).signal, 'SIGKILL');
  assert.equal(tree.runtime.outOfMemory(tree.proof, [tree.pid]), 'limit');
  assert.equal(tree.runtime.notesOf(tree.instance_id).exit?.signal, 'SIGKILL');
});

test('the program of a shell is as good as the shell', memoryOnly, async (t) => {
  const tree = await start(t, 'cd / && tail /dev/zero; exit $?', { memory_bytes: 16 * 2 ** 20 });
  assert.equal((await exitOf(tree)).signal, 'SIGKILL');
  assert.equal(tree.runtime.outOfMemory(tree.proof, [tree.pid]), 'limit');
  await tree.runtime.forget(tree.instance_id, tree.control_group);
  assert.equal(tree.runtime.outOfMemory(tree.proof, [tree.pid]), 'limit');
});

test(
  'a child beyond the memory of the tree is killed, and the program can tell of it',
  memoryOnly,
  async (t) => {
    const script = 'tail /dev/zero; echo "ended with $?"; sleep 1000';
    const tree = await start(t, script, { memory_bytes: 16 * 2 ** 20 });
    await until('it tells', () => tree.output().includes('ended with 137'));
    assert.ok(isRunning(tree.pid));
    assert.deepEqual(tree.control_group?.memoryEvents().kills, 1);
  },
);

test(
  'a program with a memory limit that somebody killed did not run out of memory',
  memoryOnly,
  async (t) => {
    const tree = await start(t, ['sleep', '1000'], { memory_bytes: 16 * 2 ** 20 });
    process.kill(tree.pid, 'SIGKILL');
    assert.equal((await exitOf(tree)).signal, 'SIGKILL');
    assert.equal(tree.runtime.outOfMemory(tree.proof, [tree.pid]), null);
  },
);

const bomb = 'b() { b | b & }; b 2>/dev/null; while :; do b 2>/dev/null; done';

test('a fork bomb stays within its processes, and all of it ends', pidsOnly, async (t) => {
  const tree = await start(t, `trap : TERM; ${bomb}`, { pids: 30 });
  const group = tree.control_group ?? assert.fail('no control group');
  const refused = () =>
    Number(/^max (\d+)$/m.exec(readFileSync(join(group.folder, 'pids.events'), 'utf8'))?.[1]);
  await until('the system has refused it another process', () => refused() > 0);
  assert.ok(group.pids().length <= 31);
  const report = await tree.runtime.stop(tree, { signal: 'SIGKILL', timeout_ms: 1_000 });
  assert.deepEqual(report.survivors, []);
  await exitOf(tree);
});

test('a program with a limit of one process runs, and starts no other', pidsOnly, async (t) => {
  const tree = await start(t, 'echo alone; (echo another)', { pids: 1 });
  assert.notEqual((await exitOf(tree)).return_code, 0);
  assert.match(tree.output(), /^alone\n/);
  assert.doesNotMatch(tree.output(), /^another$/m);
});

test('a program gets no more of the processors than its share', cpuOnly, async (t) => {
  const tree = await start(t, 'while :; do :; done', { cpu_cores: 0.05 });
  const throttled = () =>
    Number(
      /^nr_throttled (\d+)$/m.exec(
        readFileSync(join(tree.control_group?.folder ?? '', 'cpu.stat'), 'utf8'),
      )?.[1],
    );
  await until('it has been held back', () => throttled() > 2);
});

const module = JSON.stringify(resolve(import.meta.dirname, '../../src/processes/control_group.ts'));
const asker = `
  import { readFileSync, writeFileSync } from 'node:fs';
  import { ControlGroups, findControlGroupPlace } from ${module};
  const [start, folder] = process.argv.slice(1);
  writeFileSync(start + '/cgroup.procs', String(process.pid));
  const why = new ControlGroups({ folder, missing: null }).enable('memory');
  const own = readFileSync('/proc/self/cgroup', 'utf8').match(/^0::(.*)$/m)[1];
  console.log(JSON.stringify({ why, own, found: findControlGroupPlace('auto').folder }));`;

/** What an agent that is started in a group says of limits in a folder. */
async function askFrom(group: string, folder: string) {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--input-type=module', '-e', asker, group, folder],
  ]);
  return JSON.parse(stdout) as { why: string | null; own: string; found: string };
}

/** A group that holds nobody, and is given control of memory. */
function makeGroup(t: TestContext, name: string): string {
  const folder = join(place.folder ?? '', name);
  mkdirSync(folder);
  t.after(() => {
    new ControlGroup(folder).kill();
    return until('the group is gone', () => new ControlGroup(folder).remove());
  });
  return folder;
}

test(
  'an agent alone in its group moves to one below it, and finds the group again',
  memoryOnly,
  async (t) => {
    const folder = makeGroup(t, `test-${randomUUID()}`);
    for (const group of [folder, folder, join(folder, 'davit.agent')]) {
      const { why, own, found } = await askFrom(group, folder).catch((error) => {
        // Whoever is put into a group that passes limits on is refused: systemd would be, too.
        assert.match(String(error), /EBUSY/);
        return askFrom(join(folder, 'davit.agent'), folder);
      });
      assert.equal(why, null);
      assert.match(own, /\/davit\.agent$/);
      assert.equal(found, folder);
    }
    assert.match(readFileSync(join(folder, 'cgroup.subtree_control'), 'utf8'), /\bmemory\b/);
  },
);

test('an agent that shares its group with others leaves them alone', memoryOnly, async (t) => {
  const folder = makeGroup(t, `test-${randomUUID()}`);
  const other = spawn('sleep', ['1000'], { stdio: 'ignore' });
  writeFileSync(join(folder, 'cgroup.procs'), String(other.pid));
  const { why } = await askFrom(folder, folder);
  assert.equal(why, `process ${other.pid}, which the agent did not start, is in ${folder} itself`);
  assert.equal(readFileSync(join(folder, 'cgroup.subtree_control'), 'utf8').trim(), '');
});

test(
  'an agent in the very group of its unit passes no limits on, as systemd could not start the next one',
  memoryOnly,
  async (t) => {
    const folder = makeGroup(t, `test-${randomUUID()}.service`);
    const { why } = await askFrom(folder, folder);
    assert.match(why ?? '', /DelegateSubgroup=davit\.agent .* or run the service with runner: systemd$/);
    assert.equal(readFileSync(join(folder, 'cgroup.subtree_control'), 'utf8').trim(), '');
    mkdirSync(join(folder, 'davit.agent'));
    assert.equal((await askFrom(join(folder, 'davit.agent'), folder)).why, null);
    rmdirSync(join(folder, 'davit.agent'));
  },
);

const kill = { pid: 7, at: 1, group: null, limited_group: null };
for (const [what, known, answer] of [
  ['nobody says so', [null, '/cg/davit-a', { kills: 0, limit_reached: 0 }], null],
  ['the group is gone and the log silent', [null, '/cg/davit-a', undefined], null],
  [
    'the log names its group',
    [{ ...kill, limited_group: '/x/davit-a' }, '/cg/x/davit-a', undefined],
    'limit',
  ],
  [
    'the log names a group in it',
    [{ ...kill, limited_group: '/davit-a/b' }, '/cg/davit-a', undefined],
    'limit',
  ],
  ['the log names a group around it', [{ ...kill, limited_group: '/x' }, '/cg/x/davit-a', undefined], 'host'],
  ['the log names another', [{ ...kill, limited_group: '/x' }, null, undefined], 'host'],
  ['the log names none, the group counts', [kill, '/cg/a', { kills: 1, limit_reached: 1 }], 'limit'],
  ['the log names none', [kill, null, undefined], 'host'],
  ['the group had room', [null, '/cg/a', { kills: 1, limit_reached: 0 }], 'host'],
  ['the group had none', [null, '/cg/a', { kills: 1, limit_reached: 2 }], 'limit'],
] as const) {
  test(`whose memory ran out when ${what}: ${answer ?? 'nobody'}'s`, () => {
    const [record, group, events] = known;
    assert.equal(whyOutOfMemory(record, group, events), answer);
  });
}
