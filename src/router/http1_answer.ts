import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Answer } from './exchange.ts';
import { valuesOf, without } from './fields.ts';
import { linger } from './lingering.ts';

interface Http1AnswerOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Whether the connection ends after this answer; asked when it begins. */
  readonly closes: () => boolean;
  /** How long the client may take to read what was written, in milliseconds. */
  readonly timeout: number;
}

/** What may stand as reason phrase; in place of another one, the usual one is sent. */
const reasonForm = /^[\t\x20-\x7e\x80-\xff]{1,200}$/;

const noBytes = Buffer.alloc(0);

/** The answer to an HTTP/1 request. */
export class Http1Answer implements Answer {
  readonly #options: Http1AnswerOptions;
  readonly #gone = new AbortController();
  /** Whether the client waits to be told to send the body. */
  awaits_continue: boolean;
  refused: number | null = null;
  #state: 'open' | 'begun' | 'flowing' | 'ended' = 'open';
  #closes = false;
  #bytes = 0;

  constructor(options: Http1AnswerOptions, awaits_continue: boolean) {
    this.#options = options;
    this.awaits_continue = awaits_continue;
    options.response.once('close', () => {
      if (this.#state === 'ended') return;
      this.#state = 'ended';
      this.#gone.abort();
    });
    // What fails on the way to the client ends in its close.
    options.response.on('error', () => {});
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
    if (!this.awaits_continue || this.has_begun) return;
    this.awaits_continue = false;
    this.#options.response.writeContinue();
  }

  inform(_status: number, fields: readonly string[]): void {
    const { request, response } = this.#options;
    const links = valuesOf(fields, 'link');
    if (this.has_begun || request.httpVersion === '1.0' || links.length === 0) return;
    try {
      response.writeEarlyHints({ link: links });
    } catch {
      // What may not stand in a hint is no reason to do without the answer.
    }
  }

  begin(status: number, reason: string, fields: readonly string[]): void {
    if (this.has_begun) return;
    const { request, response, closes } = this.#options;
    this.#closes = closes() || (this.awaits_continue && !request.complete);
    const sent = fitting(request, status, fields);
    if (this.#closes) sent.push('Connection', 'close');
    response.writeHead(status, reasonForm.test(reason) ? reason : (STATUS_CODES[status] ?? ''), sent);
    this.#state = 'begun';
    // The head goes with the first bytes of the body where they are there, and alone where they are not.
    process.nextTick(() => {
      // Alone, Node sends a head as UTF-8; before bytes it sends it as it is.
      if (this.#state === 'begun') response.write(noBytes);
    });
  }

  write(chunk: Buffer | string): boolean {
    const { request, response, timeout } = this.#options;
    if (this.#state === 'ended') return true;
    this.#state = 'flowing';
    this.#bytes += Buffer.byteLength(chunk);
    const flows = response.write(chunk);
    if (!flows) request.socket.setTimeout(timeout);
    return flows;
  }

  onDrain(listener: () => void): void {
    const { request, response } = this.#options;
    response.on('drain', () => {
      request.socket.setTimeout(0);
      listener();
    });
  }

  end(trailers: readonly string[]): void {
    const { request, response } = this.#options;
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    if (trailers.length > 0 && response.chunkedEncoding) response.addTrailers(pairs(trailers));
    if (request.complete) this.#finish();
    else this.#endEarly();
  }

  breakOff(): void {
    const { request, response } = this.#options;
    const { socket } = request;
    this.#state = 'ended';
    // Where only the end of the connection tells the end of the answer, it must not look like one.
    const is_open_ended = !response.chunkedEncoding && request.httpVersion === '1.0';
    if (is_open_ended && !('encrypted' in socket)) socket.resetAndDestroy();
    else socket.destroy();
  }

  /** A client that does not take the rest is not waited for without end. */
  #finish(): void {
    const { request, response, timeout } = this.#options;
    response.end();
    if (request.socket.writableLength > 0) request.socket.setTimeout(timeout);
  }

  /** The client is still sending. */
  #endEarly(): void {
    const { request, response } = this.#options;
    if (this.#closes && this.awaits_continue) {
      this.#finish();
      return;
    }
    if (this.#closes && !response.chunkedEncoding) {
      // The answer is whole for the client already; to end it would close the connection.
      linger(request, () => this.#finish());
      return;
    }
    this.#finish();
    linger(request, () => {
      if (!request.complete) request.socket.destroy();
    });
  }
}

/** Without what cannot be true of the answer to this request: trailers where none can follow, a length where there is no body. */
function fitting(
  { httpVersion, method }: IncomingMessage,
  status: number,
  fields: readonly string[],
): string[] {
  const has_no_body = method === 'HEAD' || status === 204 || status === 304;
  const is_chunked = httpVersion === '1.1' && !has_no_body && valuesOf(fields, 'content-length').length === 0;
  if (is_chunked) return [...fields];
  const kept = without('trailer', fields);
  return status === 204 ? without('content-length', kept) : kept;
}

function pairs(fields: readonly string[]): [string, string][] {
  const all: [string, string][] = [];
  for (let at = 0; at < fields.length; at += 2) all.push([fields[at] as string, fields[at + 1] as string]);
  return all;
}
