import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '../helpers/system.ts';
import { Machine, machineObstacle } from '../systemd/machine.ts';

const root = resolve(import.meta.dirname, '../..');
const binary = process.env['DAVIT_BINARY'];
const credentials = ['setpriv', '--reuid=1000', '--regid=1000', '--init-groups'];
const asUser = [...credentials, 'env', '--chdir=/home/me', 'HOME=/home/me', 'XDG_RUNTIME_DIR=/run/user/1000'];
const skip = binary === undefined ? 'DAVIT_BINARY names no binary to install' : machineObstacle();

describe('davit under systemd', { skip }, () => {
  let machine: Machine;
  let key = '';
  let service = 0;

  before(async () => {
    machine = await Machine.boot();
    mkdirSync(machine.file('/root/download'));
    copyFileSync(`${root}/systemd/install.sh`, machine.file('/root/download/install.sh'));
    copyFileSync(resolve(binary ?? ''), machine.file('/root/download/davit'));
  });
  after(() => machine[Symbol.asyncDispose]());

  const script = (...args: string[]) => machine.run('sh', '/root/download/install.sh', ...args);
  const mainPid = async () => Number(await machine.unit('MainPID'));
  const signalAgent = (name: string) =>
    machine.run('systemctl', 'kill', '--kill-whom=main', `--signal=${name}`, 'davit');
  const processFile = (pid: number, name: string) =>
    readFileSync(machine.file(`/proc/${pid}/${name}`), 'utf8');

  /** What the agent says about the service, as soon as there is an agent. */
  async function status(): Promise<unknown> {
    await until('the agent is ready', async () => (await machine.unit('ActiveState')) === 'active');
    const { body } = await machine.request('GET', '/service/web/status', { key });
    return { status: body.status, pid: body.pid };
  }

  async function untilReplaced(pid: number): Promise<void> {
    await until(`another agent than ${pid} is ready`, async () => {
      const [state, now] = [await machine.unit('ActiveState'), await mainPid()];
      return state === 'active' && now !== pid;
    });
  }

  test('install.sh and the binary alone install the unit of this source and start it', async () => {
    const output = await script('--binary', '/root/download/davit');
    assert.match(output, /^davit \d+\.\d+\.\d+.* runs\.$/m);
    const unit = readFileSync(machine.file('/etc/systemd/system/davit.service'), 'utf8');
    assert.equal(unit, readFileSync(`${root}/systemd/davit.service`, 'utf8'));
  });

  test('the agent has told systemd that it is ready', async () => {
    assert.equal(await machine.unit('Type'), 'notify');
    assert.equal(await machine.unit('NotifyAccess'), 'main');
    assert.equal(await machine.unit('ActiveState'), 'active');
    assert.equal((await machine.request('GET', '/health')).status, 200);
  });

  test('a service that it deploys has nothing of the agent but its sandbox', async () => {
    key = readFileSync(machine.file('/var/lib/davit/admin.key'), 'utf8').trim();
    const command = 'exec sleep 1000';
    const answer = await machine.request('POST', '/service/web/deploy', { key, body: { command } });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    service = answer.body.pid;
    assert.match(processFile(service, 'cgroup'), /^0::.*\/system\.slice\/davit\.service/m);
    assert.match(processFile(service, 'status'), /^Umask:\t0022$/m);
    assert.equal(processFile(service, 'oom_score_adj').trim(), '0');
    assert.doesNotMatch(
      processFile(service, 'environ'),
      /NOTIFY_SOCKET|WATCHDOG_|JOURNAL_STREAM|INVOCATION_ID/,
    );
  });

  test('services outlive kill -9 of the agent', async () => {
    const agent = await mainPid();
    await signalAgent('KILL');
    await untilReplaced(agent);
    assert.deepEqual(await status(), { status: 'running', pid: service });
  });

  test('services outlive a restart of the agent', async () => {
    const agent = await mainPid();
    await machine.run('systemctl', 'restart', 'davit');
    assert.notEqual(await mainPid(), agent);
    assert.deepEqual(await status(), { status: 'running', pid: service });
  });

  test('services outlive a stop of the agent, which is final until the next start', async () => {
    await machine.run('systemctl', 'stop', 'davit');
    assert.equal(await machine.unit('ActiveState'), 'inactive');
    assert.equal(await machine.unit('Result'), 'success');
    assert.ok(existsSync(machine.file(`/proc/${service}`)));
    await machine.run('systemctl', 'start', 'davit');
    assert.deepEqual(await status(), { status: 'running', pid: service });
  });

  test('a reload reads the configuration again and leaves the agent running', async () => {
    const agent = await mainPid();
    writeFileSync(machine.file('/etc/davit/davit.yaml'), 'log_level: debug\n');
    await machine.run('systemctl', 'reload', 'davit');
    await until('the agent is ready', async () => (await machine.unit('ActiveState')) === 'active');
    assert.equal(await mainPid(), agent);
  });

  test('the watchdog is fed by a running agent, and restarts one that is stuck', async () => {
    const settings = machine.file('/run/systemd/system/davit.service.d');
    mkdirSync(settings, { recursive: true });
    writeFileSync(`${settings}/watchdog.conf`, '[Service]\nWatchdogSec=2s\n');
    await machine.run('systemctl', 'daemon-reload');
    await machine.run('systemctl', 'restart', 'davit');
    const agent = await mainPid();
    const seen = new Set<string>();
    await until('it was fed for longer than its period', async () => {
      seen.add(await machine.unit('WatchdogTimestampMonotonic'));
      return seen.size > 4;
    });
    assert.equal(await mainPid(), agent);

    await signalAgent('STOP');
    await untilReplaced(agent);
    assert.deepEqual(await status(), { status: 'running', pid: service });
    rmSync(settings, { recursive: true });
  });

  test('install.sh again changes nothing', async () => {
    const agent = await mainPid();
    const output = await script('--binary', '/root/download/davit');
    assert.match(output, /was installed and running already/);
    assert.equal(await mainPid(), agent);
  });

  test('install.sh with another binary is an upgrade that services outlive', async () => {
    const agent = await mainPid();
    appendFileSync(machine.file('/root/download/davit'), '\n');
    const output = await script('--binary', '/root/download/davit');
    assert.match(output, / runs\.$/m);
    assert.ok(existsSync(machine.file('/usr/local/bin/davit.previous')));
    assert.notEqual(await mainPid(), agent);
    assert.deepEqual(await status(), { status: 'running', pid: service });
  });

  test('an uninstall leaves services running; with --purge nothing is left', async () => {
    await script('uninstall');
    assert.ok(!existsSync(machine.file('/usr/local/bin/davit')));
    assert.ok(existsSync(machine.file(`/proc/${service}`)));
    await script('uninstall', '--purge');
    assert.ok(!existsSync(machine.file('/var/lib/davit')));
    await until('the service is gone', () => !existsSync(machine.file(`/proc/${service}`)));
  });
});

