import type { Connection, ConnectionFilter } from '../contract/connections.ts';

/** A connection of a client, as whoever serves it shows it. What costs something is worked out only when it is asked for. */
export interface OpenConnection {
  readonly protocol: Connection['protocol'];
  readonly client: string;
  /** Milliseconds since the epoch. */
  readonly started_at: number;
  /** What it is now. */
  describe(): Pick<
    Connection,
    'host' | 'path' | 'service' | 'instance' | 'release' | 'rule' | 'active' | 'bytes_in' | 'bytes_out'
  > & { readonly last_activity: number };
  /** Ends it from this side: a WebSocket by a close frame, anything else once what is under way is answered or at once. */
  close(): void;
}

/** Every connection that clients have open with this router. */
export class OpenConnections {
  readonly #router: string;
  readonly #open = new Map<number, OpenConnection>();
  #last = 0;

  /** @param router by which the ids begin */
  constructor(router: string) {
    this.#router = router;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Returns what takes it out again. */
  add(connection: OpenConnection): () => void {
    const number = ++this.#last;
    this.#open.set(number, connection);
    return () => this.#open.delete(number);
  }

  /** Those that fit, oldest first, at most so many; and how many fit in all. */
  list(filter: ConnectionFilter, limit: number): { connections: Connection[]; total: number } {
    const fitting = this.#fitting(filter);
    return { connections: fitting.slice(0, limit).map(({ shown }) => shown), total: fitting.length };
  }

  /** Closes those that fit. Returns how many. */
  close(filter: ConnectionFilter): number {
    const fitting = this.#fitting(filter);
    for (const { connection } of fitting) connection.close();
    return fitting.length;
  }

  /** Every one there is. */
  values(): Iterable<OpenConnection> {
    return this.#open.values();
  }

  #fitting(filter: ConnectionFilter): { connection: OpenConnection; shown: Connection }[] {
    return [...this.#open].flatMap(([number, connection]) => {
      const shown = this.#show(number, connection);
      return fits(shown, filter) ? [{ connection, shown }] : [];
    });
  }

  #show(number: number, connection: OpenConnection): Connection {
    const { protocol, client, started_at } = connection;
    const { last_activity, ...facts } = connection.describe();
    return {
      id: `${this.#router}-${number}`,
      protocol,
      client,
      ...facts,
      started_at: new Date(started_at).toISOString(),
      last_activity_at: new Date(last_activity).toISOString(),
    };
  }
}

function fits(shown: Connection, { ids, ...fields }: ConnectionFilter): boolean {
  if (ids !== undefined && !ids.includes(shown.id)) return false;
  return Object.entries(fields).every(
    ([name, wanted]) => wanted === undefined || shown[name as keyof typeof fields] === wanted,
  );
}
