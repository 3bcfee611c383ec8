import type { Measurements } from '../contract/series.ts';
import { errorMessage } from '../lib/errors.ts';
import { isReady } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import type { RouterTraffic } from '../traffic/traffic.ts';
import { noTraffic } from '../traffic/traffic_counts.ts';
import { addHost } from './host_series.ts';
import { increase } from './increase.ts';
import { SeriesValues } from './series_values.ts';
import type { ServiceCounts } from './service_counts.ts';
import { addServices } from './service_series.ts';
import type { RouterSnapshot, ServiceSnapshot, Snapshot } from './snapshot.ts';
import type { Tick } from './tick.ts';
import { addTraffic } from './traffic_series.ts';

export interface MeasureOptions {
  readonly registry: Pick<Registry, 'services' | 'spec' | 'wantedInstances'>;
  readonly traffic: Pick<RouterTraffic, 'facts' | 'list' | 'isRouted'>;
  readonly counts: Pick<ServiceCounts, 'of'>;
  /** What a service has written since the agent was started, in bytes. */
  readonly logBytes: (service: string) => number;
  /** How many answers of the API had a status of 500 or above, since the agent was started. */
  readonly requestErrors: () => number;
  readonly onProblem: (message: string) => void;
  /** Milliseconds of a clock that nobody sets. */
  readonly clock?: () => number;
}

/** Makes the values of all series out of what is at each tick and what was at the one before. */
export class Measure {
  readonly #options: MeasureOptions;
  readonly #clock: () => number;
  readonly #listeners = new Set<(measurements: Measurements) => void>();
  #before: Snapshot | null = null;

  constructor(options: MeasureOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
  }

  /** Has a listener called with what each tick gives from now on. Returns what ends that. */
  onMeasured(listener: (measurements: Measurements) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  take(tick: Tick): void {
    const now = this.#snapshot(tick);
    const measurements = measurementsOf(this.#before, now);
    this.#before = now;
    for (const listener of this.#listeners) this.#tell(listener, measurements);
  }

  /** One that fails keeps the others from nothing. */
  #tell(listener: (measurements: Measurements) => void, measurements: Measurements): void {
    try {
      listener(measurements);
    } catch (error) {
      this.#options.onProblem(`what was measured cannot be used: ${errorMessage(error)}`);
    }
  }

  #snapshot(tick: Tick): Snapshot {
    const { requestErrors } = this.#options;
    const routers = this.#routers();
    return {
      tick,
      clock: this.#clock(),
      services: this.#services(routers !== null),
      routers,
      request_errors: requestErrors(),
    };
  }

  #services(hasRouter: boolean): Map<string, ServiceSnapshot> {
    const { registry, traffic, counts, logBytes } = this.#options;
    const known = new Map(
      hasRouter ? traffic.facts.services().map(({ service, total }) => [service, total]) : [],
    );
    const services = registry.services().map((service): [string, ServiceSnapshot] => {
      const { id } = service;
      const passed = known.get(id) ?? (hasRouter && traffic.isRouted(id) ? noTraffic() : null);
      return [
        id,
        {
          ready: service.instances.filter(isReady).length,
          wanted: isToBeReady(registry, id, service.wanted) ? registry.wantedInstances(id) : 0,
          restarts: counts.of(id).restarts,
          log_bytes: logBytes(id),
          traffic: passed,
        },
      ];
    });
    return new Map(services);
  }

  #routers(): RouterSnapshot | null {
    const { traffic } = this.#options;
    const { configured, routers } = traffic.list();
    if (!configured && routers.length === 0) return null;
    return {
      counted: new Set(traffic.facts.routers),
      connected: new Map(routers.map(({ router, ...told }) => [router, told])),
    };
  }
}

/** The values of all series that have one. Rates are those since `before`; without it there are none. */
export function measurementsOf(before: Snapshot | null, now: Snapshot): Measurements {
  const { tick } = now;
  const values = new SeriesValues();
  const seconds = before === null ? 0 : (now.clock - before.clock) / 1_000;
  addHost(values, before?.tick.host ?? null, tick.host, seconds);
  const { agent } = tick;
  values.addRate('agent.cpu', increase(before?.tick.agent.cpu_seconds, agent.cpu_seconds), seconds);
  values.add('agent.memory', agent.resident_bytes);
  values.add('agent.event_loop_lag', agent.event_loop_lag.max);
  values.addRate('agent.request_errors', increase(before?.request_errors, now.request_errors), seconds);
  addServices(values, before, now, seconds);
  addTraffic(values, before, now, seconds);
  return { at: tick.at, values: values.all };
}

/** A task ends by itself, and is ready at no time. */
function isToBeReady(registry: Pick<Registry, 'spec'>, id: string, wanted: 'running' | 'stopped'): boolean {
  return wanted === 'running' && registry.spec(id).type !== 'task';
}
