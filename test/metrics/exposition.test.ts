import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Event } from '../../src/contract/events.ts';
import type { Spec } from '../../src/contract/spec.ts';
import { Exposition, type ExpositionOptions } from '../../src/metrics/exposition/exposition.ts';
import { LabelSet } from '../../src/metrics/exposition/label_set.ts';
import { ProbeCounts } from '../../src/metrics/exposition/probe_counts.ts';
import type { InstanceUsage, Tick } from '../../src/metrics/tick.ts';
import { type Instance, newInstance } from '../../src/services/instance.ts';
import type { Service } from '../../src/services/service.ts';
import { TrafficFacts } from '../../src/traffic/facts.ts';
import { RouterCounts } from '../../src/traffic/router_counts.ts';
import { trafficOf } from '../traffic/world.ts';

/** Services as a registry holds them, and everything else that is shown. */
class World {
  readonly services = new Map<string, Service>();
  readonly usages: InstanceUsage[] = [];
  readonly problems: string[] = [];
  readonly written = new Map<string, { stdout: Counted; stderr: Counted }>();
  readonly probes = new ProbeCounts();
  readonly facts = new TrafficFacts({ services: () => [...this.services.values()] });
  readonly routerCounts = new RouterCounts();
  readonly #events = new EventEmitter();
  readonly exposition: Exposition;

  constructor() {
    const spec = { type: 'service', schedule: null, instances: 1 } as unknown as Spec;
    this.exposition = new Exposition({
      registry: {
        services: () => [...this.services.values()],
        spec: () => spec,
        wantedInstances: (id) => this.services.get(id)?.scale ?? 1,
      },
      events: {
        subscribe: (listener: (event: Event) => void) => this.#events.on('event', listener),
      } as unknown as ExpositionOptions['events'],
      counts: { of: () => ({ restarts: 2, deployments_succeeded: 3, deployments_failed: 1 }) },
      written: () => this.written,
      traffic: { facts: this.facts, routerCounts: this.routerCounts },
      probes: this.probes,
      tick: () => this.#tick(),
      warnings: () => 1,
      started_at: 1_000_000,
      onProblem: (message) => this.problems.push(message),
    });
  }

  add(id: string, instances: readonly Instance[], wanted: Service['wanted'] = 'running'): void {
    const service = { id, instances, wanted, current_release: 4, scale: null };
    this.services.set(id, service as unknown as Service);
  }

  happens(type: Event['type'], about: Partial<Event> = {}): void {
    this.#events.emit('event', { service: null, instance: null, release: null, ...about, type });
  }

  /** The text of the page, without what is the same for all. */
  async lines(prefix: string): Promise<string[]> {
    const text = String((await this.exposition.page()).text);
    return text.split('\n').filter((line) => line.startsWith(prefix));
  }

  #tick(): Tick {
    const event_loop_lag = { max: 0.02, p99: 0.01 };
    const agent = { cpu_seconds: 1, resident_bytes: 2, heap_bytes: 3, open_files: 4, event_loop_lag };
    return { at: 2_000_000, duration_ms: 5, host: null, agent, instances: this.usages };
  }
}

interface Counted {
  bytes: number;
  lines: number;
}

/** An instance that runs. */
function running(number: number, more: Partial<Instance> = {}): Instance {
  const process = { instance_id: `id-${number}`, release: 4, started_at: 1_500_000 } as Instance['process'];
  return { ...newInstance(number), state: 'running', process, ...more };
}

function usageOf(service: string, instance: number): InstanceUsage {
  const rest = { resident_bytes: 4096, processes: 2, threads: 3, open_files: 5, started_at: 1_500_000 };
  return { service, instance, release: 4, instance_id: `id-${instance}`, cpu_seconds: 1.5, ...rest };
}

test('a service shows the state in which it is, and no other', async () => {
  const world = new World();
  world.add('web', [running(1), { ...newInstance(2), state: 'failed' }]);
  world.add('off', [newInstance(1)], 'stopped');
  assert.deepEqual(await world.lines('davit_service_state'), [
    'davit_service_state{service="off",state="stopped"} 1',
    'davit_service_state{service="web",state="running"} 1',
  ]);
  assert.deepEqual(await world.lines('davit_service_instances_wanted'), [
    'davit_service_instances_wanted{service="off"} 0',
    'davit_service_instances_wanted{service="web"} 1',
  ]);
  assert.deepEqual(await world.lines('davit_service_instances_running{service="web"}'), [
    'davit_service_instances_running{service="web"} 1',
  ]);
});

