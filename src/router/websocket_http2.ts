import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { pipeline } from 'node:stream/promises';
import type { AccessRecord } from './access_record.ts';
import type { AnswerPage } from './answer_page.ts';
import { endToEnd, type Fields, valuesOf } from './fields.ts';
import type { RequestHead } from './request_head.ts';
import { reset } from './splice.ts';
import { ignore } from './websocket_backend.ts';
import type { WebSocketClient } from './websocket_client.ts';
import { type Acceptance, acceptanceFields } from './websocket_handshake.ts';

/**
 * A client that asks by an extended CONNECT of HTTP/2 (RFC 8441). There is no key and no accept there: the instance, which
 * speaks HTTP/1.1, gets a key of ours.
 */
export class Http2WebSocketClient implements WebSocketClient {
  readonly head: RequestHead;
  readonly stream: ServerHttp2Stream;
  readonly early = Buffer.alloc(0);
  readonly record: AccessRecord | null;
  readonly key = randomBytes(16).toString('base64');
  #onGone = ignore;

  constructor(stream: ServerHttp2Stream, head: RequestHead, record: AccessRecord | null) {
    this.stream = stream;
    this.head = head;
    this.record = record;
    stream.on('error', ignore);
  }

  get fields(): Fields {
    return [
      ...endToEnd(this.head.fields, (name) => name === 'sec-websocket-key'),
      'Sec-WebSocket-Key',
      this.key,
    ];
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

  accept({ fields }: Acceptance, added: Fields): boolean {
    const kept = acceptanceFields(fields).concat(added);
    const isSent = this.#respond(200, kept, (name) => name === 'sec-websocket-accept');
    if (isSent) this.stream.off('close', this.#onGone);
    return isSent;
  }

  answer({ status, fields, body }: AnswerPage): void {
    const answered = isSuccess(status) ? 502 : status;
    this.record?.given(answered);
    if (this.#respond(answered, fields)) this.stream.end(body);
    else this.reset();
  }

  async relay(answer: IncomingMessage, added: Fields): Promise<void> {
    const { statusCode = 502, rawHeaders } = answer;
    // To a CONNECT every 2xx would say that the connection is there (RFC 8441, section 5).
    const status = isSuccess(statusCode) ? 502 : statusCode;
    this.record?.given(status);
    try {
      const fields = endToEnd(rawHeaders, () => false).concat(added);
      if (!this.#respond(status, fields)) throw new Error('the answer cannot be sent');
      await pipeline(answer, this.stream);
    } catch {
      answer.destroy();
      this.reset();
    }
  }

  reset(): void {
    reset(this.stream);
  }

  #respond(status: number, fields: Fields, drops: (name: string) => boolean = () => false): boolean {
    const headers: OutgoingHttpHeaders = { ':status': status };
    for (let at = 0; at < fields.length; at += 2) {
      const name = (fields[at] as string).toLowerCase();
      if (drops(name)) continue;
      const before = headers[name];
      const value = fields[at + 1] as string;
      headers[name] = before === undefined ? value : [before, value].flat().map(String);
    }
    try {
      this.stream.respond(headers);
      return true;
    } catch {
      return false;
    }
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
