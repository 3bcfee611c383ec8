import type { SeriesPoints } from '../../../contract/stats.ts';

type Points = SeriesPoints['points'];

/** The series of all services added up; null where nothing is known of any. */
export function sumOf(series: readonly SeriesPoints[]): Points {
  const sums = new Map<number, number | null>();
  for (const { points } of series) {
    for (const [at, value] of points) {
      const before = sums.get(at) ?? null;
      sums.set(at, value === null ? before : (before ?? 0) + value);
    }
  }
  return inOrder(sums);
}

/** How many of all requests failed; null where there were none. */
export function errorRatioOf(requests: readonly SeriesPoints[], errors: readonly SeriesPoints[]): Points {
  const ratios = new Map(errors.map(({ service, points }) => [service, new Map(points)]));
  const sums = new Map<number, { requests: number; errors: number }>();
  for (const { service, points } of requests) {
    for (const [at, count] of points) {
      const sum = sums.get(at) ?? { requests: 0, errors: 0 };
      sums.set(at, sum);
      sum.requests += count ?? 0;
      sum.errors += (count ?? 0) * (ratios.get(service)?.get(at) ?? 0);
    }
  }
  return inOrder(
    new Map([...sums].map(([at, sum]) => [at, sum.requests > 0 ? sum.errors / sum.requests : null])),
  );
}

function inOrder(values: ReadonlyMap<number, number | null>): Points {
  return [...values].sort(([a], [b]) => a - b);
}