test('an instance shows what is known of it, and nothing of what is not', async () => {
  const world = new World();
  const last_exit = { return_code: 137, signal: 'SIGKILL', at: 1_400_000, reason: 'exited', message: '' };
  world.add('web', [running(1, { readiness: 'unhealthy', liveness: 'unknown' }), newInstance(2)]);
  world.add('job', [{ ...newInstance(1), last_exit: last_exit as Instance['last_exit'] }]);
  world.usages.push(usageOf('web', 1));
  const lines = await world.lines('davit_instance_');
  for (const line of [
    'davit_instance_state{service="web",service_instance="1",state="running"} 1',
    'davit_instance_state{service="web",service_instance="2",state="stopped"} 1',
    'davit_instance_ready{service="web",service_instance="1"} 0',
    'davit_instance_healthy{service="web",service_instance="1",kind="readiness"} 0',
    'davit_instance_resident_memory_bytes{service="web",service_instance="1"} 4096',
    'davit_instance_cpu_seconds_total{service="web",service_instance="1"} 1.5',
    'davit_instance_start_time_seconds{service="web",service_instance="1"} 1500',
    'davit_instance_last_exit_code{service="job",service_instance="1"} 137',
    'davit_instance_last_exit_timestamp_seconds{service="job",service_instance="1"} 1400',
  ])
    assert.ok(lines.includes(line), `${line} is not in\n${lines.join('\n')}`);
  assert.ok(!lines.some((line) => line.includes('kind="liveness"')));
  assert.ok(!lines.some((line) => /memory.*service_instance="2"/.test(line)));
});

test('what is measured of a process counts for it alone, not for the one that took its number', async () => {
  const world = new World();
  world.add('web', [running(1, { process: { instance_id: 'next', release: 5, started_at: 1 } as never })]);
  world.usages.push(usageOf('web', 1));
  assert.deepEqual(await world.lines('davit_instance_threads{'), []);
});

test('probes are counted by kind and outcome, and their durations fall into buckets that add up', async () => {
  const world = new World();
  world.add('web', [running(1)]);
  const probe = { service: 'web', instance: 1, kind: 'liveness' } as const;
  for (const duration_ms of [3.90625, 31.25, 62_500])
    world.probes.take({ ...probe, success: true, duration_ms });
  world.probes.take({ ...probe, success: false, duration_ms: 125 });
  const about = 'service="web",service_instance="1",kind="liveness"';
  assert.deepEqual(await world.lines('davit_instance_probes_total'), [
    `davit_instance_probes_total{${about},outcome="succeeded"} 3`,
    `davit_instance_probes_total{${about},outcome="failed"} 1`,
  ]);
  assert.deepEqual(
    (await world.lines('davit_instance_probe_duration_seconds')).map((line) => line.replace(`${about},`, '')),
    [
      'davit_instance_probe_duration_seconds_bucket{le="0.005"} 1',
      'davit_instance_probe_duration_seconds_bucket{le="0.05"} 2',
      'davit_instance_probe_duration_seconds_bucket{le="0.5"} 3',
      'davit_instance_probe_duration_seconds_bucket{le="5"} 3',
      'davit_instance_probe_duration_seconds_bucket{le="+Inf"} 4',
      `davit_instance_probe_duration_seconds_sum{${about}} 62.66015625`,
      `davit_instance_probe_duration_seconds_count{${about}} 4`,
    ],
  );
});

test('restarts, deployments and events are counted as they happen, and a deleted service is forgotten', async () => {
  const world = new World();
  world.add('web', [running(1), running(2)]);
  world.happens('service.restarting', { service: 'web', instance: 2 });
  world.happens('deployment.started', { service: 'web', release: 4 });
  world.happens('deployment.failed', { service: 'web', release: 4 });
  // Its beginning was not seen.
  world.happens('deployment.succeeded', { service: 'web', release: 5 });
  const restarts = () => world.lines('davit_instance_restarts_total');
  assert.deepEqual(await restarts(), [
    'davit_instance_restarts_total{service="web",service_instance="1"} 0',
    'davit_instance_restarts_total{service="web",service_instance="2"} 1',
  ]);
  assert.deepEqual(await world.lines('davit_service_deployment_duration_seconds_count'), [
    'davit_service_deployment_duration_seconds_count{service="web",outcome="failed"} 1',
  ]);
  const events = await world.lines('davit_agent_events_total');
  assert.ok(events.includes('davit_agent_events_total{type="deployment.failed"} 1'));
  assert.ok(events.includes('davit_agent_events_total{type="alert.firing"} 0'));

  const other = new World();
  other.happens('service.restarting', { service: 'web', instance: 1 });
  other.happens('service.deleted', { service: 'web' });
  other.add('web', [running(1)]);
  assert.deepEqual(await other.lines('davit_instance_restarts_total'), [
    'davit_instance_restarts_total{service="web",service_instance="1"} 0',
  ]);
});

