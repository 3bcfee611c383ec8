import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashText } from '../../src/routing/hash.ts';
import { byWeight, placeOf } from '../../src/routing/split.ts';
import { randomFrom } from './requests.ts';

const parts = (...weights: number[]) => weights.map((weight, index) => ({ name: index, weight }));

test('each part has its share of where the choice may fall, and one without a weight has none', () => {
  assert.equal(byWeight(parts(1, 3), 0)?.name, 0);
  assert.equal(byWeight(parts(1, 3), 0.2499)?.name, 0);
  assert.equal(byWeight(parts(1, 3), 0.25)?.name, 1);
  assert.equal(byWeight(parts(1, 3), 0.9999)?.name, 1);
  assert.equal(byWeight(parts(0, 3, 0), 0)?.name, 1);
  assert.equal(byWeight(parts(0, 3, 0), 0.9999)?.name, 1);
});

test('nothing is chosen where nothing has a weight', () => {
  assert.equal(byWeight([], 0.5), null);
  assert.equal(byWeight(parts(0, 0), 0.5), null);
});

test('something with a weight is always chosen', () => {
  const anyWeights = fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(anyWeights, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (weights, at) => {
      const chosen = byWeight(parts(...weights), at);
      if (weights.every((weight) => weight === 0)) assert.equal(chosen, null);
      else assert.ok(chosen !== null && chosen.weight > 0);
    }),
  );
});

test('by lot and by hash, the parts are as large as their weights', () => {
  const random = randomFrom(3);
  const places: ((turn: number) => number)[] = [
    () => random(),
    (turn) => placeOf(hashText(`10.0.${turn}.1`)),
  ];
  for (const place of places) {
    const counts = [0, 0, 0];
    for (let turn = 0; turn < 10_000; turn++) {
      const chosen = byWeight(parts(1, 9, 10), place(turn));
      if (chosen !== null) counts[chosen.name] = (counts[chosen.name] ?? 0) + 1;
    }
    assert.ok((counts[0] ?? 0) > 400 && (counts[0] ?? 0) < 600, `${counts}`);
    assert.ok((counts[2] ?? 0) > 4_800 && (counts[2] ?? 0) < 5_200, `${counts}`);
  }
});

test('when a canary grows, nobody who had it goes back', () => {
  const isNew = (weight: number, key: number) =>
    byWeight(parts(weight, 100 - weight), placeOf(key))?.name === 0;
  for (let client = 0; client < 1_000; client++) {
    const key = hashText(`client ${client}`);
    const steps = [1, 10, 25, 50, 100].map((weight) => isNew(weight, key));
    assert.deepEqual(
      steps,
      steps.toSorted((one, other) => Number(one) - Number(other)),
    );
  }
});
