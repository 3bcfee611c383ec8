import { setTimeout as delay } from 'node:timers/promises';
import type { RoutedRequest } from '../routing/request.ts';
import type { AccessRecord } from './access_record.ts';
import type { PageText } from './answer_page.ts';
import type { HeldRequests } from './held_requests.ts';
import { triesAgain } from './retries.ts';
import type { Lease, NoInstance, TargetService } from './target.ts';
import { connectBackend, type Unconnected, type WebSocketBackend } from './websocket_backend.ts';

/** An instance that has accepted a connection, and the place there. */
export interface Reached {
  readonly lease: Lease;
  readonly backend: WebSocketBackend;
}

export interface ReachOptions {
  readonly service: TargetService;
  readonly request: RoutedRequest;
  readonly held: Pick<HeldRequests, 'wait'>;
  /** What is read of instances is read into it. */
  readonly buffer: Buffer;
  /** Ends it: nobody wants the connection any more. */
  readonly signal: AbortSignal;
  /** Null: nothing is noted of it. */
  readonly record: AccessRecord | null;
}

/** Why there is no connection, as the client is told it. `none`: there was no instance to try. */
export interface Unreached extends PageText {
  readonly why: 'none' | 'failed' | 'given_up';
}

/** How long a client shall wait before it asks again, in seconds. */
const retryAfter = 2;
/** Between two looks for an instance, where one was told of and then did not take the connection; in milliseconds. */
const lookAgain = 25;

const noInstance: Readonly<Record<NoInstance, Unreached>> = {
  none_ready: {
    why: 'none',
    status: 503,
    message: 'the service takes no connections right now',
    retry_after: retryAfter,
  },
  all_full: {
    why: 'none',
    status: 503,
    message: 'the service has as many connections as it can take',
    retry_after: retryAfter,
  },
};
const failures: Readonly<Record<Unconnected, Unreached>> = {
  unreachable: { why: 'failed', status: 502, message: 'the service could not be reached' },
  timed_out: { why: 'failed', status: 504, message: 'the service did not answer in time' },
};
export const givenUp: Unreached = {
  why: 'given_up',
  status: 503,
  message: 'the connection was closed before it was there',
};

/**
 * Connects to an instance of a service, and to another one when that does not accept, as often as the service says: nothing
 * has been sent yet, so that is always safe. Waits for an instance where the service holds requests.
 */
export async function reachInstance(options: ReachOptions): Promise<Reached | Unreached> {
  const { service, buffer, signal, record } = options;
  const { connect: timeout } = service.timeouts;
  const tried = new Set<string>();
  let failed: Unreached | null = null;
  for (;;) {
    const lease = await place(options, tried);
    if (typeof lease === 'string') {
      if (signal.aborted) return givenUp;
      if (failed === null) record?.failed(lease);
      return failed ?? noInstance[lease];
    }
    record?.tries(lease.instance);
    tried.add(lease.instance.id);
    const backend = await connectBackend(lease.instance, { buffer, timeout, signal });
    if (typeof backend !== 'string') return { lease, backend };
    failed = failures[backend];
    record?.failed(backend);
    if (!mayGoOn(lease, backend, options, tried.size)) return signal.aborted ? givenUp : failed;
  }
}

/** Gives the place back. Returns whether another instance may be tried. */
function mayGoOn(lease: Lease, why: Unconnected, { service, signal }: ReachOptions, count: number): boolean {
  if (!signal.aborted) lease.failed(why);
  const isToGoOn = !signal.aborted && triesAgain(service, why === 'unreachable', count);
  if (isToGoOn) lease.retried();
  lease.end(0, 0);
  return isToGoOn;
}

/** A place at an instance; where the service holds requests, it is waited for. */
async function place(
  { service, request, held, signal }: ReachOptions,
  tried: Set<string>,
): Promise<Lease | NoInstance> {
  const first = service.acquire(request, tried);
  if (first !== 'none_ready' || service.hold === null) return first;
  const wait = AbortSignal.any([signal, AbortSignal.timeout(service.hold)]);
  while (await held.wait(service, wait)) {
    // It may have been tried before it was there again.
    tried.clear();
    const lease = service.acquire(request, tried);
    if (lease !== 'none_ready') return lease;
    await delay(lookAgain);
  }
  return 'none_ready';
}
