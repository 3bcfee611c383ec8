import type { MetricObjectWithValues, MetricValue, MetricValueWithName } from 'prom-client';

/** A label and its value. */
export type Label = readonly [name: string, value: string];

/** A time series as Prometheus has it, and what it is now. */
export interface SeriesValue {
  /** The same for the same name and labels. */
  readonly key: string;
  /** With `__name__`, in no order. */
  readonly labels: readonly Label[];
  readonly value: number;
}

type ReadMetric = MetricObjectWithValues<MetricValue<string> | MetricValueWithName<string>>;

/** What a metric of a registry says, each series by the name that it has in the text format: those of a histogram end in `_bucket`, `_sum` and `_count`. */
export function seriesValues(metric: ReadMetric): SeriesValue[] {
  return metric.values.map((value) => {
    const name = ('metricName' in value && value.metricName) || metric.name;
    const labels = readLabels(name, value.labels);
    return { key: JSON.stringify(labels), labels, value: Number(value.value) };
  });
}

/** A label without a value is as good as none. */
function readLabels(name: string, labels: Readonly<Record<string, unknown>>): Label[] {
  const read: Label[] = [['__name__', name]];
  for (const [label, value] of Object.entries(labels)) {
    const text = value === undefined || value === null ? '' : String(value).toWellFormed();
    if (text !== '') read.push([label, text]);
  }
  return read;
}

/** Labels that every series of a receiver gets. */
export interface TargetLabels {
  /** As a scrape gives them: a label of the metric with the same name is kept as `exported_…`. */
  readonly own: ReadonlyMap<string, string>;
  /** As the external labels of Prometheus: a label of the metric goes before them. */
  readonly external: ReadonlyMap<string, string>;
}

/** `instance` and `job` are always there. */
export function targetLabels(configured: Readonly<Record<string, string>>, host: string): TargetLabels {
  const { instance = host, job = 'davit', ...others } = configured;
  const known = (labels: Record<string, string>) =>
    new Map(
      Object.entries(labels)
        .map(([name, value]): [string, string] => [name, value.toWellFormed()])
        .filter(([, value]) => value !== ''),
    );
  return { own: known({ instance, job }), external: known(others) };
}

/** The labels of a series as a receiver gets them, in the order that the protocol asks for. */
export function sentLabels(labels: readonly Label[], { own, external }: TargetLabels): Label[] {
  const all = new Map<string, string>(own);
  const names = new Set(labels.map(([name]) => name));
  for (const [name, value] of labels) all.set(own.has(name) ? exportedName(name, names) : name, value);
  for (const [name, value] of external) if (!all.has(name)) all.set(name, value);
  // Names are ASCII, so this is the order of their bytes.
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1));
}

function exportedName(name: string, taken: ReadonlySet<string>): string {
  const exported = `exported_${name}`;
  return taken.has(exported) ? exportedName(exported, taken) : exported;
}
