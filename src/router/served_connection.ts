import type { ClientConnection } from './client_connection.ts';
import type { OpenConnection } from './open_connections.ts';
import type { RequestHead } from './request_head.ts';
import type { TargetInstance } from './target.ts';

/** A connection of a client over which requests come, as it is listed. */
export class ServedConnection implements OpenConnection {
  readonly protocol: 'http/1.1' | 'http/2';
  readonly #connection: ClientConnection;
  readonly #onClose: () => void;
  #client: string;
  #under_way = 0;
  #last_activity: number;
  #head: RequestHead | null = null;
  #instance: TargetInstance | null = null;
  #rule: string | null = null;

  /** @param onClose ends it, once what is under way is answered or at once */
  constructor(protocol: 'http/1.1' | 'http/2', connection: ClientConnection, onClose: () => void) {
    this.protocol = protocol;
    this.#connection = connection;
    this.#onClose = onClose;
    this.#client = connection.peer;
    this.#last_activity = connection.started_at;
  }

  /** Of its last request. */
  get client(): string {
    return this.#client;
  }

  get started_at(): number {
    return this.#connection.started_at;
  }

  get is_active(): boolean {
    return this.#under_way > 0;
  }

  begins(head: RequestHead, client: string): void {
    this.#under_way += 1;
    this.#last_activity = Date.now();
    this.#head = head;
    this.#client = client;
    this.#instance = null;
    this.#rule = null;
  }

  goesTo(rule: string, instance: TargetInstance | null): void {
    this.#rule = rule;
    this.#instance = instance;
  }

  ends(): void {
    this.#under_way -= 1;
    this.#last_activity = Date.now();
  }

  describe(): ReturnType<OpenConnection['describe']> {
    const { socket } = this.#connection;
    return {
      host: this.#head?.host ?? null,
      path: this.#head?.path ?? null,
      service: this.#instance?.service ?? null,
      instance: this.#instance?.number ?? null,
      release: this.#instance?.release ?? null,
      rule: this.#rule,
      active: this.is_active,
      bytes_in: socket.bytesRead,
      bytes_out: socket.bytesWritten,
      last_activity: this.#last_activity,
    };
  }

  close(): void {
    this.#onClose();
  }
}
