import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** A connection that a client has made, before anything of it was read but a PROXY header and a TLS handshake. */
export interface ClientConnection {
  readonly socket: Socket | TLSSocket;
  /** The canonical address of the other end, or the one that the PROXY header names. */
  readonly peer: string;
  /** Whether the peer is one of the trusted proxies: what its X-Forwarded-* say counts. */
  readonly is_trusted: boolean;
  readonly is_tls: boolean;
  /** The port that the client has connected to. */
  readonly local_port: number;
  /** Milliseconds since the epoch. */
  readonly started_at: number;
}

/** Whether the router ends: it accepts nothing new, and each connection ends after what is under way on it. */
export interface Ending {
  readonly is_ending: boolean;
}
