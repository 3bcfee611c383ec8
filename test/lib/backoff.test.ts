import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../src/lib/backoff.ts';

const times = { first: 500, longest: 10_000 };

test('each failure in a row waits longer, up to a bound, and a success begins anew', () => {
  const backoff = new Backoff(times, () => 1);
  const waits = Array.from({ length: 7 }, () => backoff.failed(null));
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  assert.equal(backoff.failures, 7);
  backoff.succeeded();
  assert.equal(backoff.failed(null), 500);
});

test('those who failed together come back at different times, none sooner than after half of it', () => {
  assert.equal(new Backoff(times, () => 0).failed(null), 250);
  assert.equal(new Backoff(times, () => 0.5).failed(null), 375);
});

test('what a receiver asks for counts, but not for longer than five minutes', () => {
  const backoff = new Backoff(times, () => 1);
  assert.equal(backoff.failed(60_000), 60_000);
  assert.equal(backoff.failed(86_400_000), 300_000);
  assert.equal(backoff.failed(0), 2_000);
});

test('thousands of failures overflow nothing', () => {
  const backoff = new Backoff(times, () => 1);
  for (let count = 0; count < 5_000; count++) backoff.failed(null);
  assert.equal(backoff.failed(null), 10_000);
});
