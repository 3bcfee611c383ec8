import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HealthVerdict } from '../../src/contract/health.ts';
import { routingTable } from '../../src/contract/routing_table.ts';
import { type Route, route } from '../../src/contract/rules.ts';
import { spec } from '../../src/contract/spec.ts';
import { type Instance, newInstance } from '../../src/services/instance.ts';
import type { Service } from '../../src/services/service.ts';
import { routeRules, servicesOf, tableService } from '../../src/traffic/table.ts';

const process = {
  pid: 1,
  start_ticks: '1',
  boot_id: 'x',
  main_pid: 1,
  control_group: null,
  instance_id: 'id-1',
  release: 3,
  started_at: 1_000,
};
const ready: Instance = { ...newInstance(1), state: 'running', process, port: 20_001 };

function service(instances: readonly Instance[], under_way: Service['under_way'] = null): Service {
  return {
    id: 'web',
    created_at: 0,
    wanted: 'running',
    current_release: 3,
    last_release: 3,
    runs: 1,
    scale: null,
    declared_in: null,
    instances,
    under_way,
  } as Service;
}

function table(instances: readonly Instance[], fields: object = {}) {
  const view = {
    spec: spec.parse({ command: 'x', port: 'auto', ...fields }),
    tagsOf: () => ['gpu'],
    readyAt: () => 2_000,
  };
  return tableService(service(instances), view);
}

test('an instance that is ready takes requests, with its tags and those that each has', () => {
  const [instance] = table([ready]).instances;
  assert.deepEqual(instance, {
    id: 'id-1',
    number: 1,
    release: 3,
    host: '127.0.0.1',
    port: 20_001,
    tags: ['gpu', 'release:3', 'instance:1'],
    ready_at: 2_000,
    draining: null,
  });
});

for (const [what, change] of Object.entries({
  'has no process': { process: null },
  'has no port': { port: null },
  'is starting': { state: 'starting' },
  'is paused': { state: 'paused' },
  'is stopping': { state: 'stopping' },
  'is not ready by its probe': { readiness: 'unhealthy' as HealthVerdict },
  'has not been probed yet': { readiness: 'unknown' as HealthVerdict },
  'is not alive by its probe': { liveness: 'unhealthy' as HealthVerdict },
  'has not said that it is ready': { has_logged_ready: false },
} satisfies Record<string, Partial<Instance>>))
  test(`an instance that ${what} is not in the table`, () => {
    assert.deepEqual(table([{ ...ready, ...change }]).instances, []);
  });

test('an instance that drains stays in the table, whatever its probes say', () => {
  const draining = { until: 5_000, spread: 100, is_leaving: true };
  const [instance] = table([{ ...ready, state: 'draining', readiness: 'unhealthy', draining }]).instances;
  assert.deepEqual(instance?.draining, { until: 5_000, spread: 100 });
});

test('requests are held for as long as the rollout says, or not at all', () => {
  assert.equal(table([ready]).hold, null);
  assert.equal(table([ready], { rollout: { hold: true, hold_timeout: '1.5s' } }).hold, 1_500);
});

test('what comes of a service is what the contract calls a table', () => {
  const services = [table([ready])];
  assert.doesNotThrow(() => routingTable.shape.services.parse(services));
});

test('each route of a service is a rule with its place for a name', () => {
  const routes: Route[] = [
    route.parse({ hosts: ['web.test'], priority: 7 }),
    route.parse({ path_prefix: '/api', rewrite_prefix: '/' }),
  ];
  const rules = routeRules('web', routes);
  assert.deepEqual(
    rules.map(({ id, priority, declared_by, enabled }) => ({ id, priority, declared_by, enabled })),
    [
      { id: 'web/1', priority: 7, declared_by: 'web', enabled: true },
      { id: 'web/2', priority: 0, declared_by: 'web', enabled: true },
    ],
  );
  assert.deepEqual(rules[1]?.action, { type: 'route', service: 'web', rewrite_prefix: '/' });
  assert.doesNotThrow(() =>
    routingTable.shape.rules.parse(rules.map(({ id, match, action }) => ({ id, match, action }))),
  );
});

test('a rule leads to the services that its action names', () => {
  const rewrite_prefix = null;
  assert.deepEqual(servicesOf({ action: { type: 'route', service: 'web', rewrite_prefix } }), ['web']);
  const services = [
    { service: 'a', weight: 1 },
    { service: 'b', weight: 2 },
  ];
  assert.deepEqual(servicesOf({ action: { type: 'split', services, rewrite_prefix } }), ['a', 'b']);
  assert.deepEqual(servicesOf({ action: { type: 'deny', status: 403 } }), []);
});
