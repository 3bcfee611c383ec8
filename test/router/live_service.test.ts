import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothingTried, requestOf, tableInstance, tableService, World } from './live_world.ts';

const both = new Set([1, 2]);

test('an instance that refused a connection gets nothing for a second, then one request', () => {
  const world = new World();
  world.update([tableService(2)]);
  assert.equal(world.serve('unreachable'), 1);
  assert.deepEqual([...world.served(10)], [2]);
  assert.match(
    world.problems.join(),
    /^web: instance 1 of release 1 gets nothing new for 1000 ms: it refused a connection$/,
  );
  world.now += 1_000;
  const leases = Array.from({ length: 6 }, () => world.acquire());
  assert.deepEqual(leases.map(({ instance }) => instance.number).sort(), [1, 2, 2, 2, 2, 2]);
  for (const lease of leases) {
    lease.answered(200, 1);
    lease.end(0, 0);
  }
  assert.deepEqual(world.served(10), both);
});

test('one that refuses again gets nothing for longer', () => {
  const world = new World();
  world.update([tableService(2)]);
  world.serve('unreachable');
  world.now += 1_000;
  assert.deepEqual(new Set([1, 2].map(() => world.serve('unreachable'))), both);
  world.now += 1_999;
  assert.deepEqual([...world.served(4)], [2]);
  world.now += 1;
  assert.deepEqual(world.served(4), both);
});

test('a trial that its client gives up is followed by another one', () => {
  const world = new World();
  world.update([tableService(2)]);
  world.serve('unreachable');
  world.now += 1_000;
  const given = [world.acquire(), world.acquire()].find(({ instance }) => instance.number === 1);
  assert.deepEqual([...world.served(4)], [2]);
  given?.end(0, 0);
  assert.deepEqual(world.served(4), both);
});

test('answers with 5xx, broken connections and waits that are too long take an instance out when they follow each other', () => {
  for (const outcome of [500, 'broken', 'timed_out'] as const) {
    const world = new World();
    world.update([tableService(2, { outliers: { consecutive_failures: 3 } })]);
    const failing = () => (world.acquire().instance.number === 1 ? 1 : 2);
    for (let count = 0; count < 2; count++) {
      while (failing() !== 2);
      world.serve(outcome);
    }
    assert.equal(world.problems.length, 0);
    while (failing() !== 2);
    assert.equal(world.serve(outcome), 1);
    assert.deepEqual([...world.served(4)], [2]);
    assert.match(world.problems.join(), /3 failures in a row/);
    world.now += 4_999;
    assert.deepEqual([...world.served(4)], [2]);
    world.now += 1;
    assert.deepEqual(world.served(4), both);
  }
});

test('a good answer in between begins the count anew', () => {
  const world = new World();
  world.update([tableService(2, { outliers: { consecutive_failures: 3 } })]);
  // Every second one is of the first instance.
  for (const outcome of [500, 500, 200, 500, 500, 200, 500]) {
    assert.equal(world.serve(outcome), 1);
    assert.equal(world.serve(200), 2);
  }
  assert.equal(world.problems.length, 0);
  world.serve(500);
  world.serve(200);
  world.serve(500);
  assert.deepEqual([...world.served(4)], [2]);
});

test('answers that begin well and then break off take an instance out, too', () => {
  const world = new World();
  world.update([tableService(2, { outliers: { consecutive_failures: 3 } })]);
  for (let count = 0; count < 6; count++) {
    const lease = world.acquire();
    lease.answered(200, 1);
    if (lease.instance.number === 1) lease.failed('broken');
    lease.end(0, 0);
  }
  assert.deepEqual([...world.served(4)], [2]);
});

test('an instance whose trial fails while it drains is tried again when it drains no longer', () => {
  const world = new World();
  world.update([tableService(2)]);
  world.serve('unreachable');
  world.now += 1_000;
  const trial = [world.acquire(), world.acquire()].find(({ instance }) => instance.number === 1);
  world.update([tableService([tableInstance(1, { draining: { until: 0, spread: 0 } }), tableInstance(2)])]);
  trial?.failed('broken');
  trial?.end(0, 0);
  world.update([tableService(2)]);
  world.now += 10_000;
  assert.deepEqual(world.served(4), both);
});

