import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { latencyBounds, type TrafficCounts } from '../../src/contract/connections.ts';
import { parseSeriesKey, type SeriesKey, seriesNames } from '../../src/contract/series.ts';
import { increase, latencyQuantile } from '../../src/metrics/increase.ts';
import { measurementsOf } from '../../src/metrics/measure.ts';
import type { ServiceSnapshot, Snapshot } from '../../src/metrics/snapshot.ts';
import type { HostUsage, InstanceUsage, Tick } from '../../src/metrics/tick.ts';
import { noTraffic } from '../../src/traffic/traffic_counts.ts';

const host: HostUsage = {
  booted_at: 0,
  processors: 2,
  cpu_seconds: { user: 100, system: 50, idle: 800, iowait: 40, steal: 10 },
  load: [1.5, 1, 0.5],
  memory: { total: 1_000, available: 250 },
  swap: { total: 0, free: 0 },
  disk: { total: 1_000, available: 100, files_free: 5 },
  disk_io: { read: 1_000, written: 2_000 },
  network: { received: 10_000, sent: 20_000 },
  pressure: null,
};
const service: ServiceSnapshot = { ready: 1, wanted: 1, restarts: 0, log_bytes: 0, traffic: null };

function instance(change: Partial<InstanceUsage> = {}): InstanceUsage {
  return {
    service: 'web',
    instance: 1,
    release: 1,
    instance_id: 'a',
    cpu_seconds: 1,
    resident_bytes: 100,
    processes: 1,
    threads: 1,
    open_files: 5,
    started_at: 0,
    ...change,
  };
}

function tick(at: number, change: Partial<Tick> = {}): Tick {
  const agent = {
    cpu_seconds: at / 10_000,
    resident_bytes: 5,
    heap_bytes: 3,
    open_files: 9,
    event_loop_lag: { max: 0.02, p99: 0.01 },
  };
  return { at, duration_ms: 1, host: null, agent, instances: [], ...change };
}

function snapshot(at: number, change: Partial<Snapshot> = {}): Snapshot {
  return {
    tick: tick(at),
    clock: at,
    services: new Map([['web', service]]),
    routers: null,
    request_errors: 0,
    ...change,
  };
}

function routed(at: number, counted: string[], traffic: TrafficCounts): Snapshot {
  const connected = new Map(counted.map((name) => [name, { connections: 3, unroutable: 7 }]));
  return snapshot(at, {
    services: new Map([['web', { ...service, traffic }]]),
    routers: { counted: new Set(counted), connected },
  });
}

function measured(before: Snapshot | null, now: Snapshot, key: SeriesKey): number | undefined {
  return measurementsOf(before, now).values.get(key);
}

test('shares and sizes of the host are known at once, rates from the second tick on', () => {
  const first = snapshot(10_000, { tick: tick(10_000, { host }) });
  const later = {
    ...host,
    cpu_seconds: { user: 105, system: 52, idle: 811, iowait: 41, steal: 11 },
    disk_io: { read: 3_000, written: 2_000 },
  };
  const second = snapshot(20_000, { tick: tick(20_000, { host: later }) });
  assert.equal(measured(null, first, 'host.memory'), 0.75);
  assert.equal(measured(null, first, 'host.memory_used'), 750);
  assert.equal(measured(null, first, 'host.swap'), 0);
  assert.equal(measured(null, first, 'host.disk'), 0.9);
  assert.equal(measured(null, first, 'host.cpu'), undefined);
  assert.equal(measured(first, second, 'host.cpu'), 0.4);
  assert.equal(measured(first, second, 'host.disk_io'), 200);
  assert.equal(measured(first, second, 'agent.cpu'), 0.1);
  assert.equal(measured(first, second, 'agent.event_loop_lag'), 0.02);
});

test('rates go by a clock that nobody sets', () => {
  const before = snapshot(10_000, { tick: tick(10_000, { instances: [instance()] }), clock: 0 });
  const now = snapshot(5_000, {
    tick: tick(5_000, { instances: [instance({ cpu_seconds: 6 })] }),
    clock: 10_000,
  });
  assert.equal(measured(before, now, 'service.cpu:web'), 0.5);
});

test('the processor time of a service is that of its instances, from the start of those that are new', () => {
  const before = snapshot(10_000, { tick: tick(10_000, { instances: [instance()] }) });
  const instances = [
    instance({ cpu_seconds: 3 }),
    instance({ instance_id: 'b', cpu_seconds: 4, started_at: 12_000 }),
    instance({ instance_id: 'c', cpu_seconds: 1_000, started_at: 2_000 }),
  ];
  const now = snapshot(20_000, { tick: tick(20_000, { instances }) });
  assert.equal(measured(before, now, 'service.cpu:web'), 0.6);
  assert.equal(measured(before, now, 'service.memory:web'), 300);
  assert.equal(measured(before, now, 'service.open_files:web'), 15);
});

test('what does not run uses nothing that is known, and is missing', () => {
  const now = snapshot(20_000, { services: new Map([['web', { ...service, ready: 1, wanted: 3 }]]) });
  assert.equal(measured(snapshot(10_000), now, 'service.cpu:web'), undefined);
  assert.equal(measured(snapshot(10_000), now, 'service.ready:web'), 1);
  assert.equal(measured(snapshot(10_000), now, 'service.missing:web'), 2);
});

