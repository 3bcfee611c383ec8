import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { routingTable } from '../../src/contract/routing_table.ts';
import { newRule } from '../../src/contract/rules.ts';
import { until } from '../helpers/system.ts';
import { settingsOf, trafficOf, World } from './world.ts';

const routes = [{ hosts: ['web.test'] }];

test('a router that connects gets the whole table', async () => {
  using world = new World();
  world.add('web', { routes, instances: 2 });
  const router = await world.router();
  const table = await router.table(() => true);
  assert.doesNotThrow(() => routingTable.parse(table));
  assert.deepEqual(
    table.services.map(({ id, instances }) => [id, instances.length]),
    [['web', 2]],
  );
  assert.deepEqual(
    table.rules.map(({ id }) => id),
    ['web/1'],
  );
});

test('every change of what the table shows is sent with a higher version, and nothing else is', async () => {
  using world = new World();
  world.add('web', { routes });
  const router = await world.router();
  const first = await router.table(() => true);
  // None of these is in the table.
  world.registry.updateInstance('web', 1, { last_probe: 'x', last_event: 17 });
  world.add('unrouted');
  world.registry.commit('web', { declared_in: 'shop' });
  world.registry.updateInstance('web', 1, { readiness: 'unhealthy' });
  const second = await router.table(({ services }) => services[0]?.instances.length === 0);
  assert.equal(second.version, first.version + 1);
  assert.equal(second.epoch, first.epoch);
  world.registry.updateInstance('web', 1, { readiness: 'healthy' });
  const third = await router.table(({ version }) => version > second.version);
  assert.equal(third.version, second.version + 1);
  // It begins anew: slow start counts from here.
  const [before, after] = [first, third].map(({ services }) => services[0]?.instances[0]?.ready_at ?? 0);
  assert.ok(Number(after) > Number(before));
});

test('changes that come at once are sent as one', async () => {
  using world = new World();
  world.add('web', { routes, instances: 50 });
  const router = await world.router();
  await router.table(() => true);
  for (let number = 1; number <= 50; number++)
    world.registry.updateInstance('web', number, { readiness: 'unhealthy' });
  await router.table(({ services }) => services[0]?.instances.length === 0);
  assert.equal(router.tables.length, 2);
});

test('rules and settings are sent when they change, and rules that are disabled are not', async () => {
  using world = new World();
  world.add('web');
  const router = await world.router();
  await router.table(({ rules, services }) => rules.length === 0 && services.length === 0);
  const rule = newRule.parse({ id: 'shop', action: { type: 'route', service: 'web' } });
  world.traffic.rules.create(rule);
  const withRule = await router.table(({ rules }) => rules.length === 1);
  assert.equal(withRule.services[0]?.instances.length, 1);
  world.traffic.rules.replace({ ...rule, enabled: false });
  const without = await router.table(
    ({ rules, version }) => version > withRule.version && rules.length === 0,
  );
  // Connections to it may still be open, and must hear when it drains.
  assert.equal(without.services.length, 1);
  world.settings = settingsOf(8081);
  world.traffic.reload();
  await router.table(({ settings }) => settings.listeners[0]?.address === '127.0.0.1:8081');
  world.registry.remove('web');
  await router.table(({ services, version }) => version > without.version && services.length === 0);
});

test('a rule to a service that is not there is sent, for the router to answer', async () => {
  using world = new World();
  world.traffic.rules.create(newRule.parse({ id: 'shop', action: { type: 'route', service: 'nothing' } }));
  const router = await world.router();
  const { rules, services } = await router.table(() => true);
  assert.equal(rules.length, 1);
  assert.deepEqual(services, []);
});

test('it is applied when every router says so', async () => {
  using world = new World();
  world.add('web', { routes });
  const quick = await world.router();
  const slow = await world.router({ silent: true });
  await quick.table(() => true);
  await slow.table(() => true);
  world.registry.updateInstance('web', 1, { readiness: 'unhealthy' });
  let isApplied = false;
  const applied = world.traffic.applied('web').then(() => {
    isApplied = true;
  });
  const { epoch, version } = await slow.table(({ services }) => services[0]?.instances.length === 0);
  await until('the other one has it', () => quick.tables.some((table) => table.version === version));
  await nextTurn();
  assert.equal(isApplied, false);
  slow.send({ type: 'applied', epoch, version });
  await applied;
  assert.deepEqual(world.problems, []);
});