test('one that is let back in while its trial is under way is not taken out beyond the share by that', () => {
  const own = { outliers: { consecutive_failures: 1, max_percent: 50 } };
  const world = new World();
  world.update([tableService(2, own)]);
  world.serve(500);
  world.now += 5_000;
  const trial = [world.acquire(), world.acquire()].find(({ instance }) => instance.number === 1);
  world.update([tableService([tableInstance(1)], own)]);
  trial?.answered(500, 1);
  assert.equal(world.countsOf('i-1')?.ejected, false);
});

test('never more are out than their share, whatever fails', () => {
  const world = new World();
  world.update([tableService(4, { outliers: { consecutive_failures: 1, max_percent: 50 } })]);
  for (let count = 0; count < 40; count++) world.serve(500);
  assert.equal(world.table.counts().filter(({ ejected }) => ejected).length, 2);
});

test('when instances go, as many come back as may not be out any more', () => {
  const own = { outliers: { consecutive_failures: 1, max_percent: 50 } };
  const world = new World();
  world.update([tableService(4, own)]);
  for (let count = 0; count < 40; count++) world.serve(500);
  const [first, ...out] = world.table.counts().filter(({ ejected }) => ejected);
  const left = [first, ...out].map((each) => tableInstance(each?.instance ?? 0));
  world.update([tableService(left, own)]);
  assert.equal(world.table.counts().filter(({ ejected }) => ejected).length, 1);
  world.update([tableService(left, { outliers: { consecutive_failures: 0 } })]);
  assert.equal(world.table.counts().filter(({ ejected }) => ejected).length, 0);
});

test('the last instance gets requests whatever it does', () => {
  const world = new World();
  world.update([tableService(1, { outliers: { consecutive_failures: 1, max_percent: 100 } })]);
  for (const outcome of ['unreachable', 500, 'broken', 'timed_out', 500] as const)
    assert.equal(world.serve(outcome), 1);
  assert.equal(world.serve(200), 1);
  assert.equal(world.countsOf('i-1')?.ejected, false);
});

test('when all are out, all get requests, and one that answers is back', () => {
  const world = new World();
  world.update([tableService(2, { outliers: { consecutive_failures: 1, max_percent: 100 } })]);
  for (let count = 0; count < 4; count++) world.serve(500);
  assert.deepEqual(
    world.table.counts().map(({ ejected }) => ejected),
    [true, true],
  );
  const well = world.serve(200);
  assert.deepEqual([...world.served(4)], [well]);
});

test('a crashed instance costs no request an error as long as one is well', () => {
  for (const size of [2, 3, 5]) {
    const world = new World();
    world.update([tableService(size)]);
    const service = world.service();
    let failed = 0;
    for (let count = 0; count < 2_000; count++) {
      world.now += 5;
      const tried = new Set<string>();
      for (let attempt = 0; ; attempt++) {
        const lease = service.acquire(requestOf(), tried);
        assert.ok(typeof lease !== 'string');
        tried.add(lease.instance.id);
        const isWell = lease.instance.number > 1 && (size < 5 || lease.instance.number > 2);
        if (isWell) lease.answered(200, 1);
        else lease.failed('unreachable');
        lease.end(0, 0);
        if (isWell) break;
        if (attempt >= service.retries.attempts || !service.mayRetry()) {
          failed++;
          break;
        }
      }
    }
    assert.equal(failed, 0);
    assert.ok((world.countsOf('i-1')?.requests ?? 0) < 20, 'it is hardly asked any more');
  }
});

test('where all but one refuse, all requests go to that one', () => {
  const world = new World();
  world.update([tableService(10)]);
  const service = world.service();
  for (let count = 0; count < 30; count++) {
    const lease = service.acquire(requestOf(), nothingTried);
    assert.ok(typeof lease !== 'string');
    if (lease.instance.number === 7) lease.answered(200, 1);
    else lease.failed('unreachable');
    lease.end(0, 0);
  }
  assert.deepEqual([...world.served(20)], [7]);
});

