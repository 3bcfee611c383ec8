import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findCycle, type Graph, levels } from '../../src/supervision/dependency_order.ts';

const graphOf = (needs: Record<string, readonly string[]>): Graph => new Map(Object.entries(needs));

test('a service comes in the first round in which all that it needs is there', () => {
  const stack = graphOf({ worker: ['api', 'cache'], api: ['db'], db: [], cache: [], page: ['worker'] });
  assert.deepEqual(levels(stack), [['cache', 'db'], ['api'], ['worker'], ['page']]);
});

test('nothing to order gives no rounds, and no cycle', () => {
  assert.deepEqual(levels(new Map()), []);
  assert.equal(findCycle(new Map()), null);
});

test('what is needed from outside the graph does not hold anything up', () => {
  const graph = graphOf({ api: ['elsewhere'] });
  assert.deepEqual(levels(graph), [['api']]);
  assert.equal(findCycle(graph), null);
});

test('a name that is needed twice over two ways is no cycle', () => {
  assert.equal(findCycle(graphOf({ a: ['b', 'c'], b: ['d'], c: ['d'], d: [] })), null);
});

test('a cycle is named from its first name back to it, without what only leads into it', () => {
  assert.deepEqual(findCycle(graphOf({ api: ['db'], db: ['api'] })), ['api', 'db', 'api']);
  assert.deepEqual(findCycle(graphOf({ a: ['x'], x: ['y'], y: ['z'], z: ['x'] })), ['x', 'y', 'z', 'x']);
});

test('a service that needs itself is a cycle', () => {
  assert.deepEqual(findCycle(graphOf({ api: ['api'] })), ['api', 'api']);
});

test('to order what has a cycle fails with the cycle', () => {
  assert.throws(() => levels(graphOf({ api: ['db'], db: ['api'], web: [] })), /api → db → api/);
});

test('a chain of twenty thousand is walked without running out of stack', () => {
  const count = 20_000;
  const chain: Graph = new Map(
    Array.from({ length: count }, (_, index) => [`s${index}`, index === 0 ? [] : [`s${index - 1}`]]),
  );
  assert.equal(findCycle(chain), null);
  assert.equal(findCycle(new Map([...chain, ['s0', [`s${count - 1}`]]]))?.length, count + 1);
});

test('every graph of three names has either an order or a cycle, and both are right', () => {
  const names = ['a', 'b', 'c'] as const;
  const pairs = names.flatMap((from) => names.map((to) => [from, to] as const));
  for (let bits = 0; bits < 2 ** pairs.length; bits++) {
    const needs = pairs.filter((_, index) => bits & (1 << index));
    const graph: Graph = new Map(
      names.map((name) => [name, needs.filter(([from]) => from === name).map(([, to]) => to)]),
    );
    check(graph);
    assert.equal(findCycle(graph) !== null, hasCycle(graph), JSON.stringify([...graph]));
  }
});

const name = fc.constantFrom(...'abcdefghij');
const anyGraph = fc
  .uniqueArray(fc.tuple(name, fc.uniqueArray(name, { maxLength: 3 })), { selector: ([key]) => key })
  .map((entries): Graph => new Map(entries));

test('any graph has either an order or a cycle, and both are right', () => {
  fc.assert(fc.property(anyGraph, check));
});

test('the answer does not depend on the order in which the graph was made', () => {
  fc.assert(
    fc.property(anyGraph, (graph) => {
      const turned: Graph = new Map([...graph].reverse().map(([key, needs]) => [key, needs.toReversed()]));
      assert.deepEqual(findCycle(turned), findCycle(graph));
      if (findCycle(graph) === null) assert.deepEqual(levels(turned), levels(graph));
    }),
  );
});

/** Asserts that there is exactly one of both, and that it is what it says. */
function check(graph: Graph): void {
  const cycle = findCycle(graph);
  if (cycle !== null) {
    assert.ok(cycle.length >= 2);
    assert.equal(cycle[0], cycle.at(-1));
    assert.equal(new Set(cycle).size, cycle.length - 1, 'no name but the first comes twice');
    for (const [index, from] of cycle.slice(0, -1).entries())
      assert.ok(graph.get(from)?.includes(cycle[index + 1] ?? ''), `${from} needs ${cycle[index + 1]}`);
    assert.throws(() => levels(graph));
    return;
  }
  const rounds = levels(graph);
  assert.deepEqual(rounds.flat().toSorted(), [...graph.keys()].toSorted());
  const roundOf = new Map(rounds.flatMap((round, index) => round.map((each) => [each, index] as const)));
  for (const [each, needs] of graph) {
    const needed = needs.flatMap((other) => roundOf.get(other) ?? []);
    assert.equal(roundOf.get(each), Math.max(-1, ...needed) + 1, `${each} stands in the first round it can`);
  }
}

/** Found in another way: by taking off, again and again, what needs nothing that is left. */
function hasCycle(graph: Graph): boolean {
  const left = new Map(graph);
  let before: number;
  do {
    before = left.size;
    for (const [each, needs] of left) if (!needs.some((other) => left.has(other))) left.delete(each);
  } while (left.size < before);
  return left.size > 0;
}
