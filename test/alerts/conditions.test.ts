import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { outcomesOf } from '../../src/alerts/conditions/deployment_outcomes.ts';
import { diskSpace } from '../../src/alerts/conditions/disk_space.ts';
import { LogShortage } from '../../src/alerts/conditions/log_shortage.ts';
import { isBeyond, seriesFinding, valueText } from '../../src/alerts/conditions/series_conditions.ts';
import { failedInstances, unhealthyInstances } from '../../src/alerts/conditions/service_conditions.ts';
import type { Deployment } from '../../src/contract/deployments.ts';
import type { Measurements, SeriesKey } from '../../src/contract/series.ts';
import { spec } from '../../src/contract/spec.ts';
import { type Instance, type LastExit, newInstance } from '../../src/services/instance.ts';
import type { Service } from '../../src/services/service.ts';

const never = () => false;
const always = () => true;

const exit = (change: Partial<LastExit> = {}): LastExit => ({
  return_code: 1,
  signal: null,
  at: 1_000,
  reason: 'exited',
  message: 'Process exited with code 1',
  ...change,
});

function service(instances: readonly Partial<Instance>[], change: Partial<Service> = {}): Service {
  return {
    id: 'web',
    created_at: 0,
    wanted: 'running',
    current_release: 1,
    last_release: 1,
    runs: 1,
    scale: null,
    declared_in: null,
    instances: instances.map((each, index) => ({ ...newInstance(index + 1), ...each })),
    under_way: null,
    ...change,
  };
}

const usual = spec.parse({ command: 'x' });
const once = spec.parse({ command: 'x', restart: { policy: 'never' } });
const task = spec.parse({ command: 'x', type: 'task' });
const underWay = {} as NonNullable<Service['under_way']>;

test('a service has failed when one of its instances is not started again', () => {
  const failed: Partial<Instance> = { state: 'failed', last_exit: exit(), last_event: 7 };
  const [found] = failedInstances(service([failed]), usual, never);
  assert.equal(found?.summary, 'web has failed: Process exited with code 1');
  assert.equal(found?.event, 7);
  assert.equal(found?.since, 1_000);
  const [part] = failedInstances(service([{ state: 'running' }, failed]), usual, never);
  assert.match(part?.summary ?? '', /1 of 2 instances/);
  for (const state of ['running', 'backoff', 'starting', 'stopped', 'completed'] as const)
    assert.deepEqual(failedInstances(service([{ state }]), usual, never), [], state);
});

test('with the policy never, an end that nobody wanted is a failure, and a good one is not', () => {
  const stopped = (last_exit: LastExit | null) => service([{ state: 'stopped', last_exit }]);
  assert.equal(failedInstances(stopped(exit()), once, never).length, 1);
  assert.equal(failedInstances(stopped(exit({ reason: 'out_of_memory' })), once, never).length, 1);
  assert.equal(failedInstances(stopped(exit({ return_code: 0 })), once, never).length, 0);
  assert.equal(failedInstances(stopped(exit({ reason: 'stopped' })), once, never).length, 0);
  assert.equal(failedInstances(stopped(exit({ reason: 'host_rebooted' })), once, never).length, 0);
  assert.equal(failedInstances(stopped(null), once, never).length, 0);
});

test('what somebody stopped has not failed', () => {
  const stopped = service([{ state: 'failed', last_exit: exit() }], { wanted: 'stopped' });
  assert.deepEqual(failedInstances(stopped, usual, always), []);
});

test('while a release is replaced, a failure neither begins nor ends', () => {
  const failed = service([{ state: 'failed', last_exit: exit() }], { under_way: underWay });
  assert.deepEqual(failedInstances(failed, usual, never), []);
  assert.equal(failedInstances(failed, usual, always).length, 1);
  const starting = service([{ state: 'starting' }], { under_way: underWay });
  assert.equal(failedInstances(starting, usual, always).length, 1);
  assert.equal(failedInstances(service([{ state: 'starting' }]), usual, always).length, 0);
});

test('a task that failed is over when a run of it ended well, not when one begins', () => {
  const process = {} as NonNullable<Instance['process']>;
  const running = service([{ state: 'running', process }]);
  assert.equal(failedInstances(running, task, always).length, 1);
  assert.equal(failedInstances(running, task, never).length, 0);
  assert.equal(failedInstances(service([{ state: 'completed' }]), task, always).length, 0);
});

test('an instance is unhealthy when a probe says so, and then until it has proved itself', () => {
  const bad: Partial<Instance> = { state: 'running', readiness: 'unhealthy', last_probe: 'HTTP 503' };
  const [found, ...more] = unhealthyInstances(service([{ state: 'running' }, bad]), never);
  assert.equal(more.length, 0);
  assert.equal(found?.instance, 2);
  assert.equal(found?.summary, 'instance 2 of web is not ready: HTTP 503');
  const dead = unhealthyInstances(service([{ state: 'running', liveness: 'unhealthy' }]), never);
  assert.match(dead[0]?.summary ?? '', /^web fails its liveness probe/);
  for (const unproven of [
    { state: 'running', readiness: 'unknown' },
    { state: 'backoff' },
    { state: 'starting' },
    { state: 'stopping' },
  ] as const) {
    assert.equal(unhealthyInstances(service([unproven]), always).length, 1, unproven.state);
    assert.equal(unhealthyInstances(service([unproven]), never).length, 0, unproven.state);
  }
  const well = service([{ state: 'running', readiness: 'healthy', liveness: 'healthy' }]);
  assert.equal(unhealthyInstances(well, always).length, 0);
  assert.equal(unhealthyInstances(service([{ state: 'failed' }]), always).length, 0);
  assert.equal(unhealthyInstances(service([bad], { wanted: 'stopped' }), always).length, 0);
});

