import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { SignJWT } from 'jose';
import { stringify } from 'yaml';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { CookieBrowser } from '../helpers/cookie_browser.ts';
import { startJwksServer } from '../helpers/jwks_server.ts';
import { makeCertificate } from '../helpers/server_certificates.ts';
import { until } from '../helpers/system.ts';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-sessions-'));
});
after(() => rmSync(folder, { recursive: true }));

const session = '/api/v1/session';
const keys = '/api/v1/keys';

async function newKey(
  agent: RunningAgent,
  scope: string,
  more: object = {},
): Promise<{ id: string; key: string }> {
  return (await agent.call('POST', keys, { name: `a ${scope}`, scopes: [scope], ...more })).body;
}

/** Says whether a stream is over. */
function watch(stream: readonly Promise<string>[]) {
  const state = { ended: false };
  void stream[0]
    ?.catch(() => '')
    .then(() => {
      state.ended = true;
    });
  return state;
}

test('a key is exchanged for a session by a cookie that no page can read', async () => {
  await using agent = await startAgent();
  const browser = new CookieBrowser();
  assert.equal((await browser.call(agent, 'GET', session)).status, 401);
  const { status, body } = await browser.signIn(agent, ` ${agent.key}\n`);
  assert.equal(status, 201);
  const [cookie = '', ...others] = browser.set;
  assert.deepEqual(others, []);
  assert.match(cookie, /^davit_session_[0-9a-f]{8}=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  assert.deepEqual(body.grants, [{ scope: 'admin', services: null }]);
  assert.equal(Date.parse(body.expires_at) - Date.parse(body.created_at), 12 * 3_600_000);
  assert.equal(body.idle_timeout_seconds, 3600);
  assert.match(body.actor, /^key:/);
  const shown = await browser.call(agent, 'GET', session);
  assert.deepEqual([shown.status, shown.body], [200, body]);
  assert.equal(shown.headers['cache-control'], 'no-store');
  for (const path of ['/services', '/docs', '/openapi.json', '/metrics', '/api/v1/keys'])
    assert.equal((await browser.call(agent, 'GET', path)).status, 200, path);
  const kept = ['davit.db', 'davit.db-wal']
    .map((name) => readFileSync(join(agent.data, name), 'latin1'))
    .join();
  for (const secret of [...browser.cookies.values(), body.csrf_token]) assert.ok(!kept.includes(secret));
});

test('what changes something needs the token against forgery beside the cookie', async () => {
  await using agent = await startAgent();
  const browser = new CookieBrowser();
  const other = new CookieBrowser();
  await browser.signIn(agent, agent.key);
  await other.signIn(agent, agent.key);
  const body = { log_level: 'info' };
  const level = '/api/v1/agent/log_level';
  for (const token of [undefined, '', 'x', other.csrf, `${browser.csrf}x`]) {
    const headers = token === undefined ? {} : { 'x-csrf-token': token };
    const refused = await browser.call(agent, 'PUT', level, body, headers);
    assert.equal(`${refused.status} ${refused.body.code}`, '403 csrf_token_invalid');
  }
  assert.equal((await browser.call(agent, 'DELETE', session)).status, 403);
  assert.equal((await browser.call(agent, 'HEAD', '/services')).status, 200);
  assert.equal((await browser.change(agent, 'PUT', level, body)).status, 200);
  const [refusal] = (await agent.call('GET', '/api/v1/audit')).body.records.filter(
    ({ code }: { code: string }) => code === 'csrf_token_invalid',
  );
  assert.match(refusal.actor, /^key:/);
});

test('a credential that is sent itself counts before the cookie, right or wrong', async () => {
  await using agent = await startAgent();
  const reader = await newKey(agent, 'read');
  const browser = new CookieBrowser();
  await browser.signIn(agent, agent.key);
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  assert.equal((await browser.call(agent, 'GET', keys, undefined, bearer(reader.key))).status, 403);
  assert.equal((await browser.call(agent, 'GET', keys, undefined, { 'x-api-key': reader.key })).status, 403);
  assert.equal((await browser.call(agent, 'GET', keys, undefined, bearer('davit_wrong'))).status, 401);
  assert.deepEqual(browser.set, [], 'the session is not ended by it');
  const made = await browser.call(agent, 'POST', keys, { name: 'x', scopes: ['read'] }, bearer(agent.key));
  assert.equal(made.status, 201, 'without a token against forgery');
  const shown = await browser.call(agent, 'GET', session, undefined, bearer(agent.key));
  assert.equal(`${shown.status} ${shown.body.code}`, '404 session_not_found');
  assert.equal((await browser.call(agent, 'GET', keys)).status, 200);
});

test('who signs out is out, with the streams of that session and no other', async () => {
  await using agent = await startAgent();
  const browser = new CookieBrowser();
  const other = new CookieBrowser();
  await browser.signIn(agent, agent.key);
  await other.signIn(agent, agent.key);
  const stream = watch(await browser.stream(agent, '/api/v1/events?follow=true'));
  const foreign = watch(await other.stream(agent, '/api/v1/events?follow=true'));
  const copied = new CookieBrowser();
  for (const [name, value] of browser.cookies) copied.cookies.set(name, value);
  const out = await browser.change(agent, 'DELETE', session);
  assert.deepEqual([out.status, out.body], [200, { ended: 1 }]);
  assert.equal(browser.cookies.size, 0);
  await until('its stream has ended', () => stream.ended);
  const late = await copied.call(agent, 'GET', session);
  assert.equal(`${late.status} ${late.body.code}`, '401 unauthenticated');
  assert.equal(late.headers['www-authenticate'], 'Bearer realm="davit"');
  assert.equal(copied.cookies.size, 0, 'the dead cookie is cleared');
  assert.equal((await other.call(agent, 'GET', session)).status, 200);
  assert.equal(foreign.ended, false);
  const [written] = (await agent.call('GET', '/api/v1/audit')).body.records.filter(
    ({ action }: { action: string }) => action === 'signOut',
  );
  assert.equal(`${written.actor === null} ${written.http_status}`, 'false 200');
});

test('signing out everywhere ends every session of the key, and leaves those of others', async () => {
  await using agent = await startAgent();
  const reader = await newKey(agent, 'read');
  const [first, second, another] = [new CookieBrowser(), new CookieBrowser(), new CookieBrowser()];
  await first.signIn(agent, agent.key);
  await second.signIn(agent, agent.key);
  await another.signIn(agent, reader.key);
  const stream = watch(await second.stream(agent, '/api/v1/events?follow=true'));
  const out = await first.change(agent, 'DELETE', '/api/v1/sessions');
  assert.deepEqual([out.status, out.body], [200, { ended: 2 }]);
  await until('the stream of the other one has ended', () => stream.ended);
  assert.equal((await second.call(agent, 'GET', session)).status, 401);
  assert.equal((await another.call(agent, 'GET', session)).status, 200);
  const headers = { authorization: `Bearer ${reader.key}` };
  const byKey = await agent.call('DELETE', '/api/v1/sessions', undefined, headers);
  assert.deepEqual([byKey.status, byKey.body], [200, { ended: 1 }]);
  assert.equal((await another.call(agent, 'GET', session)).status, 401);
});

test('signing in again in the same browser replaces the session', async () => {
  await using agent = await startAgent();
  const browser = new CookieBrowser();
  await browser.signIn(agent, agent.key);
  const old = new CookieBrowser();
  for (const [name, value] of browser.cookies) old.cookies.set(name, value);
  await browser.signIn(agent, agent.key);
  assert.equal((await browser.call(agent, 'GET', session)).status, 200);
  assert.equal((await old.call(agent, 'GET', session)).status, 401);
});

test('a session may do no more than its key, and ends when that is revoked', async () => {
  await using agent = await startAgent();
  const { id, key } = await newKey(agent, 'read');
  const metrics = await newKey(agent, 'metrics');
  const browser = new CookieBrowser();
  await browser.signIn(agent, key);
  const stream = watch(await browser.stream(agent, '/api/v1/events?follow=true'));
  assert.equal((await browser.call(agent, 'GET', keys)).status, 403);
  await agent.call('DELETE', `${keys}/${id}`);
  await until('its stream has ended', () => stream.ended);
  const { status, body } = await browser.call(agent, 'GET', session);
  assert.equal(`${status} ${body.code}`, '401 unauthenticated');
  const scraper = new CookieBrowser();
  assert.equal((await scraper.signIn(agent, metrics.key)).status, 201);
  assert.equal((await scraper.call(agent, 'GET', session)).status, 200);
  assert.equal((await scraper.call(agent, 'GET', '/metrics')).status, 200);
  assert.equal((await scraper.call(agent, 'GET', '/services')).status, 403);
  assert.equal((await scraper.call(agent, 'GET', '/docs')).status, 403);
});

test('a session outlives the agent, however that ends', async () => {
  const data = mkdtempSync(join(folder, 'data-'));
  const browser = new CookieBrowser();
  let signal: NodeJS.Signals;
  for (signal of ['SIGTERM', 'SIGKILL'] as const) {
    const agent = await startAgent({ data });
    if (browser.cookies.size === 0) await browser.signIn(agent, agent.key);
    else assert.equal((await browser.call(agent, 'GET', session)).body.csrf_token, browser.csrf);
    await agent.end(signal);
  }
  await using agent = await startAgent({ data });
  assert.equal((await browser.change(agent, 'DELETE', session)).status, 200);
});

test('two agents on one host do not sign each other out', async () => {
  await using one = await startAgent();
  await using other = await startAgent();
  const browser = new CookieBrowser();
  await browser.signIn(one, one.key);
  const csrf = browser.csrf;
  assert.equal((await browser.call(other, 'GET', session)).status, 401);
  assert.equal(browser.cookies.size, 1, 'a cookie that is not its own is left alone');
  await browser.signIn(other, other.key);
  assert.equal(browser.cookies.size, 2);
  assert.equal((await browser.call(one, 'GET', session)).body.csrf_token, csrf);
  assert.equal((await browser.call(other, 'GET', session)).body.csrf_token, browser.csrf);
});

const secure = /^__Host-davit_session_[0-9a-f]{8}=\S+; Path=\/; HttpOnly; Secure; SameSite=Strict$/;

test('with TLS the cookie is bound to it', async () => {
  const files = makeCertificate(folder, 'agent', ['localhost']);
  const configFile = join(folder, 'tls.yaml');
  writeFileSync(configFile, stringify({ listen: '127.0.0.1:0', tls: files }));
  const trust = { NODE_EXTRA_CA_CERTS: files.cert_file };
  const agent = await startAgent({ configFile, env: trust });
  try {
    const browser = new CookieBrowser();
    assert.equal((await browser.signIn(agent, agent.key)).status, 201);
    assert.match(browser.set[0] ?? '', secure);
    assert.equal((await browser.call(agent, 'GET', session)).status, 200);
    assert.equal((await browser.change(agent, 'DELETE', session)).status, 200);
    assert.equal(browser.cookies.size, 0);
  } finally {
    await agent.end();
    rmSync(agent.data, { recursive: true });
  }
});

test('behind a trusted proxy, the proxy says whether there is TLS, and nobody else', async () => {
  const https = { 'x-forwarded-proto': 'https' };
  await using agent = await startAgent({ config: { trusted_proxies: ['127.0.0.1'] } });
  const browser = new CookieBrowser();
  await browser.signIn(agent, agent.key, https);
  assert.match(browser.set[0] ?? '', secure);
  assert.equal((await browser.call(agent, 'GET', session, undefined, https)).status, 200);
  await browser.signIn(agent, agent.key, { 'x-forwarded-proto': 'https, http' });
  assert.match(browser.set[0] ?? '', /^davit_session_/);
  await using alone = await startAgent();
  await browser.signIn(alone, alone.key, https);
  assert.match(browser.set[0] ?? '', /^davit_session_/);
});

test('wrong credentials are refused, limited and written down; what is no attempt is not', async () => {
  const failed_authentications = { requests: 3, per: '1h' };
  await using agent = await startAgent({ config: { rate_limits: { failed_authentications } } });
  const browser = new CookieBrowser();
  const attempts: string[] = [];
  for (const credential of ['davit_wrong', `${agent.key}x`, 'x.y.z', 'hunter2']) {
    const { status, body, headers } = await browser.signIn(agent, credential);
    attempts.push(`${status} ${body.code}`);
    assert.ok(!JSON.stringify([body, headers]).includes(credential));
    assert.doesNotMatch(String(headers['www-authenticate'] ?? ''), /Basic/);
  }
  const refused = '401 unauthenticated';
  assert.deepEqual(attempts, [refused, refused, refused, '429 too_many_requests']);
  for (const body of [{}, { credential: 7 }, { credential: '' }, { credential: agent.key, more: 1 }])
    assert.equal((await browser.call(agent, 'POST', session, body)).status, 400);
  const long = await browser.call(agent, 'POST', session, { credential: 'x'.repeat(30_000) });
  assert.equal(`${long.status} ${long.body.code}`, '413 body_too_large');
  assert.equal(browser.cookies.size, 0);
  const good = await browser.signIn(agent, agent.key, { 'idempotency-key': randomUUID() });
  assert.equal(good.status, 201, 'a good key passes all the same');
  const { records } = (await agent.call('GET', '/api/v1/audit')).body;
  const written = records
    .filter(({ action }: { action: string }) => action === 'signIn')
    .map(
      ({ actor, http_status }: { actor: string | null; http_status: number }) => `${actor} ${http_status}`,
    );
  for (const line of ['null 401', 'null 429', `${good.body.actor} 201`])
    assert.ok(written.includes(line), line);
  assert.ok(!readFileSync(join(agent.data, 'audit.jsonl'), 'utf8').includes('hunter2'));
});

test('however much comes from an address, somebody with a good key can sign in from it', async () => {
  await using agent = await startAgent({ config: { rate_limits: { unproven: { requests: 5, per: '1h' } } } });
  const stranger = new CookieBrowser();
  for (let sent = 0; sent < 6; sent++) await stranger.call(agent, 'GET', '/health');
  const wrong = await stranger.signIn(agent, 'davit_wrong');
  assert.equal(`${wrong.status} ${wrong.body.code}`, '429 too_many_requests');
  const good = await new CookieBrowser().signIn(agent, agent.key);
  assert.equal(good.status, 201, good.body.error);
});

test('a page from elsewhere can neither sign in nor out', async () => {
  await using agent = await startAgent();
  const browser = new CookieBrowser();
  const elsewhere = { origin: 'http://127.0.0.1:1' };
  const refused = await browser.signIn(agent, agent.key, elsewhere);
  assert.equal(`${refused.status} ${refused.body.code}`, '403 host_not_allowed');
  const own = await browser.signIn(agent, agent.key, { origin: agent.url });
  assert.equal(own.status, 201);
});

test('a token is exchanged too, and counts until it expires or its issuer is not trusted any more', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  await using jwks = await startJwksServer({ main: publicKey });
  const grants = [{ claims: { sub: 'anna' }, scopes: ['read'], services: ['web*'] }];
  const issuer = {
    ...{ issuer: 'https://id.test', audience: 'davit', algorithm: 'EdDSA', jwks_url: jwks.url },
    ...{ grants, clock_tolerance: '0s' },
  };
  const token = (subject: string, expires_in: number) =>
    new SignJWT({ iss: 'https://id.test', aud: 'davit', sub: subject, exp: Date.now() / 1000 + expires_in })
      .setProtectedHeader({ alg: 'EdDSA', kid: 'main' })
      .sign(privateKey);
  const configFile = join(folder, 'token.yaml');
  const write = (issuers: object[]) =>
    writeFileSync(configFile, stringify({ listen: '127.0.0.1:0', jwt_issuers: issuers }));
  write([issuer]);
  await using agent = await startAgent({ configFile });
  const browser = new CookieBrowser();
  const brief = new CookieBrowser();
  const { status, body } = await browser.signIn(agent, await token('anna', 3600));
  assert.equal(status, 201);
  assert.deepEqual([body.actor, body.name], ['jwt:https://id.test#anna', 'anna']);
  assert.deepEqual(body.grants, [{ scope: 'read', services: ['web*'] }]);
  assert.ok(Date.parse(body.expires_at) <= Date.now() + 3_600_000);
  assert.equal((await browser.call(agent, 'GET', '/services')).status, 200);
  assert.equal((await browser.call(agent, 'GET', '/service/db/status')).status, 403);
  assert.equal((await new CookieBrowser().signIn(agent, await token('berta', 60))).status, 403);
  await brief.signIn(agent, await token('anna', 5));
  const stream = watch(await brief.stream(agent, '/api/v1/events?follow=true'));
  await until('the stream ends with the token', () => stream.ended);
  assert.equal((await brief.call(agent, 'GET', session)).status, 401);
  assert.equal((await browser.call(agent, 'GET', session)).status, 200);
  write([]);
  agent.child.kill('SIGHUP');
  await until(
    'nobody trusts the issuer',
    async () => (await browser.call(agent, 'GET', session)).status === 401,
  );
});

test('without a console nobody signs in, and who was signed in is out', async () => {
  const configFile = join(folder, 'off.yaml');
  const write = (settings: object) =>
    writeFileSync(configFile, stringify({ listen: '127.0.0.1:0', ...settings }));
  write({});
  await using agent = await startAgent({ configFile });
  const browser = new CookieBrowser();
  await browser.signIn(agent, agent.key);
  const stream = watch(await browser.stream(agent, '/api/v1/events?follow=true'));
  write({ console: false });
  agent.child.kill('SIGHUP');
  await until('its stream has ended', () => stream.ended);
  assert.equal((await browser.call(agent, 'GET', session)).status, 401);
  const { status, body } = await browser.signIn(agent, agent.key);
  assert.equal(`${status} ${body.code}`, '422 not_supported');
});
