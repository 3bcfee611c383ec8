import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Answer } from './exchange.ts';
import type { Fields } from './fields.ts';

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/** The answer to a request of HTTP/2. */
export class Http2Answer implements Answer {
  readonly #stream: ServerHttp2Stream;
  readonly #timeout: number;
  readonly #gone = new AbortController();
  readonly refused = null;
  #state: 'open' | 'begun' | 'ended' = 'open';
  #bytes = 0;
  #trailers: Fields = [];

  /** @param timeout how long the client may take to read what was written, in milliseconds */
  constructor(stream: ServerHttp2Stream, timeout: number) {
    this.#stream = stream;
    this.#timeout = timeout;
    // A stream that the client resets without an error closes only once its body is read.
    stream.once('aborted', () => this.#lose()).once('close', () => this.#lose());
    stream.on('timeout', () => stream.close(NGHTTP2_CANCEL));
    stream.once('wantTrailers', () => this.#sendTrailers());
  }

  get has_begun(): boolean {
    return this.#state !== 'open';
  }

  get bytes(): number {
    return this.#bytes;
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Lets the client send the body that it holds back. */
  goOn(): void {
    if (!this.has_begun && !this.#stream.destroyed) this.#stream.additionalHeaders({ ':status': 100 });
  }

  inform(status: number, fields: readonly string[]): void {
    if (this.has_begun || this.#stream.destroyed) return;
    try {
      this.#stream.additionalHeaders({ ...headersOf(fields), ':status': status });
    } catch {
      // What may not stand in an interim answer is no reason to do without the answer.
    }
  }

  begin(status: number, _reason: string, fields: readonly string[]): void {
    if (this.has_begun || this.#stream.destroyed) return;
    const headers = { ...headersOf(fields), ':status': status };
    // Where the length is known from the start, servers do not send trailers.
    this.#stream.respond(headers, { waitForTrailers: headers['content-length'] === undefined });
    this.#state = 'begun';
  }

  write(chunk: Buffer | string): boolean {
    const stream = this.#stream;
    if (this.#state === 'ended' || !stream.writable) return true;
    this.#bytes += Buffer.byteLength(chunk);
    const flows = stream.write(chunk);
    if (!flows) stream.setTimeout(this.#timeout);
    return flows;
  }

  onDrain(listener: () => void): void {
    this.#stream.on('drain', () => {
      this.#stream.setTimeout(0);
      listener();
    });
  }

  end(trailers: readonly string[]): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#trailers = trailers;
    const stream = this.#stream;
    // What the client still sends is of no use: RFC 9113, 8.1.
    stream.end(() => {
      if (!stream.readableEnded && !stream.endAfterHeaders) stream.close(NGHTTP2_NO_ERROR);
    });
    if (stream.writableLength > 0) stream.setTimeout(this.#timeout);
  }

  breakOff(): void {
    this.#state = 'ended';
    this.#stream.close(NGHTTP2_INTERNAL_ERROR);
  }

  #lose(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#gone.abort();
  }

  #sendTrailers(): void {
    try {
      this.#stream.sendTrailers(headersOf(this.#trailers));
    } catch {
      // The client has gone meanwhile, or what the instance has sent may not stand there.
      this.#stream.close(NGHTTP2_INTERNAL_ERROR);
    }
  }
}

/** Of fields that came more than once, all; but the last of those that may only come once. */
function headersOf(fields: Fields): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (let at = 0; at < fields.length; at += 2) {
    const name = (fields[at] as string).toLowerCase();
    const value = fields[at + 1] as string;
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat();
  }
  return headers;
}
