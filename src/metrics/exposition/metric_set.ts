import type { Registry } from 'prom-client';
import {
  ComputedMetric,
  type DistributionSample,
  distributionLines,
  type Sample,
} from './computed_metric.ts';
import type { Bounds } from './distribution.ts';

/** Adds metrics to a registry whose values are read when it is scraped. Their texts hold no line ends and no backslashes. */
export class MetricSet {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  gauge(name: string, help: string, read: () => readonly Sample[]): void {
    this.#add(new ComputedMetric({ name, help, type: 'gauge' }, read));
  }

  /** @param name ends in `_total`; its values may fall only where what they count begins anew */
  counter(name: string, help: string, read: () => readonly Sample[]): void {
    this.#add(new ComputedMetric({ name, help, type: 'counter' }, read));
  }

  histogram(name: string, help: string, bounds: Bounds, read: () => readonly DistributionSample[]): void {
    const lines = () => distributionLines(read(), bounds);
    this.#add(new ComputedMetric({ name, help, type: 'histogram' }, lines));
  }

  #add(metric: ComputedMetric): void {
    this.#registry.registerMetric(metric.asMetric);
  }
}

/** The sample of a metric of which there is one; none where its value is not known. */
export function single(value: number | null | undefined): Sample[] {
  return value === null || value === undefined || Number.isNaN(value) ? [] : [{ value }];
}
