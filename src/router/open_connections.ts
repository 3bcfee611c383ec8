import { setImmediate as nextTurn } from 'node:timers/promises';
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

type Entry = readonly [number: number, connection: OpenConnection];

/** Connections that fit, and how many do in all. */
interface Listed {
  readonly connections: Connection[];
  total: number;
}

/** How many connections are looked at before others get their turn. */
const inOneTurn = 200;

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
  list(filter: ConnectionFilter, limit: number): Listed {
    const listed: Listed = { connections: [], total: 0 };
    for (const each of this.#entries(filter)) this.#enter(listed, each, limit);
    return listed;
  }

  /** The same, with a turn of the event loop for others after every few connections: there may be many. */
  async listInTurns(filter: ConnectionFilter, limit: number): Promise<Listed> {
    const listed: Listed = { connections: [], total: 0 };
    let count = 0;
    for (const each of this.#entries(filter)) {
      this.#enter(listed, each, limit);
      count += 1;
      if (count % inOneTurn === 0) await nextTurn();
    }
    return listed;
  }

  /** Closes those that fit. Returns how many. */
  close(filter: ConnectionFilter): number {
    const fitting = [...this.#entries(filter)].filter((entry) => entry !== null);
    for (const [, connection] of fitting) connection.close();
    return fitting.length;
  }

  /** Every one there is. */
  values(): Iterable<OpenConnection> {
    return this.#open.values();
  }

  /** Each that was open at the beginning, or null in its place where it does not fit. */
  *#entries(filter: ConnectionFilter): Generator<Entry | null> {
    const last = this.#last;
    for (const entry of this.#open) {
      if (entry[0] > last) return;
      yield this.#fits(entry, filter) ? entry : null;
    }
  }

  #enter(listed: Listed, entry: Entry | null, limit: number): void {
    if (entry === null) return;
    listed.total += 1;
    if (listed.total <= limit) listed.connections.push(this.#show(...entry));
  }

  /** What costs nothing to know is looked at first. */
  #fits([number, connection]: Entry, { ids, protocol, client, ...fields }: ConnectionFilter): boolean {
    if (protocol !== undefined && connection.protocol !== protocol) return false;
    if (client !== undefined && connection.client !== client) return false;
    if (ids !== undefined && !ids.includes(`${this.#router}-${number}`)) return false;
    const wanted = Object.entries(fields).filter(([, value]) => value !== undefined);
    if (wanted.length === 0) return true;
    const described = connection.describe();
    return wanted.every(([name, value]) => described[name as keyof typeof fields] === value);
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