const deployment = (change: Partial<Deployment>): Deployment => ({
  id: 1,
  service: 'web',
  status: 'succeeded',
  release: 2,
  previous_release: 1,
  strategy: 'rolling',
  actor: 'key:a',
  steps: [],
  cause: null,
  created_at: '2026-01-01T00:00:00.000Z',
  started_at: null,
  ended_at: null,
  ...change,
});

test('each deployment that failed counts until one succeeds', () => {
  const [second, first] = [deployment({ id: 3, status: 'failed' }), deployment({ id: 2, status: 'failed' })];
  const before = deployment({ id: 1, status: 'failed' });
  const good = deployment({ id: 2 });
  assert.deepEqual(outcomesOf([second, first]).failed, [second, first]);
  assert.deepEqual(outcomesOf([second, good, before]).failed, [second]);
  assert.deepEqual(outcomesOf([good, before]), { failed: [], rolled_back: [] });
  const others = (['waiting', 'running', 'baking', 'cancelled', 'superseded'] as const).map((status) =>
    deployment({ status }),
  );
  assert.deepEqual(outcomesOf([...others, second, ...others, good]).failed, [second]);
});

test('a release that did worse counts as rolled back, and what somebody rolled back as nothing', () => {
  const worse = deployment({ id: 3, status: 'failed', code: 'release_worse' });
  assert.deepEqual(outcomesOf([worse, deployment({})]), { failed: [], rolled_back: [worse] });
  const back = deployment({ id: 4, release: 1, previous_release: 2 });
  assert.deepEqual(outcomesOf([back, worse]), { failed: [], rolled_back: [] });
});

const measured = (values: Partial<Record<SeriesKey, number>>): Measurements => ({
  at: 0,
  values: new Map(Object.entries(values)) as Measurements['values'],
});

test('a series fires past its threshold, and is over only past the other value', () => {
  const number = fc.double({ noNaN: true, noDefaultInfinity: true });
  fc.assert(
    fc.property(number, number, number, fc.boolean(), (a, b, value, isFiring) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      const above = { side: 'above', threshold: high, clear: low } as const;
      const below = { side: 'below', threshold: low, clear: high } as const;
      assert.equal(isBeyond(above, value, isFiring), value > (isFiring ? low : high));
      assert.equal(isBeyond(below, value, isFiring), value < (isFiring ? high : low));
      // What begins to fire does not end by the same value.
      for (const rule of [above, below])
        if (isBeyond(rule, value, false)) assert.ok(isBeyond(rule, value, true));
    }),
  );
});

test('a value that is not there is as it should be', () => {
  const rule = {
    kind: 'series',
    series: 'service.errors',
    side: 'above',
    threshold: 0.1,
    clear: 0.1,
  } as const;
  assert.equal(isBeyond(rule, undefined, true), false);
  assert.equal(isBeyond(rule, Number.NaN, true), false);
  assert.equal(seriesFinding(rule, 'web', measured({}), false), null);
  assert.equal(seriesFinding(rule, 'web', measured({ 'service.errors:api': 1 }), false), null);
  const found = seriesFinding(rule, 'web', measured({ 'service.errors:web': 0.25 }), false);
  assert.equal(found?.summary, 'service.errors of web is 25 %, above 10 %');
  assert.equal(found?.value, 0.25);
});

test('values are told with their units', () => {
  assert.equal(valueText('host.disk_free', 1_530_000_000), '1.53 GB');
  assert.equal(valueText('host.network_in', 999), '999 B/s');
  assert.equal(valueText('service.latency', 0.25), '250 ms');
  assert.equal(valueText('service.latency', 3), '3 s');
  assert.equal(valueText('service.cpu', 1.234), '1.23 cores');
  assert.equal(valueText('service.requests', 0), '0/s');
  assert.equal(valueText('service.missing', 2), '2');
  assert.equal(valueText('host.disk_free', 0), '0 B');
});

test('a disk is low below a tenth or 2 GB, and over a little later; one that was not measured stays as it was', () => {
  const disk = (free: number, total: number, isKnown: boolean) =>
    diskSpace(measured({ 'host.disk_free': free, 'host.disk': 1 - free / total }), isKnown)?.findings.length;
  assert.equal(disk(0.9e9, 10e9, false), 1);
  assert.equal(disk(1.05e9, 10e9, false), 0);
  assert.equal(disk(1.05e9, 10e9, true), 1);
  assert.equal(disk(1.2e9, 10e9, true), 0);
  assert.equal(disk(2.5e9, 1000e9, false), 0);
  assert.equal(disk(1.9e9, 1000e9, false), 1);
  assert.equal(disk(0, 10e9, false), 1);
  assert.equal(diskSpace(null, true), null);
  assert.deepEqual(diskSpace(measured({}), true)?.findings, []);
});

test('output that was removed is told for an hour after the last time', () => {
  const shortage = new LogShortage();
  const hour = 3_600_000;
  shortage.note('web', 'it may keep 10 bytes', 0);
  shortage.note('web', 'it may keep 10 bytes', hour / 2);
  const look = shortage.look('web', hour);
  assert.equal(look.findings[0]?.since, 0);
  assert.equal(look.again_at, hour * 1.5);
  assert.equal(shortage.look('web', hour * 1.5).findings.length, 0);
  assert.equal(shortage.look('api', 0).findings.length, 0);
});
