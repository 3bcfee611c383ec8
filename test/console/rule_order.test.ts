import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { foretold, newOrder } from '../../src/console/pages/routing/rule_order.ts';
import { match } from '../../src/contract/rules.ts';
import { inOrder } from '../../src/routing/rule_order.ts';

interface Given {
  readonly id: string;
  readonly priority: number;
  readonly match: ReturnType<typeof match.parse>;
  readonly isOwn: boolean;
}

const given = fc.record({
  priority: fc.integer({ min: -30, max: 30 }),
  hosts: fc.constantFrom([], ['example.org'], ['*.example.org']),
  path_prefix: fc.constantFrom(null, '/', '/api', '/api/users'),
  isOwn: fc.boolean(),
});

const ruleSets = fc.array(given, { minLength: 1, maxLength: 12 }).map((all) =>
  inOrder(
    all.map(({ priority, hosts, path_prefix, isOwn }, index): Given => {
      const id = `r${String.fromCharCode(97 + index)}`;
      return { id, priority, match: match.parse({ hosts, path_prefix }), isOwn };
    }),
  ),
);

const orders = ruleSets.chain((rules) => {
  const own = rules.filter(({ isOwn }) => isOwn);
  return fc.record({
    rules: fc.constant(rules),
    wanted: fc.shuffledSubarray(own, { minLength: own.length, maxLength: own.length }),
  });
});

/** What the agent makes of `PUT /rules/order`. */
function afterOrder(rules: readonly Given[], ids: readonly string[]): Given[] {
  const least = Math.min(...ids.map((id) => rules.find((rule) => rule.id === id)?.priority ?? Number.NaN));
  return inOrder(
    rules.map((rule) => {
      const place = ids.indexOf(rule.id);
      return place === -1 ? rule : { ...rule, priority: least + (ids.length - 1 - place) * 10 };
    }),
  );
}

const idsOf = (rules: readonly Given[]) => rules.map(({ id }) => id);
const ownOf = (rules: readonly Given[]) => rules.filter(({ isOwn }) => isOwn);

test('whatever order is wanted, the rules that are put in order bring all into it', () => {
  fc.assert(
    fc.property(orders, ({ rules, wanted }) => {
      const order = newOrder(ownOf(rules), idsOf(wanted));
      const after = order === null ? rules : afterOrder(rules, order.ids);
      assert.deepEqual(idsOf(ownOf(after)), idsOf(wanted));
      for (const { id, priority } of after)
        assert.equal(order?.priorities.get(id) ?? priority, priority, `the priority of ${id} is foretold`);
    }),
    { numRuns: 3_000 },
  );
});

test('what is shown before it is saved has each rule, and those of other priorities where they will be', () => {
  fc.assert(
    fc.property(orders, ({ rules, wanted }) => {
      const order = newOrder(ownOf(rules), idsOf(wanted));
      if (order === null) return;
      const shown = foretold(rules, wanted, order);
      assert.deepEqual(idsOf(shown).sort(), idsOf(rules).sort());
      assert.deepEqual(idsOf(ownOf(shown)), idsOf(wanted));
      assert.deepEqual(
        idsOf(shown.filter(({ isOwn }) => !isOwn)),
        idsOf(rules.filter(({ isOwn }) => !isOwn)),
      );
      const priorities = shown.map(({ id, priority }) => order.priorities.get(id) ?? priority);
      assert.deepEqual(
        priorities,
        priorities.toSorted((a, b) => b - a),
      );
    }),
    { numRuns: 3_000 },
  );
});

test('only those that have to get another priority are put in order', () => {
  const rules = [100, 50, 0, 0].map((priority, index) => ({ id: `abcd`.charAt(index), priority }));
  assert.equal(newOrder(rules, ['a', 'b', 'c', 'd']), null);
  assert.deepEqual(newOrder(rules, ['a', 'b', 'd', 'c'])?.ids, ['d', 'c']);
  assert.deepEqual(newOrder(rules, ['b', 'a', 'c', 'd'])?.ids, ['b', 'a']);
  assert.deepEqual(
    [...(newOrder(rules, ['a', 'd', 'b', 'c'])?.priorities ?? [])],
    [
      ['d', 20],
      ['b', 10],
      ['c', 0],
    ],
  );
});
