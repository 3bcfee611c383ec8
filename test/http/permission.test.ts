import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Response } from 'express';
import { type Scope, scopes } from '../../src/contract/scalars.ts';
import { allows, allowsSome, type Grant, principalOf, refusal } from '../../src/http/permission.ts';

const holding = (...grants: Grant[]) => ({ actor: 'key:abc', name: 'test', grants, expires_at: null });
const with_ = (scope: Scope, services: readonly string[] | null = null) => holding({ scope, services });

test('a scope includes those before it and none after it', () => {
  for (const [held, scope] of scopes.entries()) {
    for (const [asked, permission] of scopes.entries()) {
      assert.equal(allows(with_(scope), permission, 'web'), held >= asked, `${scope} for ${permission}`);
    }
  }
});

test('services are matched by their whole id, never by its beginning', () => {
  const confined = with_('deploy', ['web', 'team-a-*']);
  assert.equal(allows(confined, 'deploy', 'web'), true);
  assert.equal(allows(confined, 'deploy', 'web2'), false);
  assert.equal(allows(confined, 'deploy', 'web-admin'), false);
  assert.equal(allows(confined, 'deploy', 'team-a-api'), true);
  assert.equal(allows(confined, 'deploy', 'team-ab'), false);
});

test('what concerns the whole agent is closed to a credential that is confined to services', () => {
  assert.equal(allows(with_('read'), 'read', null), true);
  for (const globs of [['web'], ['*']]) {
    assert.equal(allows(with_('admin', globs), 'read', null), false);
    assert.equal(allowsSome(with_('admin', globs), 'admin'), true);
  }
  assert.equal(allowsSome(with_('read', ['web']), 'operate'), false);
});

test('one grant does not lend its scope to the services of another', () => {
  const both = holding({ scope: 'read', services: null }, { scope: 'deploy', services: ['web'] });
  assert.equal(allows(both, 'deploy', 'web'), true);
  assert.equal(allows(both, 'deploy', 'api'), false);
  assert.equal(allows(both, 'read', 'api'), true);
  assert.equal(allows(both, 'deploy', null), false);
});

test('a refusal says what is needed and what is there', () => {
  const error = refusal(
    holding({ scope: 'read', services: null }, { scope: 'deploy', services: ['web'] }),
    'deploy',
    'api',
  );
  assert.equal(error.code, 'forbidden');
  assert.equal(
    error.message,
    'this call on "api" needs the scope deploy; key:abc has read on every service and deploy on web',
  );
});

test('a route that authentication did not reach is closed', () => {
  assert.throws(() => principalOf({ locals: {} } as Response), { code: 'unauthenticated' });
});
