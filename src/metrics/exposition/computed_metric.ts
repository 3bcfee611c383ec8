import type { Metric, MetricObjectWithValues, MetricValue, MetricValueWithName } from 'prom-client';
import type { Bounds, Distribution } from './distribution.ts';

export type Labels = Readonly<Record<string, string | number>>;

/** One value of a metric. */
export interface Sample {
  readonly value: number;
  /** Of this sample alone. */
  readonly labels?: Labels;
  /** What several samples are about, as the same object: it is written once for all of them. */
  readonly subject?: Labels;
}

/** A histogram of one subject. */
export interface DistributionSample {
  readonly distribution: Distribution;
  readonly labels?: Labels;
  readonly subject?: Labels;
}

/** As prom-client writes them: `sharedLabels` are turned into text once for each object. */
interface WrittenSample {
  readonly metricName?: string;
  readonly labels: Labels;
  readonly sharedLabels?: Labels;
  readonly value: number;
}

type Type = 'gauge' | 'counter' | 'histogram';

/**
 * A metric of a registry whose values are there already and are only read when somebody asks. What is not there any more is
 * not shown any more, and thousands of series cost nothing between two scrapes.
 */
export class ComputedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: Type;
  readonly aggregator = 'sum';
  readonly #read: () => WrittenSample[];

  constructor(name: string, help: string, type: Type, read: () => WrittenSample[]) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.#read = read;
  }

  /** For the text format. */
  async getForPromString() {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values: this.#read() };
  }

  /** With all labels in one place. */
  async get(): Promise<MetricObjectWithValues<MetricValue<string> | MetricValueWithName<string>>> {
    const { name, help, type, aggregator } = this;
    const values = this.#read().map(({ labels, sharedLabels, ...sample }) => ({
      ...sample,
      labels: { ...sharedLabels, ...labels },
    }));
    return { name, help, type, aggregator, values } as unknown as MetricObjectWithValues<MetricValue<string>>;
  }

  /** There is nothing of its own to forget. */
  reset(): void {}

  /** As a registry takes it: it asks for no more than this class has. */
  get asMetric(): Metric {
    return this as unknown as Metric;
  }
}

export function plainSamples(samples: readonly Sample[]): WrittenSample[] {
  return samples.map(({ value, labels = noLabels, subject }) =>
    subject === undefined ? { value, labels } : { value, labels, sharedLabels: subject },
  );
}

/** Buckets count what lies at or below their bound, all smaller ones included. */
export function distributionSamples(
  name: string,
  samples: readonly DistributionSample[],
  bounds: Bounds,
): WrittenSample[] {
  const [bucket, sumName, countName] = [`${name}_bucket`, `${name}_sum`, `${name}_count`];
  const ends = [...bounds.map(String), '+Inf'];
  const written: WrittenSample[] = [];
  for (const { distribution, labels = noLabels, subject } of samples) {
    const { counts, sum } = distribution;
    const own = { labels, ...(subject !== undefined && { sharedLabels: subject }) };
    let below = 0;
    for (const [index, le] of ends.entries()) {
      below += counts[index] ?? 0;
      written.push({ ...own, metricName: bucket, labels: { ...labels, le }, value: below });
    }
    if (sum !== null) written.push({ ...own, metricName: sumName, value: sum });
    written.push({ ...own, metricName: countName, value: below });
  }
  return written;
}

const noLabels: Labels = {};
