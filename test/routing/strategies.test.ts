import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { strategyNames } from '../../src/contract/balancing.ts';
import { consistentHash } from '../../src/routing/strategies/consistent_hash.ts';
import { leastConnections } from '../../src/routing/strategies/least_connections.ts';
import { randomOfTwo } from '../../src/routing/strategies/random_of_two.ts';
import { roundRobin } from '../../src/routing/strategies/round_robin.ts';
import {
  type Candidate,
  newState,
  type Strategy,
  type StrategyState,
} from '../../src/routing/strategies/strategy.ts';
import { strategies } from '../../src/routing/strategies/table.ts';
import { tagMatch } from '../../src/routing/strategies/tag_match.ts';
import { weightedRoundRobin } from '../../src/routing/strategies/weighted_round_robin.ts';
import { candidate, factsOf, pool, type RequestParts, randomFrom } from './requests.ts';

const settings: StrategyState['settings'] = { hash_by: { source: 'address', name: null }, load_factor: 1.25 };
const state = (seed = 1, own = settings) => newState(own, randomFrom(seed));

/** The numbers of those that are chosen one after the other. */
function turns(
  strategy: Strategy,
  from: readonly Candidate[],
  count: number,
  own = state(),
): (number | null)[] {
  return Array.from({ length: count }, () => strategy.choose(from, factsOf(), own)?.number ?? null);
}

function tally(numbers: readonly (number | null)[]): Map<number | null, number> {
  const counts = new Map<number | null, number>();
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1);
  return counts;
}

const anyPool = fc
  .uniqueArray(
    fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 20 }), fc.constantFrom(0.1, 0.5, 1)),
    {
      minLength: 1,
      maxLength: 12,
      selector: ([number]) => number,
    },
  )
  .map((all) =>
    all
      .map(([number, open, weight]) => candidate(number, { open, weight }))
      .sort((one, other) => one.number - other.number),
  );
const anySeed = fc.nat(1_000_000);

for (const name of strategyNames) {
  const strategy = strategies[name];

  test(`${name} chooses none of none`, () => {
    assert.equal(strategy.choose([], factsOf(), state()), null);
  });

  test(`${name} chooses the only one there is`, () => {
    const [only] = pool(1);
    for (let turn = 0; turn < 5; turn++)
      assert.equal(strategy.choose(pool(1), factsOf(), state(turn))?.id, only?.id);
  });

  test(`${name} chooses one of the pool, and changes nothing of it`, () => {
    fc.assert(
      fc.property(anyPool, anySeed, (from, seed) => {
        const before = structuredClone(from);
        const own = state(seed);
        for (let turn = 0; turn < 5; turn++) {
          const chosen = strategy.choose(from, factsOf({ client: `10.0.0.${turn}` }), own);
          assert.ok(chosen !== null && from.includes(chosen as (typeof from)[number]));
        }
        assert.deepEqual(from, before);
      }),
    );
  });

  test(`${name} chooses the same when all it is given is the same`, () => {
    fc.assert(
      fc.property(anyPool, anySeed, (from, seed) => {
        assert.deepEqual(turns(strategy, from, 10, state(seed)), turns(strategy, from, 10, state(seed)));
      }),
    );
  });

  test(`${name} lets nobody wait for ever while clients are many and loads are real`, () => {
    const from = pool(5);
    const own = state(7);
    const served = new Set<number>();
    for (let turn = 0; turn < 500; turn++) {
      const chosen = strategy.choose(from, factsOf({ client: `10.0.${turn}.1` }), own);
      served.add(chosen?.number ?? 0);
      if (chosen !== null) chosen.open++;
    }
    assert.deepEqual([...served].sort(), [1, 2, 3, 4, 5]);
  });

  test(`${name} says why, for people`, () => {
    const [one = null] = pool(1);
    assert.match(strategy.reason(one, 'instance 1', factsOf(), settings), /instance 1/);
  });
}

test('round robin gives one after the other its turn', () => {
  assert.deepEqual(turns(roundRobin, pool(3), 7), [1, 2, 3, 1, 2, 3, 1]);
});

test('round robin gives each as many as any other, whatever the pool is', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 5 }), (size, rounds) => {
      const counts = tally(turns(roundRobin, pool(size), size * rounds));
      assert.deepEqual([...counts.values()], Array(size).fill(rounds));
    }),
  );
});

test('round robin goes on behind the last one when instances come and go', () => {
  const [one, two, three, four] = pool(4) as [Candidate, Candidate, Candidate, Candidate];
  const own = state();
  const next = (from: Candidate[]) => roundRobin.choose(from, factsOf(), own)?.number;
  assert.equal(next([one, two, three]), 1);
  assert.equal(next([one, three]), 3);
  assert.equal(next([one, two, three, four]), 4);
  assert.equal(next([two, three]), 2);
  assert.equal(next([one, two]), 1);
  assert.equal(roundRobin.choose([], factsOf(), own), null);
  assert.equal(next([one, two]), 2);
});

