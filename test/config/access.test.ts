import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { accessFields } from '../../src/config/access.ts';
import { configSchema } from '../../src/config/schema.ts';
import { grantsOf } from '../../src/http/claims.ts';
import { validate } from '../../src/lib/validation.ts';

const schema = z.strictObject(accessFields);
const check = (settings: Record<string, unknown>) => validate(schema, settings, 'the file');

function wrong(settings: Record<string, unknown>, path: string, message: RegExp): void {
  assert.throws(
    () => check(settings),
    (error: Error & { details: { path: string; message: string }[] }) => {
      const found = error.details.find((detail) => detail.path === path);
      assert.match(found?.message ?? `nothing at ${path}, but ${JSON.stringify(error.details)}`, message);
      return true;
    },
  );
}

const issuer = {
  issuer: 'https://ci.test',
  audience: 'davit',
  algorithm: 'RS256',
  jwks_url: 'https://ci.test/jwks',
  grants: [{ claims: { repository: 'acme/web' }, scopes: ['deploy'], services: ['web'] }],
};

test('without any setting, every default is there', () => {
  assert.deepEqual(check({}), {
    jwt_issuers: [],
    rate_limits: {
      unproven: { requests: 3000, per: '1m' },
      failed_authentications: { requests: 60, per: '1m' },
      authenticated: { requests: 20_000, per: '1s' },
    },
    tls: null,
    allowed_networks: [],
    trusted_proxies: [],
    allowed_hosts: [],
  });
});

test('an issuer is complete with its key and what its tokens may do', () => {
  const [parsed] = check({ jwt_issuers: [issuer] }).jwt_issuers;
  assert.deepEqual(parsed, { ...issuer, clock_tolerance: '5s', max_age: null });
});