test('what goes through the routers is shown by service, and of the routers by their numbers', async () => {
  const world = new World();
  world.add('web', [running(1)]);
  world.add('quiet', [running(1)]);
  const latency = Array.from({ length: 16 }, (_, index) => (index === 0 || index === 15 ? 2 : 0));
  const traffic = { service: 'web', instance_id: 'id-1', by_status: [0, 7, 0, 1, 0], latency, ejected: true };
  world.facts.take('a', [trafficOf(traffic)]);
  const told = { connections: 2, connections_total: 9, unroutable: 1, refused: 0 };
  world.routerCounts.take('b', 2, told);
  world.routerCounts.take('a', 1, told);
  world.routerCounts.take('c', null, { ...told, connections: 0, connections_total: 0, unroutable: 0 });
  assert.deepEqual(await world.lines('davit_router_connections_total{'), [
    'davit_router_connections_total{router="1"} 9',
    'davit_router_connections_total{router="2"} 9',
  ]);
  const requests = await world.lines('davit_router_requests_total{');
  assert.equal(requests.length, 5);
  assert.equal(requests[1], 'davit_router_requests_total{service="web",code="2xx"} 7');
  assert.deepEqual(await world.lines('davit_router_ejections_total{'), [
    'davit_router_ejections_total{service="web"} 1',
  ]);
  const times = await world.lines('davit_router_response_time_seconds_');
  assert.equal(times[0], 'davit_router_response_time_seconds_bucket{service="web",le="0.0005"} 2');
  assert.equal(times.at(-2), 'davit_router_response_time_seconds_bucket{service="web",le="+Inf"} 4');
  assert.equal(times.at(-1), 'davit_router_response_time_seconds_count{service="web"} 4');
});

test('calls are counted by operation and by what became of them; streams have no duration', async () => {
  const { exposition } = new World();
  const outcomes = { 200: 'succeeded', 304: 'succeeded', 401: 'denied', 403: 'denied', 429: 'denied' };
  const more = {
    400: 'invalid',
    404: 'invalid',
    409: 'invalid',
    422: 'failed',
    499: 'hung_up',
    503: 'failed',
  };
  for (const [status, outcome] of Object.entries({ ...outcomes, ...more })) {
    const operation = `of${status}`;
    exposition.operations.take({ operation, status: Number(status), seconds: status === '200' ? null : 0.1 });
    const text = await exposition.registry.getSingleMetricAsString('davit_agent_operations_total');
    assert.ok(text.includes(`{operation="${operation}",outcome="${outcome}"} 1`), `${status} is ${outcome}`);
  }
  const name = 'davit_agent_operation_duration_seconds';
  const durations = await exposition.registry.getSingleMetricAsString(name);
  assert.ok(!durations.includes('of200') && durations.includes('of503'));
  assert.equal(exposition.operations.errors, 1);
});

test('the page and the registry, which remote write reads, tell the same', async () => {
  const world = new World();
  world.add('web', [running(1)]);
  world.usages.push(usageOf('web', 1));
  world.facts.take('a', [trafficOf({ service: 'web', instance_id: 'id-1', requests: 3 })]);
  world.probes.take({ service: 'web', instance: 1, kind: 'readiness', success: true, duration_ms: 1 });
  const changes = /^davit_exposition_duration/;
  const shown = String((await world.exposition.page()).text)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !changes.test(line))
    .map(parseLine);
  const families = await world.exposition.registry.getMetricsAsJSON();
  const told = families.flatMap(({ name, values }) =>
    values.map((value) => ({
      name: 'metricName' in value ? String(value.metricName) : name,
      labels: Object.entries(value.labels).map(([label, text]) => `${label}="${text}"`),
      value: Number(value.value),
    })),
  );
  const asText = ({ name, labels, value }: (typeof shown)[number]) =>
    `${name}{${labels.toSorted().join(',')}} ${value}`;
  assert.deepEqual(
    shown.map(asText).sort(),
    told
      .filter(({ name }) => !changes.test(name))
      .map(asText)
      .sort(),
  );
  assert.equal(new Set(shown.map(asText)).size, shown.length, 'each series stands there once');
});

test('labels are written so that nothing in them ends a label or a line', () => {
  const set = new LabelSet({ service: 'a"b\\c\nd', service_instance: 1 });
  assert.equal(set.text, 'service="a\\"b\\\\c\\nd",service_instance="1"');
});

test('one metric that fails is told once, and keeps nobody from the others', async () => {
  const world = new World();
  world.exposition.metrics.gauge('davit_broken', 'Fails.', () => {
    throw new Error('out of order');
  });
  assert.deepEqual(await world.lines('davit_agent_warnings'), ['davit_agent_warnings 1']);
  assert.deepEqual(await world.lines('davit_broken'), []);
  assert.deepEqual(world.problems, ['the metric davit_broken cannot be shown: out of order']);
});

test('who asks at the same time gets the same page, compressed or not', async () => {
  const { exposition } = new World();
  const [one, other] = await Promise.all([exposition.page(), exposition.page()]);
  assert.equal(one, other);
  assert.deepEqual(gunzipSync(await one.compressed()), one.text);
});

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
test('promtool finds nothing to say', { skip: !hasPromtool && 'promtool is not installed' }, async () => {
  const world = new World();
  world.add('web', [running(1)]);
  world.usages.push(usageOf('web', 1));
  world.facts.take('a', [trafficOf({ service: 'web', instance_id: 'id-1', requests: 3 })]);
  world.probes.take({ service: 'web', instance: 1, kind: 'readiness', success: true, duration_ms: 1 });
  world.exposition.operations.take({ operation: 'health', status: 200, seconds: 0.001 });
  const { text: input } = await world.exposition.page();
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
  assert.equal(`${stdout}${stderr}`, '');
  assert.equal(status, 0);
});

function parseLine(line: string) {
  const [, name = '', labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  return { name, labels: labels === '' ? [] : labels.split(/,(?=\w+=")/), value: Number(value) };
}
