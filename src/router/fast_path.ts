import type { RouterSettings } from '../contract/routing_table.ts';
import type { AccessLog } from './access_log.ts';
import { AnswerBuffer } from './answer_buffer.ts';
import type { ClientConnection, Ending } from './client_connection.ts';
import { type ConnectionParts, FastConnection, type HandOver } from './fast_connection.ts';
import type { OpenConnections } from './open_connections.ts';
import { RawPool } from './raw_pool.ts';
import type { Director } from './target.ts';
import type { Tracing } from './tracing.ts';

interface FastPathOptions {
  readonly director: Director;
  /** Where every connection of a client is entered for as long as this path serves it. */
  readonly open: OpenConnections;
  readonly ending: Ending;
  /** The limits of now. */
  readonly limits: () => RouterSettings['limits'];
  /** Whether what an address says of those before it is believed. */
  readonly isTrusted: (address: string) => boolean;
  readonly access: AccessLog;
  readonly tracing: Tracing;
}

/** How often it is looked whether anything takes too long, in milliseconds: one timer for all costs nothing per request. */
const tick = 250;
/** How long a connection rests at least before it is closed because the router ends, in milliseconds: a request may be on its way. */
const lastRest = 3_000;
/** Room for what is read at once, for the head of an answer before it, and for what is added to both, such as trailers. */
const bufferSize = 2 * 65_536 + 65_536;

/**
 * Serves the requests over HTTP/1.1 that a strict grammar proves to be plain: GET and HEAD without a body, of which there is
 * but one way to read them. Most requests are; whatever else comes on a connection goes to the full path with its bytes unread,
 * and all that comes on it afterwards.
 */
export class FastPath {
  readonly #open: OpenConnections;
  readonly #connections = new Map<FastConnection, () => void>();
  readonly #pool = new RawPool();
  readonly #parts: ConnectionParts;
  #unroutable = 0;
  #timer: NodeJS.Timeout | null = null;
  #looked_at = 0;
  #wasLate = false;

  constructor({ director, open, ending, limits, isTrusted, access, tracing }: FastPathOptions) {
    this.#open = open;
    this.#parts = {
      director,
      pool: this.#pool,
      buffer: new AnswerBuffer(bufferSize),
      ending,
      limits,
      stall: () => limits().body_timeout,
      isTrusted,
      access,
      tracing,
      onUnroutable: () => {
        this.#unroutable += 1;
      },
      onGone: (connection) => this.#forget(connection),
    };
  }

  /** How many requests it has refused since it began, as no rule fits them or there was no instance for them. */
  get unroutable(): number {
    return this.#unroutable;
  }

  /** Serves a connection of which nothing was read, until something comes on it that is not plain: `handOver` gets it then, for good. */
  take(connection: ClientConnection, handOver: HandOver): void {
    const served = new FastConnection(this.#parts, connection, handOver);
    this.#connections.set(served, this.#open.add(served));
    if (this.#timer !== null) return;
    this.#looked_at = performance.now();
    this.#timer = setInterval(() => this.#look(performance.now()), tick).unref();
  }

  /** Ends every connection at once, also those to instances. */
  close(): void {
    for (const connection of [...this.#connections.keys()]) connection.destroy();
    this.#pool.close();
  }

  #look(now: number): void {
    // When this process was kept from running, what came meanwhile is yet to be read, and nobody else was late. But only once.
    this.#wasLate = !this.#wasLate && now - this.#looked_at > 2 * tick;
    this.#looked_at = now;
    if (this.#wasLate) return;
    for (const connection of this.#connections.keys()) {
      if (connection.deadline <= now) connection.onDeadline();
      else if (this.#parts.ending.is_ending && now - (connection.rests_since ?? now) >= lastRest)
        connection.close();
    }
    this.#pool.closeRested(now);
    if (this.#connections.size > 0 || this.#pool.resting > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #forget(connection: FastConnection): void {
    this.#connections.get(connection)?.();
    this.#connections.delete(connection);
  }
}
