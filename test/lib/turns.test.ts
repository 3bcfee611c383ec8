import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Turns } from '../../src/lib/turns.ts';

test('only so much goes on at once, in the order in which it was asked for', async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const all = gates.map(({ promise }, n) =>
    turns.run(async () => {
      begun.push(n);
      await promise;
      return n;
    }),
  );
  await nextTurn();
  assert.deepEqual(begun, [0, 1]);
  gates[1]?.resolve();
  assert.equal(await all[1], 1);
  await nextTurn();
  assert.deepEqual(begun, [0, 1, 2]);
  for (const { resolve } of gates) resolve();
  assert.deepEqual(await Promise.all(all), [0, 1, 2, 3, 4]);
});

test('work that fails gives its error to its caller and its turn to the next', async () => {
  const turns = new Turns(1);
  const failing = turns.run(() => Promise.reject(new Error('broken')));
  const next = turns.run(async () => 'done');
  await assert.rejects(failing, /broken/);
  assert.equal(await next, 'done');
  assert.equal(await turns.run(async () => 'again'), 'again');
});
