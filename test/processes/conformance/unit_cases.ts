import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { exitOf, fixture } from '../../helpers/processes.ts';
import { until, untilGone } from '../../helpers/system.ts';
import { Stage } from './stage.ts';

const isRoot = process.getuid?.() === 0;
const scope = isRoot ? [] : ['--user'];

/** Registers what an operator of the host sees of the units of instances, and does with them. */
export function testUnits(): void {
  const stageOf = (t: TestContext) => new Stage(t, 'systemd');

  test('an instance is a unit that says what it is', async (t) => {
    const stage = stageOf(t);
    const { env } = stage.program('true');
    const { tree } = await stage.start('exec sleep 1000', {
      env: { ...env, DAVIT_SERVICE: 'web', DAVIT_INSTANCE: '2' },
      stop: { signal: 'SIGINT', timeout_ms: 2000 },
    });
    const expected = {
      Description: 'davit: web #2',
      ActiveState: 'active',
      MainPID: String(tree.identity.pid),
      Transient: 'yes',
      Slice: 'davit.slice',
      KillMode: 'control-group',
      KillSignal: '2',
      TimeoutStopUSec: '2s',
      CollectMode: 'inactive-or-failed',
      Restart: 'no',
      TasksMax: 'infinity',
    };
    assert.deepEqual(show(tree.instance_id, Object.keys(expected)), expected);
    const group = show(tree.instance_id, ['ControlGroup'])['ControlGroup'] ?? assert.fail();
    assert.ok(tree.proof.control_group?.endsWith(group), `${tree.proof.control_group} ends with ${group}`);
  });

  test('nothing that is shown of a unit, nor its file, holds a value of a variable', async (t) => {
    const stage = stageOf(t);
    const value = 'not-to-be-seen-by-others';
    const { tree } = await stage.start('exec sleep 1000', { env: { SECRET: value, PATH: '/usr/bin:/bin' } });
    const unit = unitOf(tree.instance_id);
    const shown = [systemctl('show', '--all', unit), systemctl('cat', unit), systemctl('status', unit)];
    assert.ok(shown.every((text) => text.includes(tree.instance_id)));
    assert.ok(!shown.some((text) => text.includes(value)));
  });

  test('systemctl stop ends an instance as its service wants it, and how it ended is known', async (t) => {
    const stage = stageOf(t);
    const { tree } = await stage.startReady(fixture('slow_to_stop.mjs', '10'));
    systemctl('stop', unitOf(tree.instance_id));
    assert.deepEqual(await exitOf(tree), { return_code: 0, signal: null });
    assert.match(stage.output(), /stopping\nstopped\n$/);
  });

  test('systemctl stop ends what takes no notice, after the timeout of its service', async (t) => {
    const stage = stageOf(t);
    const stop = { signal: 'SIGTERM', timeout_ms: 100 } as const;
    const { tree } = await stage.startReady(fixture('ignores_sigterm.sh'), { stop });
    const children = await stage.children(1);
    systemctl('stop', unitOf(tree.instance_id));
    assert.deepEqual(await exitOf(tree), { return_code: null, signal: 'SIGKILL' });
    for (const pid of children) await untilGone(pid);
  });

  test('a unit is gone with its instance, whatever ended that', async (t) => {
    const stage = stageOf(t);
    for (const command of ['true', 'exit 3', 'kill -KILL $$']) {
      const { tree } = await stage.start(command);
      await exitOf(tree);
      await until(
        'its unit is gone',
        () => systemctl('list-units', '--all', unitOf(tree.instance_id)) === '',
      );
    }
  });

  test('an instance outlives that systemd reads its units anew, and itself starts anew', async (t) => {
    const stage = stageOf(t);
    const { tree, pid } = await stage.startReady(
      'trap "exit 4" USR1; echo ready; while :; do sleep 0.01; done',
    );
    systemctl('daemon-reload');
    systemctl('daemon-reexec');
    await until(
      'systemd is back',
      () => systemctl('is-active', unitOf(tree.instance_id)).trim() === 'active',
    );
    process.kill(pid, 'SIGUSR1');
    assert.deepEqual(await exitOf(tree), { return_code: 4, signal: null });
  });

  test('a limit is set on the unit, or known beforehand to be impossible', async (t) => {
    const stage = stageOf(t);
    const limits = { ...stage.program('true').limits, memory_bytes: 100_000_000, pids: 20, cpu_cores: 0.5 };
    const refused = stage.runtime.checkRunner(
      stage.program('true', { limits: { ...limits, enforcement: 'best_effort' } }),
    );
    if (refused.length > 0)
      assert.throws(() => stage.runtime.checkRunner(stage.program('true', { limits })), {
        code: 'not_supported',
        message: /^the limit \w+ cannot be set: systemd is given no control of \w+/,
      });
    const { tree } = await stage.start('exec sleep 1000', {
      limits: { ...limits, enforcement: refused.length > 0 ? 'best_effort' : 'required' },
    });
    assert.deepEqual(
      show(tree.instance_id, ['MemoryMax', 'MemorySwapMax', 'TasksMax', 'CPUQuotaPerSecUSec']),
      {
        MemoryMax: '100000000',
        MemorySwapMax: '0',
        TasksMax: '21',
        CPUQuotaPerSecUSec: '500ms',
      },
    );
  });

  test('a variable that a unit cannot have is refused beforehand', (t) => {
    const stage = stageOf(t);
    assert.throws(() => stage.runtime.checkRunner(stage.program('true', { env: { 'a.b': '1' } })), {
      code: 'not_supported',
      message: /^the variable "a\.b" cannot be given to a unit/,
    });
  });

  test('what systemd has against a unit is the reason why nothing starts', async (t) => {
    const stage = stageOf(t);
    const stop = { signal: 'SIGNOTHING' as 'SIGTERM', timeout_ms: 100 };
    await assert.rejects(stage.start('true', { stop }), {
      code: 'spawn_failed',
      message: /^the service cannot be started as a unit: .*SIGNOTHING/,
    });
    assert.deepEqual(await stage.runtime.orphans(new Set()), []);
  });

  test('a unit that cannot open the log is told of at once, and starts nothing', async (t) => {
    const stage = stageOf(t);
    const output = { stdout: 9999, stderr: 9999 };
    await assert.rejects(stage.runtime.prepare(stage.program('sleep 1000'), output), {
      code: 'spawn_failed',
      message: /^the service cannot be started as a unit: it could not open what it needs/,
    });
    assert.deepEqual(await stage.runtime.orphans(new Set()), []);
  });

  test('an instance may not do what the agent may not', { skip: !isRoot }, async (t) => {
    const stage = stageOf(t);
    const { pid } = await stage.start('exec sleep 1000');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const bounding = BigInt(`0x${/^CapBnd:\s*(\w+)$/m.exec(status)?.[1]}`);
    const CAP_SYS_MODULE = 16n;
    assert.equal((bounding >> CAP_SYS_MODULE) & 1n, 0n);
    assert.match(status, /^Seccomp:\s+2$/m);
    assert.match(status, /^NoNewPrivs:\s+0$/m);
  });

  test('where systemd-run is missing, that is known beforehand', { skip: !isRoot }, async (t) => {
    const stage = stageOf(t);
    execFileSync('mount', ['--bind', '/dev/null', '/usr/bin/systemd-run']);
    try {
      const message = 'systemd-run, which is a part of systemd, is missing: use "runner: direct"';
      assert.throws(() => stage.runtime.checkRunner(stage.program('true')), {
        code: 'not_supported',
        message,
      });
      await assert.rejects(stage.start('true'), { code: 'not_supported', message });
    } finally {
      execFileSync('umount', ['/usr/bin/systemd-run']);
    }
  });
}

/** Registers what is found out of an account that has no systemd of its own. */
export function testNoUnits(): void {
  test('an account without a systemd of its own is told so, and how to get one', (t) => {
    const stage = new Stage(t, 'systemd');
    const message = `the account of the agent has no systemd of its own now (loginctl enable-linger ${process.getuid?.()} starts one): use "runner: direct"`;
    assert.throws(() => stage.runtime.checkRunner(stage.program('true')), { code: 'not_supported', message });
  });
}

function unitOf(instance: string): string {
  return `davit-${instance}.service`;
}

function show(instance: string, properties: readonly string[]): Record<string, string> {
  const text = systemctl('show', `--property=${properties.join(',')}`, unitOf(instance));
  const lines = text
    .trim()
    .split('\n')
    .map((line) => line.split('='));
  const found = Object.fromEntries(lines.map(([name = '', ...value]) => [name, value.join('=')]));
  return Object.fromEntries(properties.map((name) => [name, found[name] ?? '']));
}

/** What systemctl prints, however it exits. */
function systemctl(...args: readonly string[]): string {
  try {
    const quiet = ['--no-pager', '--plain', '--no-legend', '--lines=0'];
    return execFileSync('systemctl', [...scope, ...quiet, ...args], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout ?? '');
  }
}
