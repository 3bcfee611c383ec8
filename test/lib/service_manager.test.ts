import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { createServiceManager } from '../../src/lib/service_manager.ts';
import { until } from '../helpers/system.ts';

const missing = ['systemd-notify', 'python3'].filter((tool) => spawnSync(tool, ['--version']).error);
const skip = missing.length > 0 && `there is no ${missing.join(' and no ')} here`;

/** Receives as systemd does, and prints the sender's pid and the assignments of each message. */
const receiver = `
import array, json, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(sys.argv[1])
print('"listening"', flush=True)
while True:
    text, ancillary, _, _ = s.recvmsg(4096, 4096)
    pid = 0
    for _, kind, data in ancillary:
        if kind == socket.SCM_CREDENTIALS:
            pid = struct.unpack('iii', data)[0]
        else:  # a barrier waits until its descriptor is closed
            for descriptor in array.array('i', data):
                os.close(descriptor)
    if text != b'BARRIER=1':
        print(json.dumps([pid, *text.decode().split('\\n')]), flush=True)
`;

/** A socket as systemd gives one to its services, and what came there. */
async function listen() {
  const folder = await mkdtemp(join(tmpdir(), 'davit-notify-'));
  const socket = join(folder, 'notify');
  const child = spawn('python3', ['-c', receiver, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  const messages: [pid: number, ...assignments: string[]][] = [];
  const lines = createInterface({ input: child.stdout });
  await once(lines, 'line');
  lines.on('line', (line) => messages.push(JSON.parse(line)));
  return {
    messages,
    environment: { NOTIFY_SOCKET: socket, PATH: process.env['PATH'] },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await once(child, 'exit');
      await rm(folder, { recursive: true });
    },
  };
}

function failOnWarning(message: string): void {
  assert.fail(message);
}

test('systemd hears of a start, a reload and a stop, in this order', { skip }, async () => {
  await using systemd = await listen();
  const manager = createServiceManager({ environment: systemd.environment, onWarning: failOnWarning });
  await Promise.all([
    manager.ready('3 services'),
    manager.reloading(),
    manager.ready('again'),
    manager.stopping(),
  ]);
  await until('the last message came', () => systemd.messages.length === 4);
  const texts = systemd.messages.map(([, ...assignments]) => assignments.join(' '));
  const [start, reload, reloaded, stop] = texts;
  assert.deepEqual(
    [start, reloaded, stop],
    ['READY=1 STATUS=3 services', 'READY=1 STATUS=again', 'STOPPING=1'],
  );
  assert.match(reload ?? '', /^RELOADING=1 MONOTONIC_USEC=\d+$/);
});

const isRoot = process.getuid?.() === 0;
test('as root, messages come in the name of the process itself', {
  skip: skip || (!isRoot && 'not root'),
}, async () => {
  await using systemd = await listen();
  const manager = createServiceManager({ environment: systemd.environment, onWarning: failOnWarning });
  await manager.ready('up');
  await until('the message came', () => systemd.messages.length === 1);
  assert.equal(systemd.messages[0]?.[0], process.pid);
});

test('a status cannot smuggle in another assignment', { skip }, async () => {
  await using systemd = await listen();
  const manager = createServiceManager({ environment: systemd.environment, onWarning: failOnWarning });
  await manager.status('deploying\nSTOPPING=1');
  await until('the message came', () => systemd.messages.length === 1);
  assert.deepEqual(systemd.messages[0]?.slice(1), ['STATUS=deploying STOPPING=1']);
});

test('the watchdog is fed while the agent is healthy, and not after it is ended', { skip }, async () => {
  await using systemd = await listen();
  const manager = createServiceManager({
    environment: { ...systemd.environment, WATCHDOG_USEC: '60000', WATCHDOG_PID: String(process.pid) },
    onWarning: failOnWarning,
  });
  let isHealthy = true;
  const end = manager.startWatchdog(() => isHealthy);
  await until('it is fed', () => systemd.messages.length >= 3);
  assert.deepEqual(systemd.messages[0]?.slice(1), ['WATCHDOG=1']);

  isHealthy = false;
  // Messages go one after the other: when this one has come, none that was sent before it is missing.
  await manager.status('unhealthy');
  await until('all has come', () => systemd.messages.at(-1)?.[1] === 'STATUS=unhealthy');
  const fed = systemd.messages.length;
  let turns = 0;
  const counter = setInterval(() => turns++, 20);
  await until('more than a period has gone by', () => turns > 6);
  clearInterval(counter);
  assert.equal(systemd.messages.length, fed);

  isHealthy = true;
  await until('it is fed again', () => systemd.messages.length > fed);
  end();
  // The last message may still be under way.
  await manager.stopping();
});

test('the watchdog of another process is left alone', { skip }, async () => {
  await using systemd = await listen();
  const manager = createServiceManager({
    environment: { ...systemd.environment, WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' },
    onWarning: failOnWarning,
  });
  manager.startWatchdog(() => assert.fail('it asks whether the agent is healthy'));
  await manager.status('done');
  await until('the message came', () => systemd.messages.length > 0);
  assert.deepEqual(systemd.messages[0]?.slice(1), ['STATUS=done']);
});

test('outside systemd nothing happens', async () => {
  const manager = createServiceManager({ environment: { PATH: '/nowhere' }, onWarning: failOnWarning });
  await manager.ready('up');
  await manager.stopping();
  manager.startWatchdog(() => assert.fail('it asks whether the agent is healthy'))();
  assert.equal(await manager.isHostStopping(), false);
});

/** Whether the end of everything is seen where `systemctl` with these words answers "stopping". */
async function seesEnd(words: string, environment: Readonly<Record<string, string>>): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'davit-systemctl-'));
  try {
    const script = `#!/bin/sh\n[ "$*" = '${words}' ] && echo stopping || echo running\n`;
    await writeFile(join(folder, 'systemctl'), script, { mode: 0o755 });
    const options = { environment: { PATH: folder, ...environment }, onWarning: failOnWarning };
    return await createServiceManager(options).isHostStopping();
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('the end of the host is seen, and that of the systemd of an account by its own agent', async () => {
  const system = { NOTIFY_SOCKET: '/run/systemd/notify', XDG_RUNTIME_DIR: '/run/user/0' };
  const user = { NOTIFY_SOCKET: '/run/user/1000/systemd/notify', XDG_RUNTIME_DIR: '/run/user/1000' };
  assert.equal(await seesEnd('is-system-running', system), true);
  assert.equal(await seesEnd('is-system-running', user), true);
  assert.equal(await seesEnd('--user is-system-running', user), true);
  assert.equal(await seesEnd('--user is-system-running', system), false);
  assert.equal(await seesEnd('neither', user), false);
});

test('where systemd cannot be told, that is one warning and no failure', async () => {
  const warnings: string[] = [];
  const environment = { NOTIFY_SOCKET: '/nowhere/notify', PATH: '/nowhere' };
  const manager = createServiceManager({ environment, onWarning: (message) => warnings.push(message) });
  await manager.ready('up');
  await manager.stopping();
  assert.equal(await manager.isHostStopping(), false);
  assert.deepEqual(warnings, [
    'systemd cannot be told how the agent fares: there is no systemd-notify in PATH',
  ]);
});

test('the reason of systemd-notify is part of the warning', { skip }, async () => {
  const warnings: string[] = [];
  const environment = { NOTIFY_SOCKET: '/nowhere/notify', PATH: process.env['PATH'] };
  const manager = createServiceManager({ environment, onWarning: (message) => warnings.push(message) });
  await manager.ready('up');
  assert.match(
    warnings.join(),
    /^systemd cannot be told .*systemd-notify failed: .*No such file or directory/,
  );
});
