import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestOf, tableInstance, tableRule, tableService, World } from './live_world.ts';

test('before the first table, requests go nowhere', () => {
  const { table } = new World();
  assert.equal(table.table, null);
  assert.deepEqual(table.direct(requestOf()), { kind: 'nowhere' });
  assert.deepEqual(table.counts(), []);
});

test('requests go by the newest table', () => {
  const world = new World();
  world.update([tableService(1)], [tableRule('api', { path_prefix: '/api' })]);
  assert.deepEqual(world.table.table, { epoch: 1, version: 1 });
  assert.equal(world.table.direct(requestOf({ path: '/web' })).kind, 'nowhere');
  const destination = world.table.direct(requestOf({ path: '/api/x' }));
  assert.ok(destination.kind === 'service');
  assert.deepEqual([destination.rule, destination.service.id, destination.path], ['api', 'web', null]);
  world.update([tableService(1)], [tableRule('web', { path_prefix: '/web' })]);
  assert.equal(world.table.direct(requestOf({ path: '/api/x' })).kind, 'nowhere');
});

test('a table that cannot be understood changes nothing', () => {
  const world = new World();
  world.update([tableService(1)]);
  const bad = [tableRule('bad', { path_regex: '(' })];
  assert.throws(() => world.update([tableService(2)], bad), /rule bad: path_regex/);
  assert.deepEqual(world.table.table, { epoch: 1, version: 1 });
  assert.equal(world.table.counts().length, 1);
  const [service] = [tableService(2)];
  const broken = { ...service, routing: { ...service.routing, slow_start: 'soon' } };
  assert.throws(() => world.update([broken], []), /service web: "soon" is not a duration/);
  assert.equal(world.serve(200), 1);
});

test('what a rule answers by itself goes to no service', () => {
  const world = new World();
  const rules = [
    tableRule('deny', { path_prefix: '/admin' }, { type: 'deny', status: 403 }),
    tableRule('gone', {}, { type: 'route', service: 'gone', rewrite_prefix: null }),
  ];
  world.update([tableService(1)], rules);
  const status = (path: string) => {
    const destination = world.table.direct(requestOf({ path }));
    return destination.kind === 'answer' ? [destination.rule, destination.status] : destination.kind;
  };
  assert.deepEqual(status('/x/../admin'), ['deny', 403]);
  assert.deepEqual(status('/'), ['gone', 503]);
  assert.deepEqual(status('/..%2fadmin'), ['', 400]);
});

test('a prefix is rewritten, and dot segments are not passed on', () => {
  const world = new World();
  const action = { type: 'route', service: 'web', rewrite_prefix: '/v2' } as const;
  world.update([tableService(1)], [tableRule('api', { path_prefix: '/api' }, action), tableRule('all')]);
  const pathOf = (path: string) => {
    const destination = world.table.direct(requestOf({ path }));
    return destination.kind === 'service' ? destination.path : undefined;
  };
  assert.equal(pathOf('/api/users'), '/v2/users');
  assert.equal(pathOf('/admin/../web'), '/web');
  assert.equal(pathOf('/web'), null);
});

const parts = [
  { service: 'old', weight: 3 },
  { service: 'new', weight: 1 },
];
const split = tableRule('split', {}, { type: 'split', services: parts, rewrite_prefix: null });
const bothServices = (own: object) =>
  ['old', 'new'].map((id) => tableService([tableInstance(1, { id: `${id}-1` })], own, { id }));

test('a split goes by lot and weight', () => {
  const draws = Array.from({ length: 100 }, (_, index) => index / 100);
  const world = new World(() => draws.shift() ?? 0);
  world.update(bothServices({}), [split]);
  const services = Array.from({ length: 100 }, () => world.service().id);
  assert.equal(services.filter((id) => id === 'new').length, 25);
});

test('a client that is kept by its address always gets the same part of a split', () => {
  let draw = 0;
  const world = new World(() => (draw = (draw + 0.37) % 1));
  world.update(bothServices({ affinity: { by: 'address' } }), [split]);
  const services = new Set<string>();
  for (let client = 0; client < 50; client++) {
    const request = requestOf({ client: `10.0.0.${client}` });
    const { id } = world.service(request);
    services.add(id);
    for (let turn = 0; turn < 5; turn++) assert.equal(world.service(request).id, id);
  }
  assert.equal(services.size, 2);
});

test('a client that is kept by a cookie stays with the part of a split where it is', () => {
  let draw = 0;
  const world = new World(() => (draw = (draw + 0.37) % 1));
  world.update(bothServices({ affinity: { by: 'cookie' } }), [split]);
  for (let turn = 0; turn < 20; turn++) {
    const lease = world.acquire();
    const cookie = lease.cookie?.split(';')[0] ?? '';
    for (let again = 0; again < 5; again++)
      assert.equal(world.service(requestOf({ cookie })).id, lease.instance.service);
  }
});

test('a service keeps what it is from table to table', () => {
  const world = new World();
  world.update([tableService(3)]);
  const service = world.service();
  assert.equal(world.serve(200), 1);
  world.update([
    tableService(3, { retries: { attempts: 7 }, connect_timeout: '9s', idle_timeout: '1m' }, { hold: 5 }),
  ]);
  assert.equal(world.service(), service);
  assert.equal(world.serve(200), 2);
  assert.equal(service.retries.attempts, 7);
  assert.deepEqual(service.timeouts, { connect: 9_000, response: 60_000, idle: 60_000 });
  assert.equal(service.hold, 5);
});

test('a service that no table names any more has no instances, and what is open with them goes on', () => {
  const world = new World();
  world.update([tableService(1)]);
  const service = world.service();
  const lease = world.acquire();
  world.update([], []);
  assert.equal(service.acquire(requestOf(), new Set()), 'none_ready');
  assert.equal(world.countsOf('i-1')?.open_requests, 1);
  lease.answered(200, 1);
  lease.end(1, 2);
  assert.deepEqual(world.table.counts(), []);
  const [last] = world.table.changedCounts();
  assert.deepEqual([last?.requests, last?.bytes_in, last?.bytes_out, last?.open_requests], [1, 1, 2, 0]);
});

test('one that waits for an instance is not forgotten when its service goes and comes back', async () => {
  const world = new World();
  world.update([tableService([], {}, { hold: 1_000 })]);
  const wait = world.service().available(new AbortController().signal);
  world.update([], []);
  world.update([tableService(1)]);
  assert.equal(await wait, true);
});

test('when the table is closed, nobody waits any more', async () => {
  const world = new World();
  world.update([tableService([])]);
  const wait = world.service().available(new AbortController().signal);
  world.table.close();
  assert.equal(await wait, false);
});
