import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { TableRule } from '../../src/contract/routing_table.ts';
import type { RuleMatch } from '../../src/contract/rules.ts';
import { misfit, RuleSet } from '../../src/routing/rule_set.ts';
import { factsOf, matchOf } from './requests.ts';

const rule = (id: string, match: Partial<RuleMatch> = {}): TableRule => ({
  id,
  match: matchOf(match),
  action: { type: 'route', service: 'web', rewrite_prefix: null },
});

test('the first rule that fits decides', () => {
  const set = RuleSet.compile([
    rule('post', { methods: ['POST'] }),
    rule('api', { path_prefix: '/api' }),
    rule('all'),
  ]);
  assert.equal(set.find(factsOf({ method: 'POST', path: '/api' }))?.id, 'post');
  assert.equal(set.find(factsOf({ path: '/api' }))?.id, 'api');
  assert.equal(set.find(factsOf({ path: '/apis' }))?.id, 'all');
});

test('no rule fits a path that is to be refused, nor anything when there are none', () => {
  assert.equal(RuleSet.compile([rule('all')]).find(factsOf({ path: '/..' })), null);
  assert.equal(RuleSet.compile([]).find(factsOf()), null);
});

test('a rule that keeps clients from a path cannot be got around by another spelling', () => {
  const set = RuleSet.compile([rule('deny', { path_prefix: '/admin' }), rule('all')]);
  const spellings = [
    '/admin',
    '/x/../admin',
    '/%61dmin',
    '//admin',
    '/./admin',
    '/admin;x',
    '/admin//',
    '/admin/x',
    '/x/%2e%2e/admin',
  ];
  for (const path of spellings) assert.equal(set.find(factsOf({ path }))?.id, 'deny', path);
  for (const path of [
    '/..%2fadmin',
    '/x/..;/admin',
    '/x\\..\\admin',
    '/%2e%2e/admin',
    '/admin%00',
    '/admin#',
  ])
    assert.equal(set.find(factsOf({ path })), null, path);
});

const anyHost = fc.constantFrom('a.org', 'b.a.org', 'c.b.a.org', 'x.org', '', 'org', '.org', '[::1]');
const anyPattern = fc.constantFrom('a.org', '*.a.org', '*.b.a.org', '*.org', '*', 'x.org', '[::1]', 'org');
const anyPath = fc.constantFrom(
  '/',
  '/api',
  '/api/',
  '/api/users',
  '/apis',
  '/%61pi',
  '//api',
  '/x/../api',
  '/web/a;b',
);
const anyRule = fc
  .record({
    hosts: fc.array(anyPattern, { maxLength: 3 }),
    path: fc.constantFrom(
      {},
      { path: '/api' },
      { path: '/' },
      { path: '/a%2Fb' },
      { path_prefix: '/api' },
      { path_prefix: '/' },
      { path_prefix: '/api/users' },
      { path_regex: 's$' },
    ),
    methods: fc.constantFrom([], ['POST']),
  })
  .map(({ hosts, path, methods }): Partial<RuleMatch> => ({ hosts, methods: [...methods], ...path }));

test('looking up by host and path finds what looking at every rule finds', () => {
  fc.assert(
    fc.property(
      fc.array(anyRule, { maxLength: 12 }),
      fc.array(fc.tuple(anyHost, anyPath), { minLength: 1, maxLength: 8 }),
      (matches, requests) => {
        const set = RuleSet.compile(matches.map((match, index) => rule(`r${index}`, match)));
        for (const [host, path] of requests) {
          const facts = factsOf({ host, path });
          const first = set.rules.find((each) => misfit(each, facts) === null) ?? null;
          assert.equal(set.find(facts)?.id, first?.id);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

test('what has not changed is not compiled again, and all of it stays when nothing has', () => {
  const before = RuleSet.compile([rule('a', { path_regex: 'x' }), rule('b')]);
  assert.equal(RuleSet.compile([rule('a', { path_regex: 'x' }), rule('b')], before), before);
  const after = RuleSet.compile([rule('b'), rule('c'), rule('a', { path_regex: 'y' })], before);
  assert.equal(after.rules[0], before.rules[1]);
  assert.equal(after.find(factsOf({ path: '/' }))?.id, 'b');
  assert.notEqual(RuleSet.compile([rule('b'), rule('a', { path_regex: 'x' })], before), before);
});

test('a rule that cannot be understood is refused by its name', () => {
  assert.throws(
    () => RuleSet.compile([rule('fine'), rule('bad', { path_regex: '(' })]),
    /^Error: rule bad: path_regex is not/,
  );
});

test('a host of thousands of dots costs little, and a rule for what it ends in still fits', () => {
  const set = RuleSet.compile([rule('deny', { hosts: ['*.a.org'] }), rule('all')]);
  const host = `${'.'.repeat(1_000_000)}a.org`;
  assert.equal(set.find(factsOf({ host }))?.id, 'deny');
  assert.equal(set.find(factsOf({ host: `x${host}` }))?.id, 'deny');
  assert.equal(set.find(factsOf({ host: `${host}.` }))?.id, 'all');
});

test('hosts and paths that no rule names do not make it grow', () => {
  const set = RuleSet.compile([rule('a', { hosts: ['a.org'], path_prefix: '/a' }), rule('all')]);
  const lists = new Set<unknown>();
  for (let number = 0; number < 100; number++)
    lists.add(set.find(factsOf({ host: `${number}.example`, path: `/${number}` })));
  assert.deepEqual(
    [...lists].map((each) => (each as { id: string }).id),
    ['all'],
  );
});
