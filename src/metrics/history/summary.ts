/** What is kept of the values that fall into one step. */
export interface Summary {
  count: number;
  sum: number;
  min: number;
  max: number;
  last: number;
}

/** Summaries by the number of their step since the epoch. */
export type Summaries = Map<number, Summary>;

/** The values of a stretch by steps; those that are NaN are not there. */
export function summarise(times: ArrayLike<number>, values: ArrayLike<number>, step: number): Summaries {
  const all: Summaries = new Map();
  for (let index = 0; index < times.length; index++) {
    const value = values[index] ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    const summary = { count: 1, sum: value, min: value, max: value, last: value };
    addSummary(all, Math.floor((times[index] ?? 0) / step), summary);
  }
  return all;
}

/** Adds one that is later than those that are there. */
export function addSummary(all: Summaries, number: number, later: Summary): void {
  const summary = all.get(number);
  if (summary === undefined) {
    all.set(number, { ...later });
    return;
  }
  summary.count += later.count;
  summary.sum += later.sum;
  if (later.min < summary.min) summary.min = later.min;
  if (later.max > summary.max) summary.max = later.max;
  summary.last = later.last;
}
