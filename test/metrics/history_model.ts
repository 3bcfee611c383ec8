import type { Measurements, SeriesKey } from '../../src/contract/series.ts';
import type { Aggregate } from '../../src/contract/stats.ts';
import type { Point } from '../../src/metrics/history/step_values.ts';
import type { Steps } from '../../src/metrics/history/steps.ts';

/** The plainest history: all measurements in one list. */
export class HistoryModel {
  readonly #all: Measurements[] = [];

  record(measurements: Measurements): void {
    this.#all.push(measurements);
  }

  points(key: SeriesKey, { from, to, step, count }: Steps, agg: Aggregate): Point[] {
    return Array.from({ length: count }, (_, index) => {
      const begin = from + index * step;
      const end = Math.min(begin + step, to);
      const within = this.#all.filter(({ at }) => at >= begin && at < end);
      const values = within.flatMap(({ values }) => values.get(key) ?? []).map(Math.fround);
      return [begin, values.length === 0 ? null : aggregate(values, agg)];
    });
  }
}

function aggregate(values: readonly number[], agg: Aggregate): number {
  const sum = values.reduce((a, b) => a + b, 0);
  switch (agg) {
    case 'avg':
      return sum / values.length;
    case 'min':
      return Math.min(...values);
    case 'max':
      return Math.max(...values);
    case 'last':
      return values.at(-1) ?? Number.NaN;
    case 'sum':
      return sum;
    case 'count':
      return values.length;
  }
}
