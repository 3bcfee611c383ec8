import type { Connection, ConnectionFilter } from '../contract/connections.ts';
import type { ConnectionList } from '../contract/traffic.ts';
import { DavitError } from '../lib/errors.ts';
import type { RouterPeer } from './peer.ts';

/** Of how many connections one router is asked at most. */
const mostOfOne = 5_000;
/** For how long what was listed is good for others who follow, in milliseconds. */
const freshness = 500;

/** The connections that clients have open with all routers, as those tell when they are asked. */
export class LiveConnections {
  readonly #peers: () => Iterable<RouterPeer>;
  #snapshot: { readonly at: number; readonly connections: Promise<Connection[]> } | null = null;

  constructor(peers: () => Iterable<RouterPeer>) {
    this.#peers = peers;
  }

  /** Those that fit, oldest first, and how many fit in all. Throws `router_unavailable` when no router is connected. */
  async list(filter: ConnectionFilter, limit = mostOfOne): Promise<ConnectionList> {
    const asked = this.#connected().map((peer) => peer.list(filter, Math.min(limit, mostOfOne)));
    const answers = (await Promise.all(asked)).filter((answer) => answer !== null);
    if (answers.length === 0)
      throw new DavitError('router_unavailable', 'no router has answered; davit logs davit.router says more');
    const connections = answers.flatMap((answer) => answer.connections);
    connections.sort(byAge);
    return { connections, total: answers.reduce((sum, { total }) => sum + total, 0) };
  }

  /** All of them, which may be half a second old: many may follow. */
  all(): Promise<Connection[]> {
    const now = Date.now();
    if (this.#snapshot === null || now - this.#snapshot.at > freshness) {
      const connections = this.list({}).then((list) => list.connections);
      this.#snapshot = { at: now, connections };
    }
    return this.#snapshot.connections;
  }

  /** Closes those that fit. Returns how many; throws `router_unavailable` when no router is connected. */
  async close(filter: ConnectionFilter): Promise<number> {
    const closed = await Promise.all(this.#connected().map((peer) => peer.close(filter)));
    return closed.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  }

  #connected(): RouterPeer[] {
    const connected = [...this.#peers()];
    if (connected.length > 0) return connected;
    throw new DavitError(
      'router_unavailable',
      'no router is connected: set `router` in the configuration of the agent, or see davit logs davit.router',
    );
  }
}

/** The oldest first; times of one form sort as texts. */
function byAge(one: Connection, other: Connection): number {
  if (one.started_at !== other.started_at) return one.started_at < other.started_at ? -1 : 1;
  return one.id < other.id ? -1 : 1;
}
