import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { InstalledBinary } from '../../src/cli/installed_binary.ts';
import { runTool } from '../../src/cli/tool.ts';
import { Unit } from '../../src/cli/unit.ts';
import { faultOf, steadyServices } from '../../src/cli/upgrade_proof.ts';
import { until } from '../helpers/system.ts';
import { Person } from './davit.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-upgrade-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const path = (name: string) => join(folder, name);
const text = (name: string) => readFileSync(path(name), 'utf8');
const write = (name: string, content: string, mode = 0o644) => writeFileSync(path(name), content, { mode });
const services = (running: Record<string, number[]>) =>
  new Map(Object.entries(running).map(([id, pids]) => [id, new Set(pids)]));

describe('the file that a unit starts', () => {
  let binary: InstalledBinary;
  beforeEach(() => {
    write('davit', 'old');
    write('next', 'new');
    binary = new InstalledBinary(path('davit'));
  });

  test('is replaced by a rename, and the one before stays beside it', () => {
    binary.stage(path('next'));
    assert.deepEqual([text('davit'), statSync(binary.staged).mode & 0o777], ['old', 0o755]);
    binary.keepPresent(0);
    assert.equal(text('davit.previous'), 'old');
    binary.swap();
    assert.deepEqual([text('davit'), text('davit.previous')], ['new', 'old']);
    assert.deepEqual(readdirSync(folder).sort(), ['davit', 'davit.previous', 'next']);
    binary.putBack();
    assert.equal(text('davit'), 'old');
  });

  test('keeps an earlier previous one only until the next', () => {
    write('davit.previous', 'older');
    binary.keepPresent(0);
    binary.keepPresent(0);
    assert.equal(text('davit.previous'), 'old');
    assert.deepEqual(readdirSync(folder).sort(), ['davit', 'davit.previous', 'next']);
  });

  test('is known byte by byte', async () => {
    binary.stage(path('next'));
    assert.equal(await binary.isStaged(), false);
    write('davit', 'new');
    assert.equal(await binary.isStaged(), true);
  });

  test('is the one that a link leads to', () => {
    symlinkSync(path('davit'), path('link'));
    assert.equal(new InstalledBinary(path('link')).path, binary.path);
    assert.throws(() => new InstalledBinary(path('nothing')), { code: 'unit_unusable', message: /nothing/ });
  });

  test('is told apart from one before it that still runs, which is then the previous one', async () => {
    copyFileSync('/bin/sleep', path('sleep'));
    const running = spawn(path('sleep'), ['1000']);
    try {
      await once(running, 'spawn');
      const pid = running.pid ?? 0;
      const sleep = new InstalledBinary(path('sleep'));
      assert.equal(sleep.isRunBy(pid), true);
      sleep.stage(path('next'));
      sleep.swap();
      assert.equal(sleep.isRunBy(pid), false);
      sleep.keepPresent(pid);
      assert.ok(readFileSync(sleep.previous).equals(readFileSync('/bin/sleep')));
      assert.equal(statSync(sleep.previous).mode & 0o777, 0o755);
      assert.equal(text('sleep'), 'new');
    } finally {
      running.kill('SIGKILL');
    }
  });

  test('gets rid of what an interrupted upgrade left, and of nothing else', () => {
    for (const name of ['davit.upgrade-77', 'davit.upgrade-kept', 'davit.previous', 'other.upgrade-77'])
      write(name, '');
    binary.removeLeftovers();
    assert.deepEqual(readdirSync(folder).sort(), ['davit', 'davit.previous', 'next', 'other.upgrade-77']);
  });

  test('stays when the next one cannot be copied', () => {
    assert.throws(() => binary.stage(path('nothing')), {
      code: 'upgrade_refused',
      message: /nothing was changed/,
    });
    assert.deepEqual(readdirSync(folder).sort(), ['davit', 'next']);
  });
});

describe('an agent that has taken over', () => {
  const expected = {
    version: 'davit 2.0.0 (abc)',
    agentBefore: 7,
    services: services({ web: [10, 11], worker: [12] }),
    startsAnew: false,
  };
  const state = { version: 'davit 2.0.0 (abc)', pid: 8, services: services({ web: [10, 11], worker: [12] }) };

  test('is another one of the new version, with every service', () => {
    assert.equal(faultOf(state, expected), null);
    const more = { ...state, services: services({ web: [10, 11, 13], worker: [12], later: [14] }) };
    assert.equal(faultOf(more, expected), null);
  });

  test('is told from one that has not', () => {
    const cases = [
      [
        { ...state, version: 'davit 1.0.0 (abc)' },
        /^davit 1\.0\.0 \(abc\) answers, not davit 2\.0\.0 \(abc\)$/,
      ],
      [{ ...state, pid: 7 }, /the agent from before \(pid 7\) still answers/],
      [
        { ...state, services: services({ web: [10, 11] }) },
        /service worker, which ran as pid 12, does not run/,
      ],
      [
        { ...state, services: services({ web: [10, 15], worker: [12] }) },
        /service web, which ran as pid 10, 11, runs as pid 10, 15/,
      ],
    ] as const;
    for (const [found, fault] of cases) assert.match(faultOf(found, expected) ?? '', fault);
  });

  test('may have started services anew where they end with the agent', () => {
    const anew = { ...state, services: services({ web: [20], worker: [21] }) };
    assert.equal(faultOf(anew, { ...expected, startsAnew: true }), null);
    const less = { ...anew, services: services({ web: [20] }) };
    assert.match(faultOf(less, { ...expected, startsAnew: true }) ?? '', /service worker/);
  });

  test('is not asked for services that start or end by themselves just then', () => {
    const later = { ...state, services: services({ web: [10, 11], worker: [22], job: [23] }) };
    assert.deepEqual(steadyServices(state, later), services({ web: [10, 11] }));
  });
});

