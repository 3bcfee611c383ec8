import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { stringify } from 'yaml';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { isRunning, until, untilGone } from '../helpers/system.ts';

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'davit-test-'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

const sleeper = { command: 'exec sleep 1000', min_uptime: '0s' };

async function pidOf(agent: RunningAgent, service: string): Promise<number> {
  return (await agent.call('GET', `/service/${service}/status`)).body.pid;
}

/** Runs an agent that is expected to refuse to start. */
function refusedAgent(...flags: string[]) {
  const [program, ...first] = davitCommand;
  const run = spawnSync(program, [...first, 'agent', ...flags], { encoding: 'utf8', timeout: 20_000 });
  return { code: run.status, stderr: run.stderr.trim() };
}

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(`services outlive an agent that ends by ${signal}, and the next agent knows them`, async () => {
    const first = await startAgent({ data });
    await first.call('POST', '/service/web/deploy', { ...sleeper, env: { KEPT: 'yes' } });
    await first.call('POST', '/service/off/deploy', sleeper);
    await first.call('POST', '/service/off/stop');
    const pid = await pidOf(first, 'web');
    const code = await first.end(signal);
    if (signal === 'SIGTERM') assert.equal(code, 0);
    assert.ok(isRunning(pid));

    await using second = await startAgent({ data });
    const { body } = await second.call('GET', '/service/web/status');
    assert.equal(body.status, 'running');
    assert.equal(body.pid, pid);
    assert.equal(second.key, first.key);
    assert.equal((await second.call('GET', '/service/off/status')).body.return_code, 143);
    assert.equal((await second.call('GET', '/api/v1/services/web/releases')).body.releases.length, 1);
    const stopped = await second.call('POST', '/service/web/stop');
    assert.equal(stopped.body.status, 'stopped');
    assert.ok(!isRunning(pid));
  });
}

test('lines that a service writes while no agent runs are there for the next one', async () => {
  const first = await startAgent({ data });
  const command = 'n=0; while :; do n=$((n+1)); echo "line $n"; sleep 0.02; done';
  await first.call('POST', '/service/talker/deploy', { ...sleeper, command });
  await first.until('GET', '/service/talker/logs', (page) => page.lines.length > 2);
  const pid = await pidOf(first, 'talker');
  await first.end('SIGKILL');
  const output = () =>
    readFileSync(join(data, 'logs', 'talker', '1.r1.i1.stdout'), 'utf8').split('\n').length;
  const before = output();
  await until('the service has written on', () => output() > before + 10);

  await using second = await startAgent({ data });
  await second.call('POST', '/service/talker/stop');
  assert.ok(!isRunning(pid));
  const { lines } = (await second.call('GET', '/service/talker/logs?lines=10000')).body;
  const numbers = lines.map(({ line }: { line: string }) => Number(line.split(' ')[1]));
  assert.deepEqual(
    numbers,
    Array.from(numbers, (_, n) => n + 1),
  );
});

test('a service that died while no agent ran is stopped, and it is known how it ended', async () => {
  const first = await startAgent({ data });
  await first.call('POST', '/service/web/deploy', { ...sleeper, restart: { policy: 'never' } });
  const pid = await pidOf(first, 'web');
  await first.end('SIGKILL');
  process.kill(pid, 'SIGKILL');
  await untilGone(pid);
  await using second = await startAgent({ data });
  const { body } = await second.call('GET', '/service/web/status');
  assert.equal(body.status, 'stopped');
  assert.equal(body.return_code, 137);
  assert.equal(body.signal, 'SIGKILL');
  assert.match(body.message, /no agent was watching/);
});

test('an agent told to takes its services with it, and the next one starts them again', async () => {
  const first = await startAgent({ data, flags: ['--stop-services'] });
  await first.call('POST', '/service/web/deploy', sleeper);
  await first.call('POST', '/service/off/deploy', sleeper);
  await first.call('POST', '/service/off/stop');
  const pid = await pidOf(first, 'web');
  assert.equal(await first.end(), 0);
  assert.ok(!isRunning(pid));
  await using second = await startAgent({ data });
  const seen = await second.until('GET', '/service/web/status', (body) => body.status === 'running');
  assert.notEqual(seen.pid, pid);
  assert.equal((await second.call('GET', '/service/off/status')).body.status, 'stopped');
});

test('an agent that is asked to end finishes what it is doing first', async () => {
  const agent = await startAgent({ data });
  const deploying = agent.call('POST', '/service/slow/deploy', { ...sleeper, min_uptime: '700ms' });
  await agent.until('GET', '/service/slow/status', (body) => body.status === 'starting');
  assert.equal(await agent.end(), 0);
  const { status, body } = await deploying;
  assert.equal(status, 200);
  assert.ok(isRunning(body.pid));
  await using next = await startAgent({ data });
  assert.equal(await pidOf(next, 'slow'), body.pid);
});

