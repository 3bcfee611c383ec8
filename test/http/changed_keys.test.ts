import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChangedKeys } from '../../src/http/changed_keys.ts';

const interval = 250;

test('a first change is told within 50 ms, and later ones not more often than the interval', () => {
  const keys = new ChangedKeys(interval);
  assert.equal(keys.nextDue, Number.POSITIVE_INFINITY);
  keys.note('a', 1_000);
  assert.ok(keys.nextDue > 1_000 && keys.nextDue <= 1_050);
  assert.deepEqual(keys.take(1_000), []);
  assert.deepEqual(keys.take(1_050), ['a']);
  assert.deepEqual(keys.take(2_000), []);
  keys.note('a', 2_000);
  assert.deepEqual(keys.take(2_050), ['a']);
  keys.note('a', 2_060);
  assert.equal(keys.nextDue, 2_050 + interval);
  keys.note('b', 2_060);
  assert.deepEqual(keys.take(2_110), ['b']);
  assert.deepEqual(keys.take(2_050 + interval), ['a']);
});

test('whatever changes when: each change is followed by a taking, and two takings are never nearer than the interval', () => {
  const step = fc.record({ wait: fc.nat(200), key: fc.constantFrom('a', 'b', 'c'), takes: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const keys = new ChangedKeys(interval);
      const [changed, taken] = [new Map<string, number>(), new Map<string, number>()];
      let now = 0;
      const take = () => {
        for (const key of keys.take(now)) {
          assert.ok(now - (taken.get(key) ?? Number.NEGATIVE_INFINITY) >= interval);
          taken.set(key, now);
          changed.delete(key);
        }
      };
      for (const { wait, key, takes } of steps) {
        now += wait;
        if (takes) take();
        keys.note(key, now);
        changed.set(key, now);
      }
      now += interval + 50;
      take();
      assert.equal(changed.size, 0);
      assert.equal(keys.nextDue, Number.POSITIVE_INFINITY);
    }),
  );
});

test('who takes nothing keeps no more than so many names, and learns that some were forgotten', () => {
  const keys = new ChangedKeys(interval);
  const noted = Array.from({ length: 10_001 }, (_, n) => keys.note(`${n}`, 0));
  assert.deepEqual([noted.indexOf(false), noted.lastIndexOf(true)], [10_000, 9_999]);
  assert.deepEqual(keys.take(1_000), []);
});
