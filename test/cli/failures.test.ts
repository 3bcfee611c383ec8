import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { ended, Person } from './davit.ts';
import { fakeAgent } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const codes = [
  [400, 'invalid_request', 2],
  [401, 'unauthenticated', 4],
  [403, 'forbidden', 4],
  [404, 'service_not_found', 3],
  [409, 'state_conflict', 6],
  [413, 'body_too_large', 2],
  [422, 'spawn_failed', 1],
  [429, 'too_many_requests', 1],
  [500, 'internal', 1],
  [503, 'storage_unavailable', 1],
] as const;

test('every status of the agent has its exit code', async () => {
  let http_status = 0;
  let code = '';
  await using agent = await fakeAgent(() => ({
    http_status,
    error: `it says ${code}`,
    code,
    request_id: 'r',
  }));
  agent.describeIn(person.path('data'));
  for (const [status, name, expected] of codes) {
    [http_status, code] = [status, name];
    const run = await person.davit(['start', 'web']);
    assert.equal(run.code, expected, name);
    assert.match(run.err, new RegExp(`^davit: it says ${name}\n`));
  }
});

test('no agent: exit code 5, and how one is started', async () => {
  const { code, out, err } = await person.davit(['status', '--url', 'http://127.0.0.1:1']);
  assert.equal(code, 5);
  assert.equal(out, '');
  assert.match(err, /cannot reach the agent at http:\/\/127\.0\.0\.1:1: nothing listens there/);
  assert.match(err, /The address comes from --url/);
  const json = await person.davit(['status', '--json', '--url', 'http://127.0.0.1:1']);
  assert.equal(json.code, 5);
  assert.equal(JSON.parse(json.out).code, 'agent_unreachable');
});

test('no agent on this host: how to see whether it runs, and how to start it', async () => {
  await using agent = await fakeAgent(() => ({}));
  agent.describeIn(person.path('data'));
  await agent[Symbol.asyncDispose]();
  const { code, err } = await person.davit(['status']);
  assert.equal(code, 5);
  assert.match(err, /systemctl status davit/);
  assert.match(err, /Start one here: davit agent/);
});

test('401 says which key was used and where it came from, never the key', async () => {
  await using agent = await fakeAgent(() => ({
    http_status: 401,
    error: 'unknown key',
    code: 'unauthenticated',
  }));
  writeFileSync(person.path('a.key'), 'very-secret\n');
  const byFile = await person.davit(['status', '--url', agent.url, '--key-file', 'a.key']);
  assert.equal(byFile.code, 4);
  assert.match(byFile.err, /The key used comes from a\.key \(--key-file\)/);
  const byVariable = await person.davit(['status', '--url', agent.url], '', { DAVIT_KEY: 'very-secret' });
  assert.match(byVariable.err, /The key used comes from DAVIT_KEY\./);
  const none = await person.davit(['status', '--url', agent.url]);
  assert.match(none.err, /No key was sent\. Name one: --key-file FILE, DAVIT_KEY_FILE or DAVIT_KEY/);
  for (const { out, err } of [byFile, byVariable, none]) assert.doesNotMatch(out + err, /very-secret/);
});

test('403 says what the agent asks for and how a key for it is made', async () => {
  const error = 'this call on "web" needs the scope operate; key:a has read on every service';
  await using agent = await fakeAgent(() => ({ http_status: 403, error, code: 'forbidden' }));
  agent.describeIn(person.path('data'));
  const { code, err } = await person.davit(['start', 'web']);
  assert.equal(code, 4);
  assert.match(err, /needs the scope operate/);
  assert.match(err, /davit key create NAME --scope SCOPE/);
});

test('every wrong place of a body is named', async () => {
  const details = [
    { path: 'cwd', message: 'must be absolute' },
    { path: 'user', message: 'is odd' },
  ];
  await using agent = await fakeAgent(() => ({
    http_status: 400,
    error: 'cwd in the body: must be absolute (and 1 more)',
    code: 'invalid_request',
    details,
  }));
  agent.describeIn(person.path('data'));
  const { code, err } = await person.davit(['deploy', 'web', '--', 'x']);
  assert.equal(code, 2);
  assert.match(err, /\n {2}cwd: must be absolute\n {2}user: is odd\n/);
});

test('429 says when to try again', async () => {
  await using agent = await fakeAgent((_request, response) => {
    response.setHeader('retry-after', '7');
    return { http_status: 429, error: 'too many requests', code: 'too_many_requests' };
  });
  agent.describeIn(person.path('data'));
  assert.match((await person.davit(['status'])).err, /Try again in 7 seconds/);
});

test('what an agent says cannot drive the terminal', async () => {
  const evil = '\u001b[2J\u001b]0;x\u0007';
  await using agent = await fakeAgent(() => ({
    http_status: 422,
    error: evil,
    code: 'internal',
    last_lines: [evil],
  }));
  agent.describeIn(person.path('data'));
  const { out } = await person.onTerminal(['start', 'web'], 80);
  assert.ok(!out.includes('\u001b'), JSON.stringify(out));
});

test('a change that is interrupted says that it goes on', async () => {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  await using agent = await fakeAgent(() => resolve());
  agent.describeIn(person.path('data'));
  const child = person.start(['stop', 'web']);
  const ending = ended(child);
  await asked;
  child.kill('SIGINT');
  const { code, err } = await ending;
  assert.equal(code, 130);
  assert.equal(err, 'davit: interrupted; the agent goes on with what it was asked to do\n');
});

test('a key that leaves this host unencrypted is worth a warning', async () => {
  const words = ['status', '--url', 'http://0.0.0.0:1'];
  const { err } = await person.davit(words, '', { DAVIT_KEY: 'k' });
  assert.match(err, /davit: warning: the key goes to 0\.0\.0\.0:1 unencrypted/);
  assert.doesNotMatch((await person.davit(words)).err, /warning/);
});

test('what is written when nobody reads is no crash', async () => {
  await using agent = await fakeAgent(() => ({ services: [] }));
  agent.describeIn(person.path('data'));
  const child = person.start(['status']);
  child.stdout?.destroy();
  assert.equal(await text(child.stderr ?? Readable.from([])), '');
});
