import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '../helpers/system.ts';
import { Machine, machineObstacle } from './machine.ts';

const unit = readFileSync(resolve(import.meta.dirname, '../../systemd/davit.service'), 'utf8');

/** What the agent does towards systemd: it is ready, and a process of it lives in a control group of its own. */
const agent = `#!/bin/sh
trap : HUP
group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/davit-web
if mkdir "$group" 2>/dev/null; then
  setsid sh -c 'echo $$ >"$0/cgroup.procs" && echo $$ >/root/service && exec sleep infinity' "$group" &
fi
until [ -e /root/service ]; do sleep 0.1; done
systemd-notify --ready
while :; do sleep 0.1; done
`;

describe("control groups of an agent's own below the unit's", { skip: machineObstacle() }, () => {
  let machine: Machine;
  let service = '';

  before(async () => {
    machine = await Machine.boot();
    writeFileSync(machine.file('/etc/systemd/system/davit.service'), unit);
    writeFileSync(machine.file('/usr/local/bin/davit'), agent, { mode: 0o755 });
    await machine.run('systemctl', 'start', 'davit');
    service = readFileSync(machine.file('/root/service'), 'utf8').trim();
  });
  after(() => machine[Symbol.asyncDispose]());

  const groupOf = (pid: string) =>
    /^0::.*(\/davit\.service.*)$/m.exec(readFileSync(machine.file(`/proc/${pid}/cgroup`), 'utf8'))?.[1];

  /** That the agent runs in the group of the unit and the service in its own below. */
  async function requireBoth(): Promise<void> {
    await until('the agent is ready', async () => (await machine.unit('ActiveState')) === 'active');
    assert.equal(groupOf(await machine.unit('MainPID')), '/davit.service');
    assert.equal(groupOf(service), '/davit.service/davit-web');
  }

  test('stand beside the process of the agent', requireBoth);

  for (const command of [['restart'], ['reload'], ['kill', '--kill-who=main', '--signal=KILL']]) {
    test(`outlive systemctl ${command.join(' ')}, and the agent is started beside them`, async () => {
      const before = await machine.unit('MainPID');
      await machine.run('systemctl', ...command, 'davit');
      if (command[0] !== 'reload')
        await until(
          'there is another agent',
          async () => !['0', before].includes(await machine.unit('MainPID')),
        );
      await requireBoth();
    });
  }

  test('outlive a stop, whatever systemd itself goes through meanwhile', async () => {
    await machine.run('systemctl', 'stop', 'davit');
    await machine.run('systemctl', 'daemon-reload');
    await machine.run('systemctl', 'daemon-reexec');
    assert.equal(await machine.unit('ActiveState'), 'inactive');
    assert.equal(groupOf(service), '/davit.service/davit-web');
    await machine.run('systemctl', 'start', 'davit');
    await requireBoth();
  });

  test("are the agent's to end", async () => {
    const group = `/sys/fs/cgroup/system.slice/davit.service/davit-web`;
    await machine.run('sh', '-c', `echo 1 >${group}/cgroup.kill`);
    await until('the service is gone', () => !existsSync(machine.file(`/proc/${service}`)));
    await machine.run('rmdir', group);
    assert.equal(await machine.unit('ActiveState'), 'active');
  });
});
