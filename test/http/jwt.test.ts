import assert from 'node:assert/strict';
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { type JWTPayload, SignJWT } from 'jose';
import { accessFields, type JwtIssuer } from '../../src/config/access.ts';
import { JwtVerifier } from '../../src/http/jwt.ts';
import { type JwtAlgorithm, signToken } from '../../src/lib/token.ts';
import { type JwksServer, startJwksServer } from '../helpers/jwks_server.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-jwt-'));
after(() => rmSync(folder, { recursive: true }));

const secret = 'a secret of more than thirty-two bytes';
const pairs = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
};
const issuer = 'https://ci.test';
const algorithms = ['HS256', 'RS256', 'ES256', 'EdDSA'] as const;

let now: number;
let problems: string[];
let servers: JwksServer[];
beforeEach(() => {
  now = Date.now();
  problems = [];
  servers = [];
});
afterEach(() => Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));

function write(name: string, text: string | Buffer): string {
  const file = join(folder, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

function privateKey(algorithm: JwtAlgorithm): string {
  if (algorithm === 'HS256') return secret;
  return pairs[algorithm].privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

const publicPem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' });

function rule(algorithm: JwtAlgorithm, changes: Record<string, unknown> = {}): JwtIssuer {
  const key =
    algorithm === 'HS256'
      ? { secret_file: write('secret', `${secret}\n`) }
      : { public_key_file: write(`${algorithm}.pem`, publicPem(pairs[algorithm].publicKey)) };
  const [parsed] = accessFields.jwt_issuers.parse([
    {
      issuer,
      audience: 'davit',
      algorithm,
      ...key,
      scope_claim: 'scope',
      services_claim: 'services',
      ...changes,
    },
  ]);
  assert.ok(parsed);
  return parsed;
}

function verifier(...issuers: JwtIssuer[]): JwtVerifier {
  return new JwtVerifier({ issuers, now: () => now, onProblem: (message) => problems.push(message) });
}

function token(
  algorithm: JwtAlgorithm,
  changes: Partial<Parameters<typeof signToken>[0]> = {},
): Promise<string> {
  return signToken({
    algorithm,
    key: privateKey(algorithm),
    issuer,
    audience: 'davit',
    subject: 'pipeline',
    scope: 'deploy',
    services: ['web'],
    expires_in_seconds: 600,
    ...changes,
  });
}

/** A token that says exactly this, for what `signToken` would never make. */
function signed(claims: JWTPayload, header: Record<string, unknown> = {}, key?: KeyObject): Promise<string> {
  const base = { iss: issuer, aud: 'davit', sub: 'pipeline', scope: 'deploy', services: null };
  const all = Object.entries({ ...base, exp: now / 1000 + 600, ...claims });
  const jwt = new SignJWT(Object.fromEntries(all.filter(([, value]) => value !== undefined)));
  return jwt
    .setProtectedHeader({ alg: 'ES256', ...header })
    .sign(key ?? pairs.ES256.privateKey, { crit: { 'x-ext': true } });
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

async function refuses(tokens: JwtVerifier, text: string, message: RegExp): Promise<void> {
  await assert.rejects(tokens.verify(text), { code: 'unauthenticated', message });
}

for (const algorithm of algorithms) {
  test(`${algorithm}: a good token says who sends it and what it may do`, async () => {
    const principal = await verifier(rule(algorithm)).verify(await token(algorithm));
    assert.equal(principal.actor, 'jwt:https://ci.test#pipeline');
    assert.equal(principal.name, 'pipeline');
    assert.deepEqual(principal.grants, [{ scope: 'deploy', services: ['web'] }]);
    const remaining = (principal.expires_at ?? 0) - now;
    assert.ok(
      remaining > 600_000 && remaining <= 606_000,
      `it ends with its exp and the tolerance: ${remaining}`,
    );
  });

  test(`${algorithm}: a token with another signature, or none, is refused`, async () => {
    const tokens = verifier(rule(algorithm));
    const good = await token(algorithm);
    const [header = '', payload = '', signature = ''] = good.split('.');
    const other = await token(algorithm, { subject: 'somebody else' });
    await refuses(tokens, `${header}.${payload}.${other.split('.')[2]}`, /signature/);
    await refuses(tokens, `${header}.${other.split('.')[1]}.${signature}`, /signature/);
    await refuses(tokens, `${header}.${payload}.`, /neither an API key nor a JWT/);
    await refuses(tokens, `${encode({ alg: 'none' })}.${payload}.`, /neither an API key nor a JWT/);
    await refuses(tokens, `${encode({ alg: 'none' })}.${payload}.${signature}`, /not signed with/);
  });

  test(`${algorithm}: a token of the same issuer with another algorithm is refused`, async () => {
    const tokens = verifier(rule(algorithm));
    for (const other of algorithms.filter((name) => name !== algorithm)) {
      await refuses(tokens, await token(other), new RegExp(`not signed with ${algorithm}`));
    }
  });

  test(`${algorithm}: iss, aud, exp and nbf are checked`, async () => {
    const tokens = verifier(rule(algorithm));
    await refuses(
      tokens,
      await token(algorithm, { issuer: 'https://ci.test.evil' }),
      /none of the configured/,
    );
    await refuses(tokens, await token(algorithm, { audience: 'davit2' }), /aud/);
    const good = await token(algorithm);
    now += 607_000;
    await refuses(tokens, good, /exp/);
  });
}

test('a public key is no shared secret: the confusion of RS256 and HS256 is refused', async () => {
  const pem = publicPem(pairs.RS256.publicKey).toString();
  const claims = {
    iss: issuer,
    aud: 'davit',
    sub: 'x',
    scope: 'admin',
    services: null,
    exp: now / 1000 + 60,
  };
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  for (const key of [pem, pem.trim()]) {
    const forged = `${body}.${createHmac('sha256', key).update(body).digest('base64url')}`;
    await refuses(verifier(rule('RS256')), forged, /not signed with RS256/);
  }
});

test('a key that a token brings along is not looked at', async () => {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = createPublicKey(own.privateKey).export({ format: 'jwk' });
  await refuses(verifier(rule('ES256')), await signed({}, { jwk }, own.privateKey), /signature/);
});

test('a token must expire, say who sends it, and be valid by now', async () => {
  const tokens = verifier(rule('ES256'));
  const seconds = now / 1000;
  await refuses(tokens, await signed({ exp: undefined as never }), /never expires/);
  await refuses(tokens, await signed({ sub: undefined as never }), /sub/);
  await refuses(tokens, await signed({ sub: '' }), /sub/);
  await refuses(tokens, await signed({ sub: 'a\nb' }), /sub/);
  await refuses(tokens, await signed({ sub: 'a'.repeat(256) }), /sub/);
  await refuses(tokens, await signed({ nbf: seconds + 60 }), /not active/);
  await refuses(tokens, await signed({ aud: ['davit2', 'other'] }), /audience/);
  await refuses(tokens, await signed({ aud: undefined as never }), /audience/);
  await refuses(tokens, await signed({}, { crit: ['x-ext'], 'x-ext': 1 }), /crit/);
  await tokens.verify(await signed({ nbf: seconds + 4, aud: ['other', 'davit'] }));
  await tokens.verify(await signed({ exp: seconds - 4 }));
});

test('an expiry that is no finite number is none', async () => {
  const claims = JSON.stringify({ iss: issuer, aud: 'davit', sub: 'x', scope: 'read', services: null });
  const payload = Buffer.from(claims.replace('{', '{"exp":1e999,')).toString('base64url');
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${payload}`;
  const forever = `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
  await refuses(verifier(rule('HS256')), forever, /never expires/);
});

test('max_age bounds a token that is valid for longer', async () => {
  const tokens = verifier(rule('ES256', { max_age: '5m' }));
  const seconds = now / 1000;
  const { expires_at } = await tokens.verify(await signed({ iat: seconds - 200 }));
  assert.equal(Math.round(((expires_at ?? 0) - now) / 1000), 105);
  await refuses(tokens, await signed({ iat: seconds - 310 }), /max_age/);
  await refuses(tokens, await signed({ iat: seconds + 60 }), /iat/);
  await refuses(tokens, await signed({}), /iat/);
});

test('what is no token at all is refused, and so is one that is too long', async () => {
  const tokens = verifier(rule('ES256'));
  for (const text of [
    '',
    'x',
    'a.b.c',
    'a.b.c.d',
    `${encode([])}.${encode(7)}.x`,
    `${encode({})}.${encode({})}.x`,
  ]) {
    await assert.rejects(tokens.verify(text), { code: 'unauthenticated' }, text);
  }
  await refuses(tokens, await signed({ filler: 'x'.repeat(8192) }), /longer than 8192/);
  await refuses(verifier(), await token('HS256'), /none of the configured/);
});

test('a genuine token that nothing grants anything is forbidden, and the answer says whose it is', async () => {
  await assert.rejects(verifier(rule('ES256')).verify(await signed({ scope: 'openid' })), {
    code: 'forbidden',
    message: /"pipeline" from https:\/\/ci\.test/,
  });
});

test('a token that was verified is known again until it expires or the rules are read again', async () => {
  const tokens = verifier(rule('ES256'));
  const good = await signed({ exp: now / 1000 + 20 });
  assert.equal(tokens.recall(good), null);
  const principal = await tokens.verify(good);
  assert.equal(tokens.recall(good), principal);
  const [header, payload, signature = ''] = good.split('.');
  assert.equal(tokens.recall(`${header}.${payload}.${signature.slice(0, -2)}AA`), null);
  now += 25_001;
  assert.equal(tokens.recall(good), null);
  const second = await signed({});
  await tokens.verify(second);
  tokens.reload([rule('ES256', { audience: 'another' })]);
  assert.equal(tokens.recall(second), null);
  await refuses(tokens, second, /audience/);
});

test('key files that are of no use are named, with the setting and the reason', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const cases: [JwtAlgorithm, Record<string, string>, RegExp][] = [
    ['HS256', { secret_file: write('short', 'too short\n') }, /secret_file: .*short has 9 bytes/],
    [
      'HS256',
      { secret_file: write('pem', publicPem(pairs.RS256.publicKey)) },
      /secret_file: .*not a shared secret/,
    ],
    ['HS256', { secret_file: join(folder, 'missing') }, /secret_file: cannot read .*missing: ENOENT/],
    ['HS256', { secret_file: folder }, /secret_file: cannot read .*no regular file/],
    ['RS256', { public_key_file: write('weak', publicPem(weak.publicKey)) }, /weak has 1024 bits/],
    ['RS256', { public_key_file: write('ec', publicPem(pairs.ES256.publicKey)) }, /ec is no RSA key/],
    ['EdDSA', { public_key_file: write('ec', publicPem(pairs.ES256.publicKey)) }, /ec is no Ed25519 key/],
    ['ES256', { public_key_file: write('none', 'hello') }, /none holds no public key/],
    ['ES256', { public_key_file: write('private', privateKey('ES256')) }, /holds a private key/],
  ];
  for (const [algorithm, changes, message] of cases) {
    assert.throws(() => verifier(rule(algorithm, changes)), { code: 'invalid_request', message });
  }
});

test('a reload that fails changes nothing, one that succeeds takes over the new key', async () => {
  const settings = rule('HS256');
  const tokens = verifier(settings);
  const first = await token('HS256');
  writeFileSync(settings.secret_file ?? '', 'short');
  assert.throws(() => tokens.reload([settings]), { code: 'invalid_request', message: /secret_file/ });
  await tokens.verify(first);
  const changed = 'another secret of more than thirty-two bytes';
  writeFileSync(settings.secret_file ?? '', changed);
  tokens.reload([settings]);
  await refuses(tokens, first, /signature/);
  await tokens.verify(await token('HS256', { key: changed }));
});

test('a secret that every user of the host may read is warned of', () => {
  const settings = rule('HS256');
  verifier(settings);
  assert.deepEqual(problems, []);
  chmodSync(settings.secret_file ?? '', 0o644);
  verifier(settings);
  assert.match(problems[0] ?? '', /every user of this host may read .*chmod o=/);
});

async function jwksRule(algorithm: Exclude<JwtAlgorithm, 'HS256'>, keys: Record<string, KeyObject>) {
  const server = await startJwksServer(keys);
  servers.push(server);
  return { server, settings: rule(algorithm, { public_key_file: undefined, jwks_url: server.url }) };
}

for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as const) {
  test(`${algorithm}: the key behind a JWKS address is fetched once, even for many tokens at a time`, async () => {
    const { server, settings } = await jwksRule(algorithm, { first: pairs[algorithm].publicKey });
    const tokens = verifier(settings);
    const subjects = Array.from({ length: 20 }, (_, index) => `s${index}`);
    const many = await Promise.all(subjects.map((subject) => token(algorithm, { subject })));
    await Promise.all(many.map((text) => tokens.verify(text)));
    assert.equal(server.requests, 1);
  });
}

test('an issuer that changes its keys is followed, and unknown keys do not make the agent ask all the time', async () => {
  const [first, second] = [pairs.ES256, generateKeyPairSync('ec', { namedCurve: 'P-256' })];
  const { server, settings } = await jwksRule('ES256', { first: first.publicKey });
  const tokens = verifier(settings);
  await tokens.verify(await signed({}, { kid: 'first' }));
  const rotated = await signed({}, { kid: 'second' }, second.privateKey);
  for (let times = 0; times < 5; times++) await refuses(tokens, rotated, /does not show/);
  assert.equal(server.requests, 1);
  server.keys = { second: second.publicKey };
  now += 10_000;
  await tokens.verify(rotated);
  assert.equal(server.requests, 2);
  await refuses(tokens, await signed({ sub: 'other' }, { kid: 'first' }), /does not show/);
  assert.equal(server.requests, 2);
});

test('while the JWKS address does not answer, known keys go on for a day', async () => {
  const { server, settings } = await jwksRule('ES256', { first: pairs.ES256.publicKey });
  const tokens = verifier(settings);
  await tokens.verify(await signed({}, { kid: 'first' }));
  server.answer = (_request, response) => void response.writeHead(503).end();
  now += 11 * 60_000;
  await tokens.verify(await signed({}, { kid: 'first' }));
  assert.equal(server.requests, 2);
  assert.match(problems[0] ?? '', /jwks_url .* cannot be fetched: the answer is 503/);
  tokens.reload([settings]);
  await tokens.verify(await signed({}, { kid: 'first' }));
  now += 24 * 3_600_000;
  await refuses(tokens, await signed({}, { kid: 'first' }), /does not show/);
  server.answer = null;
  now += 10_000;
  await tokens.verify(await signed({}, { kid: 'first' }));
});

test('a reload fetches the keys again', async () => {
  const { server, settings } = await jwksRule('ES256', { first: pairs.ES256.publicKey });
  const tokens = verifier(settings);
  const good = await signed({}, { kid: 'first' });
  await tokens.verify(good);
  server.keys = {};
  now += 10_000;
  tokens.reload([settings]);
  await refuses(tokens, good, /does not show/);
});

test('a JWKS address that is down, redirects, floods or talks nonsense is a refused token and a line in the log', async () => {
  const { server, settings } = await jwksRule('ES256', { first: pairs.ES256.publicKey });
  const good = await signed({}, { kid: 'first' });
  const elsewhere = await startJwksServer({ first: pairs.ES256.publicKey });
  servers.push(elsewhere);
  const answers: [NonNullable<JwksServer['answer']>, RegExp][] = [
    [(_request, response) => void response.writeHead(302, { location: elsewhere.url }).end(), /redirect/],
    [(_request, response) => void response.end(`{"keys":[],"x":"${'x'.repeat(300_000)}"}`), /larger than/],
    [(_request, response) => void response.end('<html>'), /JSON/],
    [(_request, response) => void response.end('{"keys":7}'), /malformed/],
    [(request) => void request.socket.destroy(), /fetch failed/],
  ];
  for (const [answer, problem] of answers) {
    server.answer = answer;
    problems = [];
    await refuses(verifier(settings), good, /does not show/);
    assert.match(problems[0] ?? '', problem);
  }
  assert.equal(elsewhere.requests, 0);
});

test('a JWKS key that is too weak or of the wrong kind is not taken', async () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const { settings } = await jwksRule('RS256', { weak: weak.publicKey, ec: pairs.ES256.publicKey });
  const body = `${encode({ alg: 'RS256', kid: 'weak' })}.${encode({ iss: issuer })}.x`;
  await refuses(verifier(settings), body, /does not show|not acceptable/);
  await refuses(
    verifier(settings),
    body.replace(encode({ alg: 'RS256', kid: 'weak' }), encode({ alg: 'RS256', kid: 'ec' })),
    /does not show/,
  );
});
