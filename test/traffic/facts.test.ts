import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service } from '../../src/services/service.ts';
import { TrafficFacts } from '../../src/traffic/facts.ts';
import { trafficOf } from './world.ts';

/** Facts of services with instances of these ids, at a time that the test sets. */
function factsOf(services: Record<string, string[]>) {
  const world = { now: 0, services };
  const record = ([id, ids]: [string, string[]]) =>
    ({ id, instances: ids.map((instance_id) => ({ process: { instance_id } })) }) as unknown as Service;
  const facts = new TrafficFacts({
    services: () => Object.entries(world.services).map(record),
    now: () => world.now,
  });
  return { world, facts };
}

test('what several routers tell is summed, by instance, release and service', () => {
  const { facts } = factsOf({ web: ['one', 'two'] });
  facts.take('a', [
    trafficOf({ instance_id: 'one', requests: 3, by_status: [0, 3, 0, 0, 0] }),
    trafficOf({ instance_id: 'two', instance: 2, release: 2, requests: 5, ejected: true }),
  ]);
  facts.take('b', [trafficOf({ instance_id: 'one', requests: 4, open_websockets: 1 })]);
  assert.equal(facts.release('web', 1).requests, 7);
  assert.equal(facts.release('web', 2).requests, 5);
  assert.equal(facts.release('web', 3).requests, 0);
  const { total, instances } = facts.service('web');
  assert.equal(total.requests, 12);
  assert.equal(total.open_websockets, 1);
  assert.deepEqual(total.by_status, [0, 3, 0, 0, 0]);
  assert.deepEqual(
    instances.map(({ instance_id, requests, ejected }) => [instance_id, requests, ejected]),
    [
      ['one', 7, false],
      ['two', 5, true],
    ],
  );
});

test('a router tells totals: what it tells later takes the place of what it told before', () => {
  const { facts } = factsOf({ web: ['one'] });
  facts.take('a', [trafficOf({ instance_id: 'one', requests: 3, open_requests: 2 })]);
  facts.take('a', [trafficOf({ instance_id: 'one', requests: 4, open_requests: 0 })]);
  assert.equal(facts.release('web', 1).requests, 4);
  assert.equal(facts.open('a', 'one'), 0);
});

test('what a router that is gone had counted stays, and what it had open is not any more', () => {
  const { facts } = factsOf({ web: ['one'] });
  facts.take('a', [trafficOf({ instance_id: 'one', requests: 3, open_requests: 2, open_websockets: 1 })]);
  assert.equal(facts.open('a', 'one'), 3);
  facts.gone('a');
  assert.equal(facts.open('a', 'one'), 0);
  // The one that takes its place begins at zero.
  facts.take('b', [trafficOf({ instance_id: 'one', requests: 1, open_requests: 1 })]);
  const { total } = facts.service('web');
  assert.deepEqual([total.requests, total.open_requests, total.open_websockets], [4, 1, 0]);
});

test('a router that comes back is not counted twice', () => {
  const { facts } = factsOf({ web: ['one'] });
  facts.take('a', [trafficOf({ instance_id: 'one', requests: 3 })]);
  facts.gone('a');
  facts.take('a', [trafficOf({ instance_id: 'one', requests: 5, open_requests: 1 })]);
  assert.deepEqual([facts.release('web', 1).requests, facts.open('a', 'one')], [5, 1]);
});

test('however many routers come and go, the sums stay right', () => {
  const { facts } = factsOf({ web: ['one'] });
  for (let count = 0; count < 500; count++) {
    facts.take(`router-${count}`, [trafficOf({ instance_id: 'one', requests: 1 })]);
    facts.gone(`router-${count}`);
  }
  assert.equal(facts.service('web').total.requests, 500);
});

test('an instance that has ended is shown for a minute, and counts in the sums after that', () => {
  const { world, facts } = factsOf({ web: ['one', 'two'] });
  facts.take('a', [
    trafficOf({ instance_id: 'one', requests: 3 }),
    trafficOf({ instance_id: 'two', requests: 4 }),
  ]);
  world.services = { web: ['two'] };
  world.now = 59_000;
  facts.tidy();
  assert.equal(facts.service('web').instances.length, 2);
  world.now = 61_000;
  facts.tidy();
  const { total, instances } = facts.service('web');
  assert.deepEqual(
    instances.map(({ instance_id }) => instance_id),
    ['two'],
  );
  assert.equal(total.requests, 7);
  assert.equal(facts.release('web', 1).requests, 7);
});

test('an instance that is gone stays apart for as long as something is open with it', () => {
  const { world, facts } = factsOf({ web: ['one'] });
  facts.take('a', [trafficOf({ instance_id: 'one', open_websockets: 1 })]);
  world.services = { web: [] };
  world.now = 1e6;
  facts.tidy();
  assert.equal(facts.open('a', 'one'), 1);
});

test('of a service that is gone nothing is kept', () => {
  const { world, facts } = factsOf({ web: ['one'] });
  facts.take('a', [trafficOf({ instance_id: 'one', requests: 3 })]);
  world.services = {};
  world.now = 61_000;
  facts.tidy();
  assert.deepEqual(facts.services(), []);
  assert.equal(facts.service('web').total.requests, 0);
});

test('releases that are long gone are summed up: memory has an end, and the total stays right', () => {
  const { world, facts } = factsOf({ web: [] });
  for (let release = 1; release <= 200; release++) {
    facts.take('a', [trafficOf({ instance_id: `of-${release}`, release, requests: 1 })]);
    world.now += 61_000;
    facts.tidy();
  }
  assert.equal(facts.release('web', 200).requests, 1);
  assert.equal(facts.release('web', 1).requests, 0);
  assert.equal(facts.service('web').total.requests, 200);
});

test('each time that a router takes an instance out is counted once, and forgotten with the service', () => {
  const { world, facts } = factsOf({ web: ['one'] });
  for (const ejected of [false, true, true, false, true])
    facts.take('a', [trafficOf({ instance_id: 'one', ejected })]);
  assert.equal(facts.ejections('web'), 2);
  world.services = {};
  world.now += 1;
  facts.tidy();
  assert.equal(facts.ejections('web'), 0);
});
