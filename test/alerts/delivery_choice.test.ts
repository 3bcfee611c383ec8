import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chooseDelivery, type Waiting } from '../../src/alerts/delivery/delivery_choice.ts';

const waiting = (group: string, attempts = 0, not_before = 0): Waiting => ({ group, attempts, not_before });

test('nothing waits: there is nothing to do', () => {
  assert.equal(chooseDelivery([], 0, 0), null);
  assert.equal(chooseDelivery([], 0, 100), null);
});

test('the oldest comes first', () => {
  const entries = [waiting('a'), waiting('b')];
  assert.deepEqual(chooseDelivery(entries, 0, 0), { entry: entries[0] });
});

test('one that failed lets those of other groups go before it, and none of its own', () => {
  const entries = [waiting('a', 1), waiting('a'), waiting('b')];
  assert.deepEqual(chooseDelivery(entries, 0, 0), { entry: entries[2] });
  assert.deepEqual(chooseDelivery(entries.slice(0, 2), 0, 0), { entry: entries[0] });
});

test('a receiver that is left alone is left alone by all', () => {
  assert.deepEqual(chooseDelivery([waiting('a')], 10, 15), { wait: 5 });
  assert.deepEqual(chooseDelivery([waiting('a', 1, 40)], 10, 15), { wait: 30 });
});

test('whatever waits: what is chosen is the first of its group, it is its time, and nobody was tried less; else it is known when to look again', () => {
  const entry = fc.record({
    group: fc.constantFrom('a', 'b', 'c'),
    attempts: fc.nat(5),
    not_before: fc.nat(100),
  });
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1 }), fc.nat(100), fc.nat(100), (entries, now, paused) => {
      const heads = entries.filter(
        ({ group }, index) => entries.findIndex((each) => each.group === group) === index,
      );
      const due = heads.filter(({ not_before }) => not_before <= now);
      const choice = chooseDelivery(entries, now, paused);
      assert.ok(choice !== null);
      if ('entry' in choice) {
        assert.ok(paused <= now && due.includes(choice.entry));
        assert.equal(choice.entry.attempts, Math.min(...due.map(({ attempts }) => attempts)));
      } else {
        assert.ok(paused > now || due.length === 0);
        assert.ok(choice.wait > 0);
        // After that time there is one to try.
        assert.ok('entry' in (chooseDelivery(entries, now + choice.wait, paused) ?? {}));
      }
    }),
  );
});
