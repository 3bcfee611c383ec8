import type { RoutedRequest } from '../routing/request.ts';
import type { AccessRecord } from './access_record.ts';
import type { ClientConnection } from './client_connection.ts';
import type { Origin } from './forwarding.ts';
import type { RequestBody } from './request_body.ts';
import type { RequestHead } from './request_head.ts';
import type { ServedConnection } from './served_connection.ts';

/** A request that was read and found good, with what was worked out of it. */
export interface Arrival {
  readonly head: RequestHead;
  readonly origin: Origin;
  readonly view: RoutedRequest;
}

/** A request and the way back to its client, by whichever version of HTTP it came. */
export interface Exchange extends Arrival {
  readonly connection: ClientConnection;
  readonly served: ServedConnection;
  /** null: it has none. */
  readonly body: RequestBody | null;
  readonly answer: Answer;
  /** Null: nothing is noted of it. */
  readonly record: AccessRecord | null;
}

/** The way back to the client. */
export interface Answer {
  /** Whether anything of the answer is on its way: no other can be given any more. */
  readonly has_begun: boolean;
  /** Bytes of bodies that were written. */
  readonly bytes: number;
  /** Passes on an interim answer, such as 103. */
  inform(status: number, fields: readonly string[]): void;
  /** @param fields flat, and only those that go from end to end */
  begin(status: number, reason: string, fields: readonly string[]): void;
  /** Returns false when the client reads more slowly than this is written: `onDrain` tells when it has caught up. */
  write(chunk: Buffer | string): boolean;
  onDrain(listener: () => void): void;
  end(trailers: readonly string[]): void;
  /** Ends what has begun so that the client sees that it is not whole. */
  breakOff(): void;
  /** What the client was told in place of it, as the rest of the request could not be read; null: nothing. */
  readonly refused: number | null;
  /** Aborted when the client goes away before the answer has ended. */
  readonly gone: AbortSignal;
}
