import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stats as schema } from '../../src/contract/stats.ts';
import { type ServiceFacts, type StatsParts, statsOf } from '../../src/metrics/stats.ts';
import type { HostUsage, InstanceUsage, Tick } from '../../src/metrics/tick.ts';
import { noTraffic } from '../../src/traffic/traffic_counts.ts';

const host: HostUsage = {
  booted_at: 1_000_000,
  processors: 4,
  cpu_seconds: { user: 1, system: 2, idle: 3, iowait: 4, steal: 5 },
  load: [0.5, 1, 2],
  memory: { total: 8_000, available: 6_000 },
  swap: { total: 0, free: 0 },
  disk: { total: 100, available: 40, files_free: 9 },
  disk_io: { read: 1, written: 2 },
  network: { received: 3, sent: 4 },
  pressure: null,
};

function usage(change: Partial<InstanceUsage> = {}): InstanceUsage {
  return {
    service: 'web',
    instance: 1,
    release: 3,
    instance_id: 'a',
    cpu_seconds: 10,
    resident_bytes: 1_000,
    processes: 2,
    threads: 5,
    open_files: 20,
    started_at: 50_000,
    ...change,
  };
}

function tick(at: number, instances: readonly InstanceUsage[] = []): Tick {
  const event_loop_lag = { max: 0.012, p99: 0.001 };
  const agent = { cpu_seconds: 1, resident_bytes: 83, heap_bytes: 20, open_files: 30, event_loop_lag };
  return { at, duration_ms: 3, host, agent, instances };
}

function service(change: Partial<ServiceFacts> = {}): ServiceFacts {
  return {
    id: 'web',
    status: { status: 'running', instances: { wanted: 2, running: 2, ready: 1 } },
    started_at: 50_000,
    restarts: 3,
    traffic: null,
    alerts_firing: 0,
    ...change,
  };
}

function parts(change: Partial<StatsParts> = {}): StatsParts {
  return {
    agent: { version: '1.0.0', hostname: 'box', started_at: new Date(0).toISOString() },
    interval_seconds: 10,
    tick: tick(110_000),
    previous: null,
    measurements: null,
    services: [],
    host_alerts_firing: 0,
    shows_host: true,
    shows_usage: true,
    ...change,
  };
}

const measurements = {
  at: 110_000,
  values: new Map([
    ['host.cpu', 0.25],
    ['agent.cpu', 0.01],
    ['service.cpu:web', 1.5],
    ['service.memory:web', 2_000],
    ['service.requests:web', 7],
    ['service.errors:web', 0.1],
  ] as const),
};

test('what is told is what the contract says, and nothing of it is unknown where it was measured', () => {
  const told = schema.parse(
    statsOf(parts({ services: [service()], measurements, tick: tick(110_000, [usage()]) })),
  );
  assert.equal(told.at, '1970-01-01T00:01:50.000Z');
  assert.equal(told.host?.cpu_ratio, 0.25);
  assert.deepEqual(told.host?.load, [0.5, 1, 2]);
  assert.equal(told.host?.disk_free_bytes, 40);
  assert.equal(told.agent.cpu_cores, 0.01);
  assert.equal(told.agent.event_loop_lag_seconds, 0.012);
  const { usage: instances, ...web } = told.services[0] ?? assert.fail('there is no service');
  assert.deepEqual(web, {
    service: 'web',
    state: 'running',
    instances: { wanted: 2, running: 2, ready: 1 },
    started_at: '1970-01-01T00:00:50.000Z',
    restarts: 3,
    cpu_cores: 1.5,
    resident_bytes: 2_000,
    open_connections: 0,
    requests_per_second: 7,
    error_ratio: 0.1,
    alerts_firing: 0,
  });
  assert.equal(instances.length, 1);
});

test('before the second tick rates are unknown, not zero', () => {
  const told = statsOf(parts({ services: [service()], tick: tick(1, [usage()]) }));
  assert.equal(told.agent.cpu_cores, null);
  assert.equal(told.services[0]?.cpu_cores, null);
  assert.equal(told.services[0]?.requests_per_second, null);
  assert.equal(told.services[0]?.usage[0]?.cpu_cores, null);
});

test('sums are those of the services that are told of', () => {
  const traffic = {
    ...noTraffic(),
    open_requests: 2,
    open_websockets: 3,
    requests: 100,
    websockets: 10,
    by_status: [0, 90, 0, 5, 4],
    failures: 1,
  };
  const services = [
    service({ traffic, alerts_firing: 2 }),
    service({
      id: 'api',
      status: { status: 'failed', instances: { wanted: 1, running: 0, ready: 0 } },
      traffic,
      restarts: 1,
    }),
  ];
  assert.deepEqual(statsOf(parts({ services })).totals, {
    services: 2,
    services_running: 1,
    services_failed: 1,
    instances: 2,
    instances_ready: 1,
    connections: 10,
    requests: 220,
    errors: 10,
    restarts: 4,
    alerts_firing: 2,
  });
});

test('alerts of the host count for who may see it', () => {
  const services = [service({ alerts_firing: 2 })];
  assert.equal(statsOf(parts({ services, host_alerts_firing: 3 })).totals.alerts_firing, 5);
  assert.equal(
    statsOf(parts({ services, host_alerts_firing: 3, shows_host: false })).totals.alerts_firing,
    2,
  );
});

test('nothing of the host is told to who may not see it, or where the system does not tell', () => {
  assert.equal(statsOf(parts({ shows_host: false, measurements })).host, null);
  assert.equal(statsOf(parts({ tick: { ...tick(1), host: null } })).host, null);
});

test('what instances use is told only where it is wanted, and only of services that are told of', () => {
  const measured = tick(110_000, [usage(), usage({ service: 'secret', instance_id: 'b' })]);
  assert.deepEqual(
    statsOf(parts({ tick: measured, services: [service()], shows_usage: false })).services[0]?.usage,
    [],
  );
  const told = statsOf(parts({ tick: measured, services: [service()] }));
  assert.ok(!JSON.stringify(told).includes('secret'));
  assert.equal(told.services[0]?.usage.length, 1);
});

for (const [title, before, now, at, cores] of [
  ['by what it used since the tick before', usage({ cpu_seconds: 5 }), usage(), 110_000, 0.5],
  ['all that it used when it began since', null, usage({ started_at: 101_000 }), 110_000, 1],
  ['not when it was there and was not measured', null, usage(), 110_000, null],
  ['not when the clock was set back', usage({ cpu_seconds: 5 }), usage(), 90_000, null],
  ['not when both ticks were at the same time', usage({ cpu_seconds: 5 }), usage(), 100_000, null],
  ['not by another run of the same instance', usage({ instance_id: 'z' }), usage(), 110_000, null],
] as const) {
  test(`the processors of an instance are told ${title}`, () => {
    const previous = tick(100_000, before === null ? [] : [before]);
    const told = statsOf(parts({ previous, tick: tick(at, [now]), services: [service()] }));
    assert.equal(told.services[0]?.usage[0]?.cpu_cores, cores);
  });
}
