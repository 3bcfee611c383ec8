import { type IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { AccessRecord } from './access_record.ts';
import type { AnswerPage } from './answer_page.ts';
import { endToEnd, type Fields, valuesOf } from './fields.ts';
import type { RequestHead } from './request_head.ts';
import { reset } from './splice.ts';
import { ignore, keepAlive } from './websocket_backend.ts';
import type { WebSocketClient } from './websocket_client.ts';
import { type Acceptance, acceptanceHead } from './websocket_handshake.ts';

/** How long a client that was refused may take to read that, in milliseconds. */
const lingerTime = 2_000;

/** A client that asks by `Upgrade` of HTTP/1.1 (RFC 6455). It is read only once it has its answer. */
export class Http1WebSocketClient implements WebSocketClient {
  readonly head: RequestHead;
  readonly stream: Duplex;
  readonly early: Buffer;
  readonly record: AccessRecord | null;
  readonly #request: IncomingMessage;
  #onGone = ignore;

  constructor(
    request: IncomingMessage,
    head: RequestHead,
    socket: Duplex,
    early: Buffer,
    record: AccessRecord | null,
  ) {
    this.#request = request;
    this.head = head;
    this.stream = socket;
    this.early = early;
    this.record = record;
    socket.on('error', ignore);
    if (socket instanceof Socket) prepare(socket);
  }

  get key(): string {
    return valuesOf(this.head.fields, 'sec-websocket-key')[0] ?? '';
  }

  get fields(): Fields {
    return this.head.fields;
  }

  get accepts(): string | undefined {
    return valuesOf(this.head.fields, 'accept')[0];
  }

  get isGone(): boolean {
    return this.stream.destroyed;
  }

  onGone(listener: () => void): void {
    this.#onGone = listener;
    this.stream.once('close', listener);
  }

  accept(acceptance: Acceptance, added: Fields): boolean {
    const head = acceptanceHead(acceptance, added);
    if (head === null) return false;
    this.stream.off('close', this.#onGone);
    this.stream.write(head);
    return true;
  }

  answer({ status, fields, body }: AnswerPage): void {
    const response = this.#response();
    this.record?.given(status);
    response.writeHead(status, ['Connection', 'close', ...fields]);
    response.end(body);
  }

  async relay(answer: IncomingMessage, added: Fields): Promise<void> {
    const response = this.#response();
    const fields = endToEnd(answer.rawHeaders, () => false);
    try {
      const { statusCode = 502, statusMessage = '' } = answer;
      response.sendDate = false;
      response.writeHead(statusCode, statusMessage, ['Connection', 'close', ...fields, ...added]);
      await pipeline(answer, response);
    } catch {
      answer.destroy();
      this.reset();
    }
  }

  reset(): void {
    reset(this.stream);
  }

  /** The connection ends after it: whatever the client has sent behind its request was meant for a WebSocket connection. */
  #response(): ServerResponse {
    const response = new ServerResponse(this.#request);
    response.shouldKeepAlive = false;
    response.assignSocket(this.stream as Socket);
    response.once('finish', () => {
      response.detachSocket(this.stream as Socket);
      endSlowly(this.stream);
    });
    return response;
  }
}

function prepare(socket: Socket): void {
  socket.allowHalfOpen = true;
  socket.setTimeout(0).setNoDelay(true).setKeepAlive(keepAlive);
}

/** Closing a socket with unread bytes in it would take the answer away from the client again. */
function endSlowly(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), lingerTime);
  socket.once('close', () => clearTimeout(timer));
  socket.end();
  socket.resume();
}
