import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { systemErrorCode } from '../lib/errors.ts';
import { answerPage, type PageText, rawAnswer } from './answer_page.ts';
import type { ClientConnection } from './client_connection.ts';
import { sizeOf } from './fields.ts';
import { Http1Answer } from './http1_answer.ts';
import { linger } from './lingering.ts';
import type { HttpVersion, Receiver } from './receiver.ts';
import { RequestBody } from './request_body.ts';
import { expectsContinue, noConnect, type Refusal, readHttp1Head, tooLarge } from './request_head.ts';
import { ServedConnection } from './served_connection.ts';

/** An HTTP/1 connection and what is under way on it. */
interface Http1Connection {
  readonly connection: ClientConnection;
  readonly served: ServedConnection;
  /** Takes it out of those that are listed. */
  readonly leave: () => void;
  /** Resolves when every request so far is answered: the next one waits for that. */
  turn: Promise<void>;
  /** Requests that are answered now, or wait for their turn. */
  requests: number;
  answer: Http1Answer | null;
  /** The newest request. */
  last: IncomingMessage | null;
  /** No request comes behind those that are there. */
  is_read_up: boolean;
  /** It ends after what is under way. */
  is_closing: boolean;
  rests_since: number;
}

/** How many requests a client may have sent without the answer to the first. */
const mostPipelined = 100;
/** How often it is looked for heads that have not come in time, in milliseconds. */
const checkInterval = 1_000;
/** How long a connection rests at least before it is closed because the router ends, in milliseconds. */
const lastRest = 3_000;

/** By what Node's parser says. */
const parserProblems: Readonly<Record<string, PageText>> = {
  HPE_HEADER_OVERFLOW: tooLarge,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    status: 413,
    message: 'the body of the request has too large chunk extensions',
  },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: 'the request did not come in time' },
};
const noHttp: PageText = { status: 400, message: 'this is not well-formed HTTP' };

/** Serves HTTP/1.0 and HTTP/1.1 on connections that others have accepted. */
export class Http1 implements HttpVersion {
  readonly #receiver: Receiver;
  readonly #server: Server;
  readonly #connections = new Map<Duplex, Http1Connection>();
  #sweep: NodeJS.Timeout | undefined;

