import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Response } from 'express';
import { DavitError } from '../lib/errors.ts';
import type { Principal } from './permission.ts';

/** One server-sent event. */
export interface StreamEvent {
  readonly event: string;
  /** What a client sends back as Last-Event-ID to go on after it. */
  readonly id: string;
  readonly data: unknown;
}

interface OpenStream {
  readonly principal: Principal;
  readonly end: AbortController;
  readonly response: Response;
}

/** How many streams may be open in all, and by one principal. */
const mostStreams = 1_000;
const mostStreamsOfOne = 200;
/** How often a stream without events says that it is still there, in milliseconds. */
const heartbeatInterval = 15_000;
/** The longest time that a timer can be set for. */
const longestTimer = 2 ** 31 - 1;

/** The streams that are open, each of them only as long as its principal may see it. */
export class LiveStreams {
  readonly #open = new Set<OpenStream>();
  #heartbeat: NodeJS.Timeout | undefined;
  #isClosed = false;

  /**
   * Sends what `produce` gives as server-sent events (a buffer is sent as it stands, see `eventText`), at the pace at
   * which they are read, until either side ends it or the credential does. Throws `too_many_requests` when there are too
   * many streams, `shutting_down` when there can be no more, and what `produce` throws at its first step: a question
   * that is wrong in itself is answered as any other.
   */
  async send(
    response: Response,
    principal: Principal,
    produce: (signal: AbortSignal) => AsyncIterable<StreamEvent | Buffer>,
  ): Promise<void> {
    if (this.#isClosed) throw new DavitError('shutting_down', 'the agent is stopping');
    this.#refuseTooMany(principal);
    const stream: OpenStream = { principal, end: new AbortController(), response };
    // A caller that asks for the head alone would keep a stream that it never reads.
    if (response.req.method === 'HEAD') stream.end.abort();
    const expiry = this.#endAtExpiry(stream);
    this.#open.add(stream);
    this.#heartbeat ??= setInterval(() => this.#beat(), heartbeatInterval).unref();
    response.once('close', () => stream.end.abort());
    try {
      await pump(stream, produce(stream.end.signal));
    } finally {
      clearTimeout(expiry);
      this.#open.delete(stream);
      if (response.headersSent) response.end();
    }
  }

  /** Ends the streams whose principal fits. */
  endWhere(fits: (principal: Principal) => boolean): void {
    for (const { principal, end } of this.#open) if (fits(principal)) end.abort();
  }

  /** Ends them all; no other can be opened. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#heartbeat);
    this.endWhere(() => true);
  }

  #refuseTooMany({ actor }: Principal): void {
    const own = this.#open.values().filter((stream) => stream.principal.actor === actor);
    if (this.#open.size < mostStreams && own.toArray().length < mostStreamsOfOne) return;
    throw new DavitError('too_many_requests', 'too many streams are open; end some of them first');
  }

  #endAtExpiry({ principal, end }: OpenStream): NodeJS.Timeout | undefined {
    if (principal.expires_at === null) return undefined;
    const left = Math.min(principal.expires_at - Date.now(), longestTimer);
    return setTimeout(() => end.abort(), left).unref();
  }

  #beat(): void {
    for (const { response } of this.#open)
      if (response.headersSent && !response.writableNeedDrain) response.write(': still here\n\n');
  }
}

/** A server-sent event as it is sent. */
export function eventText({ event, id, data }: StreamEvent): string {
  return `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}

async function pump(
  { response, end: { signal } }: OpenStream,
  events: AsyncIterable<StreamEvent | Buffer>,
): Promise<void> {
  const iterator = events[Symbol.asyncIterator]();
  try {
    let next = iterator.next();
    await Promise.race([next, nextTurn()]);
    begin(response);
    for (let step = await next; !step.done && !signal.aborted; step = await next) {
      const taken = response.write(Buffer.isBuffer(step.value) ? step.value : eventText(step.value));
      if (!taken) await once(response, 'drain', { signal }).catch(() => undefined);
      if (signal.aborted) return;
      next = iterator.next();
    }
  } finally {
    await iterator.return?.();
  }
}

function begin(response: Response): void {
  response.status(200).set({
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    // nginx would otherwise hold it back.
    'X-Accel-Buffering': 'no',
  });
  response.flushHeaders();
}
