import type { TrafficCounts } from '../contract/connections.ts';
import { type Measurements, type SeriesName, seriesKey } from '../contract/series.ts';
import type { ServiceStatus } from '../contract/services.ts';
import type { ServiceStats, Stats } from '../contract/stats.ts';
import { increase } from './increase.ts';
import type { HostUsage, InstanceUsage, Tick } from './tick.ts';

/** What is known of a service besides what is measured. */
export interface ServiceFacts {
  readonly id: string;
  readonly status: Pick<ServiceStatus, 'status' | 'instances'>;
  /** When the oldest of its instances that run was started, in milliseconds since the epoch; null: none runs. */
  readonly started_at: number | null;
  /** Since the agent was started. */
  readonly restarts: number;
  /** null: nothing went through a router to it. */
  readonly traffic: TrafficCounts | null;
  readonly alerts_firing: number;
}

/** All that numbers on how everything stands are made of. */
export interface StatsParts {
  readonly agent: Pick<Stats['agent'], 'version' | 'hostname' | 'started_at'>;
  readonly interval_seconds: number;
  readonly tick: Tick;
  /** The tick before; null: there was none. */
  readonly previous: Tick | null;
  /** The values of all series at `tick`; null: not yet. */
  readonly measurements: Measurements | null;
  readonly services: readonly ServiceFacts[];
  /** Alerts that concern the host or the agent. */
  readonly host_alerts_firing: number;
  readonly shows_host: boolean;
  /** Whether it is told what each instance uses. */
  readonly shows_usage: boolean;
}

type ShownUsage = ServiceStats['usage'][number];

/** How everything stands, in numbers. */
export function statsOf(parts: StatsParts): Stats {
  const { tick, agent, services } = parts;
  const value = valuesOf(parts.measurements);
  const usages = parts.shows_usage ? usagesOf(tick, parts.previous) : new Map<string, ShownUsage[]>();
  return {
    at: new Date(tick.at).toISOString(),
    interval_seconds: parts.interval_seconds,
    agent: {
      ...agent,
      resident_bytes: tick.agent.resident_bytes,
      cpu_cores: value('agent.cpu'),
      event_loop_lag_seconds: tick.agent.event_loop_lag.max,
    },
    host: parts.shows_host && tick.host !== null ? hostOf(tick.host, value('host.cpu')) : null,
    totals: totalsOf(services, parts.shows_host ? parts.host_alerts_firing : 0),
    services: services.map((service) => ({
      ...serviceOf(service, value),
      usage: usages.get(service.id) ?? [],
    })),
  };
}

type Value = (name: SeriesName, service?: string) => number | null;

function valuesOf(measurements: Measurements | null): Value {
  return (name, service) => measurements?.values.get(seriesKey(name, service ?? null)) ?? null;
}

function hostOf(host: HostUsage, cpu_ratio: number | null): Stats['host'] {
  const { booted_at, processors, load, memory, disk } = host;
  return {
    booted_at: new Date(booted_at).toISOString(),
    processors,
    cpu_ratio,
    load: [...load],
    memory_bytes: memory.total,
    memory_available_bytes: memory.available,
    disk_bytes: disk.total,
    disk_free_bytes: disk.available,
  };
}

function totalsOf(services: readonly ServiceFacts[], others_firing: number): Stats['totals'] {
  const sum = (of: (service: ServiceFacts) => number) =>
    services.reduce((total, service) => total + of(service), 0);
  const count = (state: string) => sum(({ status }) => (status.status === state ? 1 : 0));
  return {
    services: services.length,
    services_running: count('running'),
    services_failed: count('failed'),
    instances: sum(({ status }) => status.instances.running),
    instances_ready: sum(({ status }) => status.instances.ready),
    connections: sum(({ traffic }) => openConnections(traffic)),
    requests: sum(({ traffic }) => (traffic?.requests ?? 0) + (traffic?.websockets ?? 0)),
    errors: sum(({ traffic }) => (traffic?.failures ?? 0) + (traffic?.by_status[4] ?? 0)),
    restarts: sum(({ restarts }) => restarts),
    alerts_firing: sum(({ alerts_firing }) => alerts_firing) + others_firing,
  };
}

function serviceOf(service: ServiceFacts, value: Value): Omit<ServiceStats, 'usage'> {
  const { id, status, started_at, restarts, traffic, alerts_firing } = service;
  return {
    service: id,
    state: status.status,
    instances: status.instances,
    started_at: started_at === null ? null : new Date(started_at).toISOString(),
    restarts,
    cpu_cores: value('service.cpu', id),
    resident_bytes: value('service.memory', id),
    open_connections: openConnections(traffic),
    requests_per_second: value('service.requests', id),
    error_ratio: value('service.errors', id),
    alerts_firing,
  };
}

/** What each instance uses, by its service. */
function usagesOf(tick: Tick, previous: Tick | null): Map<string, ShownUsage[]> {
  const before = new Map(previous?.instances.map((each) => [each.instance_id, each]));
  const shown = (each: InstanceUsage): ShownUsage => {
    const { instance, release, cpu_seconds, resident_bytes, processes, threads, open_files } = each;
    const cpu_cores = previous && coresOf(before.get(each.instance_id), each, [previous.at, tick.at]);
    return { instance, release, cpu_cores, cpu_seconds, resident_bytes, processes, threads, open_files };
  };
  const services = Map.groupBy(tick.instances, ({ service }) => service);
  return new Map([...services].map(([id, instances]) => [id, instances.map(shown)]));
}

/** null: not known, as it ran at the tick before and was not measured, or as the clock was set back. */
function coresOf(
  before: InstanceUsage | undefined,
  now: InstanceUsage,
  [from, to]: readonly [from: number, to: number],
): number | null {
  const isNew = before === undefined && now.started_at >= from;
  const used = increase(isNew ? 0 : before?.cpu_seconds, now.cpu_seconds);
  return used !== null && to > from ? (used / (to - from)) * 1_000 : null;
}

function openConnections(traffic: TrafficCounts | null): number {
  return traffic === null ? 0 : traffic.open_requests + traffic.open_websockets;
}