describe('a program that is run to its end', () => {
  const options = { env: { PATH: process.env['PATH'] ?? '' }, timeout: 60_000 };
  const shell = (script: string, more = {}) => runTool('sh', ['-c', script], { ...options, ...more });

  test('gives what it wrote', async () => {
    assert.deepEqual(await shell('echo one; echo two >&2'), {
      output: 'one\n',
      complaint: 'two\n',
      failure: null,
    });
  });

  test('says why it failed', async () => {
    assert.equal((await shell('echo why >&2; exit 3')).failure, 'why');
    assert.equal((await shell('exit 3')).failure, 'it ended with exit code 3');
    assert.equal((await shell('kill -9 $$')).failure, 'it ended with SIGKILL');
    assert.equal((await runTool(path('nothing'), [], options)).failure, `there is no ${path('nothing')}`);
  });

  test('is ended after its time, also when it does not listen', async () => {
    const { failure } = await shell("trap '' TERM; while :; do sleep 0.1; done", { timeout: 200 });
    assert.equal(failure, 'it did not end within 0.2 s');
  });

  test('is ended by whoever waits for it', async () => {
    const controller = new AbortController();
    const running = shell(`echo >${path('up')}; exec sleep 1000`, { signal: controller.signal });
    await until('it runs', () => existsSync(path('up')));
    controller.abort();
    assert.equal((await running).failure, 'it ended with SIGTERM');
    const late = await shell('exec sleep 1000', { signal: controller.signal });
    assert.equal(late.failure, 'it ended with SIGTERM');
  });

  test('is not waited for when only a descendant keeps its output open', async () => {
    const { output, failure } = await shell('sleep 1000 & echo $!');
    assert.equal(failure, null);
    process.kill(Number(output));
  });
});

describe('a unit', () => {
  /** A systemctl that shows these properties. */
  function shown(lines: readonly string[]): Unit {
    mkdirSync(path('bin'));
    write('shown', `${lines.join('\n')}\n`);
    write('bin/systemctl', `#!/bin/sh\nexec cat '${path('shown')}'\n`, 0o755);
    return new Unit('davit.service', false, { PATH: `${path('bin')}:${process.env['PATH']}` });
  }
  const execStart = (words: string) =>
    `ExecStart={ path=/opt/davit ; argv[]=${words} ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 }`;
  const loaded = [
    'LoadState=loaded',
    'ActiveState=inactive',
    'MainPID=0',
    'User=',
    'FragmentPath=/etc/davit.service',
  ];

  test('tells its program, the flags of the agent and their variables', async () => {
    const unit = shown([
      ...loaded,
      execStart(`/opt/davit agent --listen \${HOST}:$PORT --data "/srv/my state"`),
      'Environment=HOST=127.0.0.1 "NOTE=two \\"words\\""',
      `EnvironmentFiles=${path('davit.env')} (ignore_errors=no)`,
      `EnvironmentFiles=${path('missing.env')} (ignore_errors=yes)`,
    ]);
    write('davit.env', '# a comment\n; another\n\nPORT=9000\n  QUOTED="a b"\nLONG=one\\\ntwo\nHASH=a # b\n');
    const { program, flags, environment, state, pid, file } = await unit.read();
    assert.equal(program, '/opt/davit');
    assert.deepEqual(flags, ['--listen', '127.0.0.1:9000', '--data', '/srv/my state']);
    const { PATH: _, ...given } = environment;
    assert.deepEqual(given, {
      HOST: '127.0.0.1',
      NOTE: 'two "words"',
      PORT: '9000',
      QUOTED: 'a b',
      LONG: 'onetwo',
      HASH: 'a # b',
    });
    assert.deepEqual([state, pid, file], ['inactive', 0, '/etc/davit.service']);
  });

  test('that runs no agent, or is not there, is refused', async () => {
    const missing = shown(['LoadState=not-found', 'ActiveState=inactive', 'MainPID=0']);
    await assert.rejects(missing.read(), {
      code: 'unit_unusable',
      message: /no unit davit\.service \(not-found\)/,
    });
    write('shown', [...loaded, execStart('/usr/sbin/sshd -D')].join('\n'));
    await assert.rejects(missing.read(), {
      message: /does not start "davit agent", but: \/usr\/sbin\/sshd -D/,
    });
  });

  test('whose environment file is missing cannot be started, and is refused', async () => {
    const unit = shown([
      ...loaded,
      execStart('/opt/davit agent'),
      `EnvironmentFiles=${path('no.env')} (ignore_errors=no)`,
    ]);
    await assert.rejects(unit.read(), { code: 'unit_unusable', message: /no\.env cannot be read/ });
  });
});

test('without a systemd of the caller there is nothing to restart, and it says what to do', async () => {
  using person = new Person({ XDG_RUNTIME_DIR: folder });
  const { code, out, err } = await person.davit(['upgrade', '--user', '--binary', '/bin/true']);
  assert.deepEqual([code, out], [1, '']);
  assert.match(err, /no systemd of your own on this host .* By hand: put the new binary beside/);
  assert.equal((await person.davit(['upgrade'])).code, 2);
  const elsewhere = await person.davit(['upgrade', '--binary', '/bin/true', '--url', 'http://127.0.0.1:1']);
  assert.equal(elsewhere.code, 2);
  assert.match(elsewhere.err, /for the agent of a unit of this host, so --url means nothing to it/);
});
