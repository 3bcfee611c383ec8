import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createParser } from 'eventsource-parser';
import { signToken } from '../../src/lib/token.ts';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { until } from '../helpers/system.ts';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-access-'));
});
after(() => rmSync(folder, { recursive: true }));

const sleeper = { command: 'exec sleep 1000', min_uptime: '0s' };

/** Opens a stream and gives what came until now, and whether it is over. */
function follow(agent: RunningAgent, path: string, headers: Record<string, string> = {}) {
  const stream = { events: [] as { id: string | undefined; data: string }[], ended: false, status: 0 };
  const parser = createParser({ onEvent: ({ id, data }) => stream.events.push({ id, data }) });
  void (async () => {
    const response = await fetch(agent.url + path, {
      headers: { authorization: `Bearer ${agent.key}`, ...headers },
    });
    stream.status = response.status;
    for await (const chunk of response.body ?? []) parser.feed(Buffer.from(chunk).toString());
    stream.ended = true;
  })().catch(() => {
    stream.ended = true;
  });
  return stream;
}

/** An EdDSA issuer whose tokens may deploy what begins with "web". */
function issuer() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const public_key_file = join(folder, 'issuer.pub');
  writeFileSync(public_key_file, publicKey.export({ type: 'spki', format: 'pem' }));
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const grants = [{ claims: { sub: 'repo:acme/*' }, scopes: ['deploy'], services: ['web*'] }];
  const settings = {
    issuer: 'https://ci.test',
    audience: 'davit',
    algorithm: 'EdDSA',
    public_key_file,
    grants,
  };
  const token = (subject: string, expires_in_seconds = 60) =>
    signToken({
      algorithm: 'EdDSA',
      key,
      issuer: 'https://ci.test',
      audience: 'davit',
      subject,
      scope: '',
      services: null,
      expires_in_seconds,
    });
  return { settings, token };
}

test('the token of a CI system deploys without any shared secret, what it may and nothing else', async () => {
  const { settings, token } = issuer();
  await using agent = await startAgent({ config: { listen: '127.0.0.1:0', jwt_issuers: [settings] } });
  const bearer = { authorization: `Bearer ${await token('repo:acme/web')}` };
  const deployed = await agent.call('POST', '/service/web/deploy', sleeper, bearer);
  assert.equal(deployed.status, 200);
  assert.equal((await agent.call('POST', '/service/db/deploy', sleeper, bearer)).status, 403);
  assert.equal((await agent.call('GET', '/api/v1/keys', undefined, bearer)).status, 403);
  const stranger = { authorization: `Bearer ${await token('repo:evil/web')}` };
  assert.equal((await agent.call('POST', '/service/web/deploy', sleeper, stranger)).status, 403);
  const forged = { authorization: `Bearer ${(await token('repo:acme/web')).slice(0, -4)}AAAA` };
  assert.equal((await agent.call('POST', '/service/web/deploy', sleeper, forged)).status, 401);
  const { releases } = (await agent.call('GET', '/api/v1/services/web/releases')).body;
  assert.equal(releases[0].created_by, 'jwt:https://ci.test#repo:acme/web');
});

test('a stream ends when its token expires', async () => {
  const { settings, token } = issuer();
  await using agent = await startAgent({
    config: { listen: '127.0.0.1:0', jwt_issuers: [{ ...settings, clock_tolerance: '0s' }] },
  });
  await agent.call('POST', '/service/web/deploy', sleeper);
  const authorization = `Bearer ${await token('repo:acme/web', 2)}`;
  const stream = follow(agent, '/service/web/logs?follow=true', { authorization });
  await until('the stream is open', () => stream.status === 200);
  assert.equal(stream.ended, false);
  await until('the stream has ended', () => stream.ended);
});

