import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RuleMatch } from '../../src/contract/rules.ts';
import { inOrder } from '../../src/routing/rule_order.ts';
import { matchOf } from './requests.ts';

const rule = (id: string, match: Partial<RuleMatch> = {}, priority = 0) => ({
  id,
  priority,
  match: matchOf(match),
});

/** Each comes before the next one. */
const chain = [
  rule('priority', {}, 1),
  rule('exact host, exact path', { hosts: ['a.example.org'], path: '/' }),
  rule('exact host, long prefix', { hosts: ['a.example.org'], path_prefix: '/api/users' }),
  rule('exact host, short prefix', { hosts: ['a.example.org'], path_prefix: '/api' }),
  rule('exact host, expression', { hosts: ['a.example.org'], path_regex: '^/a/very/long/expression' }),
  rule('exact host', { hosts: ['a.example.org'] }),
  rule('long wildcard', { hosts: ['*.a.example.org'], path_prefix: '/' }),
  rule('short wildcard, exact path', { hosts: ['*.example.org'], path: '/x' }),
  rule('short wildcard', { hosts: ['*.example.org'] }),
  rule('no host, exact path, two conditions', { path: '/x', methods: ['GET'], headers: { a: '1' } }),
  rule('no host, exact path, one condition', { path: '/x', tags: ['gpu'] }),
  rule('no host, exact path', { path: '/x' }),
  rule('a: nothing but its id'),
  rule('b: any host by name', { hosts: ['*'] }),
  rule('c: the widest of its hosts counts', { hosts: ['a.example.org', '*'] }),
  rule('low priority', { hosts: ['a.example.org'], path: '/' }, -1),
];

test('the higher priority comes first, then what says more of the host, the path and the rest, then the id', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(chain, { minLength: chain.length }), (shuffled) => {
      assert.deepEqual(
        inOrder(shuffled).map(({ id }) => id),
        chain.map(({ id }) => id),
      );
    }),
  );
});

test('each further condition counts', () => {
  const conditions: Partial<RuleMatch>[] = [
    { methods: ['GET', 'PUT'] },
    { headers: { a: '1' } },
    { query: { a: '1' } },
    { cookies: { a: '1' } },
    { networks: ['10.0.0.0/8', '11.0.0.0/8'] },
    { tags: ['a'] },
  ];
  for (const condition of conditions) {
    const [first] = inOrder([rule('a'), rule('b', condition)]);
    assert.equal(first?.id, 'b', JSON.stringify(condition));
  }
});

test('the order of what is given does not matter, and nothing is lost', () => {
  const anyRule = fc.record({
    id: fc.string({ minLength: 1, maxLength: 3 }),
    priority: fc.integer({ min: -1, max: 1 }),
    match: fc.constantFrom(...chain).map(({ match }) => match),
  });
  const rules = fc.uniqueArray(anyRule, { selector: ({ id }) => id, maxLength: 20 });
  fc.assert(
    fc.property(rules, (all) => {
      const once = inOrder(all);
      assert.deepEqual(inOrder([...all].reverse()), once);
      assert.equal(new Set(once).size, all.length);
    }),
  );
});
