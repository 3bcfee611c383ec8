import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '../helpers/system.ts';
import { type Answer, Machine, machineObstacle } from '../systemd/machine.ts';

const root = resolve(import.meta.dirname, '../..');
const unit = readFileSync(`${root}/systemd/davit.service`, 'utf8');

describe('a service whose instances are units', { skip: machineObstacle() }, () => {
  let machine: Machine;
  let key = '';
  let pid = 0;

  before(async () => {
    machine = await Machine.boot({ '/davit': root, '/node': dirname(process.execPath) });
    const agent = 'ExecStart=/node/node /davit/src/main.ts agent';
    writeFileSync(machine.file('/etc/systemd/system/davit.service'), unit.replace(/^ExecStart=.*$/m, agent));
    await machine.run('systemctl', 'start', 'davit');
    key = readFileSync(machine.file('/var/lib/davit/admin.key'), 'utf8').trim();
  });
  after(() => machine[Symbol.asyncDispose]());

  const request = (method: string, route: string, body?: unknown): Promise<Answer> =>
    machine.request(method, route, { key, body });

  /** The units of instances, as a list of names and descriptions. */
  async function units(): Promise<string[]> {
    const listed = await machine.run('systemctl', 'list-units', '--plain', '--no-legend', 'davit-*.service');
    return listed.split('\n').filter((line) => line !== '');
  }

  async function untilRunning(isAsWanted: (pid: number) => boolean): Promise<void> {
    await until('the service runs', async () => {
      if ((await machine.unit('ActiveState')) !== 'active') return false;
      const { body } = await request('GET', '/service/web/status');
      return body.status === 'running' && isAsWanted(body.pid);
    });
  }

  test('is deployed, and each of them is a unit with its account', async () => {
    const command = 'echo "I am $(id -un)"; exec sleep 1000';
    const spec = { command, runner: 'systemd', user: 'nobody', instances: 2 };
    const { status, body } = await request('POST', '/service/web/deploy', spec);
    assert.equal(status, 200, JSON.stringify(body));
    pid = body.pid;
    const names = (await units()).map((line) => /davit: web #\d$/.exec(line)?.[0]).sort();
    assert.deepEqual(names, ['davit: web #1', 'davit: web #2']);
    assert.match(readFileSync(machine.file(`/proc/${pid}/cgroup`), 'utf8'), /^0::.*\/davit\.slice\/davit-/m);
  });

  test('has its output in the log of the service', async () => {
    await until('the line is there', async () => {
      const { code } = await machine.try('grep', '-rq', '^I am nobody$', '/var/lib/davit/logs');
      return code === 0;
    });
  });

  test('outlives kill -9, a restart and a stop of the agent', async () => {
    const agent = await machine.unit('MainPID');
    await machine.run('systemctl', 'kill', '--kill-whom=main', '--signal=KILL', 'davit');
    await until('there is another agent', async () => !['0', agent].includes(await machine.unit('MainPID')));
    await untilRunning((now) => now === pid);
    await machine.run('systemctl', 'restart', 'davit');
    await untilRunning((now) => now === pid);
    await machine.run('systemctl', 'stop', 'davit');
    assert.equal((await units()).length, 2);
    await machine.run('systemctl', 'start', 'davit');
    await untilRunning((now) => now === pid);
  });

  test('runs on when it cannot be deployed so any more, and the answer says why', async () => {
    await machine.run('mount', '--bind', '/dev/null', '/usr/bin/systemd-run');
    const spec = { command: 'exec sleep 2000' };
    const { status, body } = await request('POST', '/service/web/deploy', spec).finally(() =>
      machine.run('umount', '/usr/bin/systemd-run'),
    );
    assert.deepEqual({ status, code: body.code }, { status: 422, code: 'not_supported' });
    assert.match(body.error, /systemd-run, which is a part of systemd, is missing/);
    await untilRunning((now) => now === pid);
  });

  test('is restarted when somebody stops the unit', async () => {
    const group = /^0::.*\/(davit-.*\.service)$/m.exec(
      readFileSync(machine.file(`/proc/${pid}/cgroup`), 'utf8'),
    );
    await machine.run('systemctl', 'stop', group?.[1] ?? assert.fail());
    await untilRunning((now) => now !== pid);
    await until('there are two units', async () => (await units()).length === 2);
  });

  test('leaves no unit behind when it is stopped', async () => {
    const { status, body } = await request('POST', '/service/web/stop');
    assert.equal(status, 200, JSON.stringify(body));
    await until('there is no unit', async () => (await units()).length === 0);
  });

  test('is asked once to end when the host is shut down, by the agent, and runs again after it', async () => {
    const ending = 'echo TERM >>/root/signals; sleep 0.5; exit 0';
    const command = `trap '${ending}' TERM; while :; do sleep 0.05; done`;
    const spec = { command, runner: 'systemd', user: null, instances: 1, restart: { policy: 'never' } };
    const { status, body } = await request('POST', '/service/web/deploy', spec);
    assert.equal(status, 200, JSON.stringify(body));
    await machine.almostShutDown();
    assert.equal(readFileSync(machine.file('/root/signals'), 'utf8'), 'TERM\n');
    await machine.run('systemctl', 'start', 'davit');
    await untilRunning((now) => now !== body.pid);
  });
});