test('round robin passes one over that starts slowly as often as its share is below the full one', () => {
  const from = [candidate(1), candidate(2, { weight: 0.25 }), candidate(3)];
  const counts = tally(turns(roundRobin, from, 9_000));
  const share = (counts.get(2) ?? 0) / ((counts.get(1) ?? 0) + (counts.get(3) ?? 0));
  assert.ok(share > 0.1 && share < 0.15, `${share}`);
});

test('round robin serves also when all start slowly', () => {
  assert.ok(!turns(roundRobin, pool(3, { weight: 0.1 }), 100).includes(null));
});

test('instances of one number take turns, too', () => {
  const from = [candidate(1, { id: 'a' }), candidate(1, { id: 'b' })];
  const own = state();
  const ids = Array.from({ length: 4 }, () => roundRobin.choose(from, factsOf(), own)?.id);
  assert.deepEqual(ids, ['a', 'b', 'a', 'b']);
});

test('weighted round robin is as smooth as that of nginx', () => {
  const from = [candidate(1, { weight: 5 }), candidate(2), candidate(3)];
  assert.deepEqual(turns(weightedRoundRobin, from, 14), [1, 1, 2, 1, 3, 1, 1, 1, 1, 2, 1, 3, 1, 1]);
});

test('weighted round robin gives each exactly its weight in a round', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 8 }), (weights) => {
      const from = weights.map((weight, index) => candidate(index + 1, { weight }));
      const round = weights.reduce((sum, weight) => sum + weight, 0);
      const counts = tally(turns(weightedRoundRobin, from, round));
      for (const { number, weight } of from) assert.equal(counts.get(number) ?? 0, weight);
    }),
  );
});

test('weighted round robin chooses none where none has a weight', () => {
  assert.equal(weightedRoundRobin.choose(pool(3, { weight: 0 }), factsOf(), state()), null);
});

test('least connections chooses one with the fewest', () => {
  fc.assert(
    fc.property(anyPool, anySeed, (from, seed) => {
      const chosen = leastConnections.choose(from, factsOf(), state(seed));
      const least = Math.min(...from.map(({ open, weight }) => (open + 1) / weight));
      assert.ok(chosen !== null);
      assert.equal((chosen.open + 1) / chosen.weight, least);
    }),
  );
});

test('least connections takes turns among equals', () => {
  assert.deepEqual(turns(leastConnections, pool(3), 6), [1, 2, 3, 1, 2, 3]);
});

test('least connections fills instances that differ by at most one', () => {
  const from = pool(4);
  const own = state();
  for (let turn = 0; turn < 101; turn++) {
    const chosen = leastConnections.choose(from, factsOf(), own);
    if (chosen !== null) chosen.open++;
  }
  const loads = from.map(({ open }) => open);
  assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, `${loads}`);
});

test('random of two never chooses the busiest of more than two that differ', () => {
  const from = [candidate(1, { open: 3 }), candidate(2, { open: 9 }), candidate(3, { open: 0 })];
  const counts = tally(turns(randomOfTwo, from, 3_000));
  assert.equal(counts.get(2), undefined);
  // The idlest wins each pair that it is in: two of three.
  const share = (counts.get(3) ?? 0) / 3_000;
  assert.ok(share > 0.62 && share < 0.71, `${share}`);
});

test('random of two is even among equals', () => {
  const counts = tally(turns(randomOfTwo, pool(5), 10_000));
  for (const count of counts.values()) assert.ok(count > 1_800 && count < 2_200, `${count}`);
});

test('random of two chooses from both ends of what chance may be', () => {
  const highest = newState(settings, () => 1 - Number.EPSILON);
  const lowest = newState(settings, () => 0);
  for (let size = 1; size < 6; size++) {
    assert.ok(randomOfTwo.choose(pool(size), factsOf(), highest));
    assert.ok(randomOfTwo.choose(pool(size), factsOf(), lowest));
  }
});

const clients = Array.from({ length: 4_000 }, (_, index) => `10.${index >> 8}.${index & 255}.7`);
/** Where each client goes while nothing is open. */
function placesOf(from: readonly Candidate[], own = state()): (string | undefined)[] {
  return clients.map((client) => consistentHash.choose(from, factsOf({ client }), own)?.id);
}

function moved(before: readonly unknown[], after: readonly unknown[]): number {
  return before.filter((place, index) => place !== after[index]).length / before.length;
}

test('consistent hash gives every instance its share of the keys', () => {
  for (const size of [2, 3, 10]) {
    const counts = new Map<string | undefined, number>();
    for (const id of placesOf(pool(size))) counts.set(id, (counts.get(id) ?? 0) + 1);
    assert.equal(counts.size, size);
    for (const count of counts.values()) {
      const share = (count * size) / clients.length;
      assert.ok(share > 0.85 && share < 1.15, `${size}: ${share}`);
    }
  }
});

test('with consistent hash only the keys of an instance that goes move, and it gets them back', () => {
  const all = pool(8);
  const before = placesOf(all);
  const without = placesOf(all.filter(({ number }) => number !== 3));
  before.forEach((place, index) => {
    if (place !== 'i-3') assert.equal(without[index], place);
  });
  assert.deepEqual(placesOf(all), before);
});

