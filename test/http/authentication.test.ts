import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { accessFields } from '../../src/config/access.ts';
import { ApiKeys } from '../../src/http/api_keys.ts';
import { createAuthentication } from '../../src/http/authentication.ts';
import { JwtVerifier } from '../../src/http/jwt.ts';
import { createNetworks } from '../../src/http/networks.ts';
import { createRateLimits } from '../../src/http/rate_limits.ts';
import { SessionCookie } from '../../src/http/session_cookie.ts';
import { Sessions } from '../../src/http/sessions.ts';
import { signToken } from '../../src/lib/token.ts';
import { migrations } from '../../src/services/schema.ts';
import { startApp } from '../helpers/app.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-authentication-'));
after(() => rmSync(folder, { recursive: true }));
const secret_file = join(folder, 'secret');
const secret = 'a secret of more than thirty-two bytes';
writeFileSync(secret_file, secret, { mode: 0o600 });

interface Limits {
  readonly unproven?: number;
  readonly failed?: number;
}

/** /browser is a page for browsers, everything else is not. */
async function start({ unproven = 1000, failed = 1000 }: Limits = {}) {
  const database = new DatabaseSync(':memory:');
  for (const migration of migrations) database.exec(migration);
  const keys = new ApiKeys({ database, onRevoked: () => {}, onProblem: () => {} });
  const rule = { issuer: 'ci', audience: 'davit', algorithm: 'HS256', secret_file, scope_claim: 'scope' };
  const issuers = accessFields.jwt_issuers.parse([rule]);
  const tokens = new JwtVerifier({ issuers, onProblem: () => {} });
  const limits = createRateLimits({
    unproven: { requests: unproven, per: '1m' },
    failed_authentications: { requests: failed, per: '1m' },
    authenticated: { requests: 1000, per: '1m' },
  });
  const settings = () => ({ idle_timeout: '1h', lifetime: '12h' });
  const clock = { now: Date.now() };
  const sessions = new Sessions({
    database,
    keys,
    tokens,
    settings,
    now: () => clock.now,
    onEnded: () => {},
    onProblem: () => {},
  });
  const cookie = new SessionCookie(sessions.cookieSuffix);
  const { bearer, browser } = createAuthentication({ keys, tokens, sessions, cookie, limits });
  const app = await startApp((express) => {
    express.use(createNetworks({ allowed_networks: [], trusted_proxies: ['127.0.0.1'] }).check);
    express.use('/browser', browser);
    express.use(/^\/(?!browser)/, bearer);
  });
  const { key, id } = keys.create({ name: 'ci', scopes: ['deploy'], services: null, expires_at: null });
  const signIn = () => {
    const principal = keys.verify(key);
    assert.ok(principal);
    const { secret, session } = sessions.begin(principal);
    const name = `davit_session_${sessions.cookieSuffix}`;
    return {
      name,
      secret,
      cookie: { cookie: `${name}=${secret}` },
      csrf: { 'x-csrf-token': session.csrf_token },
    };
  };
  return { ...app, key, id, keys, clock, signIn };
}

const token = (changes: Partial<Parameters<typeof signToken>[0]> = {}) =>
  signToken({
    algorithm: 'HS256',
    key: secret,
    issuer: 'ci',
    audience: 'davit',
    subject: 'main',
    scope: 'deploy',
    services: null,
    expires_in_seconds: 60,
    ...changes,
  });

const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });

test('a key or a token says who calls', async () => {
  await using app = await start();
  const actor = async (headers: Record<string, string>) =>
    (await app.send('GET', '/', headers)).body.locals.principal.actor;
  assert.equal(await actor(bearer(app.key)), `key:${app.id}`);
  assert.equal(await actor({ authorization: `bearer   ${app.key}` }), `key:${app.id}`);
  assert.equal(await actor({ 'x-api-key': app.key }), `key:${app.id}`);
  assert.equal(await actor({ 'x-api-key': app.key, ...bearer(app.key) }), `key:${app.id}`);
  const text = await token();
  assert.equal(await actor(bearer(text)), 'jwt:ci#main');
  assert.equal(await actor(bearer(text)), 'jwt:ci#main');
});

