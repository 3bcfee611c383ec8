import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instanceTraffic, latencyBounds } from '../../src/contract/connections.ts';
import { tableInstance, tableService, World } from './live_world.ts';

test('a request is open until its end, and is counted once', () => {
  const world = new World();
  world.update([tableService(1)]);
  const lease = world.acquire();
  assert.equal(world.countsOf('i-1')?.open_requests, 1);
  lease.answered(204, 3);
  assert.equal(world.countsOf('i-1')?.open_requests, 1);
  lease.end(10, 20);
  lease.end(10, 20);
  const counts = instanceTraffic.parse(world.countsOf('i-1'));
  const { open_requests, requests, by_status, bytes_in, bytes_out, failures, websockets } = counts;
  assert.deepEqual(
    [open_requests, requests, bytes_in, bytes_out, failures, websockets],
    [0, 1, 10, 20, 0, 0],
  );
  assert.deepEqual(by_status, [0, 1, 0, 0, 0]);
  assert.deepEqual(
    [counts.service, counts.instance, counts.release, counts.instance_id],
    ['web', 1, 1, 'i-1'],
  );
});

test('an answer with 101 makes it a WebSocket connection', () => {
  const world = new World();
  world.update([tableService(1)]);
  const lease = world.acquire();
  lease.answered(101, 1);
  const open = world.countsOf('i-1');
  assert.deepEqual(
    [open?.open_requests, open?.open_websockets, open?.requests, open?.websockets],
    [0, 1, 0, 1],
  );
  lease.end(1, 1);
  const ended = world.countsOf('i-1');
  assert.deepEqual(
    [ended?.open_requests, ended?.open_websockets, ended?.requests, ended?.websockets],
    [0, 0, 0, 1],
  );
});

test('failures and retries are counted; a client that went away is a request, and no failure', () => {
  const world = new World();
  world.update([tableService(1)]);
  const failed = world.acquire();
  failed.failed('broken');
  failed.retried();
  failed.end(0, 0);
  world.acquire().end(0, 0);
  const counts = world.countsOf('i-1');
  assert.deepEqual([counts?.requests, counts?.failures, counts?.retries], [2, 1, 1]);
});

test('every kind of answer and every latency has its place', () => {
  const world = new World();
  world.update([tableService(1)]);
  for (const status of [200, 302, 404, 503, 599]) world.serve(status);
  assert.deepEqual(world.countsOf('i-1')?.by_status, [0, 1, 1, 1, 2]);
  const before = world.countsOf('i-1')?.latency ?? [];
  for (const bound of [...latencyBounds, 30_001]) {
    const lease = world.acquire();
    lease.answered(200, bound);
    lease.end(0, 0);
  }
  const after = world.countsOf('i-1')?.latency ?? [];
  assert.deepEqual(
    after.map((count, place) => count - (before[place] ?? 0)),
    Array(latencyBounds.length + 1).fill(1),
  );
});

test('only what has changed is told, once', () => {
  const world = new World();
  world.update([tableService(3)]);
  const changed = () => world.table.changedCounts().map(({ instance_id }) => instance_id);
  assert.deepEqual(changed().sort(), ['i-1', 'i-2', 'i-3']);
  assert.deepEqual(changed(), []);
  const lease = world.acquire();
  assert.deepEqual(changed(), ['i-1']);
  assert.deepEqual(changed(), []);
  lease.retried();
  assert.deepEqual(changed(), ['i-1']);
  lease.end(0, 0);
  assert.deepEqual(changed(), ['i-1']);
});

test('an instance is told as ejected until its time is over', () => {
  const world = new World();
  world.update([tableService(2)]);
  world.serve('unreachable');
  const ejected = () =>
    world.table
      .changedCounts()
      .filter((each) => each.ejected)
      .map(({ instance }) => instance);
  assert.deepEqual(ejected(), [1]);
  assert.deepEqual(ejected(), [1]);
  world.now += 1_000;
  assert.deepEqual(
    world.table.changedCounts().map(({ ejected: is }) => is),
    [false],
  );
  assert.deepEqual(world.table.changedCounts(), []);
});

test('totals go on when an instance comes back that was not ready for a while', () => {
  const world = new World();
  world.update([tableService(1)]);
  const lease = world.acquire();
  world.serve(200);
  world.update([tableService([])]);
  world.update([tableService(1)]);
  assert.deepEqual([world.countsOf('i-1')?.requests, world.countsOf('i-1')?.open_requests], [1, 1]);
  lease.end(0, 0);
  assert.deepEqual([world.countsOf('i-1')?.requests, world.countsOf('i-1')?.open_requests], [2, 0]);
  world.update([tableService([])]);
  assert.deepEqual(world.table.counts(), []);
  world.update([tableService(1)]);
  assert.equal(world.countsOf('i-1')?.requests, 2);
});

test('what is known of instances that are gone is bounded', () => {
  const world = new World();
  for (let deploy = 0; deploy < 3_000; deploy++)
    world.update([tableService([tableInstance(1, { id: `d-${deploy}` })])]);
  world.update([tableService([tableInstance(1, { id: 'd-2999' })])]);
  assert.equal(world.table.counts().length, 1);
  assert.equal(world.table.changedCounts().length, 3_000);
  assert.equal(world.table.changedCounts().length, 0);
});
