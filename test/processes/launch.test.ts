import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { resolveAccount } from '../../src/processes/account.ts';
import { readStat } from '../../src/processes/identity.ts';
import { checkLaunch, explainFailure } from '../../src/processes/launch.ts';
import {
  exitOf,
  fixture,
  killGroup,
  launchFixture,
  launchHeld,
  launchTree,
  type ProgramOptions,
  programOf,
} from '../helpers/processes.ts';
import { isRunning } from '../helpers/system.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-launch-'));
chmodSync(folder, 0o755);
after(() => rmSync(folder, { recursive: true }));

const isRoot = process.getuid?.() === 0;
const rootOnly = { skip: isRoot ? false : 'only root can switch to another user' };
const linuxOnly = { skip: process.platform === 'linux' ? false : 'reads /proc' };
const leftOpen = process.platform === 'linux' ? readdirSync('/proc/self/fdinfo').filter(isInherited) : [];
const nowhere = openSync('/dev/null', 'w');

/** Whether a descriptor above the standard ones stays open in another program, which none that Node opens does. */
function isInherited(fd: string): boolean {
  if (Number(fd) <= 2) return false;
  const [, flags] = /^flags:\s+(\d+)$/m.exec(readFile(`/proc/self/fdinfo/${fd}`)) ?? [];
  return flags !== undefined && (Number.parseInt(flags, 8) & 0o2000000) === 0;
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function fileWith(name: string, content: string | Buffer, mode = 0o755): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

test('a process leads a session and a group of its own', linuxOnly, async (t) => {
  const { identity } = await launchTree(t, ['sleep', '1000']);
  const { pid } = identity;
  assert.deepEqual(readStat(pid), { ...readStat(pid), parent: process.pid, group: pid, session: pid });
  assert.equal(readStat(pid)?.start_ticks, identity.start_ticks);
});

test('a process has three descriptors: nothing to read, and its output', linuxOnly, async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  const file = openSync(fileWith('open', ''), 'r');
  t.after(() => server.close());
  const { pid, wrote } = await launchTree(t, 'echo ready; kill -STOP $$');
  await wrote('ready');
  assert.ok(file > 2);
  // What whoever started this process left open for everyone is not ours to close.
  const descriptors = readdirSync(`/proc/${pid}/fd`).filter((fd) => !leftOpen.includes(fd));
  assert.deepEqual(descriptors, ['0', '1', '2']);
  const [input, output, errors] = descriptors.map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  assert.equal(input, '/dev/null');
  assert.equal(output, errors);
});

test('a process has the signals as the system gives them to any', linuxOnly, async (t) => {
  const { pid } = await launchTree(t, ['sleep', '1000']);
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  for (const kind of ['SigBlk', 'SigIgn', 'SigCgt']) assert.match(status, new RegExp(`^${kind}:\t0+$`, 'm'));
});

test('a string runs in a shell, in its directory', async (t) => {
  const tree = await launchTree(t, 'cd / && echo "$((6 * 7))" | tr 4 5; pwd; cd - > /dev/null; pwd', {
    cwd: folder,
  });
  await exitOf(tree);
  assert.equal(tree.output(), `52\n/\n${folder}\n`);
});

test('a list runs as it stands', async (t) => {
  const tree = await launchTree(t, ['printf', '%s|', '$HOME', '; exit 1', '', 'a  b', '*']);
  assert.deepEqual(await exitOf(tree), { return_code: 0, signal: null });
  assert.equal(tree.output(), '$HOME|; exit 1||a  b|*|');
});

test('both streams go where they are told to, from the first byte to the last', async (t) => {
  const out = fileWith('out', '');
  const errors = fileWith('errors', '');
  const program = programOf('echo first; echo second >&2; echo third');
  const output = { stdout: openSync(out, 'a'), stderr: openSync(errors, 'a') };
  const started = await launchHeld(program, { ...output, lifeline: null });
  await started.letGo();
  t.after(() => started.exited);
  await exitOf(started);
  assert.equal(readFileSync(out, 'utf8'), 'first\nthird\n');
  assert.equal(readFileSync(errors, 'utf8'), 'second\n');
});

test('how a process ended is known', async (t) => {
  const exits = await launchTree(t, fixture('exits.sh', 'cannot find the database', '7'));
  assert.deepEqual(await exitOf(exits), { return_code: 7, signal: null });
  assert.equal(exits.output(), 'cannot find the database\n');
  const killed = await launchTree(t, ['sleep', '1000']);
  process.kill(killed.pid, 'SIGUSR1');
  assert.deepEqual(await exitOf(killed), { return_code: null, signal: 'SIGUSR1' });
});