test('who brings nothing, or something wrong, is asked for a bearer token', async () => {
  await using app = await start();
  const other = app.keys.create({ name: 'x', scopes: ['read'], services: null, expires_at: null });
  const cases: [Record<string, string>, RegExp, boolean][] = [
    [{}, /needs an API key or a token/, false],
    [{ authorization: '' }, /needs an API key or a token/, false],
    [bearer('davit_aaaaaaaaaa_x'), /unknown, expired or revoked/, true],
    [bearer(`${app.key}x`), /unknown, expired or revoked/, true],
    [{ 'x-api-key': 'x' }, /neither an API key nor a JWT/, true],
    [bearer(await token({ issuer: 'other' })), /none of the configured jwt_issuers/, true],
    [{ authorization: app.key }, /must be "Bearer"/, false],
    [{ authorization: `Bearer ${app.key} x` }, /must be "Bearer"/, false],
    [{ authorization: `Digest ${app.key}` }, /must be "Bearer"/, false],
    [basic(`me:${app.key}`), /must be "Bearer"/, false],
    [{ ...bearer(app.key), 'x-api-key': other.key }, /different credentials/, false],
  ];
  for (const [headers, message, isNamed] of cases) {
    const reply = await app.send('GET', '/', headers);
    assert.equal(reply.status, 401);
    assert.equal(reply.body.code, 'unauthenticated');
    assert.match(reply.body.error, message);
    const challenge = reply.headers['www-authenticate'];
    assert.equal(challenge, `Bearer realm="davit"${isNamed ? ', error="invalid_token"' : ''}`);
    assert.ok(!reply.text.includes(app.key));
  }
});

test('a credential in the address or a cookie is not looked at', async () => {
  await using app = await start();
  const path = `/?key=${app.key}&access_token=${app.key}&api_key=${app.key}`;
  assert.equal((await app.send('GET', path)).status, 401);
  assert.equal((await app.send('GET', '/', { cookie: `key=${app.key}; token=${app.key}` })).status, 401);
});

test('a revoked key is refused from the next request on', async () => {
  await using app = await start();
  assert.equal((await app.send('GET', '/', bearer(app.key))).status, 200);
  app.keys.revoke(app.id);
  assert.equal((await app.send('GET', '/', bearer(app.key))).status, 401);
});

test('a genuine token that may do nothing is 403, not 401', async () => {
  await using app = await start();
  const { status, headers } = await app.send('GET', '/', bearer(await token({ scope: 'openid' })));
  assert.equal(status, 403);
  assert.equal(headers['www-authenticate'], undefined);
});

test('a page for browsers takes a key as a password, and asks for it', async () => {
  await using app = await start();
  const { status, headers } = await app.send('GET', '/browser');
  assert.equal(status, 401);
  assert.equal(headers['www-authenticate'], 'Basic realm="davit", charset="UTF-8"');
  assert.equal((await app.send('GET', '/browser', basic(`me:${app.key}`))).status, 200);
  assert.equal((await app.send('GET', '/browser', basic(`:${app.key}`))).status, 200);
  assert.equal((await app.send('GET', '/browser', bearer(app.key))).status, 200);
  for (const wrong of ['me:wrong', app.key.slice(0, -1), '', `${app.key}:me`]) {
    const reply = await app.send('GET', '/browser', basic(wrong));
    assert.equal(reply.status, 401, wrong);
    assert.match(reply.headers['www-authenticate'] ?? '', /^Basic/);
  }
});

test('failed attempts end in 429, while good credentials from the same address go on', async () => {
  await using app = await start({ failed: 3 });
  const fail = async () => (await app.send('GET', '/', bearer('davit_aaaaaaaaaa_x'))).status;
  assert.deepEqual([await fail(), await fail(), await fail(), await fail()], [401, 401, 401, 429]);
  assert.equal((await app.send('GET', '/')).status, 429);
  const { status, headers } = await app.send('GET', '/', bearer(await token({ expires_in_seconds: -60 })));
  assert.equal(status, 429);
  assert.ok(Number(headers['retry-after']) > 0);
  assert.equal((await app.send('GET', '/', bearer(app.key))).status, 200);
  assert.equal((await app.send('GET', '/', bearer(await token()))).status, 200);
  const elsewhere = { ...bearer('davit_aaaaaaaaaa_x'), 'x-forwarded-for': '192.0.2.1' };
  assert.equal((await app.send('GET', '/', elsewhere)).status, 401);
});

