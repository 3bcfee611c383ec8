import type { ProbeRun } from '../contract/health.ts';

/** What probes said within one part of a time. */
export type Cell = 'well' | 'partly' | 'failed' | 'nothing';

/** From when to when something is shown, in milliseconds since the epoch. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** What the probes said in each of `count` equal parts of a time, the oldest first. */
export function cells(runs: readonly ProbeRun[], { from, to }: Span, count: number): Cell[] {
  const length = (to - from) / count;
  return Array.from({ length: count }, (_, at) => {
    const begin = from + at * length;
    const end = begin + length;
    const within = runs.filter(
      ({ first_at, last_at }) => Date.parse(first_at) < end && Date.parse(last_at) >= begin,
    );
    const failed = within.filter(({ success }) => !success).length;
    if (within.length === 0) return 'nothing';
    return failed === 0 ? 'well' : failed === within.length ? 'failed' : 'partly';
  });
}
