import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { ServiceStats, Stats } from '../../src/contract/stats.ts';
import { Person } from './davit.ts';
import { fakeAgent } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const ago = (milliseconds: number) => new Date(Date.now() - milliseconds).toISOString();

const web: ServiceStats = {
  service: 'web',
  state: 'running',
  instances: { wanted: 2, running: 2, ready: 1 },
  started_at: ago(3_725_000),
  restarts: 3,
  cpu_cores: 1.257,
  resident_bytes: 123_456_789,
  open_connections: 12,
  requests_per_second: 4.21,
  error_ratio: 0.031,
  alerts_firing: 1,
  usage: [
    {
      instance: 2,
      release: 7,
      cpu_cores: 0.004,
      cpu_seconds: 81.26,
      resident_bytes: 61_000_000,
      processes: 3,
      threads: 14,
      open_files: 57,
    },
  ],
};

const stopped: ServiceStats = {
  ...web,
  service: 'api',
  state: 'stopped',
  instances: { wanted: 1, running: 0, ready: 0 },
  started_at: null,
  restarts: 0,
  cpu_cores: null,
  resident_bytes: null,
  open_connections: 0,
  requests_per_second: null,
  error_ratio: null,
  alerts_firing: 0,
  usage: [],
};

function numbers(change: Partial<Stats> = {}): Stats {
  return {
    at: '2026-01-31T12:00:10.004Z',
    interval_seconds: 10,
    agent: {
      version: '1.2.3',
      hostname: 'box',
      started_at: ago(65_000),
      resident_bytes: 83_000_000,
      cpu_cores: 0.0042,
      event_loop_lag_seconds: 0.0124,
    },
    host: {
      booted_at: ago(90_061_000),
      processors: 4,
      cpu_ratio: 0.137,
      load: [0.5, 1, 1.25],
      memory_bytes: 8e9,
      memory_available_bytes: 6e9,
      disk_bytes: 100e9,
      disk_free_bytes: 25e9,
    },
    totals: {
      services: 2,
      services_running: 1,
      services_failed: 0,
      instances: 2,
      instances_ready: 1,
      connections: 12,
      requests: 1_000,
      errors: 31,
      restarts: 3,
      alerts_firing: 1,
    },
    services: [stopped, web],
    ...change,
  };
}

test('stats sum up the host, the agent and the services, and list the services', async () => {
  await using agent = await fakeAgent(() => numbers());
  agent.describeIn(person.path('data'));
  const { code, out, err } = await person.davit(['stats']);
  assert.equal(code, 0, err);
  const lines = out.trimEnd().split('\n');
  assert.deepEqual(lines.slice(0, 6), [
    'host:      CPU 14% of 4, load 0.50 1.00 1.25, memory 2.0GB of 8.0GB, disk 75GB of 100GB, up 1d 1h',
    'agent:     davit 1.2.3 on box, CPU 0.4%, memory 83MB, lag 12ms, up 1m 5s',
    'services:  2, running 1, instances 2, ready 1, restarts 3, alerts firing 1',
    'traffic:   requests 1000, errors 31, connections 12',
    'measured:  2026-01-31T12:00:10Z, every 10s',
    '',
  ]);
  assert.match(
    lines[6] ?? '',
    /^SERVICE +STATE +READY +CPU +MEMORY +OPEN +REQ\/S +ERRORS +RESTARTS +ALERTS +UPTIME$/,
  );
  assert.match(lines[7] ?? '', /^api +stopped +0\/1 +- +- +0 +- +- +0 +0 +-$/);
  assert.match(lines[8] ?? '', /^web +running +1\/2 +126% +123MB +12 +4\.2 +3\.1% +3 +1 +1h 2m$/);
  assert.equal(lines.length, 9);
  assert.deepEqual(agent.requests[0]?.query, {});
});

test('stats tell on request what each instance uses', async () => {
  await using agent = await fakeAgent(() => numbers());
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['stats', '--usage']);
  assert.match(out, /\nweb +2 +7 +0\.4% +81\.3s +61MB +3 +14 +57\n/);
  assert.deepEqual(agent.requests[0]?.query, { usage: 'true' });
});

test('stats leave out the host where the key may not see it, and the table where there are no services', async () => {
  await using agent = await fakeAgent(() => numbers({ host: null, services: [] }));
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['stats']);
  assert.doesNotMatch(out, /host:|SERVICE/);
  assert.match(out, /^agent:/);
});

test('a name that would drive the terminal is shown, not obeyed', async () => {
  const hostile = { ...numbers().agent, hostname: 'box\u001b[2J', version: '1\r2' };
  await using agent = await fakeAgent(() => numbers({ agent: hostile }));
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['stats']);
  assert.match(out, /davit 1\\r2 on box\\x1b\[2J/);
});

for (const columns of [40, 80]) {
  test(`stats fit a terminal of ${columns} columns`, async () => {
    await using agent = await fakeAgent(() => numbers());
    agent.describeIn(person.path('data'));
    const { out } = await person.onTerminal(['stats', '--usage'], columns, { NO_COLOR: '1' });
    const lines = out.replaceAll('\r', '').split('\n');
    assert.ok(lines.length > 8, out);
    for (const line of lines) assert.ok(line.length <= columns, line);
  });
}

test('stats are what the agent answers, as JSON', async () => {
  await using agent = await fakeAgent(() => numbers());
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['stats', '--json']);
  assert.equal(JSON.parse(out).services[1].service, 'web');
});