test('good credentials do not count as attempts, and a key passes where attempts are used up', async () => {
  await using app = await start({ unproven: 2, failed: 1000 });
  for (let sent = 0; sent < 10; sent++) {
    assert.equal((await app.send('GET', '/', bearer(app.key))).status, 200);
  }
  const seen = await token();
  assert.equal((await app.send('GET', '/', bearer(seen))).status, 200);
  assert.equal((await app.send('GET', '/')).status, 401);
  assert.equal((await app.send('GET', '/')).status, 429);
  assert.equal((await app.send('GET', '/', bearer(app.key))).status, 200);
  assert.equal((await app.send('GET', '/', bearer(seen))).status, 200, 'a token that was seen already');
  assert.equal((await app.send('GET', '/', bearer(await token({ subject: 'new' })))).status, 429);
});

test('the cookie of a session says who calls, wherever it stands among others', async () => {
  await using app = await start();
  const { name, secret } = app.signIn();
  const { body } = await app.send('GET', '/', { cookie: `a=b; ${name}=${secret};c` });
  assert.equal(body.locals.principal.actor, `key:${app.id}`);
  for (const cookie of [
    `x${name}=${secret}`,
    `${name}x=${secret}`,
    `a=${name}=${secret}`,
    name,
    '=',
    `__Host-${name}=${secret}`,
  ])
    assert.equal((await app.send('GET', '/', { cookie })).status, 401, cookie);
  const secure = { 'x-forwarded-proto': 'https' };
  assert.equal((await app.send('GET', '/', { ...secure, cookie: `__Host-${name}=${secret}` })).status, 200);
  assert.equal((await app.send('GET', '/', { ...secure, cookie: `${name}=${secret}` })).status, 401);
});

test('a cookie of the same name that another program on the host has set keeps nobody out', async () => {
  await using app = await start();
  const { name, secret } = app.signIn();
  for (const cookie of [`${name}=planted; ${name}=${secret}`, `${name}=${secret}; ${name}=planted`]) {
    const { status, body } = await app.send('GET', '/', { cookie });
    assert.equal(status, 200, cookie);
    assert.equal(body.locals.principal.actor, `key:${app.id}`);
  }
});

test('a password for a proxy in front of the agent, which passes it on, does not hide the cookie', async () => {
  await using app = await start();
  const { cookie } = app.signIn();
  const { status, body } = await app.send('GET', '/', { ...cookie, ...basic('me:of the proxy') });
  assert.equal(status, 200);
  assert.equal(body.locals.principal.actor, `key:${app.id}`);
  assert.equal((await app.send('POST', '/', { ...cookie, ...basic('me:of the proxy') })).status, 403);
});

test('what changes something by a cookie needs the token against forgery, whatever its verb', async () => {
  await using app = await start();
  const { cookie, csrf } = app.signIn();
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
    const { status, body } = await app.send(method, '/', cookie);
    assert.equal(`${status} ${body?.code}`, '403 csrf_token_invalid', method);
    assert.equal((await app.send(method, '/', { ...cookie, ...csrf })).status, 200, method);
  }
  for (const method of ['GET', 'HEAD']) assert.equal((await app.send(method, '/', cookie)).status, 200);
});

test('a dead cookie is cleared, and the browser never asks for a password instead', async () => {
  await using app = await start({ failed: 3 });
  const { name, cookie } = app.signIn();
  app.keys.create({ name: 'admin', scopes: ['admin'], services: null, expires_at: null });
  app.keys.revoke(app.id);
  for (const path of ['/', '/browser']) {
    const { status, headers } = await app.send('GET', path, cookie);
    assert.equal(status, 401);
    assert.equal(headers['www-authenticate'], 'Bearer realm="davit"');
    assert.match(headers['set-cookie']?.[0] ?? '', new RegExp(`^${name}=; Path=/; Expires=Thu, 01 Jan 1970`));
  }
  const guess = async () => (await app.send('GET', '/', { cookie: `${name}=guess` })).status;
  assert.deepEqual([await guess(), await guess()], [401, 429], 'guesses are limited as any other');
});

test('what a page asks for by itself keeps no session alive', async () => {
  const minute = 60_000;
  await using app = await start();
  const { cookie } = app.signIn();
  const ask = async (headers: Record<string, string>) =>
    (await app.send('GET', '/', { ...cookie, ...headers })).status;
  app.clock.now += 40 * minute;
  assert.equal(await ask({}), 200);
  app.clock.now += 40 * minute;
  assert.equal(await ask({ 'x-background': 'true' }), 200);
  assert.equal(await ask({ accept: 'text/event-stream' }), 200);
  app.clock.now += 40 * minute;
  assert.equal(await ask({}), 401);
});
