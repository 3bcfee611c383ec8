import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { answerPage } from './answer_page.ts';
import type { ClientConnection } from './client_connection.ts';
import { sizeOf, valuesOf } from './fields.ts';
import { Http2Answer } from './http2_answer.ts';
import type { HttpVersion, Receiver } from './receiver.ts';
import { RequestBody } from './request_body.ts';
import { expectsContinue, type RequestHead, readHttp2Head, tooLarge } from './request_head.ts';
import { ServedConnection } from './served_connection.ts';

interface Session {
  readonly session: ServerHttp2Session;
  readonly connection: ClientConnection;
  readonly served: ServedConnection;
  /** How many are open, also those that have become WebSocket connections. */
  streams: number;
}

/** What a client may do on one connection. */
const sessionLimits = {
  /** Requests at the same time. */
  maxConcurrentStreams: 128,
  maxHeaderListPairs: 256,
  /** In megabytes, of all that the library holds for it. */
  maxSessionMemory: 16,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  maxOutstandingPings: 10,
  maxSettings: 32,
  /** So many resets at once, and so many a second, before the connection ends: each may have begun work at an instance. */
  streamResetBurst: 200,
  streamResetRate: 20,
} as const;

/** How much a client may send of one body, and of all on a connection, before it is taken; in bytes. */
const streamWindow = 131_072;
const connectionWindow = 4 * streamWindow;

/** Serves HTTP/2 on connections that others have accepted. */
export class Http2 implements HttpVersion {
  readonly #receiver: Receiver;
  readonly #sessions = new Set<Session>();

  constructor(receiver: Receiver) {
    this.#receiver = receiver;
  }

  /** Sessions that are open keep theirs. */
  applyLimits(): void {}

  take(connection: ClientConnection): void {
    const { limits, open, ending } = this.#receiver;
    const { maxConcurrentStreams, ...options } = sessionLimits;
    const session = performServerHandshake(connection.socket, {
      ...options,
      settings: {
        maxConcurrentStreams,
        enableConnectProtocol: true,
        maxHeaderListSize: limits.header_size,
        initialWindowSize: streamWindow,
      },
      // An instance may say twice what should be said once: the client gets it as over HTTP/1.
      strictSingleValueFields: false,
    });
    const served = new ServedConnection('http/2', connection, () => session.close());
    const known: Session = { session, connection, served, streams: 0 };
    const leave = open.add(served);
    this.#sessions.add(known);
    session
      .on('stream', (stream, headers, _flags, raw) => this.#onStream(known, stream, headers, raw))
      .on('timeout', () => this.#onRest(known))
      // It is destroyed then, and that is all there is to do.
      .on('error', () => {})
      .once('close', () => {
        leave();
        this.#sessions.delete(known);
      });
    // With that of a single body, one that an instance does not take would hold up all others.
    if (!session.destroyed) session.setLocalWindowSize(connectionWindow);
    session.setTimeout(limits.header_timeout);
    if (ending.is_ending) session.close();
  }

  /** The client learns which of its requests are still answered; all others it may send elsewhere. */
  end(): void {
    for (const { session } of this.#sessions) session.close();
  }

  close(): void {
    for (const { session } of this.#sessions) session.destroy();
  }

  #onRest({ session, connection, streams }: Session): void {
    if (streams > 0) return;
    session.close();
    // One that does not even read that is not waited for.
    connection.socket.setTimeout(this.#receiver.limits.header_timeout, () => connection.socket.destroy());
  }

  #onStream(
    known: Session,
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    raw: readonly string[],
  ): void {
    const { connection, served, session } = known;
    const { limits } = this.#receiver;
    session.setTimeout(limits.idle_timeout);
    known.streams += 1;
    // Whoever serves it learns of its end by its close.
    stream.on('error', () => {});
    stream.once('close', () => {
      known.streams -= 1;
    });
    if (headers[':method'] === 'CONNECT' && headers[':protocol'] !== undefined) {
      this.#receiver.upgradeStream(stream, headers, connection);
      return;
    }
    const answer = new Http2Answer(stream, limits.body_timeout);
    // The library holds a client to it only once that has heard of it, and says so.
    const head = sizeOf(raw) > limits.header_size ? tooLarge : readHttp2Head(headers, raw);
    if ('message' in head) {
      const { status, fields, body } = answerPage(head, headers.accept);
      answer.begin(status, '', fields);
      if (headers[':method'] !== 'HEAD') answer.write(body);
      answer.end([]);
      this.#receiver.noteRefused(head.status, 'http/2', connection, headers[':method']);
      return;
    }
    this.#receiver.serve({ head, connection, served, body: this.#bodyOf(stream, head, answer), answer });
  }

  #bodyOf(stream: ServerHttp2Stream, head: RequestHead, answer: Http2Answer): RequestBody | null {
    if (stream.endAfterHeaders) return null;
    const { body_size, body_timeout } = this.#receiver.limits;
    const [text] = valuesOf(head.fields, 'content-length');
    const expects = expectsContinue(head);
    return new RequestBody({
      source: stream,
      length: text === undefined ? null : Number(text),
      limit: body_size,
      timeout: body_timeout,
      onBegin: () => {
        if (expects) answer.goOn();
      },
    });
  }
}
