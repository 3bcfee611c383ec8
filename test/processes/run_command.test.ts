import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { resolveAccount } from '../../src/processes/account.ts';
import { readStat } from '../../src/processes/identity.ts';
import { ProcessTable } from '../../src/processes/process_table.ts';
import { runCommand } from '../../src/processes/run_command.ts';
import { fixture, type ProgramOptions, programOf } from '../helpers/processes.ts';
import { isRunning, processesWith, until } from '../helpers/system.ts';

const isRoot = process.getuid?.() === 0;
const rootOnly = { skip: isRoot ? false : 'only root can switch to another user' };
const linuxOnly = { skip: process.platform === 'linux' ? false : 'reads /proc' };
const minute = 60_000;

/** A program all of whose processes can be found by a variable. */
function marked(command: Parameters<typeof programOf>[0], options: ProgramOptions = {}) {
  const entry = `DAVIT_TEST=${randomUUID()}`;
  const env = { ...options.env, DAVIT_TEST: entry.split('=')[1] ?? '' };
  return { program: programOf(command, { ...options, env }), living: () => processesWith(entry) };
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'davit-command-'));
  chmodSync(folder, 0o777);
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('a command is told by its exit code, its output and how long it took', async () => {
  const run = await runCommand(programOf('echo out; echo err >&2; exit 3'), { timeout_ms: minute });
  assert.deepEqual(run, { ...run, code: 3, signal: null, timed_out: false });
  assert.deepEqual(run.output.split('\n').sort(), ['', 'err', 'out']);
  assert.ok(run.duration_ms > 0);
});

test('a command reads what it is given, to its end, and need not', async () => {
  const input = 'x'.repeat(1_000_000);
  const read = await runCommand(programOf('wc -c'), { timeout_ms: minute, input });
  assert.equal(read.output.trim(), '1000000');
  assert.equal((await runCommand(programOf('true'), { timeout_ms: minute, input })).code, 0);
  assert.equal((await runCommand(programOf('wc -c'), { timeout_ms: minute })).output.trim(), '0');
});

test('a command that a signal ended is told by that', async () => {
  const run = await runCommand(programOf('kill -SEGV $$'), { timeout_ms: minute });
  assert.deepEqual([run.code, run.signal, run.timed_out], [null, 'SIGSEGV', false]);
});

test('a list runs without a shell, with the directory and the environment of the program', async (t) => {
  const cwd = folderOf(t);
  const program = programOf(
    [process.execPath, '-p', 'process.env.WORD + process.cwd() + process.argv[1]', '$WORD'],
    {
      cwd,
      env: { WORD: 'seen in ' },
    },
  );
  const { output } = await runCommand(program, { timeout_ms: minute });
  assert.equal(output.trim(), `seen in ${cwd}$WORD`);
});

test(
  'a command leads a session of its own and does not carry the mark of its service',
  linuxOnly,
  async () => {
    const program = programOf('echo $$ $(cut -d" " -f5,6 /proc/$$/stat) $DAVIT_INSTANCE_ID');
    const { output } = await runCommand(program, { timeout_ms: minute });
    const [pid, group, session, mark] = output.trim().split(' ');
    assert.deepEqual([group, session], [pid, pid]);
    assert.match(mark ?? '', /^command-/);
    assert.notEqual(mark, program.env['DAVIT_INSTANCE_ID']);
  },
);

test('a command runs as the account of its service', rootOnly, async (t) => {
  const cwd = folderOf(t);
  const program = programOf('id -un; id -gn', { cwd, account: resolveAccount('nobody', null) });
  const { output } = await runCommand(program, { timeout_ms: minute });
  assert.equal(output.split('\n')[0], 'nobody');
});

test('of its output the last 4 KiB are kept, and no character is cut', async () => {
  const script = 'process.stdout.write("ä".repeat(100_000) + "the end")';
  const { output } = await runCommand(programOf([process.execPath, '-e', script]), { timeout_ms: minute });
  assert.match(output, /^ä+the end$/);
  assert.ok(Buffer.byteLength(output) <= 4_096);
  assert.ok(Buffer.byteLength(output) > 4_090);
});

test('a command that writes without end is killed at its timeout', async () => {
  const run = await runCommand(programOf(['yes', 'a'.repeat(100)]), { timeout_ms: 300 });
  assert.deepEqual([run.code, run.signal, run.timed_out], [null, 'SIGKILL', true]);
  assert.ok(Buffer.byteLength(run.output) <= 4_096);
});

for (const name of ['ignores_sigterm.sh', 'forks_children.sh', 'setsid_child.sh', 'double_fork.sh']) {
  test(`at its timeout a command is killed with all that it started (${name})`, linuxOnly, async () => {
    const { program, living } = marked(fixture(name));
    const run = await runCommand(program, { timeout_ms: 1_000 });
    assert.equal(run.timed_out, true);
    assert.match(run.output, /ready/);
    assert.deepEqual(living(), []);
    for (const [, pid] of run.output.matchAll(/^child (\d+)$/gm)) assert.ok(!isRunning(Number(pid)));
  });
}