test('a server listens on the port that its environment names', async (t) => {
  const tree = await launchFixture(t, 'http_server.mjs', [], { env: { PORT: '0' } });
  const [, port] = /^port (\d+)$/m.exec(tree.output()) ?? [];
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(await answer.text(), String(tree.pid));
});

test('a process does not keep its agent from ending, and outlives it', linuxOnly, async () => {
  const launchModule = new URL('../helpers/processes.ts', import.meta.url);
  const program = programOf(['sleep', '1000']);
  const script = `
    const { launchHeld } = await import('${launchModule}');
    const { identity, letGo } = await launchHeld(${JSON.stringify(program)}, { stdout: 1, stderr: 2, lifeline: null });
    await letGo();
    console.log(identity.pid);`;
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    stdio: ['ignore', openSync(fileWith('pid', ''), 'w'), 'inherit'],
    timeout: 10_000,
  });
  assert.equal(status, 0, stdout);
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
  assert.ok(isRunning(pid));
  killGroup(pid);
});

interface Refusal {
  readonly title: string;
  readonly command?: string | readonly string[];
  readonly options?: () => ProgramOptions;
  readonly reason: string | RegExp;
  /** Where the C library runs it in a shell, so that only the check refuses it. */
  /** The exit code where it goes wrong only when it is started all the same. */
  readonly ends?: number;
  readonly checkOnly?: boolean;
  readonly skip?: string | boolean;
}

const nobody = () => ({ account: resolveAccount('nobody', null) });
const taughtFormats = spawnSync('sh', ['-c', 'ls /proc/sys/fs/binfmt_misc | grep -vE "^(register|status)$"']);
const foreignRuns = taughtFormats.stdout.length > 0 && 'this host runs programs of other processors';
const closed = join(folder, 'closed');
mkdirSync(closed, { mode: 0o700 });
const sleepProgram = readFileSync(
  execFileSync('sh', ['-c', 'command -v sleep'], { encoding: 'utf8' }).trim(),
);
const foreign = Buffer.from(sleepProgram);
foreign.writeUInt16LE(0x15, 18);
const otherLoader = Buffer.from(sleepProgram.toString('latin1').replace(/\/ld-linux/, '/no-linux'), 'latin1');

const refusals: readonly Refusal[] = [
  {
    title: 'a working directory that does not exist',
    options: () => ({ cwd: '/no/such/place' }),
    reason: 'its working directory /no/such/place: no such file or directory',
  },
  {
    title: 'a working directory that is a file',
    options: () => ({ cwd: '/etc/passwd' }),
    reason: 'its working directory /etc/passwd: not a directory',
  },
  {
    title: 'a working directory that its user may not enter',
    options: () => ({ cwd: closed, ...nobody() }),
    reason: `its working directory ${closed}: permission denied for user nobody`,
    checkOnly: true,
    skip: rootOnly.skip,
  },
  {
    title: 'a program that is not in PATH',
    ends: 127,
    command: ['no-such-program'],
    reason: 'no-such-program: no such file in PATH',
  },
  {
    title: 'a program at a path that does not exist',
    ends: 127,
    command: ['/no/such/program'],
    reason: '/no/such/program: no such file or directory',
  },
  {
    title: 'a program at a path from the working directory that does not exist',
    ends: 127,
    command: ['./absent'],
    options: () => ({ cwd: folder }),
    reason: `${join(folder, 'absent')}: no such file or directory`,
  },
  {
    title: 'a program that is a directory',
    ends: 126,
    command: [folder],
    reason: `${folder}: is not a file`,
  },
  {
    title: 'a program without the right to execute it',
    ends: 126,
    command: [fileWith('text', 'echo hello', 0o644)],
    reason: `${join(folder, 'text')}: permission denied`,
  },
  {
    title: 'a program that its user may not execute',
    ends: 126,
    command: [fileWith('private', '#!/bin/sh\n', 0o700)],
    options: nobody,
    reason: `${join(folder, 'private')}: permission denied for user nobody`,
    skip: rootOnly.skip,
  },
  {
    title: 'a program in a directory that its user may not enter',
    ends: 126,
    command: [join(closed, 'program')],
    options: nobody,
    reason: `${join(closed, 'program')}: permission denied for user nobody`,
    skip: rootOnly.skip,
  },
  {
    title: 'a script whose interpreter does not exist',
    ends: 127,
    command: [fileWith('script', '#!/no/such/interpreter -x\necho hello\n')],
    reason: `${join(folder, 'script')}: its first line names the interpreter /no/such/interpreter: no such file or directory`,
  },
  {
    title: 'a script with the line ends of Windows',
    ends: 127,
    command: [fileWith('windows', '#!/bin/sh\r\necho hello\r\n')],
    reason: /the interpreter \/bin\/sh: no such file or directory \(the line ends in a carriage return\)/,
  },
  {
    title: 'a program for another processor',
    command: [fileWith('foreign', foreign)],
    reason: `${join(folder, 'foreign')}: exec format error`,
    checkOnly: true,
    skip: foreignRuns,
  },
  {
    title: 'a program for a system with another loader',
    ends: 127,
    command: [fileWith('loader', otherLoader)],
    reason: /it was built for a system with the loader \S+no-linux\S+: no such file or directory$/,
    skip: otherLoader.equals(sleepProgram) && 'the programs of this host have another loader',
  },
  {
    title: 'a file that is no program',
    command: [fileWith('picture', '\x89PNG\0\0\0\rIHDR')],
    reason: `${join(folder, 'picture')}: exec format error`,
    checkOnly: true,
    skip: foreignRuns,
  },
  {
    title: 'an argument that is too long',
    ends: 126,
    command: ['true', 'x'.repeat(131_072)],
    reason: 'argument list too long: its argument 1 is longer than 131072 bytes',
  },
  {
    title: 'a variable that is too long',
    ends: 126,
    options: () => ({ env: { LONG: 'ü'.repeat(65_536) } }),
    reason: 'argument list too long: its variable LONG is longer than 131072 bytes',
  },
  {
    title: 'arguments and variables that are too many',
    ends: 126,
    options: () => ({
      env: Object.fromEntries(Array.from({ length: 64 }, (_, n) => [`V${n}`, 'x'.repeat(130_000)])),
    }),
    reason:
      /^argument list too long: its arguments and variables have \d+ bytes together, and the system takes \d+$/,
  },
];
if (isRoot) {
  writeFileSync(join(closed, 'program'), '#!/bin/sh\n', { mode: 0o755 });
  chownSync(closed, 0, 0);
}

