import assert from 'node:assert/strict';
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { until } from '../helpers/system.ts';
import { Machine, machineObstacle } from '../systemd/machine.ts';

const binary = process.env['DAVIT_BINARY'];
const skip = binary === undefined ? 'DAVIT_BINARY names no binary to run' : machineObstacle();
const credentials = ['setpriv', '--reuid=1000', '--regid=1000', '--init-groups'];
const asUser = [...credentials, 'env', '--chdir=/home/me', 'HOME=/home/me', 'XDG_RUNTIME_DIR=/run/user/1000'];

/** A service that needs a moment to end, and writes down that it could. */
const orderly =
  "trap 'sleep 1; echo ended >ended; exit 0' TERM; echo ready >ready; while :; do sleep 0.1; done";

/** Has systemd do what ends a unit, and holds the machine when it has ended: what was started before is ended after. */
async function untilEnded(machine: Machine, unit: string, ...command: string[]): Promise<void> {
  const hold = `[Unit]\nBefore=${unit}\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStop=sleep 60\n`;
  writeFileSync(machine.file('/etc/systemd/system/hold.service'), hold);
  await machine.run('systemctl', 'daemon-reload');
  await machine.run('systemctl', 'start', 'hold');
  await machine.run('systemctl', '--no-block', ...command);
  await until(`${unit} has ended`, async () => {
    const state = await machine.run('systemctl', 'show', '--value', '--property', 'ActiveState', unit);
    return ['inactive', 'failed'].includes(state);
  });
}

for (const [what, command] of [
  ['a shutdown of the host', ['poweroff']],
  ['the last logout without lingering', ['stop', 'user@1000.service']],
] as const) {
  test(`at ${what} an agent under a user's own systemd ends its services in time`, { skip }, async () => {
    await using machine = await Machine.boot();
    copyFileSync(resolve(binary ?? ''), machine.file('/usr/local/bin/davit'));
    await machine.run('sh', '-c', 'useradd --create-home --uid 1000 me && loginctl enable-linger me');
    await until('their systemd is up', () => existsSync(machine.file('/run/user/1000/systemd/private')));
    const unit = '.config/systemd/user/davit.service';
    await machine.run(
      ...asUser,
      'sh',
      '-c',
      `mkdir -p .config/systemd/user && davit systemd --user >${unit}`,
    );
    await machine.run(...asUser, 'systemctl', '--user', 'start', 'davit');
    await machine.run(...asUser, 'davit', 'deploy', 'web', '--cwd', '/home/me', '--command', orderly);
    await until('the service is ready', () => existsSync(machine.file('/home/me/ready')));
    await untilEnded(machine, 'user@1000.service', ...command);
    assert.ok(existsSync(machine.file('/home/me/ended')));
  });
}