test('restarts are those within the interval, also of a service that was made again', () => {
  const at = (time: number, restarts: number) =>
    snapshot(time, { services: new Map([['web', { ...service, restarts }]]) });
  assert.equal(measured(null, at(10_000, 2), 'service.restarts:web'), 2);
  assert.equal(measured(at(10_000, 2), at(20_000, 5), 'service.restarts:web'), 3);
  assert.equal(measured(at(10_000, 5), at(20_000, 1), 'service.restarts:web'), 1);
});

test('requests, errors and latency of a service come from what routers told meanwhile', () => {
  const traffic = noTraffic();
  const latency = traffic.latency.map((_, index) => (index === 3 ? 95 : index === 6 ? 5 : 0));
  const later = {
    ...traffic,
    requests: 110,
    websockets: 2,
    by_status: [0, 90, 0, 0, 5],
    failures: 5,
    latency,
    open_requests: 3,
    open_websockets: 2,
  };
  const [before, now] = [routed(10_000, ['r1'], traffic), routed(20_000, ['r1'], later)];
  assert.equal(measured(before, now, 'service.requests:web'), 11.2);
  assert.equal(measured(before, now, 'router.requests'), 11.2);
  assert.equal(measured(before, now, 'service.errors:web'), 0.1);
  assert.equal(measured(before, now, 'service.latency:web'), 0.005);
  assert.equal(measured(before, now, 'service.connections:web'), 5);
  assert.equal(measured(before, now, 'router.connections'), 3);
  assert.equal(measured(before, now, 'router.unroutable'), 0);
});

test('without requests there is neither a share of errors nor a latency, but a rate of 0', () => {
  const before = routed(10_000, ['r1'], noTraffic());
  const now = routed(20_000, ['r1'], noTraffic());
  assert.equal(measured(before, now, 'service.requests:web'), 0);
  assert.equal(measured(before, now, 'service.errors:web'), undefined);
  assert.equal(measured(before, now, 'service.latency:web'), undefined);
});

test('a router that comes with totals from before is no burst of requests', () => {
  const totals = { ...noTraffic(), requests: 1e6 };
  const before = routed(10_000, [], noTraffic());
  const now = routed(20_000, ['r1'], totals);
  const later = routed(30_000, ['r1'], { ...totals, requests: 1e6 + 50 });
  assert.equal(measured(before, now, 'service.requests:web'), undefined);
  assert.equal(measured(before, now, 'router.requests'), undefined);
  assert.equal(measured(before, now, 'router.unroutable'), 0);
  assert.equal(measured(now, later, 'service.requests:web'), 5);
});

test('totals that fall are no negative rates', () => {
  const totals = { ...noTraffic(), requests: 100, by_status: [0, 100, 0, 0, 0] };
  const before = routed(10_000, ['r1'], totals);
  const now = routed(20_000, ['r1'], noTraffic());
  assert.equal(measured(before, now, 'service.requests:web'), undefined);
  assert.equal(measured(before, now, 'service.errors:web'), undefined);
  assert.equal(measured(before, now, 'router.requests'), 0);
});

test('no value of any series is negative or no number, whatever is told', () => {
  const amount = fc.integer({ min: 0, max: 1e6 });
  const traffic = fc
    .record({
      requests: amount,
      websockets: amount,
      failures: amount,
      by_status: fc.tuple(amount, amount, amount, amount, amount),
    })
    .map((told): TrafficCounts => ({ ...noTraffic(), ...told }));
  const any = fc
    .record({
      at: amount,
      clock: amount,
      traffic,
      cpu: amount,
      idle: amount,
      restarts: amount,
      errors: amount,
    })
    .map(({ at, clock, cpu, idle, restarts, errors, ...told }) => {
      const usage = { ...host, cpu_seconds: { ...host.cpu_seconds, user: cpu, idle } };
      return {
        ...routed(at, ['r1'], told.traffic),
        tick: tick(at, { host: usage, instances: [instance({ cpu_seconds: cpu })] }),
        clock,
        services: new Map([['web', { ...service, restarts, log_bytes: cpu, traffic: told.traffic }]]),
        request_errors: errors,
      };
    });
  fc.assert(
    fc.property(any, any, (before, now) => {
      for (const [key, value] of measurementsOf(before, now).values) {
        assert.ok(Number.isFinite(value) && value >= 0, `${key} is ${value}`);
        assert.ok(seriesNames.includes(parseSeriesKey(key)?.name ?? ('' as never)), key);
      }
    }),
  );
});

test('a latency lies in the range of the histogram in which that share of answers is reached', () => {
  const counts = (...pairs: [number, number][]) =>
    Array.from(
      { length: latencyBounds.length + 1 },
      (_, at) => pairs.find(([place]) => place === at)?.[1] ?? 0,
    );
  assert.equal(latencyQuantile(counts(), 0.95), null);
  assert.equal(latencyQuantile(counts([15, 3]), 0.95), 30);
  assert.equal(latencyQuantile(counts([0, 100]), 0.95), 0.000475);
  assert.equal(latencyQuantile(counts([6, 10]), 0.5), 0.035);
  assert.equal(latencyQuantile(counts([0, 94], [8, 6]), 0.95)?.toFixed(4), '0.1167');
});

test('a sum that falls has grown by an unknown amount', () => {
  assert.equal(increase(1, 3), 2);
  assert.equal(increase(3, 1), null);
  assert.equal(increase(undefined, 1), null);
  assert.equal(increase(1, null), null);
});
