import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, verify } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { Person } from './davit.ts';
import { fakeAgent } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const time = '2026-01-31T12:00:00.123Z';
const key = {
  id: 'k3f9',
  name: 'pipeline',
  scopes: ['deploy'],
  services: ['web-*'],
  created_at: time,
  expires_at: null,
  last_used_at: null,
  revoked_at: null,
};

test('a new key stands alone on standard output, what it is beside it', async () => {
  await using agent = await fakeAgent(() => ({ ...key, key: 'davit_k3f9_secret' }));
  agent.describeIn(person.path('data'));
  const words = ['--scope', 'deploy', '--service', 'web-*', '--service', 'api', '--expires-in', '90d'];
  const { code, out, err } = await person.davit(['key', 'create', 'pipeline', ...words]);
  assert.equal(code, 0);
  assert.equal(out, 'davit_k3f9_secret\n');
  assert.match(err, /key k3f9 \(pipeline\): deploy on web-\*\nKeep it now/);
  await person.davit(['key', 'create', 'reader']);
  assert.deepEqual(
    agent.requests.map(({ body }) => body),
    [
      { name: 'pipeline', scopes: ['deploy'], services: ['web-*', 'api'], expires_in: '90d' },
      { name: 'reader', scopes: ['read'], services: null, expires_in: null },
    ],
  );
});

test('keys are listed with their state, and revoked by id', async () => {
  const revoked = { ...key, id: 'old', revoked_at: time, services: null };
  const expired = { ...key, id: 'late', expires_at: '2020-01-01T00:00:00Z', services: null };
  await using agent = await fakeAgent(({ method }) =>
    method === 'DELETE' ? revoked : { keys: [key, revoked, expired] },
  );
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['key', 'list']);
  assert.match(out, /^ID +STATE +SCOPES +LAST USED +CREATED +SERVICES +NAME\n/);
  assert.match(out, /k3f9 +good +deploy +never +2026-01-31T12:00:00Z +web-\* +pipeline\n/);
  assert.match(out, /old +revoked .* all /);
  assert.match(out, /late +expired /);
  assert.equal((await person.davit(['key', 'revoke', 'old'])).out, 'key old (pipeline) is revoked\n');
  assert.equal(agent.requests.at(-1)?.path, '/api/v1/keys/old');
});

test('what is no id of a key never becomes part of a path', async () => {
  await using agent = await fakeAgent(() => key);
  agent.describeIn(person.path('data'));
  const { code, err } = await person.davit(['key', 'revoke', '../services']);
  assert.equal(code, 2);
  assert.match(err, /must be the id of a key/);
  assert.equal(agent.requests.length, 0);
});

test('the audit log is a table', async () => {
  const record = { time, request_id: 'r', address: '10.0.0.1', action: 'deployService', service: 'web' };
  const records = [
    { ...record, actor: 'key:a', http_status: 200, code: null },
    { ...record, actor: null, http_status: 401, code: 'unauthenticated' },
  ];
  await using agent = await fakeAgent(() => ({ records }));
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['audit', '-n', '2']);
  assert.match(
    out,
    /deployService +web +200 +10\.0\.0\.1 +key:a\n.* 401 unauthenticated +10\.0\.0\.1 +nobody\n$/,
  );
  assert.deepEqual(agent.requests[0]?.query, { limit: '2' });
});

test('a token is signed with a shared secret, as an agent reads it', async () => {
  const secret = 'x'.repeat(40);
  writeFileSync(person.path('secret'), `${secret}\n`);
  const words = [
    '--signing-key-file',
    'secret',
    '--issuer',
    'ci',
    '--subject',
    'build-7',
    '--expires-in',
    '10m',
  ];
  const { code, out } = await person.davit(['token', ...words, '--scope', 'deploy', '--service', 'web']);
  assert.equal(code, 0);
  const [head = '', claims = '', signature] = out.trim().split('.');
  assert.equal(createHmac('sha256', secret).update(`${head}.${claims}`).digest('base64url'), signature);
  const { iat, exp, ...rest } = JSON.parse(Buffer.from(claims, 'base64url').toString());
  assert.equal(exp - iat, 600);
  assert.deepEqual(rest, { scope: 'deploy', services: ['web'], iss: 'ci', aud: 'davit', sub: 'build-7' });
});

test('a token is signed with a private key from standard input', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const words = [
    '--signing-key-file',
    '-',
    '--algorithm',
    'EdDSA',
    '--issuer',
    'ci',
    '--subject',
    'x',
    '--json',
  ];
  const { out } = await person.davit(['token', ...words], pem);
  const [head, claims, signature = ''] = JSON.parse(out).token.split('.');
  assert.ok(verify(null, Buffer.from(`${head}.${claims}`), publicKey, Buffer.from(signature, 'base64url')));
});

test('a key that cannot sign is refused', async () => {
  const words = ['token', '--signing-key-file', '-', '--issuer', 'ci', '--subject', 'x'];
  const { code, err } = await person.davit(words, 'short');
  assert.equal(code, 2);
  assert.match(err, /at least 32/);
  const none = await person.davit(words.with(2, 'none'));
  assert.equal(none.code, 2);
  assert.match(none.err, /the signing key cannot be read: ENOENT/);
});