test('an agent that is ending answers what is asked, and begins nothing new', async () => {
  const agent = await startAgent({ data });
  const deploying = agent.call('POST', '/service/slow/deploy', { ...sleeper, min_uptime: '1500ms' });
  await agent.until('GET', '/service/slow/status', (body) => body.status === 'starting');
  // The connection is there already, and its request is sent when the agent no longer takes any.
  const { port } = new URL(agent.url);
  const connection = connect(Number(port), '127.0.0.1');
  await once(connection, 'connect');
  const head = (line: string) =>
    `${line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${agent.key}\r\n`;
  connection.write(head('POST /service/other/deploy'));
  // What was sent before has been read when this is answered.
  await agent.call('GET', '/health');
  agent.child.kill('SIGTERM');
  await agent.logged((record) => /^ending/.test(String(record['msg'])));
  connection.end('Content-Length: 2\r\n\r\n{}');
  const answer = await text(connection);
  assert.match(answer, /^HTTP\/1\.1 503 /);
  assert.match(answer, /"code":"shutting_down"/);
  assert.match(answer, /^Connection: close/im);
  assert.equal((await deploying).status, 200);
  await agent.end();
  await using next = await startAgent({ data });
  assert.equal((await next.call('GET', '/service/other/status')).status, 404);
});

test('a second agent on the same data directory is refused with the pid of the first', async () => {
  await using agent = await startAgent({ data });
  const { code, stderr } = refusedAgent('--listen', '127.0.0.1:0', '--data', data);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`another agent \\(pid ${agent.child.pid}\\) uses ${data}`));
});

