import type { ProbeRun } from '../../../contract/health.ts';

/** How the probes of an instance were in one part of a time. */
export interface ProbeBeat {
  readonly state: 'healthy' | 'unhealthy' | 'warning' | null;
  /** Milliseconds since 1970. */
  readonly from: number;
  /** Of the run that made it what it is. */
  readonly message: string | null;
}

/**
 * Cuts the time from `begin` to `end` into `count` parts. What was worst in a part counts: unhealthy, then a failure that
 * was not one too many (`warning`), then healthy; null where no probe was made.
 */
export function beatsOf(runs: readonly ProbeRun[], begin: number, end: number, count: number): ProbeBeat[] {
  const length = (end - begin) / count;
  const timed = runs.map((run) => ({
    first: new Date(run.first_at).getTime(),
    last: new Date(run.last_at).getTime(),
    state: run.success
      ? ('healthy' as const)
      : run.verdict === 'unhealthy'
        ? ('unhealthy' as const)
        : ('warning' as const),
    message: run.message,
  }));
  return Array.from({ length: count }, (_, index) => {
    const from = begin + index * length;
    const there = timed.filter(({ first, last }) => first < from + length && last >= from);
    const worst = there.reduce<(typeof there)[number] | null>(
      (so_far, run) => (so_far === null || rank[run.state] > rank[so_far.state] ? run : so_far),
      null,
    );
    return { state: worst?.state ?? null, from, message: worst?.message ?? null };
  });
}

const rank = { healthy: 0, warning: 1, unhealthy: 2 } as const;