test('a key can do what it was made for until it is revoked, and its open streams end then', async () => {
  await using agent = await startAgent();
  await agent.call('POST', '/service/web/deploy', sleeper);
  const { body: key } = await agent.call('POST', '/api/v1/keys', { name: 'reader', scopes: ['read'] });
  const authorization = `Bearer ${key.key}`;
  const stream = follow(agent, '/api/v1/events?follow', { authorization });
  await until('the stream shows what happened before', () => stream.events.length > 0);
  assert.equal(
    (await agent.call('GET', '/services', undefined, { authorization: '', 'x-api-key': key.key })).status,
    200,
  );
  await agent.call('DELETE', `/api/v1/keys/${key.id}`);
  await until('the stream has ended', () => stream.ended);
  const refused = await agent.call('GET', '/services', undefined, { authorization });
  assert.equal(refused.status, 401);
  assert.equal(refused.body.code, 'unauthenticated');
  const { keys } = (await agent.call('GET', '/api/v1/keys')).body;
  assert.ok(!JSON.stringify(keys).includes(key.key));
  const stored =
    readFileSync(join(agent.data, 'davit.db'), 'latin1') +
    readFileSync(join(agent.data, 'davit.db-wal'), 'latin1');
  assert.ok(!stored.includes(key.key), 'the secret is stored');
});

test('log lines come live, and a stream goes on where it was after a drop', async () => {
  await using agent = await startAgent();
  const command = 'n=0; while :; do n=$((n+1)); echo "line $n"; sleep 0.02; done';
  await agent.call('POST', '/service/web/deploy', { ...sleeper, command });
  const first = follow(agent, '/service/web/logs?follow=true');
  await until('some lines have come', () => first.events.length > 5);
  const seen = first.events.slice(0, 5);
  const second = follow(agent, '/service/web/logs?follow=true', { 'last-event-id': seen.at(-1)?.id ?? '' });
  await until('more lines have come', () => second.events.length > 20);
  await agent.call('POST', '/service/web/restart');
  const starts = () => second.events.filter(({ data }) => JSON.parse(data).line === 'line 1').length;
  await until(
    'the stream shows the new run',
    () => starts() === (seen.some(({ data }) => JSON.parse(data).line === 'line 1') ? 1 : 2),
  );
  const numbers = [...seen, ...second.events].map(({ data }) => Number(JSON.parse(data).line.split(' ')[1]));
  const restart = numbers.lastIndexOf(1);
  for (const run of [numbers.slice(0, restart), numbers.slice(restart)]) {
    assert.deepEqual(
      run,
      Array.from(run, (_, n) => (run[0] ?? 0) + n),
    );
  }
});

test('a key for some services learns of the agent nothing about others, not even how many there are', async () => {
  await using agent = await startAgent();
  for (const id of ['web', 'bank']) await agent.call('POST', `/service/${id}/deploy`, sleeper);
  const made = { name: 'guest', scopes: ['read'], services: ['web'] };
  const { key } = (await agent.call('POST', '/api/v1/keys', made)).body;
  const counts = async (authorization: string) =>
    (await agent.call('GET', '/api/v1/agent', undefined, { authorization })).body.services;
  assert.deepEqual(await counts(`Bearer ${agent.key}`), { total: 2, running: 2 });
  assert.deepEqual(await counts(`Bearer ${key}`), { total: 1, running: 1 });
});

test('the audit log tells who did what, and no secret', async () => {
  await using agent = await startAgent();
  const env = { PASSWORD: 'hunter2hunter2' };
  await agent.call('POST', '/service/web/deploy', { command: 'exec sleep 4711', env, min_uptime: '0s' });
  await agent.call('GET', '/service/web/status');
  await agent.call('POST', '/service/web/stop', {}, { authorization: 'Bearer davit_wrongwrong_key' });
  await agent.call('POST', '/api/v1/batch', { operations: [{ operation: 'stop', service: 'web' }] });
  const { records } = (await agent.call('GET', '/api/v1/audit')).body;
  const seen = records.map((record: Record<string, unknown>) => [
    record['action'],
    record['service'],
    record['http_status'],
  ]);
  assert.deepEqual(seen, [
    ['deployService', 'web', 200],
    ['stopService', 'web', 401],
    ['stopService', 'web', 200],
    ['batch', null, 200],
  ]);
  assert.match(records[0].actor, /^key:/);
  assert.equal(records[1].actor, null);
  assert.equal(records[1].code, 'unauthenticated');
  const file = readFileSync(join(agent.data, 'audit.jsonl'), 'utf8');
  for (const secret of ['hunter2', '4711', agent.key, 'wrongwrong'])
    assert.ok(!file.includes(secret), secret);
});