test('a router that does not answer is waited for once, and told as a problem', async () => {
  using world = new World();
  world.add('web', { routes });
  const router = await world.router({ silent: true });
  await router.table(() => true);
  await world.traffic.applied('web');
  assert.match(world.problems[0] ?? '', new RegExp(`^router ${router.id} .*does not answer$`));
  let isApplied = false;
  void world.traffic.applied('web').then(() => {
    isApplied = true;
  });
  await nextTurn();
  assert.equal(isApplied, true, 'it is waited for again');
  assert.equal(world.problems.length, 1);
});

test('a router that refuses a table is not waited for, and why it does is told', async () => {
  using world = new World();
  world.add('web', { routes });
  const router = await world.router({ silent: true });
  const { epoch, version } = await router.table(() => true);
  router.send({ type: 'refused', epoch, version, message: 'rule x: no' });
  await world.traffic.applied('web');
  assert.match(world.problems[0] ?? '', /it refuses it: rule x: no$/);
});

test('without a router, everything is applied and drained at once and nothing is routed', async () => {
  using world = new World();
  world.settings = null;
  world.add('web', { routes });
  await world.traffic.applied('web');
  await world.traffic.drained(world.instanceId('web', 1), AbortSignal.timeout(10_000));
  assert.equal(world.traffic.isRouted('web'), false);
  assert.equal(world.traffic.counts('web', 1).requests, 0);
  world.settings = settingsOf(8080);
  assert.equal(world.traffic.isRouted('web'), true);
  assert.equal(world.traffic.isRouted('other'), false);
});

test('an instance has drained when no router has anything open with it', async () => {
  using world = new World();
  world.add('web', { routes });
  const instance_id = world.instanceId('web', 1);
  const [one, other] = [await world.router(), await world.router()];
  await one.table(() => true);
  one.tell(trafficOf({ instance_id, open_requests: 1 }));
  other.tell(trafficOf({ instance_id, open_websockets: 1 }));
  await until('both have told', () => world.traffic.facts.service('web').total.open_requests === 1);
  await until('both have told', () => world.traffic.facts.service('web').total.open_websockets === 1);
  world.registry.advance('web', 1, 'drain', { draining: { until: 0, spread: 0, is_leaving: true } });
  let isDrained = false;
  const drained = world.traffic.drained(instance_id, AbortSignal.timeout(10_000)).then(() => {
    isDrained = true;
  });
  one.tell(trafficOf({ instance_id, requests: 1 }));
  await until('that is known', () => world.traffic.facts.service('web').total.open_requests === 0);
  await nextTurn();
  assert.equal(isDrained, false);
  // What a router had open is gone with it.
  other.socket.destroy();
  await drained;
});

test('nobody waits longer for an instance to drain than asked', async () => {
  using world = new World();
  world.add('web', { routes });
  const instance_id = world.instanceId('web', 1);
  const router = await world.router();
  router.tell(trafficOf({ instance_id, open_requests: 1 }));
  await until('it is known', () => world.traffic.facts.service('web').total.open_requests === 1);
  const end = new AbortController();
  const drained = world.traffic.drained(instance_id, end.signal);
  end.abort();
  await drained;
});

test('an agent whose clock was set back counts as the later one all the same', async () => {
  using world = new World();
  world.add('web', { routes });
  const epoch = Date.now() + 86_400_000;
  const router = await world.router({ table: { epoch, version: 40 } });
  const table = await router.table(() => true);
  assert.ok(table.epoch > epoch);
  await world.traffic.applied('web');
  assert.deepEqual(world.problems, []);
});

test('routers are shown with what they act by', async () => {
  using world = new World();
  world.add('web', { routes });
  const router = await world.router({ pid: 17 });
  await world.traffic.applied('web');
  await router.table(() => true);
  await world.traffic.applied('web');
  const { configured, routers, table } = world.traffic.list();
  assert.equal(configured, true);
  assert.equal(routers[0]?.pid, 17);
  assert.equal(routers[0]?.up_to_date, true);
  assert.deepEqual(routers[0]?.table, table);
  router.send({ type: 'refused', epoch: 1, version: 2, message: 'rule x: no' });
  await until('that is shown', () => /rule x: no/.test(world.traffic.list().routers[0]?.problems[0] ?? ''));
});