test('with consistent hash a new instance takes only its share of the keys', () => {
  const before = placesOf(pool(9));
  const after = placesOf(pool(10));
  after.forEach((place, index) => {
    if (place !== 'i-10') assert.equal(place, before[index]);
  });
  const share = moved(before, after);
  assert.ok(share > 0.08 && share < 0.12, `${share}`);
});

test('with consistent hash the keys stay with a number through a deploy', () => {
  const numbers = (ids: (string | undefined)[]) => ids.map((id) => id?.split('-').at(-1));
  const deployed = pool(5).map((each) => ({ ...each, id: `new-${each.number}`, release: 2 }));
  assert.deepEqual(numbers(placesOf(deployed)), numbers(placesOf(pool(5))));
});

test('with consistent hash one that starts slowly takes its keys little by little', () => {
  const slow = (weight: number) => [...pool(4), candidate(5, { weight })];
  const shares = [0.1, 0.5, 1].map((weight) => placesOf(slow(weight)).filter((id) => id === 'i-5').length);
  assert.ok((shares[0] ?? 0) < (shares[1] ?? 0) && (shares[1] ?? 0) < (shares[2] ?? 0), `${shares}`);
});

test('consistent hash gives no instance more than its bound, and always finds one', () => {
  const anyLoad = fc.record({
    size: fc.integer({ min: 1, max: 12 }),
    factor: fc.double({ min: 1.05, max: 4, noNaN: true }),
    keys: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 200 }),
  });
  fc.assert(
    fc.property(anyLoad, ({ size, factor, keys }) => {
      const from = pool(size);
      const own = state(1, { ...settings, load_factor: factor });
      keys.forEach((key, open) => {
        const chosen = consistentHash.choose(from, factsOf({ client: `10.0.0.${key}` }), own);
        assert.ok(chosen !== null);
        chosen.open++;
        assert.ok(chosen.open <= Math.ceil((factor * (open + 1)) / size));
      });
    }),
  );
});

test('consistent hash finds one also when the weights differ and the loads are what they are', () => {
  fc.assert(
    fc.property(anyPool, fc.double({ min: 1.05, max: 10, noNaN: true }), (from, factor) => {
      assert.ok(consistentHash.choose(from, factsOf(), state(1, { ...settings, load_factor: factor })));
    }),
  );
});

test('consistent hash goes by what the service says', () => {
  const from = pool(50);
  const sources: [source: StrategyState['settings']['hash_by'], key: (value: string) => RequestParts][] = [
    [{ source: 'address', name: null }, (client) => ({ client })],
    [{ source: 'header', name: 'X-Key' }, (value) => ({ headers: { 'x-key': value } })],
    [{ source: 'cookie', name: 'key' }, (value) => ({ headers: { cookie: `a=b; key=${value}` } })],
    [{ source: 'query', name: 'key' }, (value) => ({ query: `key=${value}` })],
    [{ source: 'path', name: null }, (value) => ({ path: `/${value}` })],
  ];
  for (const [hash_by, request] of sources) {
    const own = state(1, { ...settings, hash_by });
    const placeOf = (value: string) => consistentHash.choose(from, factsOf(request(value)), own)?.id;
    const values = Array.from({ length: 50 }, (_, index) => `v${index}`);
    assert.deepEqual(values.map(placeOf), values.map(placeOf), hash_by.source);
    assert.ok(new Set(values.map(placeOf)).size > 20, hash_by.source);
  }
});

test('consistent hash takes other spellings of a path for the same one', () => {
  const own = state(1, { ...settings, hash_by: { source: 'path', name: null } });
  const placeOf = (path: string) => consistentHash.choose(pool(50), factsOf({ path }), own)?.id;
  assert.equal(placeOf('/a//%62'), placeOf('/a/b'));
});

test('consistent hash spreads requests that have no key one after the other', () => {
  const own = state(1, { ...settings, hash_by: { source: 'header', name: 'x-key' } });
  assert.deepEqual(turns(consistentHash, pool(3), 4, own), [1, 2, 3, 1]);
});

test('tag match gives those that have every tag of the request their turns', () => {
  const from = [
    candidate(1, { tags: new Set(['gpu', 'eu']) }),
    candidate(2, { tags: new Set(['gpu']) }),
    candidate(3, { tags: new Set(['gpu', 'eu', 'big']) }),
    candidate(4),
  ];
  const own = state();
  const ask = (tags: string) =>
    tagMatch.choose(from, factsOf({ headers: { 'x-davit-tag': tags } }), own)?.number ?? null;
  assert.deepEqual([ask('gpu,eu'), ask('eu,gpu'), ask(' EU , gpu ')], [1, 3, 1]);
  assert.deepEqual([ask('gpu'), ask('gpu'), ask('gpu')], [2, 3, 1]);
  assert.equal(ask('asia'), null);
  assert.equal(ask('gpu,asia'), null);
  assert.deepEqual([ask(''), ask(','), ask('')], [2, 3, 4]);
});
