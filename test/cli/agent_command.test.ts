import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';
import { runCli } from '../../src/cli/program.ts';
import { DavitError } from '../../src/lib/errors.ts';
import { commit, version } from '../../src/lib/version.ts';
import { Person } from './davit.ts';
import { fakeAgent } from './fake_agent.ts';
import { stubs } from './stubs.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

test('the flags of the agent reach it as settings, and only those that are given', async () => {
  const flags = [
    '--config',
    'c.yaml',
    '--listen',
    '127.0.0.1:0',
    '--data',
    'd',
    '--log-level',
    'debug',
    '--stop-services',
  ];
  const settings = {
    config: 'c.yaml',
    listen: '127.0.0.1:0',
    data: 'd',
    log_level: 'debug',
    stop_services: true,
  };
  assert.deepEqual(JSON.parse((await person.davit(['agent', ...flags])).out), settings);
  assert.deepEqual(JSON.parse((await person.davit(['agent'])).out), {});
  assert.deepEqual(JSON.parse((await person.davit(['agent', '--no-stop-services'])).out), {
    stop_services: false,
  });
});

test('an agent that cannot start is one line and exit code 1', async () => {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const code = await runCli(['agent'], {
    ...stubs(out),
    environment: {},
    input: process.stdin,
    out,
    err,
    runAgent: async () => {
      throw new DavitError('invalid_request', '127.0.0.1:1 is taken', { fields: { reason: 'EADDRINUSE' } });
    },
  });
  assert.equal(code, 1);
  assert.equal(out.read(), null);
  assert.equal(String(err.read()), 'davit: 127.0.0.1:1 is taken\n');
});

test('agent --check says what it found, and runs no agent', async () => {
  const { code, out } = await person.davit(['agent', '--check', '--data', '/state']);
  assert.equal(code, 0);
  assert.match(out, /^data: +\/state\nstate: +version 1, which this davit brings to version 2\n/);
  assert.match(out, /\nservices: +3, with 7 releases\nThis davit can run here\.\n$/);
  const document = JSON.parse((await person.davit(['agent', '--check', '--json'])).out);
  assert.deepEqual([document.state_version, document.next_state_version], [1, 2]);
});

test('config check gives every setting as JSON', async () => {
  const { code, out } = await person.davit(['config', 'check', '--config', 'c.yaml', '--json']);
  assert.equal(code, 0);
  const { valid, settings } = JSON.parse(out);
  assert.deepEqual([valid, settings.config], [true, 'c.yaml']);
  assert.equal((await person.davit(['config', 'check'])).out, 'The configuration is right.\n');
});

test('version and --version tell version and commit', async () => {
  const line = `davit ${version} (${commit})\n`;
  assert.equal((await person.davit(['--version'])).out, line);
  assert.equal((await person.davit(['version'])).out, line);
  const document = JSON.parse((await person.davit(['version', '--json'])).out);
  assert.equal(document.version, version);
});

test('info shows the agent, where it was found and what it warns of', async () => {
  const information = {
    version: '1.2.3',
    commit: 'abc',
    node: 'v24',
    platform: 'linux-x64',
    hostname: 'host',
    pid: 7,
    started_at: new Date(Date.now() - 65_000).toISOString(),
    listen: '127.0.0.1:1',
    data: '/data',
    log_level: 'info',
    memory: { resident_bytes: 50 * 2 ** 20 },
    services: { total: 3, running: 2 },
    warnings: ['state set aside\u001b[2J'],
  };
  await using agent = await fakeAgent(() => information);
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['info']);
  assert.match(out, /^agent: +http:\/\/127\.0\.0\.1:\d+ \(the agent of this host\)\nkey from: +.*admin\.key/);
  assert.match(out, /started: .*, 1m \d+s ago\n/);
  assert.match(
    out,
    /memory: +50 MiB resident\nservices: +3, of which 2 run\nwarning: state set aside\\x1b\[2J\n$/,
  );
  assert.deepEqual(JSON.parse((await person.davit(['info', '--json'])).out), information);
});

test('log-level sets the level of the agent', async () => {
  await using agent = await fakeAgent(({ body }) => body);
  agent.describeIn(person.path('data'));
  assert.equal((await person.davit(['log-level', 'debug'])).out, 'the agent logs from debug up\n');
  assert.deepEqual(agent.requests[0]?.body, { log_level: 'debug' });
  assert.equal((await person.davit(['log-level', 'loud'])).code, 2);
});