for (const { title, command = ['true'], options, reason, checkOnly, ends, skip } of refusals) {
  test(`${title}: refused with the reason, before and at the start`, {
    skip: linuxOnly.skip || skip || false,
  }, async (t) => {
    const program = programOf(command, options?.());
    const sentence = (error: unknown) => {
      const { code, message } = error as { code: string; message: string };
      const said = message.replace('the service cannot be started: ', '');
      assert.equal(code, 'spawn_failed');
      assert.ok(typeof reason === 'string' ? said === reason : reason.test(said), said);
      return true;
    };
    assert.throws(() => checkLaunch(program), sentence);
    if (checkOnly) return;
    if (ends !== undefined)
      return assert.equal((await exitOf(await launchTree(t, command, options?.()))).return_code, ends);
    await assert.rejects(
      launchHeld(program, { stdout: nowhere, stderr: nowhere, lifeline: null }).catch((error) => {
        throw explainFailure(error, program);
      }),
      sentence,
    );
  });
}

test('a value of the environment is never in an error', linuxOnly, () => {
  const program = programOf(['true'], { env: { LONG: 'secret'.repeat(30_000) } });
  assert.throws(
    () => checkLaunch(program),
    (error: Error) => !/secretsecret/.test(JSON.stringify(error) + error.message + error.stack),
  );
});

test('what can be started passes the check', linuxOnly, () => {
  const relative = fileWith('relative', '#!/bin/sh\n');
  const fallback = fileWith('no-first-line', 'echo hello\n');
  for (const command of ['true', ['sh'], ['/bin/sh'], ['./relative'], [relative], [fallback]] as const)
    checkLaunch(programOf(command, { cwd: folder }));
  if (isRoot) checkLaunch(programOf(['./relative'], { cwd: folder, ...nobody() }));
});

test('a user with as many processes as it may have: refused with the reason', {
  skip: rootOnly.skip || (spawnSync('prlimit', ['--version']).error ? 'needs prlimit' : false),
}, async (t) => {
  await launchTree(t, ['sleep', '1000'], nobody());
  const module = new URL('../../src/processes/launch.ts', import.meta.url);
  const helpers = new URL('../helpers/processes.ts', import.meta.url);
  const program = programOf(['true'], nobody());
  const script = `
    const { checkLaunch } = await import('${module}');
    const { launchHeld } = await import('${helpers}');
    const program = ${JSON.stringify(program)};
    try { checkLaunch(program) } catch (error) { console.log(error.message) }
    await launchHeld(program, { stdout: 2, stderr: 2, lifeline: null }).catch((error) => console.log(error.code));`;
  const args = ['--nproc=0', process.execPath, '--input-type=module', '-e', script];
  const { stdout } = spawnSync('prlimit', args, { encoding: 'utf8', timeout: 10_000 });
  const sentence =
    'the service cannot be started: cannot run anything for user nobody: resource temporarily unavailable\n';
  assert.equal(stdout, `${sentence}EAGAIN\n`);
});