test('at a shutdown of the host the agent ends the services in time', { skip }, async () => {
  await using machine = await Machine.boot();
  copyFileSync(resolve(binary ?? ''), machine.file('/usr/local/bin/davit'));
  await machine.run('sh', '-c', 'davit systemd >/etc/systemd/system/davit.service && systemctl start davit');
  const key = readFileSync(machine.file('/var/lib/davit/admin.key'), 'utf8').trim();
  // What was started before the agent is ended after it: this holds the host when the agent has ended.
  const hold =
    '[Unit]\nBefore=davit.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStop=sleep 60\n';
  writeFileSync(machine.file('/etc/systemd/system/hold.service'), hold);
  await machine.run('systemctl', 'start', 'hold');
  const command =
    "trap 'echo ended >/root/ended; exit 0' TERM; echo ready >/root/ready; while :; do sleep 0.1; done";
  const { status, body } = await machine.request('POST', '/service/web/deploy', { key, body: { command } });
  assert.equal(status, 200, JSON.stringify(body));
  await until('the service is ready', () => existsSync(machine.file('/root/ready')));

  await machine.run('systemctl', '--no-block', 'poweroff');
  await until('the agent has ended', async () => (await machine.unit('ActiveState')) === 'inactive');
  assert.ok(existsSync(machine.file('/root/ended')));
  assert.ok(!existsSync(machine.file(`/proc/${body.pid}`)));
});

test("a user's own systemd runs an agent without root", { skip }, async () => {
  await using machine = await Machine.boot();
  copyFileSync(resolve(binary ?? ''), machine.file('/usr/local/bin/davit'));
  await machine.run('sh', '-c', 'useradd --create-home --uid 1000 me && loginctl enable-linger me');
  await until('their systemd is up', () => existsSync(machine.file('/run/user/1000/systemd/private')));
  const unit = '.config/systemd/user/davit.service';
  await machine.run(...asUser, 'sh', '-c', `mkdir -p .config/systemd/user && davit systemd --user >${unit}`);
  await machine.run(...asUser, 'systemctl', '--user', 'start', 'davit');
  await machine.run(...asUser, 'davit', 'deploy', 'web', '--', 'sleep', '1000');
  await machine.run(...asUser, 'systemctl', '--user', 'restart', 'davit');
  assert.match(await machine.run(...asUser, 'davit', 'status'), /^web +running /m);
});