test('an issuer has exactly the key that its algorithm needs', () => {
  const at = (changes: Record<string, unknown>) => ({ jwt_issuers: [{ ...issuer, ...changes }] });
  wrong(at({ algorithm: 'none' }), 'jwt_issuers[0].algorithm', /HS256/);
  wrong(at({ algorithm: 'HS256' }), 'jwt_issuers[0].secret_file', /is missing/);
  wrong(
    at({ algorithm: 'HS256', secret_file: '/s' }),
    'jwt_issuers[0].jwks_url',
    /must not stand beside HS256/,
  );
  wrong(at({ secret_file: '/s' }), 'jwt_issuers[0].secret_file', /must not stand beside RS256/);
  wrong(at({ public_key_file: '/k' }), 'jwt_issuers[0].public_key_file', /either this or jwks_url/);
  wrong(at({ jwks_url: undefined }), 'jwt_issuers[0].public_key_file', /either this or jwks_url/);
  wrong(at({ jwks_url: undefined, public_key_file: 'k' }), 'jwt_issuers[0].public_key_file', /absolute/);
  wrong(at({ grants: [] }), 'jwt_issuers[0].grants', /no token could do anything/);
  wrong(at({ services_claim: 's' }), 'jwt_issuers[0].services_claim', /needs scope_claim/);
  wrong(at({ clock_tolerance: '10m' }), 'jwt_issuers[0].clock_tolerance', /longer than 5m/);
  wrong(at({ issuer: 'https://ci.test/#a' }), 'jwt_issuers[0].issuer', /without #/);
  wrong({ jwt_issuers: [issuer, issuer] }, 'jwt_issuers', /twice/);
});

test('a grant names what it asks for', () => {
  const at = (changes: Record<string, unknown>) => ({
    jwt_issuers: [{ ...issuer, grants: [{ ...issuer.grants[0], ...changes }] }],
  });
  wrong(at({ claims: {} }), 'jwt_issuers[0].grants[0].claims', /at least one claim/);
  wrong(at({ scopes: ['root'] }), 'jwt_issuers[0].grants[0].scopes[0]', /read/);
  wrong(at({ services: ['../x'] }), 'jwt_issuers[0].grants[0].services[0]', /service id/);
  wrong(at({ claim: {} }), 'jwt_issuers[0].grants[0].claim', /did you mean "claims"/);
});

test('keys are fetched over https, or from this machine itself', () => {
  const at = (jwks_url: string) => ({ jwt_issuers: [{ ...issuer, jwks_url }] });
  for (const url of [
    'https://ci.test/jwks',
    'http://localhost:1/k',
    'http://127.0.0.1/k',
    'http://[::1]:8/k',
  ]) {
    check(at(url));
  }
  const bad = [
    'http://ci.test/jwks',
    'http://localhost.ci.test/',
    'http://127.0.0.1.ci.test/',
    'file:///k',
    'ci.test',
    'https://u:p@ci.test/',
  ];
  for (const url of bad) wrong(at(url), 'jwt_issuers[0].jwks_url', /must be an https address/);
});

test('networks, hosts and limits are checked', () => {
  check({ allowed_networks: ['10.0.0.0/8', '::1'], allowed_hosts: ['*', 'davit.test', '*.davit.test'] });
  wrong({ allowed_networks: ['10.0.0.0/33'] }, 'allowed_networks[0]', /10\.0\.0\.0\/8/);
  wrong({ trusted_proxies: ['proxy'] }, 'trusted_proxies[0]', /10\.0\.0\.0\/8/);
  for (const host of ['davit.test:8888', 'https://davit.test', 'Davit.test', '']) {
    wrong({ allowed_hosts: [host] }, 'allowed_hosts[0]', /host name in lower case/);
  }
  wrong({ rate_limits: { unproven: { requests: 0 } } }, 'rate_limits.unproven.requests', /1/);
  wrong({ rate_limits: { unproven: { per: '1ms' } } }, 'rate_limits.unproven.per', /from 1s to 1h/);
  wrong({ tls: { cert_file: '/c' } }, 'tls.key_file', /missing/);
  wrong({ tls: { cert_file: '/c', key_file: '/k', min_version: 'TLSv1.1' } }, 'tls.min_version', /TLSv1\.2/);
});

test('a setting that is partly given keeps the other defaults', () => {
  const { rate_limits } = check({ rate_limits: { failed_authentications: { requests: 5 } } });
  assert.deepEqual(rate_limits.failed_authentications, { requests: 5, per: '1m' });
});

const guide = readFileSync(join(import.meta.dirname, '../../docs/access.md'), 'utf8');
const examples = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');

test('every example of settings in the guide is right', () => {
  assert.ok(examples.length > 4);
  for (const example of examples) validate(configSchema, { data: '/data', ...parse(example) }, example);
});

test('the limits that the guide shows as defaults are the defaults', () => {
  const shown = examples.map((example) => parse(example)).find((settings) => 'rate_limits' in settings);
  assert.deepEqual(shown.rate_limits, check({}).rate_limits);
});

test('the pipelines in the guide may do what it says', () => {
  const [github, gitlab] = examples.slice(0, 2).map((example) => check(parse(example)).jwt_issuers[0]);
  assert.ok(github && gitlab);
  assert.deepEqual(grantsOf(github, { repository: 'acme/web', ref: 'refs/heads/main' }), [
    { scope: 'deploy', services: ['web'] },
    { scope: 'read', services: null },
  ]);
  assert.deepEqual(grantsOf(github, { repository: 'acme/web', ref: 'refs/heads/feature' }), [
    { scope: 'read', services: null },
  ]);
  assert.deepEqual(grantsOf(github, { repository: 'acme2/web', ref: 'refs/heads/main' }), []);
  const claims = { project_path: 'acme/web', ref_protected: 'true' };
  assert.deepEqual(grantsOf(gitlab, claims), [{ scope: 'deploy', services: ['web'] }]);
  assert.deepEqual(grantsOf(gitlab, { ...claims, ref_protected: 'false' }), []);
});
