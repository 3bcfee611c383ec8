import type { Probe } from '../contract/probe.ts';
import { milliseconds } from '../lib/units.ts';

/** When probes of one kind of one instance are due, in milliseconds. */
export interface ProbeTimes {
  readonly interval_ms: number;
  /** Between two probes as long as nothing is known. */
  readonly shortest_ms: number;
  readonly longest_ms: number;
}

/** The shortest interval that is kept to, and the longest that a timer takes. */
const shortestInterval = 100;
const longestInterval = 2 ** 31 - 1;
/** What share of the time that it took so far the next look at a new instance waits. */
const growth = 0.25;

/** A command costs the host a process, so it is asked less often. */
export function timesOf({ type, interval }: Pick<Probe, 'type' | 'interval'>): ProbeTimes {
  const interval_ms = Math.min(Math.max(milliseconds(interval), shortestInterval), longestInterval);
  const [shortest, longest] = type === 'exec' ? [250, 5_000] : [20, 1_000];
  return {
    interval_ms,
    shortest_ms: Math.min(shortest, interval_ms),
    longest_ms: Math.min(longest, interval_ms),
  };
}

/** How long to wait with the next probe of an instance of which nothing is known yet. */
export function earlyDelay(waited: number, { shortest_ms, longest_ms }: ProbeTimes): number {
  return Math.min(Math.max(waited * growth, shortest_ms), longest_ms);
}

/**
 * How long to wait until the next turn. One that comes soon after an early probe is left out; one that went by while a
 * slow probe was under way is not made up for.
 * @param began when the last probe began
 */
export function steadyDelay(now: number, began: number, phase: number, interval: number): number {
  const sinceTurn = (((now - phase) % interval) + interval) % interval;
  const delay = interval - sinceTurn;
  return now + delay - began < interval / 2 ? delay + interval : delay;
}
