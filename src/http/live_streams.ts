import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Response } from 'express';
import { DavitError } from '../lib/errors.ts';
import type { Principal } from './permission.ts';

/** One server-sent event. */
export interface StreamEvent {
  readonly event: string;
  /** What a client sends back as Last-Event-ID to go on after it; left out: as before it. */
  readonly id?: string;
  readonly data: unknown;
}

/** What is sent as a file, to be kept under a name. */
export interface FileForm {
  readonly type: string;
  /** Of letters, digits, dots, underscores and hyphens, and `+`. */
  readonly name: string;
}

interface OpenStream {
  readonly principal: Principal;
  readonly end: AbortController;
  readonly response: Response;
  /** null: it is one of server-sent events. */
  readonly file: FileForm | null;
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
  send(
    response: Response,
    principal: Principal,
    produce: (signal: AbortSignal) => AsyncIterable<StreamEvent | Buffer>,
  ): Promise<void> {
    return this.#send(response, principal, null, produce);
  }

  /** As `send`, as a file. One that is ended before its end is cut off, so that nobody takes it for whole. */
  sendFile(
    response: Response,
    principal: Principal,
    file: FileForm,
    produce: (signal: AbortSignal) => AsyncIterable<Buffer>,
  ): Promise<void> {
    return this.#send(response, principal, file, produce);
  }

  async #send(
    response: Response,
    principal: Principal,
    file: FileForm | null,
    produce: (signal: AbortSignal) => AsyncIterable<StreamEvent | Buffer>,
  ): Promise<void> {
    if (this.#isClosed) throw new DavitError('shutting_down', 'the agent is stopping');
    this.#refuseTooMany(principal);
    const stream: OpenStream = { principal, end: new AbortController(), response, file };
    // A caller that asks for the head alone would keep a stream that it never reads, as would one that is gone already.
    if (response.req.method === 'HEAD' || response.destroyed) stream.end.abort();
    const expiry = this.#endAtExpiry(stream);
    this.#open.add(stream);
    this.#heartbeat ??= setInterval(() => this.#beat(), heartbeatInterval).unref();
    response.once('close', () => stream.end.abort());
    let isWhole = false;
    try {
      await pump(stream, produce(stream.end.signal));
      isWhole = !stream.end.signal.aborted || response.req.method === 'HEAD';
    } finally {
      clearTimeout(expiry);
      this.#open.delete(stream);
      if (response.headersSent && file !== null && !isWhole) response.destroy();
      else if (response.headersSent) response.end();
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
    for (const { response, file } of this.#open)
      if (file === null && response.headersSent && !response.writableNeedDrain)
        response.write(': still here\n\n');
  }
}

/** A server-sent event as it is sent. */
export function eventText({ event, id, data }: StreamEvent): string {
  const idLine = id === undefined ? '' : `id: ${id}\n`;
  return `event: ${event}\n${idLine}data: ${JSON.stringify(data)}\n\n`;
}

async function pump(
  { response, file, end: { signal } }: OpenStream,
  events: AsyncIterable<StreamEvent | Buffer>,
): Promise<void> {
  const iterator = events[Symbol.asyncIterator]();
  try {
    let next = iterator.next();
    await Promise.race([next, nextTurn()]);
    begin(response, file);
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

function begin(response: Response, file: FileForm | null): void {
  response.status(200).set({
    'Content-Type': `${file?.type ?? 'text/event-stream'}; charset=utf-8`,
    'Cache-Control': 'no-store',
    ...(file && { 'Content-Disposition': `attachment; filename="${file.name}"` }),
    // nginx would otherwise hold it back.
    'X-Accel-Buffering': 'no',
  });
  response.flushHeaders();
}
