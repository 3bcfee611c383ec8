import type { IncomingMessage } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { RouterSettings } from '../contract/routing_table.ts';
import type { LoggedProtocol } from './access_line.ts';
import type { ClientConnection, Ending } from './client_connection.ts';
import type { Answer } from './exchange.ts';
import type { OpenConnections } from './open_connections.ts';
import type { RequestBody } from './request_body.ts';
import type { RequestHead } from './request_head.ts';
import type { ServedConnection } from './served_connection.ts';

export type Limits = RouterSettings['limits'];

/** A request as one of the versions of HTTP gives it on. */
export interface Incoming {
  readonly head: RequestHead;
  readonly connection: ClientConnection;
  readonly served: ServedConnection;
  readonly body: RequestBody | null;
  readonly answer: Answer;
}

/** Who takes the requests that come on connections of any version of HTTP. */
export interface Receiver {
  /** Those of the newest settings. */
  readonly limits: Limits;
  readonly ending: Ending;
  readonly open: OpenConnections;
  /** Sees to it that the request is answered, whatever happens. */
  serve(incoming: Incoming): void;
  /** Told of a request that was answered before it could be read. */
  noteRefused(status: number, protocol: LoggedProtocol, connection: ClientConnection, method?: string): void;
  /** A request for a WebSocket connection by HTTP/1.1. @param head what came behind it */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, connection: ClientConnection): void;
  /** An extended CONNECT of HTTP/2 (RFC 8441). */
  upgradeStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, connection: ClientConnection): void;
}

/** A version of HTTP as it is served on connections that others have accepted. */
export interface HttpVersion {
  take(connection: ClientConnection): void;
  /** New limits hold for what comes from now on. */
  applyLimits(): void;
  /** The router ends: connections that rest are closed after a while. */
  end(): void;
  /** Ends every connection at once. */
  close(): void;
}