test('a request is not sent twice to the same instance', () => {
  const world = new World();
  world.update([tableService(2)]);
  const tried = new Set<string>();
  for (const left of [2, 1]) {
    assert.equal(tried.size, 2 - left);
    tried.add(world.acquire(requestOf(), tried).instance.id);
  }
  assert.equal(world.service().acquire(requestOf(), tried), 'none_ready');
});

test('an instance has no more open than it may', () => {
  const world = new World();
  world.update([tableService(2, { circuit_breaker: { max_requests: 1 } })]);
  const [one, other] = [world.acquire(), world.acquire()];
  assert.notEqual(one.instance, other.instance);
  assert.equal(world.service().acquire(requestOf(), nothingTried), 'all_full');
  one.answered(101, 1);
  assert.equal(world.service().acquire(requestOf(), nothingTried), 'all_full');
  one.end(0, 0);
  assert.equal(world.acquire().instance, one.instance);
});

test('open WebSocket connections count for least connections', () => {
  const world = new World();
  world.update([tableService(2, { strategy: 'least_connections' })]);
  const socket = world.acquire();
  socket.answered(101, 1);
  const other = world.acquire();
  assert.notEqual(other.instance, socket.instance);
  other.end(0, 0);
  assert.equal(world.served(5).has(socket.instance.number), false);
});

test('an instance that has just become ready gets its full share only after a while', () => {
  let draw = 0;
  const world = new World(() => (draw = (draw + 0.618034) % 1));
  const instances = [tableInstance(1), tableInstance(2, { ready_at: world.now })];
  world.update([tableService(instances, { slow_start: '10s' })]);
  const share = () => {
    let count = 0;
    for (let turn = 0; turn < 300; turn++) if (world.serve(200) === 2) count++;
    return count / 300;
  };
  assert.ok(share() < 0.15);
  world.now += 5_000;
  const half = share();
  assert.ok(half > 0.25 && half < 0.42, `${half}`);
  world.now += 5_000;
  assert.equal(share(), 0.5);
});

test('the weights of a service hold, and one with none gets nothing', () => {
  const world = new World();
  world.update([tableService(3, { strategy: 'weighted_round_robin', weights: { 1: 3, 3: 0 } })]);
  const served = Array.from({ length: 8 }, () => world.serve(200));
  assert.deepEqual(served, [1, 1, 2, 1, 1, 1, 2, 1]);
});

test('releases get their shares, and a release without one gets nothing new', () => {
  const draws = Array.from({ length: 20 }, (_, index) => index / 20);
  const world = new World(() => draws.shift() ?? 0);
  const instances = [tableInstance(1), tableInstance(2, { release: 2 }), tableInstance(3, { release: 3 })];
  const shares = [
    { release: 1, weight: 90 },
    { release: 2, weight: 10 },
  ];
  world.update([tableService(instances, {}, { shares })]);
  const old = world.acquire();
  const served = Array.from({ length: 19 }, () => world.serve(200));
  assert.deepEqual(
    [served.filter((each) => each === 1).length, served.filter((each) => each === 2).length],
    [17, 2],
  );
  world.update([tableService(instances, {}, { shares: [{ release: 2, weight: 1 }] })]);
  assert.deepEqual([...world.served(5)], [2]);
  assert.equal(world.countsOf('i-1')?.open_requests, 1);
  old.end(0, 0);
  world.update([tableService(instances, {}, { shares: [] })]);
  assert.equal(world.service().acquire(requestOf(), nothingTried), 'none_ready');
});

