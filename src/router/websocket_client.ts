import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { AccessRecord } from './access_record.ts';
import type { AnswerPage } from './answer_page.ts';
import type { Fields } from './fields.ts';
import type { RequestHead } from './request_head.ts';
import type { Acceptance } from './websocket_handshake.ts';

/** Whoever asks for a WebSocket connection, by whichever version of HTTP, until it has its answer. */
export interface WebSocketClient {
  readonly head: RequestHead;
  /** What goes over it is what goes over the WebSocket connection. */
  readonly stream: Duplex;
  /** What it has sent of that already. */
  readonly early: Buffer;
  /** The Sec-WebSocket-Key that the instance gets. */
  readonly key: string;
  /** The fields of its request, as they would be over HTTP/1.1. */
  readonly fields: Fields;
  /** Its Accept. */
  readonly accepts: string | undefined;
  /** Null: nothing is noted of it. */
  readonly record: AccessRecord | null;
  /** Nobody is there any more who could be answered. */
  readonly isGone: boolean;
  /** Calls back when it goes away before it is accepted. Once, for one. */
  onGone(listener: () => void): void;
  /**
   * Tells it that the connection is there.
   * @param added more fields
   * @returns false when something in them cannot be sent
   */
  accept(acceptance: Acceptance, added: Fields): boolean;
  /** Gives it an answer of the router. */
  answer(page: AnswerPage): void;
  /** Gives it the answer of an instance that does not take the connection. Resolves when all of it is sent, or its end is not to come. */
  relay(answer: IncomingMessage, added: Fields): Promise<void>;
  /** Ends its connection at once, in a way that shows that something broke. */
  reset(): void;
}
