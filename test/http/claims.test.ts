import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessFields } from '../../src/config/access.ts';
import { grantsOf } from '../../src/http/claims.ts';

const rule = (changes: Record<string, unknown>) => {
  const [parsed] = accessFields.jwt_issuers.parse([
    { issuer: 'https://ci.test', audience: 'davit', algorithm: 'HS256', secret_file: '/secret', ...changes },
  ]);
  assert.ok(parsed);
  return parsed;
};

test('a grant fits when every claim that it names does: the very value, a pattern, or a member of a list', () => {
  const grants = [
    {
      claims: { repository: 'acme/web', ref: 'refs/heads/*', protected: true, attempt: 1, groups: 'ops' },
      scopes: ['read', 'deploy'],
      services: ['web'],
    },
  ];
  const claims = {
    repository: 'acme/web',
    ref: 'refs/heads/main',
    protected: true,
    attempt: 1,
    groups: ['dev', 'ops'],
  };
  const ci = rule({ grants });
  assert.deepEqual(grantsOf(ci, claims), [{ scope: 'deploy', services: ['web'] }]);
  const wrong = [
    { repository: 'acme/web2' },
    { repository: 'evil/acme/web' },
    { ref: 'refs/tags/v1' },
    { protected: 'true' },
    { attempt: '1' },
    { groups: ['dev'] },
    { groups: 'dev ops' },
    { groups: [['ops']] },
    { ref: undefined },
    { ref: ['refs/tags/v1'] },
  ];
  for (const change of wrong)
    assert.deepEqual(grantsOf(ci, { ...claims, ...change }), [], JSON.stringify(change));
});

test('a token gets every grant that fits it, each for its own services', () => {
  const ci = rule({
    grants: [
      { claims: { org: 'acme' }, scopes: ['read'] },
      { claims: { ref: 'main' }, scopes: ['deploy'], services: ['web'] },
      { claims: { ref: 'other' }, scopes: ['admin'] },
    ],
  });
  assert.deepEqual(grantsOf(ci, { org: 'acme', ref: 'main' }), [
    { scope: 'read', services: null },
    { scope: 'deploy', services: ['web'] },
  ]);
});

test('what every object inherits is no claim', () => {
  const ci = rule({ grants: [{ claims: { constructor: '*' }, scopes: ['admin'] }] });
  assert.deepEqual(grantsOf(ci, {}), []);
});

test('an issuer that is trusted with it names the scope itself', () => {
  const own = rule({ scope_claim: 'scope' });
  assert.deepEqual(grantsOf(own, { scope: 'openid deploy read' }), [{ scope: 'deploy', services: null }]);
  assert.deepEqual(grantsOf(own, { scope: ['operate'] }), [{ scope: 'operate', services: null }]);
  for (const scope of [undefined, '', 'openid', 'Admin', 7, { admin: true }, ['admin', 7], [['admin']]]) {
    assert.deepEqual(grantsOf(own, { scope }), [], JSON.stringify(scope));
  }
});

test('where services are named by a claim, a token without a sensible one gets nothing', () => {
  const own = rule({ scope_claim: 'scope', services_claim: 'services' });
  const scope = 'deploy';
  assert.deepEqual(grantsOf(own, { scope, services: ['web', 'api-*'] }), [
    { scope, services: ['web', 'api-*'] },
  ]);
  assert.deepEqual(grantsOf(own, { scope, services: 'web api' }), [{ scope, services: ['web', 'api'] }]);
  assert.deepEqual(grantsOf(own, { scope, services: null }), [{ scope, services: null }]);
  for (const services of [undefined, '', [], ['web', '../etc'], ['WEB'], [null], 7, { toString: 1 }]) {
    assert.deepEqual(grantsOf(own, { scope, services }), [], JSON.stringify(services));
  }
});
