import type { IncomingMessage } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { RouterSettings } from '../contract/routing_table.ts';
import type { ClientConnection, Ending } from './client_connection.ts';
import type { OpenConnections } from './open_connections.ts';
import type { Director } from './target.ts';

/** Serves what is plain on a connection by itself, and gives the rest back with the bytes that it has read and not used. */
export interface FastPath {
  take(connection: ClientConnection, handOver: (connection: ClientConnection, head: Buffer) => void): void;
}

/** Serves the requests that ask for a WebSocket connection. */
export interface Upgrades {
  take(request: IncomingMessage, socket: Duplex, head: Buffer, connection: ClientConnection): void;
  /** The same by an extended CONNECT of HTTP/2 (RFC 8441). */
  takeStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, connection: ClientConnection): void;
}

interface HttpFrontOptions {
  readonly director: Director;
  /** Where every connection of a client is entered for as long as it is open. */
  readonly open: OpenConnections;
  readonly upgrades: Upgrades;
  /** null: every request goes the full way. */
  readonly fastPath: FastPath | null;
  readonly ending: Ending;
  /** Told in a sentence of what keeps it from serving as the settings say: a listener, a certificate. */
  readonly onProblem: (message: string) => void;
}

/** What it has seen since it began. */
export interface FrontFacts {
  /** Connections that are open now, whether or not a request has come on them. */
  readonly connections: number;
  /** Connections that the limits did not let in. */
  readonly refused: number;
  /** Requests that no rule fits, or for which no instance was there. */
  readonly unroutable: number;
  /** Where it listens now, as `host:port`; of port 0 the one that it got. */
  readonly listening: readonly string[];
}

/**
 * Everything between the clients and the instances for HTTP: listeners, TLS, limits, HTTP/1.1, HTTP/2.
 *
 * In the life of a router: `new HttpFront(…)`, then `apply(settings)` with the first table and each one after it; at its
 * end first `ending.is_ending` becomes true, then `stopListening()`, then the connections end one by one as what is under
 * way on them does (`facts().connections` falls to 0), and at last, or when that takes too long, `close()`.
 */
export abstract class HttpFront {
  constructor(_options: HttpFrontOptions) {}
  /**
   * Opens and closes listeners, reads certificates, and sets the limits of connections that are new from now on. A listener
   * that cannot be opened, or a certificate that cannot be read, is told as a problem, and tried again every few seconds.
   */
  abstract apply(settings: RouterSettings): Promise<void>;
  /** Accepts nothing new. Connections that rest are given a few seconds, as a request may be on its way. */
  abstract stopListening(): void;
  abstract facts(): FrontFacts;
  /** Ends every connection at once, also those to instances. */
  abstract close(): Promise<void>;
}
