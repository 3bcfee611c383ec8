import type { RoutedRequest } from '../routing/request.ts';
import type { OpenConnection } from './open_connections.ts';
import { closeCodes, type Splice } from './splice.ts';
import type { Lease } from './target.ts';
import type { WebSocketBackend } from './websocket_backend.ts';

/** What a WebSocket connection is once the instance has taken it. */
export interface Established {
  readonly lease: Lease;
  readonly backend: WebSocketBackend;
  readonly splice: Splice;
  /** Milliseconds; null: it may rest for as long as it likes. */
  readonly idle: number | null;
}

/** A WebSocket connection in the table of those that are open, from its request on. */
export class WebSocketConnection implements OpenConnection {
  readonly protocol = 'websocket';
  readonly client: string;
  readonly started_at = Date.now();
  readonly #host: string;
  readonly #path: string;
  readonly #rule: string;
  readonly #service: string;
  /** null: it is established. */
  #giveUp: AbortController | null;
  #established: Established | null = null;
  /** What the handshake took of what went to and came from the instance, in bytes. */
  #handshake = { sent: 0, received: 0 };

  /** @param giveUp ends the attempt to establish it */
  constructor(
    { client, host, path }: RoutedRequest,
    { rule, service }: { rule: string; service: string },
    giveUp: AbortController,
  ) {
    this.#giveUp = giveUp;
    this.client = client;
    this.#host = host;
    this.#path = path;
    this.#rule = rule;
    this.#service = service;
  }

  /** From the client, in bytes. */
  get bytes_in(): number {
    const written = this.#established?.backend.socket.bytesWritten ?? 0;
    return Math.max(0, written - this.#handshake.sent);
  }

  /** From the instance, in bytes. */
  get bytes_out(): number {
    const read = this.#established?.backend.socket.bytesRead ?? 0;
    return Math.max(0, read - this.#handshake.received);
  }

  /** @param early how many bytes of those that have been read came behind the head of the answer */
  establish(established: Established, early: number): void {
    const { bytesWritten, bytesRead } = established.backend.socket;
    this.#handshake = { sent: bytesWritten, received: bytesRead - early };
    this.#established = established;
    this.#giveUp = null;
  }

  /** Ends it, whatever it is doing. */
  close(code: number = closeCodes.going_away, reason = 'closed by the operator'): void {
    this.#giveUp?.abort();
    this.#established?.splice.close(code, reason);
  }

  /** The same without a word to the client. */
  cut(): void {
    this.#giveUp?.abort();
    this.#established?.splice.cut();
  }

  /** Ends it when it has rested for too long, or takes too long to end. */
  check(now: number): void {
    if (this.#established === null) return;
    const { splice, idle } = this.#established;
    if (idle !== null && now - splice.lastActivity >= idle)
      splice.close(closeCodes.going_away, 'idle timeout');
    splice.check(now);
  }

  describe(): ReturnType<OpenConnection['describe']> {
    const instance = this.#established?.lease.instance ?? null;
    return {
      host: this.#host,
      path: this.#path,
      service: this.#service,
      instance: instance?.number ?? null,
      release: instance?.release ?? null,
      rule: this.#rule,
      active: true,
      bytes_in: this.bytes_in,
      bytes_out: this.bytes_out,
      last_activity: this.#established?.splice.lastActivity ?? this.started_at,
    };
  }
}
