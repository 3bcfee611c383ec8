import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { isRunning, until } from '../helpers/system.ts';

const secret = 'a shared secret that is long enough';
let home: string;
let agent: RunningAgent;

before(async () => {
  home = mkdtempSync(join(tmpdir(), 'davit-home-'));
  writeFileSync(join(home, 'secret'), `${secret}\n`);
  chmodSync(join(home, 'secret'), 0o600);
  const issuer = { issuer: 'ci', audience: 'davit', algorithm: 'HS256', secret_file: join(home, 'secret') };
  const claims = { scope_claim: 'scope', services_claim: 'services' };
  agent = await startAgent({ config: { jwt_issuers: [{ ...issuer, ...claims }] } });
});
after(async () => {
  await agent[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(words: readonly string[], environment: Record<string, string> = {}): ChildProcess {
  const [program, ...first] = davitCommand;
  return spawn(program, [...first, ...words], {
    cwd: home,
    env: { PATH: process.env['PATH'] ?? '', HOME: home, DAVIT_DATA: agent.data, ...environment },
  });
}

async function ended(child: ChildProcess): Promise<Ended> {
  child.stdin?.end();
  const [exit, out, err] = await Promise.all([
    once(child, 'exit'),
    child.stdout ? text(child.stdout) : '',
    child.stderr ? text(child.stderr) : '',
  ]);
  return { code: exit[0], out, err };
}

function davit(words: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  return ended(start(words, environment));
}

/** The output of a call that must go well. */
async function good(...words: string[]): Promise<string> {
  const { code, out, err } = await davit(words);
  assert.equal(code, 0, `${words.join(' ')}: ${out}${err}`);
  return out;
}

async function pidOf(service: string): Promise<number> {
  return JSON.parse(await good('status', service, '--json')).status.pid;
}

const programs = {
  node: [
    'node',
    '-e',
    "require('http').createServer((q, s) => s.end('ok')).listen(0, () => console.log('listening'))",
  ],
  python: ['python3', '-u', '-c', "import time\nprint('listening')\ntime.sleep(1000)"],
  shell: ['sh', '-c', 'echo listening; exec sleep 1000'],
};

for (const [service, command] of Object.entries(programs)) {
  test(`a ${service} service is deployed, watched, restarted and stopped`, async () => {
    const out = await good('deploy', service, '--min-uptime', '100ms', '--', ...command);
    const pid = await pidOf(service);
    assert.equal(out, `${service}: deployed, release 1 as pid ${pid}\n`);
    assert.ok(isRunning(pid));
    await until('its output is there', async () => (await good('logs', service)) === 'listening\n');
    assert.match(
      await good('status'),
      new RegExp(`^${service} +running +1/1 +${pid} +1 +0 +\\S+ +${command[0]} `, 'm'),
    );

    assert.match(await good('restart', service), new RegExp(`^${service}: restarted, release 1 as pid`));
    const next = await pidOf(service);
    assert.notEqual(next, pid);
    assert.ok(!isRunning(pid));

    assert.match(await good('stop', service), new RegExp(`^${service}: stopped by SIGTERM, in `));
    assert.ok(!isRunning(next));
    assert.equal((await davit(['status', service])).code, 7);
    const events = await good('events', '--service', service);
    assert.match(events, /deployment\.succeeded.*service\.stopped/s);
    assert.equal(await good('delete', '--yes', service), `${service}: deleted\n`);
    const gone = await davit(['status', service]);
    assert.equal(gone.code, 3);
    assert.match(gone.err, new RegExp(`davit: .*"${service}"`));
  });
}

test('a deploy that fails says why and leaves what ran before', async () => {
  await good('deploy', 'web', '--min-uptime', '100ms', '--', 'sleep', '1000');
  const pid = await pidOf('web');
  const { code, err } = await davit(['deploy', 'web', '--command', 'echo no such luck; exit 3']);
  assert.equal(code, 1);
  assert.match(err, /^davit: service "web" did not stay up/);
  assert.match(
    err,
    /\n {2}return code: 3\n {2}its last lines:\n {4}no such luck\n {2}release 1 goes on as pid \d+\n/,
  );
  assert.ok(isRunning(await pidOf('web')));
  assert.ok(pid > 0);
  const missing = await davit(['deploy', 'web', '--', '/no/such/program']);
  assert.equal(missing.code, 1);
  assert.match(missing.err, /no such|not found|does not exist/i);
});

test('a release is rolled back, and the specs of both are kept', async () => {
  await good('deploy', 'rolled', '--min-uptime', '50ms', '--', 'sleep', '1001');
  await good('deploy', 'rolled', '--env', 'A=secret-value', '--', 'sleep', '1002');
  assert.match(await good('releases', 'rolled'), /^2 \* .* sleep 1002\n1 .* sleep 1001$/m);
  assert.match(await good('rollback', 'rolled'), /^rolled: rolled back, release \d+ as pid/);
  assert.match(await good('status', 'rolled'), /command: +sleep 1001/);
  assert.doesNotMatch(await good('releases', 'rolled', '--json'), /secret-value/);
});

test('several services at once: a line for each and a summary', async () => {
  for (const service of ['one', 'two'])
    await good('deploy', service, '--min-uptime', '50ms', '--', 'sleep', '1000');
  assert.match(await good('stop', 'one', 'two'), /^one: stopped .*\ntwo: stopped .*\n2 of 2 stopped\n$/);
  const { code, out } = await davit(['start', 'one', 'three']);
  assert.equal(code, 3);
  assert.match(out, /^one: started, .*\nthree: .*"three".*\n1 of 2 started, 1 failed\n$/);
});

test('a service is paused, resumed and signalled', async () => {
  const script = 'trap "echo got it" USR1; echo ready; while :; do sleep 0.05; done';
  await good('deploy', 'signalled', '--min-uptime', '50ms', '--command', script);
  await until('it is ready', async () => (await good('logs', 'signalled')).includes('ready'));
  await good('pause', 'signalled');
  assert.match((await davit(['status', 'signalled'])).out, /^signalled is paused/);
  assert.equal((await davit(['pause', 'signalled'])).code, 6);
  await good('resume', 'signalled');
  await good('signal', 'signalled', 'usr1');
  await until('it got the signal', async () => (await good('logs', 'signalled')).includes('got it'));
});

test('logs -f goes on where it was when the agent is killed and started again', async () => {
  const script = 'n=0; while :; do n=$((n+1)); echo "line $n"; sleep 0.02; done';
  await good('deploy', 'talker', '--min-uptime', '50ms', '--command', script);
  const child = start(['logs', 'talker', '-f', '-n', '0']);
  const end = ended(child);
  let seen = '';
  child.stdout?.on('data', (chunk) => {
    seen += chunk;
  });
  await until('lines come', () => seen.includes('\n'));
  const { data, url } = agent;
  await agent.end('SIGKILL');
  agent = await startAgent({ data, flags: ['--listen', new URL(url).host] });
  const before_ = seen.length;
  await until('lines come again', () => seen.length > before_ + 100);
  child.kill('SIGINT');
  const { code, out, err } = await end;
  assert.equal(code, 130);
  assert.match(err, /the connection to the agent ended; taking the stream up again\n.*connected again/);
  const numbers = out.split('\n').flatMap((line) => (line === '' ? [] : [Number(line.split(' ')[1])]));
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => (numbers[0] ?? 0) + index),
  );
  await good('stop', 'talker');
});

test('a key opens what its scope and its services cover, and nothing after it is revoked', async () => {
  const { out } = await davit(['key', 'create', 'pipeline', '--scope', 'operate', '--service', 'w*']);
  const [, id = ''] = /^davit_([a-z0-9]+)_/.exec(out) ?? [];
  const DAVIT_KEY = out.trim();
  const asPipeline = (...words: string[]) =>
    davit([...words, '--url', agent.url], { DAVIT_KEY, DAVIT_DATA: home });
  assert.equal((await asPipeline('restart', 'web')).code, 0);
  const refused = await asPipeline('deploy', 'web', '--cwd', '/');
  assert.equal(refused.code, 4);
  assert.match(refused.err, /needs the scope deploy.*The key used comes from DAVIT_KEY/s);
  assert.equal((await asPipeline('restart', 'one')).code, 4);
  assert.match(await good('key', 'list'), new RegExp(`^${id} +good +operate .* pipeline$`, 'm'));
  await good('key', 'revoke', id);
  assert.equal((await asPipeline('restart', 'web')).code, 4);
  assert.match(await good('audit', '-n', '5'), /revokeKey/);
});

test('a token that davit makes opens an agent that trusts its issuer', async () => {
  await agent.end();
  const issuer = { issuer: 'ci', audience: 'davit', algorithm: 'HS256', secret_file: join(home, 'secret') };
  const claims = { scope_claim: 'scope', services_claim: 'services' };
  const { data } = agent;
  agent = await startAgent({
    data,
    config: { jwt_issuers: [{ ...issuer, ...claims }], listen: '127.0.0.1:0' },
  });
  const words = [
    '--signing-key-file',
    'secret',
    '--issuer',
    'ci',
    '--subject',
    'build-7',
    '--scope',
    'operate',
  ];
  const DAVIT_KEY = (await good('token', ...words, '--service', 'web')).trim();
  const run = (service: string) =>
    davit(['restart', service, '--url', agent.url], { DAVIT_KEY, DAVIT_DATA: home });
  assert.equal((await run('web')).code, 0);
  assert.equal((await run('one')).code, 4);
});

test('a context leads to the agent', async () => {
  const key = join(agent.data, 'admin.key');
  await good('context', 'set', 'here', '--url', agent.url, '--key-file', key);
  assert.equal(statSync(join(home, '.config/davit/config.yaml')).mode & 0o777, 0o600);
  const { code, out } = await davit(['status', '--context', 'here'], { DAVIT_DATA: home });
  assert.equal(code, 0);
  assert.match(out, /^web /m);
});

test('info tells of the agent, log-level changes it, config check knows its settings', async () => {
  assert.match(await good('info'), new RegExp(`^pid: +${agent.child.pid}$`, 'm'));
  await good('log-level', 'debug');
  assert.equal(JSON.parse(await good('info', '--json')).log_level, 'debug');
  await good('log-level', 'info');
  writeFileSync(join(home, 'right.yaml'), 'log_level: debug\n');
  writeFileSync(join(home, 'wrong.yaml'), 'log_levle: debug\n');
  assert.equal(
    JSON.parse(await good('config', 'check', '--config', 'right.yaml', '--json')).settings.log_level,
    'debug',
  );
  const { code, err } = await davit(['config', 'check', '--config', 'wrong.yaml']);
  assert.equal(code, 2);
  assert.match(err, /log_levle in wrong\.yaml: is not known; did you mean "log_level"\?/);
});

test('the names of services are completed by asking the agent', async () => {
  assert.match(await good('complete', '--', 'logs', 'tal'), /^talker\tstopped\n$/);
});

test('where nobody reads any more, as behind head, a command ends without a word', async () => {
  const child = start(['--help']);
  child.stdout?.destroy();
  assert.ok(child.stderr);
  const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  assert.equal(err, '');
  assert.equal(code, 141);
});

test('where what is printed cannot be written, a command says so and fails', () => {
  const words = ['-c', 'exec "$@" > /dev/full', 'sh', ...davitCommand, '--help'];
  const { status, stderr } = spawnSync('/bin/sh', words, { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /^davit: the output cannot be written: ENOSPC[^\n]*\n$/);
});

test('an agent that has ended is not reached, and gets no key', async () => {
  await agent.end('SIGKILL');
  const { code, err } = await davit(['status']);
  assert.equal(code, 5);
  assert.match(err, /nothing listens there.*systemctl status davit/s);
  agent = await startAgent({ data: agent.data });
});
