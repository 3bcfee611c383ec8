import type { Measurements } from '../contract/series.ts';
import type { Stats } from '../contract/stats.ts';
import type { Registry } from '../services/registry.ts';
import { runningInstances, type Service } from '../services/service.ts';
import type { TrafficFacts } from '../traffic/facts.ts';
import type { Measure } from './measure.ts';
import type { ServiceCounts } from './service_counts.ts';
import { type ServiceFacts, type StatsParts, statsOf } from './stats.ts';
import type { Ticker } from './ticker.ts';

export interface StatsViewOptions {
  readonly registry: Pick<Registry, 'services' | 'status'>;
  readonly traffic: Pick<TrafficFacts, 'services'>;
  readonly counts: Pick<ServiceCounts, 'of'>;
  readonly ticker: Pick<Ticker, 'present' | 'previous'>;
  readonly measure: Pick<Measure, 'onMeasured'>;
  /** How often it is measured, in milliseconds. */
  readonly interval: () => number;
  /** How many alerts of a service fire; null: of the host and the agent. */
  readonly alertsFiring: (service: string | null) => number;
}

/** What is wanted of it. */
export interface StatsWish extends Pick<StatsParts, 'agent' | 'shows_host' | 'shows_usage'> {
  readonly shows: (service: string) => boolean;
}

/** Shows how everything stands, in numbers. */
export class StatsView {
  readonly #options: StatsViewOptions;
  /** The values of all series at the last tick. */
  #measurements: Measurements | null = null;

  constructor(options: StatsViewOptions) {
    this.#options = options;
    options.measure.onMeasured((measurements) => {
      this.#measurements = measurements;
    });
  }

  async look({ shows, ...wish }: StatsWish): Promise<Stats> {
    const { registry, traffic, ticker, interval, alertsFiring } = this.#options;
    const tick = await ticker.present();
    const passed = new Map(traffic.services().map(({ service, total }) => [service, total]));
    const services = registry
      .services()
      .filter(({ id }) => shows(id))
      .map((service) => ({ ...this.#factsOf(service), traffic: passed.get(service.id) ?? null }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    return statsOf({
      ...wish,
      interval_seconds: interval() / 1_000,
      tick,
      previous: ticker.previous,
      measurements: this.#measurements,
      services,
      host_alerts_firing: alertsFiring(null),
    });
  }

  #factsOf(service: Service): Omit<ServiceFacts, 'traffic'> {
    const { registry, counts, alertsFiring } = this.#options;
    const { id } = service;
    const starts = runningInstances(service).flatMap(({ process }) => process?.started_at ?? []);
    return {
      id,
      status: registry.status(id),
      started_at: starts.length === 0 ? null : Math.min(...starts),
      restarts: counts.of(id).restarts,
      alerts_firing: alertsFiring(id),
    };
  }
}
