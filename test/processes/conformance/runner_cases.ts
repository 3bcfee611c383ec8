import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isAlive } from '../../../src/processes/identity.ts';
import type { Program } from '../../../src/processes/launch.ts';
import { exitOf, fixture } from '../../helpers/processes.ts';
import { isRunning, processesWith, until, untilGone } from '../../helpers/system.ts';
import { Stage } from './stage.ts';

const patient = { signal: 'SIGTERM', timeout_ms: 10_000 } as const;
const impatient = { signal: 'SIGTERM', timeout_ms: 100 } as const;
const isRoot = process.getuid?.() === 0;

interface Case {
  readonly title: string;
  readonly skip?: string | false;
  run(stage: Stage): Promise<void>;
}

/** Registers what every runner has to fulfil. */
export function testRunner(runner: Program['runner']): void {
  for (const { title, skip = false, run } of cases)
    test(`${runner}: ${title}`, { skip }, (t: TestContext) => run(new Stage(t, runner)));
}

const ends = [
  ['an exit code', 'exit 7', { return_code: 7, signal: null }],
  ['a success', 'true', { return_code: 0, signal: null }],
  ['the code 143, which is no signal here', 'exit 3 & exit 4', { return_code: 4, signal: null }],
  ['a signal', 'kill -USR2 $$', { return_code: null, signal: 'SIGUSR2' }],
  ['a kill', 'kill -KILL $$', { return_code: null, signal: 'SIGKILL' }],
] as const;

/** Programs with so many descendants once they are ready. */
const escapes = [
  ['forks_children.sh', 3],
  ['setsid_child.sh', 1],
  ['setsid_child_without_environment.sh', 1],
  ['double_fork.sh', 1],
  ['starts_while_ending.mjs', 0],
] as const;

const secret = `its 'value', "quoted" $HOME \${HOME} %n \\n\nand a line, and ü`;

