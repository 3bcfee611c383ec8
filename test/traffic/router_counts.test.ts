import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouterCounts } from '../../src/traffic/router_counts.ts';

const told = (connections: number, connections_total: number, unroutable = 0, refused = 0) => ({
  connections,
  connections_total,
  unroutable,
  refused,
});

test('what routers tell since they began adds up, each time only by what has come', () => {
  const counts = new RouterCounts();
  counts.take('a', 1, told(2, 10, 1));
  counts.take('a', 1, told(3, 12, 1, 4));
  assert.deepEqual(counts.all().get(1), told(3, 12, 1, 4));
});

test('nothing falls when a router is replaced, or comes back, but what is open', () => {
  const counts = new RouterCounts();
  counts.take('a', 1, told(2, 10));
  counts.gone('a');
  assert.deepEqual(counts.all().get(1), told(0, 10));
  counts.take('b', 1, told(1, 1));
  assert.deepEqual(counts.all().get(1), told(1, 11));
  counts.take('a', 1, told(1, 13));
  assert.deepEqual(counts.all().get(1), told(2, 14));
});

test('two routers of two places are told apart, and one that is no instance too', () => {
  const counts = new RouterCounts();
  counts.take('a', 1, told(1, 1));
  counts.take('b', 2, told(2, 2));
  counts.take('c', null, told(3, 3));
  assert.deepEqual(
    [...counts.all()],
    [
      [1, told(1, 1)],
      [2, told(2, 2)],
      [null, told(3, 3)],
    ],
  );
});

test('of very many routers that are gone the sums stay, and no more', () => {
  const counts = new RouterCounts();
  for (let router = 0; router < 1_000; router++) {
    counts.take(String(router), 1, told(1, 1));
    counts.gone(String(router));
  }
  assert.deepEqual([...counts.all()], [[1, told(0, 1_000)]]);
});