  constructor(receiver: Receiver) {
    this.#receiver = receiver;
    this.#server = createServer({
      connectionsCheckingInterval: checkInterval,
      requestTimeout: 0,
      // Answered here, as every other problem of a request.
      requireHostHeader: false,
      shouldUpgradeCallback: isWebSocket,
    });
    // More than that would be left out silently; the size of the head is bounded.
    this.#server.maxHeadersCount = 0;
    this.#server
      .on('request', (request, response) => this.#queue(request, response))
      .on('checkContinue', (request, response) => this.#queue(request, response))
      .on('checkExpectation', (request, response) => this.#queue(request, response))
      .on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
      .on('connect', (_request, socket) => this.#refuseConnect(socket))
      .on('clientError', (error, socket) => this.#onClientError(error, socket));
    this.applyLimits();
    // It never listens itself; this starts the clock by which slow heads are found.
    this.#server.emit('listening');
  }

  applyLimits(): void {
    const { header_size, header_timeout, idle_timeout } = this.#receiver.limits;
    const keepAliveTimeout = idle_timeout;
    Object.assign(this.#server, {
      maxHeaderSize: header_size,
      headersTimeout: header_timeout,
      keepAliveTimeout,
    });
  }

  /** @param head what was read of it and not used */
  take(connection: ClientConnection, head?: Buffer): void {
    const { socket } = connection;
    if (head !== undefined && head.length > 0) socket.unshift(head);
    const served = new ServedConnection('http/1.1', connection, () => this.#close(known));
    const known: Http1Connection = {
      connection,
      served,
      leave: this.#receiver.open.add(served),
      turn: Promise.resolve(),
      requests: 0,
      answer: null,
      last: null,
      is_read_up: false,
      is_closing: false,
      rests_since: Date.now(),
    };
    this.#connections.set(socket, known);
    socket.once('close', () => this.#forget(known));
    this.#server.emit('connection', socket);
  }

  end(): void {
    this.#sweep ??= setInterval(() => {
      for (const known of this.#connections.values())
        if (known.requests === 0 && Date.now() - known.rests_since >= lastRest)
          known.connection.socket.destroy();
    }, lastRest / 3).unref();
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const { connection } of this.#connections.values()) connection.socket.destroy();
    this.#server.close();
  }

  /** Requests of one connection are served one after the other: RFC 9112, 9.3.2, wants their answers in order. */
  #queue(request: IncomingMessage, response: ServerResponse): void {
    const known = this.#connections.get(request.socket);
    if (known === undefined) return void request.socket.destroy();
    known.requests += 1;
    known.last = request;
    if (known.requests > mostPipelined) return void request.socket.destroy();
    known.turn = known.turn
      .then(() => this.#serve(known, request, response))
      .catch(() => void request.socket.destroy());
  }

  async #serve(known: Http1Connection, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = known.connection;
    if (!socket.destroyed && !known.is_closing) {
      const closed = new Promise<void>((resolve) => response.once('close', resolve));
      this.#answer(known, request, response);
      await closed;
    }
    known.requests -= 1;
    if (known.is_closing || (known.is_read_up && known.requests === 0)) socket.destroySoon();
    known.answer = null;
    known.rests_since = Date.now();
  }

  #answer(known: Http1Connection, request: IncomingMessage, response: ServerResponse): void {
    const { limits, ending } = this.#receiver;
    // The parser counts neither what separates the fields nor how many there are.
    const is_large = (request.url?.length ?? 0) + sizeOf(request.rawHeaders) > limits.header_size;
    const head = is_large ? tooLarge : readHttp1Head(request);
    if ('message' in head) {
      refuse(known, request, response, head);
      this.#receiver.noteRefused(head.status, 'http/1.1', known.connection, request.method);
      return;
    }
    // An upgrade that is not made: Node loses the bytes behind such a request, so that nothing may follow it.
    if (request.headers.upgrade !== undefined) known.is_closing = true;
    const body = this.#bodyOf(request, () => answer.goOn());
    const closes = () => {
      // A body that nobody wants any more is not waited for.
      const is_left = !request.complete && body !== null && (!body.has_begun || body.problem !== null);
      const is_last = known.is_read_up && known.requests === 1;
      known.is_closing ||= ending.is_ending || is_left || is_last;
      return known.is_closing;
    };
    const options = { request, response, timeout: limits.body_timeout, closes };
    const answer = new Http1Answer(options, expectsContinue(head));
    known.answer = answer;
    this.#receiver.serve({ head, connection: known.connection, served: known.served, body, answer });
  }

  #bodyOf(request: IncomingMessage, onBegin: () => void): RequestBody | null {
    const { body_size, body_timeout } = this.#receiver.limits;
    const text = request.headers['content-length'];
    const length = text === undefined ? null : Number(text);
    if (length === 0 || (length === null && request.headers['transfer-encoding'] === undefined)) return null;
    return new RequestBody({ source: request, length, limit: body_size, timeout: body_timeout, onBegin });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const known = this.#connections.get(socket);
    // Behind a request that is not answered yet, nobody could tell whose bytes are whose.
    if (known === undefined || known.requests > 0) return void socket.destroy();
    this.#forget(known);
    this.#receiver.upgrade(request, socket, head, known.connection);
  }

  #refuseConnect(socket: Duplex): void {
    const known = this.#connections.get(socket);
    if (known !== undefined && known.requests > 0) return void socket.destroy();
    endWith(socket, noConnect);
    if (known !== undefined)
      this.#receiver.noteRefused(noConnect.status, 'http/1.1', known.connection, 'CONNECT');
  }

  #onClientError(error: Error, socket: Duplex): void {
    const known = this.#connections.get(socket);
    const code = systemErrorCode(error);
    if (!socket.writable || code === 'ECONNRESET') return void socket.destroy();
    if (known !== undefined && known.requests > 0 && known.last?.complete) {
      // What cannot be read came behind requests that are whole: these get their answers, and are the last ones.
      known.is_read_up = true;
      return;
    }
    if (known?.answer?.has_begun) return void socket.destroy();
    if (known !== undefined) known.is_closing = true;
    const problem = (code !== undefined && parserProblems[code]) || noHttp;
    endWith(socket, problem);
    if (known === undefined) return;
    if (known.answer === null) this.#receiver.noteRefused(problem.status, 'http/1.1', known.connection);
    else known.answer.refused = problem.status;
  }

  #close(known: Http1Connection): void {
    known.is_closing = true;
    if (known.requests === 0) known.connection.socket.destroy();
  }

  #forget(known: Http1Connection): void {
    known.leave();
    this.#connections.delete(known.connection.socket);
  }
}

/** Every other upgrade is served as if it had not been asked for. */
function isWebSocket({ method, httpVersion, headers }: IncomingMessage): boolean {
  return method === 'GET' && httpVersion === '1.1' && headers.upgrade?.toLowerCase() === 'websocket';
}

/** What cannot be read safely ends the connection too: what comes after it could be anything. */
function refuse(
  known: Http1Connection,
  request: IncomingMessage,
  response: ServerResponse,
  refusal: Refusal,
): void {
  known.is_closing = true;
  response.on('error', () => {});
  const { status, fields, body } = answerPage(refusal, request.headers.accept);
  response.writeHead(status, [...fields, 'Connection', 'close']);
  if (request.method !== 'HEAD') response.write(body);
  if (request.complete) response.end();
  else linger(request, () => response.end());
}

function endWith(socket: Duplex, text: PageText): void {
  socket.on('error', () => {});
  socket.end(rawAnswer(text), () => socket.destroy());
}