test('a child that cleared its environment is killed with its parent', linuxOnly, async () => {
  const run = await runCommand(programOf(fixture('setsid_child_without_environment.sh')), {
    timeout_ms: 1_000,
  });
  const [, pid] = /^child (\d+)$/m.exec(run.output) ?? [];
  assert.ok(pid !== undefined && !isRunning(Number(pid)));
});

test('an abort kills all that a command started', linuxOnly, async () => {
  const { program, living } = marked(fixture('setsid_child.sh'));
  const controller = new AbortController();
  const running = runCommand(program, { timeout_ms: minute, signal: controller.signal });
  await until('the command and its child run', () => living().length === 2);
  controller.abort();
  const run = await running;
  assert.deepEqual([run.code, run.signal, run.timed_out], [null, 'SIGKILL', false]);
  assert.deepEqual(living(), []);
});

test('a command that ended in time has not timed out, also when the agent itself was held up meanwhile', async () => {
  const running = runCommand(programOf('exit 0'), { timeout_ms: 200 });
  await new Promise(setImmediate);
  const until = performance.now() + 500;
  while (performance.now() < until);
  assert.equal((await running).timed_out, false);
});

test('a command that was aborted before it begins is not started', async (t) => {
  const file = join(folderOf(t), 'made');
  const run = await runCommand(programOf(['touch', file]), {
    timeout_ms: minute,
    signal: AbortSignal.abort(),
  });
  assert.deepEqual([run.code, run.signal, run.timed_out], [null, null, false]);
  assert.ok(!existsSync(file));
});

test(
  'a child that keeps the output open does not keep a command waiting, and ends with it',
  linuxOnly,
  async () => {
    const { program, living } = marked('setsid sleep 1000 & echo done');
    const run = await runCommand(program, { timeout_ms: minute });
    assert.deepEqual([run.code, run.output, run.timed_out], [0, 'done\n', false]);
    assert.deepEqual(living(), []);
  },
);

test('a child that is left in the group of a command ends with it', linuxOnly, async () => {
  const { program, living } = marked('sleep 1000 >/dev/null 2>&1 & echo done');
  assert.equal((await runCommand(program, { timeout_ms: minute })).code, 0);
  assert.deepEqual(living(), []);
});

test('with a table of processes even a daemon that a command leaves behind is found', linuxOnly, async () => {
  const { program, living } = marked('(setsid sleep 1000 >/dev/null 2>&1 &) ; echo done');
  const run = await runCommand(program, { timeout_ms: minute, table: new ProcessTable() });
  assert.equal(run.output, 'done\n');
  assert.deepEqual(living(), []);
});

test('nobody else ends with a command: neither its service nor another command', linuxOnly, async (t) => {
  const controller = new AbortController();
  const other = marked('exec sleep 1000');
  const running = runCommand(other.program, { timeout_ms: minute, signal: controller.signal });
  t.after(() => controller.abort());
  await until('the other runs', () => other.living().length === 1);
  await runCommand({ ...other.program, command: 'sleep 1000 & wait' }, { timeout_ms: 300 });
  assert.equal(other.living().length, 1);
  controller.abort();
  await running;
});

test('commands leave no zombie and no open descriptor', linuxOnly, async () => {
  const sockets = () => process.getActiveResourcesInfo().filter((name) => /Pipe|Process/.test(name)).length;
  const before = sockets();
  const pids = await Promise.all(
    Array.from({ length: 20 }, async (_, at) => {
      const program = programOf(at % 2 === 0 ? 'echo $$' : 'echo $$; sleep 1000');
      return Number((await runCommand(program, { timeout_ms: 500 })).output);
    }),
  );
  assert.deepEqual(
    pids.filter((pid) => readStat(pid)?.parent === process.pid),
    [],
  );
  await until('all handles are closed', () => sockets() <= before);
});

test('a command has nothing to read and the ordinary score for when memory runs out', linuxOnly, async () => {
  const program = programOf('cat; cat /proc/self/oom_score_adj');
  const { output } = await runCommand(program, { timeout_ms: minute });
  const own = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
  assert.equal(Number(output), Math.max(0, own));
});

for (const [what, command, options, reason] of [
  ['whose program is missing', ['no-such-program'], {}, /no-such-program: no such file in PATH/],
  ['whose program may not be executed', ['/etc/passwd'], {}, /\/etc\/passwd: permission denied/],
  ['whose directory is missing', 'true', { cwd: '/no/such' }, /working directory \/no\/such: no such file/],
  ['that is too long for the system', ['true', 'a'.repeat(131_072)], {}, /argument list too long/],
] as const) {
  test(`a command ${what} is refused with the reason`, linuxOnly, async () => {
    await assert.rejects(runCommand(programOf(command, options), { timeout_ms: minute }), {
      code: 'spawn_failed',
      message: new RegExp(`^the command cannot be started: .*${reason.source}`),
    });
  });
}
