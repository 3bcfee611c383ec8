import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TargetInstance } from '../../src/router/target.ts';
import { tableInstance, tableService, World } from './live_world.ts';

const draining = { until: 5_000, spread: 100 };

test('an instance that drains gets nothing new, and what it has goes on', () => {
  const world = new World();
  world.update([tableService(2)]);
  const lease = world.acquire();
  world.update([tableService([tableInstance(1, { draining }), tableInstance(2)])]);
  assert.deepEqual(lease.instance.draining, draining);
  assert.deepEqual([...world.served(4)], [2]);
  assert.deepEqual(world.drained, []);
  lease.end(0, 0);
  assert.deepEqual(world.drained, ['i-1']);
});

test('an instance that drains and has nothing open is drained at once, and said to be so once', () => {
  const world = new World();
  world.update([tableService(1)]);
  world.update([tableService([tableInstance(1, { draining })])]);
  world.update([tableService([tableInstance(1, { draining })])]);
  world.update([tableService([])]);
  assert.deepEqual(world.drained, ['i-1']);
});

test('whoever listens learns when an instance drains, until when, and when it does no longer', () => {
  const world = new World();
  world.update([tableService(1)]);
  const { instance } = world.acquire();
  const seen: TargetInstance['draining'][] = [];
  const stop = instance.onDraining((each) => seen.push(each));
  world.update([tableService([tableInstance(1, { draining })])]);
  world.update([tableService([tableInstance(1, { draining: { ...draining } })])]);
  world.update([tableService(1)]);
  assert.deepEqual(seen, [draining, null]);
  stop();
  world.update([tableService([tableInstance(1, { draining })])]);
  assert.equal(seen.length, 2);
});

test('an instance is gone when no table names it, once', () => {
  const world = new World();
  world.update([tableService(1)]);
  const lease = world.acquire();
  let gone = 0;
  lease.instance.onGone(() => gone++);
  world.update([tableService([])]);
  assert.equal(gone, 1);
  assert.equal(world.table.counts().length, 1);
  world.update([tableService([])]);
  lease.end(0, 0);
  assert.equal(gone, 1);
  assert.deepEqual(world.table.counts(), []);
  assert.deepEqual(world.drained, ['i-1']);
});

test('what is made for an instance after it is gone is let go with its last lease', () => {
  const world = new World();
  world.update([tableService(1)]);
  const [one, other] = [world.acquire(), world.acquire()];
  world.update([tableService([])]);
  let gone = 0;
  one.instance.onGone(() => gone++);
  one.end(0, 0);
  assert.equal(gone, 0);
  other.end(0, 0);
  assert.equal(gone, 1);
});

test('an instance that comes back is another one for those who keep connections to it', () => {
  const world = new World();
  world.update([tableService(1)]);
  const before = world.acquire();
  world.update([tableService([])]);
  world.update([tableService(1)]);
  const after = world.acquire();
  assert.notEqual(after.instance, before.instance);
  assert.equal(world.countsOf('i-1')?.open_requests, 2);
  before.end(0, 0);
  assert.equal(world.countsOf('i-1')?.open_requests, 1);
  assert.deepEqual(world.drained, []);
});

test('a listener that fails keeps no table from being applied', () => {
  const world = new World();
  world.update([tableService(2)]);
  const { instance } = world.acquire();
  let gone = 0;
  instance.onDraining(() => {
    throw new Error('oh');
  });
  instance.onGone(() => {
    throw new Error('oh');
  });
  instance.onGone(() => gone++);
  world.update([tableService([tableInstance(1, { draining }), tableInstance(2)])]);
  world.update([tableService([tableInstance(2)])]);
  assert.equal(gone, 1);
  assert.equal(world.problems.length, 2);
  assert.deepEqual([...world.served(2)], [2]);
});

test('changing a rule or another service calls nobody', () => {
  const world = new World();
  const other = tableService([tableInstance(1, { id: 'o-1' })], {}, { id: 'other' });
  world.update([tableService(1), other]);
  const { instance } = world.acquire();
  instance.onDraining(() => assert.fail('it does not drain'));
  instance.onGone(() => assert.fail('it is not gone'));
  world.update([tableService(1)], []);
  assert.equal(world.countsOf('i-1')?.open_requests, 1);
});