const cases: readonly Case[] = [
  ...ends.map(
    ([what, command, status]): Case => ({
      title: `${what} is how a program ended, and stands in its notes`,
      run: async (stage) => {
        const { tree, pid } = await stage.start(command);
        assert.deepEqual(await exitOf(tree), status);
        assert.deepEqual(stage.runtime.notesOf(tree.instance_id), { pid, exit: status });
      },
    }),
  ),
  {
    title: 'what proves a tree is known before its program is let go',
    run: async (stage) => {
      const tree = await stage.prepare('echo begun; sleep 1000');
      assert.ok(isAlive(tree.proof));
      assert.equal(stage.runtime.notesOf(tree.instance_id).pid, null);
      assert.equal(stage.output(), '');
      const pid = await tree.letGo();
      await stage.wrote('begun');
      assert.equal(stage.runtime.notesOf(tree.instance_id).pid, pid);
      assert.ok(isRunning(pid));
    },
  },
  {
    title: 'a program that handles the signal ends as it wants to',
    run: async (stage) => {
      const { tree } = await stage.startReady(fixture('slow_to_stop.mjs', '100'));
      const report = await stage.runtime.stop(tree, patient);
      assert.equal(report.ended_by, 'signal');
      assert.match(stage.output(), /stopping\nstopped\n$/);
      assert.deepEqual(await exitOf(tree), { return_code: 0, signal: null });
    },
  },
  ...escapes.map(
    ([name, count]): Case => ({
      title: `${name}: nothing is left after a stop`,
      run: async (stage) => {
        const { tree, pid } = await stage.startReady(fixture(name));
        await stage.children(count);
        const report = await stage.runtime.stop(tree, patient);
        const children = await stage.children(Math.max(count, 1));
        assert.deepEqual(report.survivors, []);
        assert.equal(report.complete, tree.control_group === null ? 'best_effort' : 'guaranteed');
        assert.deepEqual([pid, ...children].filter(isRunning), []);
      },
    }),
  ),
  {
    title: 'what its program left behind is ended, too',
    run: async (stage) => {
      const { tree } = await stage.start(fixture('dies_leaving_children.sh'));
      // systemd ends them by itself, maybe before they have begun.
      assert.deepEqual(await exitOf(tree), { return_code: 3, signal: null });
      const report = await stage.runtime.stop(tree, patient);
      assert.deepEqual(report.survivors, []);
      assert.deepEqual(processesWith(`DAVIT_INSTANCE_ID=${tree.instance_id}`), []);
    },
  },
  {
    title: 'a program that takes no notice of the signal is killed at the deadline',
    run: async (stage) => {
      const { tree } = await stage.startReady(fixture('ignores_sigterm.sh'));
      const children = await stage.children(1);
      const report = await stage.runtime.stop(tree, impatient);
      assert.equal(report.ended_by, 'kill');
      assert.ok(report.duration_ms >= impatient.timeout_ms);
      assert.deepEqual(children.filter(isRunning), []);
      assert.deepEqual(await exitOf(tree), { return_code: null, signal: 'SIGKILL' });
    },
  },
  {
    title: 'the environment is the one that was asked for, and nothing else',
    run: async (stage) => {
      const env = { PATH: '/usr/bin:/bin', SECRET: secret, EMPTY: '', LARGE: 'x'.repeat(100_000) };
      const { tree } = await stage.startReady(fixture('prints_environment.mjs'), { env });
      const [line = ''] = stage.output().split('\n');
      const { PWD: _, ...seen } = JSON.parse(line);
      assert.deepEqual(seen, { ...env, DAVIT_INSTANCE_ID: tree.instance_id });
      await exitOf(tree);
    },
  },
  {
    title: 'no value of a variable stands in a command line',
    run: async (stage) => {
      const value = 'not-to-be-seen-by-others';
      const tree = await stage.prepare('echo ready; exec sleep 1000', {
        env: { PATH: '/usr/bin:/bin', SECRET: value },
      });
      const held = commandLinesWith(value);
      await tree.letGo();
      await stage.wrote('ready');
      assert.deepEqual([...held, ...commandLinesWith(value)], []);
    },
  },
  {
    title: 'a program runs as the account that is asked for, with its groups',
    skip: !isRoot && 'only root switches',
    run: async (stage) => {
      const account = {
        switch_to: { uid: 65_534, gid: 65_533, groups: [10, 11] },
        uid: 65_534,
        name: null,
        home: null,
        shell: null,
      };
      const { tree } = await stage.start('id -u; id -g; id -G; exit 5', { account });
      assert.deepEqual(await exitOf(tree), { return_code: 5, signal: null });
      assert.equal(stage.output(), '65534\n65533\n65533 10 11\n');
    },
  },
  {
    title: 'an account without further groups has none of those of the agent',
    skip: !isRoot && 'only root switches',
    run: async (stage) => {
      const switch_to = { uid: 65_534, gid: 65_533, groups: [] };
      const account = { switch_to, uid: 65_534, name: null, home: null, shell: null };
      const { tree } = await stage.start('grep -E "^(Uid|Groups|CapEff)" /proc/self/status', { account });
      await exitOf(tree);
      assert.match(stage.output(), /^Uid:\t65534\t65534\t65534\t65534\nGroups:\t(65533)? ?\nCapEff:\t0+\n$/);
    },
  },
  {
    title: 'a working directory may have any name',
    run: async (stage) => {
      const parent = realpathSync(mkdtempSync(join(tmpdir(), 'davit-runner-')));
      const cwd = join(parent, `it's a $HOME %n "place" \${X}`);
      mkdirSync(cwd);
      const { tree } = await stage.start(['/bin/pwd'], { cwd });
      await exitOf(tree);
      rmdirSync(cwd);
      rmdirSync(parent);
      assert.equal(stage.output(), `${cwd}\n`);
    },
  },
  {
    title: 'a working directory that is not there is the reason why nothing starts',
    run: async (stage) => {
      await assert.rejects(stage.start('true', { cwd: '/no/such/place' }), {
        code: 'spawn_failed',
        message: /working directory \/no\/such\/place: no such file or directory/,
      });
    },
  },
  {
    title: 'each word of a list arrives as it is',
    run: async (stage) => {
      const words = ['a b', '$HOME', `$\{HOME}`, '%n', '$$', "it's", '\\', '', '*', '-x'];
      const { tree } = await stage.start(['/usr/bin/printf', '[%s]', ...words]);
      assert.deepEqual(await exitOf(tree), { return_code: 0, signal: null });
      assert.equal(stage.output(), words.map((word) => `[${word}]`).join(''));
    },
  },
  {
    title: 'both streams are whole and in order, and apart',
    run: async (stage) => {
      const { tree } = await stage.start('for i in $(seq 5000); do echo $i; echo e$i >&2; done');
      await exitOf(tree);
      const numbers = Array.from({ length: 5000 }, (_, index) => index + 1);
      assert.equal(stage.output(), numbers.map((number) => `${number}\n`).join(''));
      assert.equal(stage.errors(), numbers.map((number) => `e${number}\n`).join(''));
    },
  },
  {
    title: 'a program has no input, and no descriptor that is not its own',
    run: async (stage) => {
      const others = '3 4 5 6 7 8 9';
      const look = `cat; readlink /proc/$$/fd/0; for fd in ${others}; do [ ! -e /proc/$$/fd/$fd ] || echo $fd; done`;
      const { tree } = await stage.start(['/bin/sh', '-c', look]);
      await exitOf(tree);
      assert.equal(stage.output(), '/dev/null\n');
    },
  },
  {
    title: 'new files have the mode that the agent gives, and as many may be open as it may open',
    run: async (stage) => {
      const { tree } = await stage.start('umask; ulimit -Sn; ulimit -Hn');
      await exitOf(tree);
      const own = execFileSync('/bin/sh', ['-c', 'umask; ulimit -Hn'], { encoding: 'utf8' }).split('\n');
      const [mask, , hard] = stage.output().split('\n');
      assert.deepEqual([mask, hard], own.slice(0, 2));
    },
  },
  {
    title: 'a limit of open files is that of each process',
    run: async (stage) => {
      const limits = { ...stage.program('true').limits, open_files: 64 };
      const { tree } = await stage.start('ulimit -n; sh -c "ulimit -n"', { limits });
      await exitOf(tree);
      assert.equal(stage.output(), '64\n64\n');
    },
  },
  {
    title: 'a program and its output outlive the agent, whose successor learns how it ends',
    run: async (stage) => {
      const left = await stage.startAndKillAgent(
        'trap "exit 9" USR1; i=0; while :; do echo $((i = i + 1)); sleep 0.01; done',
      );
      const adopted = stage.adopt(left);
      assert.equal(await adopted.told, left.pid);
      const before = stage.output().length;
      await until('it writes on', () => stage.output().length > before);
      process.kill(left.pid ?? 0, 'SIGUSR1');
      assert.deepEqual(await exitOf(adopted), { return_code: 9, signal: null });
      const lines = stage.output().trim().split('\n').map(Number);
      assert.deepEqual(
        lines,
        Array.from(lines, (_, index) => index + 1),
      );
    },
  },
  {
    title: 'a tree that was taken up is stopped as a whole',
    run: async (stage) => {
      const left = await stage.startAndKillAgent(fixture('double_fork.sh'));
      const children = await stage.children(1);
      const adopted = stage.adopt(left);
      const report = await stage.runtime.stop(adopted, patient);
      assert.equal(report.complete, left.proof.control_group === null ? 'best_effort' : 'guaranteed');
      assert.deepEqual([left.pid ?? 0, ...children].filter(isRunning), []);
      assert.deepEqual(await exitOf(adopted), { return_code: null, signal: 'SIGTERM' });
    },
  },
  {
    title: 'how a program ended while no agent was there is known',
    run: async (stage) => {
      const left = await stage.startAndKillAgent(
        'trap "exit 6" USR1; echo ready; while :; do sleep 0.01; done',
      );
      await stage.wrote('ready');
      process.kill(left.pid ?? 0, 'SIGUSR1');
      await untilGone(left.proof.pid);
      assert.equal(stage.runtime.adopt(left.proof), null);
      const exit = { return_code: 6, signal: null };
      assert.deepEqual(stage.runtime.notesOf(left.proof.instance_id), { pid: left.pid, exit });
    },
  },
  {
    title: 'an agent that dies before it lets a program go has started nothing',
    run: async (stage) => {
      const left = await stage.startAndKillAgent('echo begun', { letGo: false });
      await untilGone(left.proof.pid);
      assert.equal(stage.runtime.notesOf(left.proof.instance_id).pid, null);
      assert.equal(stage.output(), '');
    },
  },
  {
    title: 'what nobody claims is found with all of its processes, and ended',
    run: async (stage) => {
      const left = await stage.startAndKillAgent(fixture('setsid_child.sh'));
      const children = await stage.children(1);
      await until('nobody else is left, such as a wrapper that the agent had made ready', async () => {
        const others = await stage.runtime.orphans(new Set([left.proof.instance_id]));
        return others.length === 0;
      });
      const [orphan = assert.fail('not found'), ...others] = await stage.runtime.orphans(new Set());
      assert.deepEqual(others, []);
      assert.equal(orphan.instance_id, left.proof.instance_id);
      assert.deepEqual(stage.runtime.proofOf(orphan), { ...left.proof, main_pid: left.pid });
      const report = await stage.runtime.stopOrphan(orphan, patient);
      assert.deepEqual(report.survivors, []);
      assert.deepEqual([left.pid ?? 0, ...children].filter(isRunning), []);
      assert.deepEqual(await stage.runtime.orphans(new Set()), []);
    },
  },
  {
    title: 'many start at once, and all of them end',
    run: async (stage) => {
      const started = await Promise.all(Array.from({ length: 20 }, () => stage.start('exit 3')));
      for (const { tree } of started) assert.deepEqual(await exitOf(tree), { return_code: 3, signal: null });
      await Promise.all(
        started.map(({ tree }) => stage.runtime.forget(tree.instance_id, tree.control_group)),
      );
      await until('their groups are gone', () =>
        started.every(({ tree }) => tree.control_group?.pids().length !== 1),
      );
    },
  },
];

/** The processes of the host in whose command line a text stands. */
function commandLinesWith(text: string): string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandLineOf(pid).includes(text));
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