test('who fails to authenticate too often is slowed down, and a good key from the same address passes', async () => {
  const rate_limits = { failed_authentications: { requests: 5, per: '1m' } };
  await using agent = await startAgent({ config: { listen: '127.0.0.1:0', rate_limits } });
  const wrong = { authorization: 'Bearer davit_wrong' };
  const statuses: number[] = [];
  for (let n = 0; n < 7; n++) statuses.push((await agent.call('GET', '/services', undefined, wrong)).status);
  assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429]);
  const limited = await agent.call('GET', '/services', undefined, wrong);
  assert.equal(limited.body.code, 'too_many_requests');
  assert.ok(Number(limited.headers.get('retry-after')) > 0);
  assert.equal((await agent.call('GET', '/services')).status, 200);
});

test('calls from networks that are not allowed are refused', async () => {
  await using agent = await startAgent({
    config: { listen: '127.0.0.1:0', allowed_networks: ['10.0.0.0/8', '127.0.0.1/32'] },
  });
  assert.equal((await agent.call('GET', '/services')).status, 200);
  await using closed = await startAgent({
    config: { listen: '127.0.0.1:0', allowed_networks: ['10.0.0.0/8'] },
  });
  const { status, body } = await closed.call('GET', '/services');
  assert.equal(status, 403);
  assert.equal(body.code, 'network_not_allowed');
  await closed.end();
});

/** A certificate authority, a server's certificate and a client's, made by openssl. */
function makeCertificates(): void {
  const openssl = (...args: string[]) => {
    const run = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    assert.equal(run.status, 0, run.stderr);
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-subj',
    '/CN=test authority',
    '-days',
    '2',
  );
  for (const name of ['server', 'client', 'next']) {
    openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    writeFileSync(join(folder, 'extensions'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
    const signing = [
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'extensions',
    ];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-out', `${name}.pem`);
  }
}

const file = (name: string) => join(folder, name);

/** The HTTP status of /health, and whose certificate the agent showed. */
function health(url: string, client?: string): Promise<{ status: number; shown: string }> {
  const identity =
    client === undefined
      ? {}
      : { cert: readFileSync(file(`${client}.pem`)), key: readFileSync(file(`${client}.key`)) };
  return new Promise((resolve, reject) => {
    const sent = request(
      `${url}/health`,
      { ca: readFileSync(file('ca.pem')), agent: false, ...identity },
      (response) => {
        const { subject } = (response.socket as import('node:tls').TLSSocket).getPeerCertificate();
        response.resume();
        resolve({ status: response.statusCode ?? 0, shown: String(subject.CN) });
      },
    );
    sent.on('error', reject).end();
  });
}

test('with TLS the agent serves HTTPS, and takes over another certificate without a restart', async () => {
  makeCertificates();
  rmSync(file('live.pem'), { force: true });
  for (const kind of ['pem', 'key'])
    writeFileSync(file(`live.${kind}`), readFileSync(file(`server.${kind}`)));
  const tls = { cert_file: file('live.pem'), key_file: file('live.key') };
  await using agent = await startAgent({
    config: { listen: '127.0.0.1:0', tls },
    env: { NODE_EXTRA_CA_CERTS: '' },
  });
  try {
    assert.match(agent.url, /^https:/);
    assert.deepEqual(await health(agent.url), { status: 200, shown: 'server' });
    for (const kind of ['pem', 'key'])
      writeFileSync(file(`live.${kind}`), readFileSync(file(`next.${kind}`)));
    agent.child.kill('SIGHUP');
    await until('the new certificate is shown', async () => (await health(agent.url)).shown === 'next');
    writeFileSync(file('live.pem'), 'no certificate');
    agent.child.kill('SIGHUP');
    await agent.logged((record) => record['level'] === 'error' && /live\.pem/.test(String(record['msg'])));
    assert.deepEqual(await health(agent.url), { status: 200, shown: 'next' });
  } finally {
    await agent.end();
  }
});

test('with mutual TLS only clients with a certificate of the authority may connect', async () => {
  makeCertificates();
  const tls = { cert_file: file('server.pem'), key_file: file('server.key'), client_ca_file: file('ca.pem') };
  await using agent = await startAgent({ config: { listen: '127.0.0.1:0', tls } });
  try {
    assert.equal((await health(agent.url, 'client')).status, 200);
    await assert.rejects(health(agent.url));
  } finally {
    await agent.end();
  }
});
