import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { testRule as schema } from '../../src/contract/rule_requests.ts';
import { type NewRule, newRule } from '../../src/contract/rules.ts';
import { migrations } from '../../src/services/schema.ts';
import { requireRule } from '../../src/traffic/rule_check.ts';
import { RuleStore } from '../../src/traffic/rule_store.ts';
import { routedRequest, testRule } from '../../src/traffic/rule_test.ts';
import { World } from './world.ts';

function ruleOf(id: string, more: object = {}): NewRule {
  return newRule.parse({ id, action: { type: 'route', service: 'web' }, ...more });
}

function storeIn(database: DatabaseSync, problems: string[] = []): RuleStore {
  return new RuleStore({ database, onCommit: () => {}, onProblem: (problem) => problems.push(problem) });
}

function newDatabase(): DatabaseSync {
  const database = new DatabaseSync(':memory:');
  for (const migration of migrations) database.exec(migration);
  return database;
}

test('rules outlive the agent', () => {
  const database = newDatabase();
  const store = storeIn(database);
  store.create(ruleOf('one', { match: { hosts: ['a.test'] }, priority: 7 }));
  store.create(ruleOf('two'));
  store.replace(ruleOf('two', { enabled: false }));
  store.create(ruleOf('three'));
  store.remove('three');
  assert.deepEqual(storeIn(database).all(), store.all());
  assert.deepEqual(
    store.all().map(({ id, enabled }) => [id, enabled]),
    [
      ['one', true],
      ['two', false],
    ],
  );
});

test('what is not there or there already is said by its code', () => {
  const store = storeIn(newDatabase());
  store.create(ruleOf('shop'));
  assert.throws(() => store.create(ruleOf('shop')), { code: 'rule_exists' });
  assert.throws(() => store.get('shp'), { code: 'rule_not_found', message: /did you mean "shop"/ });
  assert.throws(() => store.remove('x'), { code: 'rule_not_found' });
  assert.throws(() => store.replace(ruleOf('x')), { code: 'rule_not_found' });
  assert.throws(() => store.order(['shop', 'x']), { code: 'rule_not_found' });
});

test('rules that are put in order get priorities that leave room between them', () => {
  const store = storeIn(newDatabase());
  store.create(ruleOf('one', { priority: 5 }));
  store.create(ruleOf('two', { priority: -3 }));
  store.create(ruleOf('three'));
  store.create(ruleOf('other', { priority: 1 }));
  store.order(['two', 'three', 'one']);
  assert.deepEqual(
    store.all().map(({ id, priority }) => [id, priority]),
    [
      ['one', -3],
      ['two', 17],
      ['three', 7],
      ['other', 1],
    ],
  );
});

test('an order beyond the highest priority is refused as a whole', () => {
  const store = storeIn(newDatabase());
  store.create(ruleOf('one', { priority: 1_000_000 }));
  store.create(ruleOf('two', { priority: 999_995 }));
  assert.throws(() => store.order(['two', 'one']), { code: 'invalid_request' });
  assert.equal(store.get('one').priority, 1_000_000);
});

test('a change that cannot be written is not made', () => {
  const database = newDatabase();
  const store = storeIn(database);
  database.exec('PRAGMA query_only = ON');
  assert.throws(() => store.create(ruleOf('one')), { code: 'storage_unavailable' });
  assert.deepEqual(store.all(), []);
});

test('a record that is no rule keeps no agent from starting', () => {
  const database = newDatabase();
  storeIn(database).create(ruleOf('one'));
  database.prepare("INSERT INTO rules VALUES ('bad', '{}')").run();
  const problems: string[] = [];
  assert.equal(storeIn(database, problems).all().length, 1);
  assert.equal(problems.length, 1);
});

for (const [what, match] of Object.entries({
  'an expression that is none': { path_regex: '(' },
  'an expression for a header that is none': { headers: { 'x-a': { regex: '[' } } },
  'a network that is none': { networks: ['300.0.0.0/8'] },
}))
  test(`${what} is refused, with its place`, () => {
    assert.throws(
      () => requireRule(ruleOf('x', { match })),
      (error: { code: string; details: { path: string }[] }) => {
        assert.equal(error.code, 'invalid_request');
        assert.match(error.details[0]?.path ?? '', /^match\./);
        return true;
      },
    );
  });

test('a redirect with a placeholder that there is not is refused', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is one of davit
  const action = { type: 'redirect', to: 'https://example.org/${NOTHING}' };
  assert.throws(() => requireRule(ruleOf('x', { action })), { code: 'invalid_request' });
});

test('a request to be tried is read as a router would read it', () => {
  const read = (given: object) => {
    const { header: _, ...request } = routedRequest(schema.parse(given));
    return request;
  };
  assert.deepEqual(read({ url: 'https://Shop.Example.org.:8443/a/../b%2f?x=1#top' }), {
    method: 'GET',
    host: 'shop.example.org',
    path: '/a/../b%2f',
    query: 'x=1',
    client: '127.0.0.1',
    is_tls: true,
  });
  assert.equal(read({ url: '/cart', headers: { Host: 'shop.test' } }).host, 'shop.test');
  assert.equal(read({ url: 'http://[2001:db8::1]:80/' }).host, '[2001:db8::1]');
  assert.equal(read({ url: 'http://a.test', client: '::ffff:10.0.0.1' }).client, '10.0.0.1');
  assert.equal(read({ url: 'http://a.test/käse und brot' }).path, '/k%C3%A4se%20und%20brot');
  assert.throws(() => read({ url: '/cart' }), { code: 'invalid_request' });
  assert.throws(() => read({ url: 'ftp://a.test/' }), { code: 'invalid_request' });
  assert.throws(() => read({ url: 'http://name:secret@a.test/' }), { code: 'invalid_request' });
});

test('a request is tried by the table of now', () => {
  using world = new World();
  world.add('web', { routes: [{ hosts: ['web.test'] }], instances: 2 });
  const { publisher, facts } = world.traffic;
  const found = testRule(publisher, facts, schema.parse({ url: 'http://web.test/x' }));
  assert.deepEqual([found.rule, found.service, found.path], ['web/1', 'web', '/x']);
  assert.equal(testRule(publisher, facts, schema.parse({ url: 'http://other.test/' })).kind, 'nowhere');
  world.settings = null;
  assert.throws(() => testRule(publisher, facts, schema.parse({ url: 'http://web.test/' })), {
    code: 'router_unavailable',
  });
});
