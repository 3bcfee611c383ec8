import { latencyBounds, type TrafficCounts } from '../contract/connections.ts';

/** Nothing went through. */
export function noTraffic(): TrafficCounts {
  return {
    open_requests: 0,
    open_websockets: 0,
    requests: 0,
    websockets: 0,
    by_status: [0, 0, 0, 0, 0],
    failures: 0,
    retries: 0,
    bytes_in: 0,
    bytes_out: 0,
    latency: Array.from({ length: latencyBounds.length + 1 }, () => 0),
  };
}

/** What went through in all. */
export function sumOf(counts: Iterable<TrafficCounts>): TrafficCounts {
  const sum = noTraffic();
  for (const each of counts) {
    sum.open_requests += each.open_requests;
    sum.open_websockets += each.open_websockets;
    sum.requests += each.requests;
    sum.websockets += each.websockets;
    sum.failures += each.failures;
    sum.retries += each.retries;
    sum.bytes_in += each.bytes_in;
    sum.bytes_out += each.bytes_out;
    sum.by_status = sum.by_status.map((count, index) => count + (each.by_status[index] ?? 0));
    sum.latency = sum.latency.map((count, index) => count + (each.latency[index] ?? 0));
  }
  return sum;
}
