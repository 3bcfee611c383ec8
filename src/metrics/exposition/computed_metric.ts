import type { Metric, MetricObjectWithValues, MetricValue, MetricValueWithName } from 'prom-client';
import type { Bounds, Distribution } from './distribution.ts';
import { LabelSet, type Labels, labelText } from './label_set.ts';

/** One value of a metric. */
export interface Sample {
  readonly value: number;
  /** What several samples are about. */
  readonly subject?: LabelSet;
  /** What tells this one from the others on the same subject. */
  readonly labels?: Labels | LabelSet;
}

/** How values on one subject are spread. */
export interface DistributionSample extends Omit<Sample, 'value'> {
  readonly distribution: Distribution;
}

/** A sample as it is written: those of a histogram have names of their own, and their buckets have a bound. */
interface Line extends Sample {
  readonly suffix?: '_bucket' | '_sum' | '_count';
  readonly le?: string;
}

/**
 * A metric of a registry whose values are there already and are only read when somebody asks: what is gone is not shown any
 * more, and thousands of series cost nothing between two scrapes. They are also written here: the writer of prom-client,
 * which does for all others, takes eight times as long.
 */
export class ComputedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly aggregator = 'sum';
  readonly #read: () => readonly Line[];

  constructor(
    { name, help, type }: Pick<ComputedMetric, 'name' | 'help' | 'type'>,
    read: () => readonly Line[],
  ) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.#read = read;
  }

  /** In the text format of Prometheus, 0.0.4, without the end of the last line. */
  text(): string {
    const { name, help, type } = this;
    const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
    for (const line of this.#read()) lines.push(this.#write(line));
    return lines.join('\n');
  }

  /** As a registry gives it to others, such as remote write. */
  async get(): Promise<MetricObjectWithValues<MetricValue<string> | MetricValueWithName<string>>> {
    const { name, help, type, aggregator } = this;
    const values = this.#read().map(({ value, subject, labels, suffix, le }) => ({
      value,
      labels: {
        ...subject?.labels,
        ...(labels instanceof LabelSet ? labels.labels : labels),
        ...(le !== undefined && { le }),
      },
      ...(suffix !== undefined && { metricName: name + suffix }),
    }));
    return { name, help, type, aggregator, values } as unknown as MetricObjectWithValues<MetricValue<string>>;
  }

  /** There is nothing of its own to forget. */
  reset(): void {}

  /** As a registry takes it, which asks for no more than this class has. */
  get asMetric(): Metric {
    return this as unknown as Metric;
  }

  #write({ value, subject, labels, suffix, le }: Line): string {
    let text = subject?.text ?? '';
    if (labels !== undefined) {
      const own = labels instanceof LabelSet ? labels.text : labelText(labels);
      text += text === '' ? own : `,${own}`;
    }
    if (le !== undefined) text += text === '' ? `le="${le}"` : `,le="${le}"`;
    const name = suffix === undefined ? this.name : this.name + suffix;
    return text === '' ? `${name} ${value}` : `${name}{${text}} ${value}`;
  }
}

/** Buckets count what lies at or below their bound, all smaller ones included. */
export function distributionLines(samples: readonly DistributionSample[], bounds: Bounds): Line[] {
  const ends = [...bounds.map(String), '+Inf'];
  return samples.flatMap(({ distribution: { counts, sum }, subject, labels }): Line[] => {
    const own = labels === undefined || labels instanceof LabelSet ? labels : new LabelSet(labels);
    const about = { ...(subject && { subject }), ...(own && { labels: own }) };
    let below = 0;
    const buckets = ends.map((le, index): Line => {
      below += counts[index] ?? 0;
      return { ...about, suffix: '_bucket', le, value: below };
    });
    const sums: Line[] = sum === null ? [] : [{ ...about, suffix: '_sum', value: sum }];
    return [...buckets, ...sums, { ...about, suffix: '_count', value: below }];
  });
}
