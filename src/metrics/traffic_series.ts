import type { TrafficCounts } from '../contract/connections.ts';
import { increase, increases, latencyQuantile } from './increase.ts';
import type { SeriesValues } from './series_values.ts';
import type { RouterSnapshot, Snapshot } from './snapshot.ts';

/** Which share of answers `service.latency` is the bound of. */
const latencyShare = 0.95;

/** Adds what goes through the routers. */
export function addTraffic(
  values: SeriesValues,
  before: Snapshot | null,
  now: Snapshot,
  seconds: number,
): void {
  const { routers } = now;
  if (routers === null) return;
  const connected = [...routers.connected.values()];
  values.add(
    'router.connections',
    connected.reduce((sum, { connections }) => sum + connections, 0),
  );
  const earlier = before?.routers ?? null;
  if (earlier !== null) values.addRate('router.unroutable', unroutable(earlier, routers), seconds);
  const isComparable = earlier !== null && countsTheSame(earlier, routers);
  let requests = 0;
  for (const [id, { traffic }] of now.services) {
    if (traffic === null) continue;
    values.add('service.connections', traffic.open_requests + traffic.open_websockets, id);
    const passed = isComparable ? before?.services.get(id)?.traffic : null;
    if (passed === null || passed === undefined) continue;
    requests += addService(values, id, { before: passed, now: traffic, seconds });
  }
  if (isComparable) values.addRate('router.requests', requests, seconds);
}

interface Passed {
  readonly before: TrafficCounts;
  readonly now: TrafficCounts;
  readonly seconds: number;
}

/** Returns how many requests there were. */
function addService(values: SeriesValues, id: string, { before, now, seconds }: Passed): number {
  const requests = increase(before.requests + before.websockets, now.requests + now.websockets);
  values.addRate('service.requests', requests, seconds, id);
  values.add('service.errors', errorRatio(before, now), id);
  const latency = increases(before.latency, now.latency);
  values.add('service.latency', latency === null ? null : latencyQuantile(latency, latencyShare), id);
  return requests ?? 0;
}

/** Of what has ended, for of what has not it is not known. */
function errorRatio(before: TrafficCounts, now: TrafficCounts): number | null {
  const failures = increase(before.failures, now.failures);
  const answers = increases(before.by_status, now.by_status);
  if (failures === null || answers === null) return null;
  const ended = answers.reduce((sum, count) => sum + count, failures);
  return ended === 0 ? null : (failures + (answers[4] ?? 0)) / ended;
}

/** A router of which nothing was known tells all at once what it did since it began, which may be long ago. */
function countsTheSame(before: RouterSnapshot, now: RouterSnapshot): boolean {
  return [...now.counted].every((name) => before.counted.has(name));
}

/** Of the routers that were there and are. */
function unroutable(before: RouterSnapshot, now: RouterSnapshot): number {
  return [...now.connected].reduce(
    (sum, [name, router]) => sum + (increase(before.connected.get(name)?.unroutable, router.unroutable) ?? 0),
    0,
  );
}