test('a taken port is one clear line', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const { code, stderr } = refusedAgent('--listen', `127.0.0.1:${port}`, '--data', data);
  server.close();
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${port} is taken`));
  assert.doesNotMatch(stderr, /[{}]| at /, 'nothing was begun, and no stack is shown');
});

test('a wrong setting is one clear line that names the file, the place and what was meant', () => {
  const file = join(data, 'davit.yaml');
  for (const [settings, expected] of [
    [{ lissten: '127.0.0.1:1' }, /lissten in .*davit\.yaml: is not known; did you mean "listen"/],
    [{ listen: 8888 }, /listen in .*davit\.yaml: must be/],
    [{ tls: { cert_file: '/x' } }, /tls\.key_file in .*davit\.yaml: is missing/],
  ] as const) {
    writeFileSync(file, stringify(settings));
    const { code, stderr } = refusedAgent('--config', file, '--data', data);
    assert.equal(code, 1);
    assert.match(stderr, expected);
  }
  writeFileSync(file, 'listen: [1,');
  assert.match(refusedAgent('--config', file, '--data', data).stderr, /davit\.yaml:.*line 1/);
});

test('the data directory is for the agent alone', async () => {
  await using agent = await startAgent({ data });
  await agent.call('POST', '/service/web/deploy', { ...sleeper, command: 'echo hi; exec sleep 1000' });
  await agent.until('GET', '/service/web/logs', (page) => page.lines.length > 0);
  for (const name of ['.', ...readdirSync(data, { recursive: true, encoding: 'utf8' })]) {
    // The agent makes and removes some of it meanwhile.
    const found = statSync(join(data, name), { throwIfNoEntry: false });
    if (found) assert.equal(found.mode & 0o077, 0, `${name} is open to others`);
  }
});

test('a damaged state is set aside and named, and the newest backup takes its place', async () => {
  const first = await startAgent({ data });
  await first.call('POST', '/service/web/deploy', sleeper);
  await first.end();
  assert.ok(readdirSync(join(data, 'backups')).length > 0);
  writeFileSync(join(data, 'davit.db'), 'garbage '.repeat(4096));
  await using second = await startAgent({ data });
  assert.equal((await second.call('GET', '/service/web/status')).body.status, 'running');
  const { warnings } = (await second.call('GET', '/api/v1/agent')).body;
  assert.match(warnings.join('\n'), /davit\.db is damaged.*kept as/);
  assert.ok(readdirSync(data).some((name) => name.startsWith('davit.db.damaged-')));
  const { events } = (await second.call('GET', '/api/v1/events?type=agent.state_set_aside')).body;
  assert.equal(events.length, 1);
});

test('SIGHUP takes over a changed configuration, and refuses one that is wrong', async () => {
  const file = join(data, 'davit.yaml');
  const write = (settings: unknown) => writeFileSync(file, stringify(settings));
  write({ listen: '127.0.0.1:0', log_level: 'info' });
  await using agent = await startAgent({ data, configFile: file });
  const level = async () => (await agent.call('GET', '/api/v1/agent')).body.log_level;
  assert.equal(await level(), 'info');
  write({ listen: '127.0.0.1:0', log_level: 'debug' });
  agent.child.kill('SIGHUP');
  await agent.until('GET', '/api/v1/agent', (body) => body.log_level === 'debug');
  write({ listen: '127.0.0.1:0', log_level: 'loud' });
  agent.child.kill('SIGHUP');
  await agent.logged((record) => /log_level/.test(String(record['msg'])));
  assert.equal(await level(), 'debug');
  write({ listen: '127.0.0.1:9', log_level: 'debug' });
  agent.child.kill('SIGHUP');
  await agent.logged(
    (record) => /listen/.test(String(record['msg'])) && /restart/.test(String(record['msg'])),
  );
});

test('the level of the log can be changed while the agent runs', async () => {
  await using agent = await startAgent({ data });
  const { status } = await agent.call('PUT', '/api/v1/agent/log_level', { log_level: 'trace' });
  assert.equal(status, 200);
  assert.equal((await agent.call('GET', '/api/v1/agent')).body.log_level, 'trace');
});

test('an agent that listens beyond loopback without TLS warns in one line', async () => {
  await using agent = await startAgent({ data, flags: ['--listen', '0.0.0.0:0'] });
  const warnings = agent.log.filter(
    (record) => record['level'] === 'warn' && /TLS/.test(String(record['msg'])),
  );
  assert.equal(warnings.length, 1);
});

test('the disk being full is named, refuses new releases, and is over when there is room', {
  skip: process.getuid?.() !== 0 && 'mounting a small disk needs root',
}, async () => {
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', data]);
  assert.equal(mounted.status, 0, String(mounted.stderr));
  try {
    const agent = await startAgent({ data });
    await agent.call('POST', '/service/web/deploy', sleeper);
    const filler = join(data, 'filler');
    const filled = spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1k'], { encoding: 'utf8' });
    assert.match(filled.stderr, /No space/);
    let refused = await agent.call('POST', '/service/web/deploy', sleeper);
    for (let n = 0; refused.status === 200 && n < 50; n++)
      refused = await agent.call('POST', '/service/web/deploy', sleeper);
    assert.equal(refused.status, 503);
    assert.equal(refused.body.code, 'storage_unavailable');
    const running = (await agent.call('GET', '/service/web/status')).body;
    assert.equal(running.status, 'running');
    const stopped = await agent.call('POST', '/service/web/stop');
    assert.equal(stopped.status, 200);
    assert.ok(!isRunning(running.pid));
    rmSync(filler);
    const again = await agent.until('POST', '/service/web/restart', (body) => body.status === 'restarted');
    assert.ok(isRunning(again.pid));
    await agent.call('DELETE', '/api/v1/services/web');
    assert.equal(await agent.end(), 0);
  } finally {
    spawnSync('umount', [data]);
  }
});

test('a service that died while no agent ran is started again as its policy says', async () => {
  const first = await startAgent({ data });
  const restart = { backoff: { initial: '0ms' } };
  await first.call('POST', '/service/again/deploy', { ...sleeper, restart });
  const pid = await pidOf(first, 'again');
  await first.end('SIGKILL');
  process.kill(pid, 'SIGKILL');
  await untilGone(pid);
  await using second = await startAgent({ data });
  const body = await second.until('GET', '/service/again/status', ({ status }) => status === 'running');
  assert.equal(body.restarts, 1);
  assert.notEqual(body.pid, pid);
  const { events } = (await second.call('GET', '/api/v1/events?service=again')).body;
  const [exited] = events.filter(({ type }: { type: string }) => type === 'service.exited');
  assert.match(exited.message, /no agent was watching/);
});

test('a start that an agent did not live to see the end of is made again', async () => {
  const first = await startAgent({ data });
  await first.call('POST', '/service/web/deploy', sleeper);
  await first.call('POST', '/service/web/stop');
  await first.end();
  const database = new DatabaseSync(join(data, 'davit.db'));
  database.exec(
    `UPDATE services SET record = json_set(record, '$.instances[0].state', 'starting', '$.wanted', 'running')`,
  );
  database.close();
  await using second = await startAgent({ data });
  await second.until('GET', '/service/web/status', ({ status }) => status === 'running');
  const { events } = (await second.call('GET', '/api/v1/events?service=web')).body;
  const [lost] = events.filter(({ type }: { type: string }) => type === 'service.start_failed');
  assert.match(lost.message, /before it had started this service/);
});
