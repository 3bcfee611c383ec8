import assert from 'node:assert/strict';
import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { type JwtAlgorithm, keyProblem, signToken } from '../../src/lib/token.ts';

const secret = 'a secret of more than thirty-two bytes';
const pairs = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
};
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
const otherCurve = generateKeyPairSync('ec', { namedCurve: 'P-384' });

const pem = (algorithm: keyof typeof pairs) =>
  pairs[algorithm].privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

const options = {
  issuer: 'https://issuer.test',
  audience: 'davit',
  subject: 'pipeline',
  scope: 'deploy',
  services: ['web-*'],
  expires_in_seconds: 600,
};

const keys: Record<JwtAlgorithm, string> = {
  HS256: secret,
  RS256: pem('RS256'),
  ES256: pem('ES256'),
  EdDSA: pem('EdDSA'),
};

for (const [algorithm, key] of Object.entries(keys) as [JwtAlgorithm, string][]) {
  test(`a token signed with ${algorithm} says what was asked for and can be verified`, async () => {
    const token = await signToken({ ...options, algorithm, key });
    assert.equal(decodeProtectedHeader(token).alg, algorithm);
    const verifying = algorithm === 'HS256' ? createSecretKey(secret, 'utf8') : pairs[algorithm].publicKey;
    const { payload } = await jwtVerify(token, verifying, {
      algorithms: [algorithm],
      issuer: options.issuer,
      audience: options.audience,
    });
    assert.equal(payload.sub, 'pipeline');
    assert.equal(payload['scope'], 'deploy');
    assert.deepEqual(payload['services'], ['web-*']);
    assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 600);
  });
}

test('a token for every service says so, instead of saying nothing', async () => {
  const token = await signToken({ ...options, services: null, algorithm: 'HS256', key: secret });
  assert.equal(decodeJwt(token)['services'], null);
});

test('a key that is too weak or does not fit the algorithm is refused', async () => {
  const sign = (algorithm: JwtAlgorithm, key: string) => signToken({ ...options, algorithm, key });
  await assert.rejects(sign('HS256', 'short'), { code: 'invalid_request', message: /5 bytes.*at least 32/ });
  await assert.rejects(sign('RS256', 'no key'), {
    code: 'invalid_request',
    message: /no private key in PEM/,
  });
  await assert.rejects(sign('RS256', keys.ES256), { code: 'invalid_request', message: /no RSA key/ });
  await assert.rejects(sign('EdDSA', keys.ES256), { code: 'invalid_request', message: /no Ed25519 key/ });
  assert.match(keyProblem('RS256', weak.publicKey) ?? '', /1024 bits/);
  assert.match(keyProblem('ES256', otherCurve.publicKey) ?? '', /P-256/);
  assert.match(keyProblem('HS256', pairs.RS256.publicKey) ?? '', /0 bytes/);
});
