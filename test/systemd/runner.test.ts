import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { sandbox } from '../../src/processes/transient_unit.ts';
import { until } from '../helpers/system.ts';
import { Machine, machineObstacle } from './machine.ts';

const root = resolve(import.meta.dirname, '../..');
const fixtures = '/davit/test/fixtures';
const node = '/node/node';

test('what a unit keeps from an instance is what the unit of the agent keeps from it', () => {
  const unit = readFileSync(resolve(root, 'systemd/davit.service'), 'utf8');
  const [, on = ''] = /^# --- Protections that are on -*\n(.*?)^# --- /ms.exec(unit) ?? [];
  const settings = on.split('\n').filter((line) => /^[A-Z]/.test(line));
  assert.deepEqual(settings, [...sandbox]);
});

describe('in a machine with systemd', { skip: machineObstacle() }, () => {
  let machine: Machine;

  before(async () => {
    machine = await Machine.boot({ '/davit': root, '/node': dirname(process.execPath) });
    for (const user of ['alice', 'bob']) await machine.run('useradd', '--create-home', user);
    await machine.run('loginctl', 'enable-linger', 'alice');
    await until('the systemd of alice is up', async () => {
      const { code } = await machine.try('test', '-S', '/run/user/1000/systemd/private');
      return code === 0;
    });
  });
  after(() => machine[Symbol.asyncDispose]());

  /** Runs tests in the machine, as a unit of an account, and has each as a test of its own here. */
  async function inMachine(t: TestContext, what: string, user: string): Promise<void> {
    const uid = (await machine.run('id', '-u', user)).trim();
    const { output } = await machine.try(
      ...['systemd-run', '--pipe', '--wait', '--quiet', '--collect', '--property=Delegate=yes'],
      ...[
        `--property=User=${user}`,
        '--setenv=PATH=/usr/bin:/bin',
        `--setenv=XDG_RUNTIME_DIR=/run/user/${uid}`,
      ],
      ...[node, '--test-reporter=tap', '--test-timeout=60000', `${fixtures}/runs_conformance.ts`, what],
    );
    const [, ...results] = output.split(/^# Subtest: /m);
    assert.ok(results.length > 0, output);
    for (const told of results) {
      const [, result, title = '', skip] = /^(not ok|ok) \d+ - (.*?)(?: # SKIP ?(.*))?$/m.exec(told) ?? [];
      await t.test(title, { skip: skip ?? false }, () => assert.equal(result, 'ok', told));
    }
  }

  test('as units of the host', (t) => inMachine(t, 'systemd', 'root'));
  test('as units of an account', (t) => inMachine(t, 'systemd', 'alice'));
  test('as processes of the agent, in control groups', (t) => inMachine(t, 'direct', 'root'));
  test('what an operator of the host sees and does', (t) => inMachine(t, 'units', 'root'));
  test('what an account sees and does', (t) => inMachine(t, 'units', 'alice'));
  test('an account without systemd', (t) => inMachine(t, 'no_units', 'bob'));

  /** Has an agent of an account start a program in the machine; nobody watches it any more once it is ready. */
  async function startInMachine(user: string, home: string): Promise<{ pid: number; notes: () => string }> {
    const uid = Number(await machine.run('id', '-u', user));
    const program = {
      command: 'trap "sleep 0.2; exit 8" INT; trap "exit 9" TERM; echo ready; while :; do sleep 0.01; done',
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
      account: { switch_to: null, uid, name: user, home, shell: '/bin/sh' },
      limits: { memory_bytes: null, cpu_cores: null, pids: null, open_files: null, enforcement: 'required' },
      runner: 'systemd',
      stop: { signal: 'SIGINT', timeout_ms: 10_000 },
    };
    const order = { directory: `${home}/instances`, output: `${home}/output`, program, letGo: true };
    await machine.run(
      ...['systemd-run', '--quiet', '--collect', `--unit=agent-of-${user}`, `--property=User=${user}`],
      ...[`--setenv=XDG_RUNTIME_DIR=/run/user/${uid}`, `--property=StandardOutput=file:/run/started-${user}`],
      ...[node, `${fixtures}/runner_agent.ts`, JSON.stringify(order)],
    );
    const started = () => readOf(machine.file(`/run/started-${user}`));
    await until('the program is ready', () => {
      return readOf(machine.file(order.output)) === 'ready\n' && started().endsWith('\n');
    });
    await machine.run('systemctl', 'kill', '--signal=KILL', `agent-of-${user}`);
    const { pid, proof } = JSON.parse(started());
    return { pid, notes: () => readOf(machine.file(`${order.directory}/${proof.instance_id}.notes`)) };
  }

  test('the end of the systemd of an account ends an instance as its service wants it', async () => {
    const { pid, notes } = await startInMachine('alice', '/home/alice');
    await machine.run('systemctl', 'stop', 'user@1000');
    assert.equal(notes(), `started ${pid}\n8\n`);
  });

  test('the end of the host ends an instance as its service wants it, also while no agent is there', async () => {
    const { pid, notes } = await startInMachine('root', '/root');
    await machine.almostShutDown();
    assert.equal(notes(), `started ${pid}\n8\n`);
  });
});

function readOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
