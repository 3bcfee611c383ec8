import { latencyBounds, type TrafficCounts } from '../contract/connections.ts';
import type { Rollout } from '../contract/rollout.ts';

/** What is compared while a new release bakes. */
export interface BakeFacts {
  /** What went through to the new release since it takes requests. */
  readonly now: TrafficCounts;
  /** What went through to the old one, all the time. */
  readonly before: TrafficCounts;
  /** How often instances of the new one have ended by themselves. */
  readonly restarts: number;
  /** How many of its instances are not ready. */
  readonly not_ready: number;
  /** How many of its instances routers have taken out, because they failed again and again. */
  readonly ejected: number;
}

/** The percentile at which latencies are compared. */
const percentile = 0.9;
/** A difference that is smaller counts for nothing, however many times as much it is; in milliseconds. */
const noise = 20;

/** What the new release does worse than it may, as a sentence; null: nothing. */
export function whatIsWorse(
  { now, before, restarts, not_ready, ejected }: BakeFacts,
  tolerance: Rollout['tolerance'],
): string | null {
  if (restarts > tolerance.restarts)
    return `its instances ended by themselves ${restarts} times, where ${tolerance.restarts} are tolerated`;
  if (not_ready > 0) return `${not_ready} of its instances are not ready any more`;
  if (ejected > 0) return `${ejected} of its instances fail so often that requests are kept from them`;
  if (now.requests < tolerance.requests) return null;
  const [rate, usual] = [errorRate(now), errorRate(before)];
  if (rate > usual + tolerance.error_rate)
    return `${percent(rate)} of its requests fail, and ${percent(usual)} of those of the release before`;
  if (before.requests < tolerance.requests) return null;
  const [slow, usually] = [latencyAt(now), latencyAt(before)];
  if (slow > usually * tolerance.latency && slow > usually + noise)
    return `one of ten answers takes longer than ${slow} ms, and ${usually} ms at the release before`;
  return null;
}

/** What was added to `later` since `earlier`. */
export function countsSince(earlier: TrafficCounts, later: TrafficCounts): TrafficCounts {
  const rest = (of: (counts: TrafficCounts) => number) => Math.max(0, of(later) - of(earlier));
  return {
    open_requests: later.open_requests,
    open_websockets: later.open_websockets,
    requests: rest(({ requests }) => requests),
    websockets: rest(({ websockets }) => websockets),
    by_status: later.by_status.map((_, index) => rest(({ by_status }) => by_status[index] ?? 0)),
    failures: rest(({ failures }) => failures),
    retries: rest(({ retries }) => retries),
    bytes_in: rest(({ bytes_in }) => bytes_in),
    bytes_out: rest(({ bytes_out }) => bytes_out),
    latency: later.latency.map((_, index) => rest(({ latency }) => latency[index] ?? 0)),
  };
}

function errorRate({ requests, failures, by_status }: TrafficCounts): number {
  return requests === 0 ? 0 : (failures + (by_status[4] ?? 0)) / requests;
}

/** The bound that so many answers stay within, in milliseconds; twice the greatest bound for those beyond it. */
function latencyAt({ latency }: TrafficCounts): number {
  const total = latency.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [index, count] of latency.entries()) {
    seen += count;
    if (seen >= total * percentile) return latencyBounds[index] ?? 2 * (latencyBounds.at(-1) ?? 0);
  }
  return 0;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
