/** Runs autocannon in a process of its own, so that the load and what is loaded do not share an event loop. */
import { createRequire } from 'node:module';

export interface Load {
  readonly url: string;
  readonly connections: number;
  /** Seconds. */
  readonly duration: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent in turn by each connection. */
  readonly requests: readonly { readonly method: string; readonly path: string; readonly body?: string }[];
}

export interface LoadResult {
  readonly requestsPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Answers other than 2xx, and requests that got none. */
  readonly failures: number;
}

interface AutocannonResult {
  readonly requests: { readonly average: number };
  readonly latency: { readonly p50: number; readonly p99: number };
  readonly non2xx: number;
  readonly errors: number;
}

const autocannon: (load: Load) => Promise<AutocannonResult> = createRequire(import.meta.url)(
  process.argv[2] ?? '',
);

process.on('message', async (load: Load) => {
  const { requests, latency, non2xx, errors } = await autocannon(load);
  const result: LoadResult = {
    requestsPerSecond: requests.average,
    p50: latency.p50,
    p99: latency.p99,
    failures: non2xx + errors,
  };
  process.send?.(result);
});
process.on('disconnect', () => process.exit());