test('requests for a tag go to those that have it, also when only one is left that is out', () => {
  const world = new World();
  const instances = [
    tableInstance(1, { tags: ['gpu'] }),
    tableInstance(2),
    tableInstance(3, { tags: ['gpu'] }),
  ];
  world.update([tableService(instances, { strategy: 'tag_match' })]);
  const header = (name: string) => (name === 'x-davit-tag' ? 'gpu' : undefined);
  const gpu = requestOf({ header });
  assert.deepEqual(
    [1, 2, 3].map(() => world.serve(200, gpu)),
    [1, 3, 1],
  );
  world.serve('unreachable', gpu);
  assert.deepEqual(
    [1, 2].map(() => world.serve(200, gpu)),
    [1, 1],
  );
  world.serve('unreachable', gpu);
  assert.ok([1, 3].includes(world.serve('unreachable', gpu)));
  const none = requestOf({ header: (name) => (name === 'x-davit-tag' ? 'tpu' : undefined) });
  assert.equal(world.service().acquire(none, nothingTried), 'none_ready');
});

test('a client that is kept by a cookie goes back to its instance as long as that takes requests', () => {
  const own = { affinity: { by: 'cookie' }, circuit_breaker: { max_requests: 2 } };
  const world = new World();
  world.update([tableService(3, own)]);
  const first = world.acquire(requestOf({ is_tls: true }));
  assert.match(first.cookie ?? '', /^davit_instance=.*; Secure$/);
  const request = requestOf({ cookie: `a=b; ${first.cookie?.split(';')[0]}` });
  const again = world.acquire(request);
  assert.equal(again.instance, first.instance);
  assert.equal(again.cookie, null);
  const elsewhere = world.acquire(request);
  assert.notEqual(elsewhere.instance, first.instance);
  assert.notEqual(elsewhere.cookie, null);
  for (const lease of [first, again, elsewhere]) lease.end(0, 0);
  const draining = tableInstance(first.instance.number, { draining: { until: 0, spread: 0 } });
  const others = [1, 2, 3, 4]
    .filter((number) => number !== first.instance.number)
    .map((number) => tableInstance(number));
  world.update([tableService([draining, ...others], own)]);
  assert.notEqual(world.serve(200, request), first.instance.number);
  world.update([tableService([...others, tableInstance(first.instance.number)], own)]);
  assert.equal(world.serve(200, request), first.instance.number);
});

test('retries are taken out of the budget', () => {
  const world = new World();
  world.update([tableService(1, { retries: { budget_percent: 10 } })]);
  const service = world.service();
  for (let count = 0; count < 1_000; count++) world.serve(200);
  // Another try is no other request.
  for (let count = 0; count < 1_000; count++) world.acquire(requestOf(), new Set(['another'])).end(0, 0);
  let retries = 0;
  while (service.mayRetry()) retries++;
  assert.equal(retries, 200);
});

test('one that waits goes on when an instance is ready', async () => {
  const world = new World();
  world.update([tableService([])]);
  const service = world.service();
  const wait = service.available(new AbortController().signal);
  world.update([tableService([tableInstance(1, { draining: { until: 0, spread: 0 } })])]);
  world.update([tableService(1)]);
  assert.equal(await wait, true);
  assert.equal(await service.available(new AbortController().signal), true);
});

test('one that waits can give up', async () => {
  const world = new World();
  world.update([tableService([])]);
  const service = world.service();
  const controller = new AbortController();
  const wait = service.available(controller.signal);
  controller.abort();
  assert.equal(await wait, false);
  assert.equal(await service.available(controller.signal), false);
});

test('one that waits does not come back to an instance that has just refused, but to it later or to the next one', async () => {
  const world = new World();
  world.update([tableService(1)]);
  const service = world.service();
  world.serve('unreachable');
  const wait = service.available(new AbortController().signal);
  const state = await Promise.race([wait, Promise.resolve('it waits')]);
  assert.equal(state, 'it waits');
  world.update([tableService([tableInstance(2)])]);
  assert.equal(await wait, true);
  world.serve('unreachable');
  world.now += 1_000;
  assert.equal(await service.available(new AbortController().signal), true);
});

test('one that waits for an instance that has refused is woken when it may be tried again', async () => {
  const world = new World();
  world.update([tableService(1)]);
  const service = world.service();
  world.serve('unreachable');
  world.now += 990;
  const keepsRunning = setInterval(() => {}, 1_000);
  const wait = service.available(new AbortController().signal);
  world.now += 10;
  assert.equal(await wait, true);
  clearInterval(keepsRunning);
});
