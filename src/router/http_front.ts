import type { IncomingMessage } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { RouterSettings } from '../contract/routing_table.ts';
import type { LoggedProtocol } from './access_line.ts';
import type { AccessLog } from './access_log.ts';
import { Arrivals } from './arrivals.ts';
import { Certificates } from './certificates.ts';
import type { ClientConnection, Ending } from './client_connection.ts';
import { originOf } from './forwarding.ts';
import { FullPath } from './full_path.ts';
import type { HeldRequests } from './held_requests.ts';
import { Http1 } from './http1.ts';
import { Http2 } from './http2.ts';
import { InstancePools } from './instance_pools.ts';
import { Listeners } from './listeners.ts';
import type { OpenConnections } from './open_connections.ts';
import type { Incoming, Limits, Receiver } from './receiver.ts';
import { viewOf } from './request_view.ts';
import type { Director } from './target.ts';
import { type Tracing, withTrace } from './tracing.ts';
import type { TrustedProxies } from './trusted_proxies.ts';

/** Serves what is plain on a connection by itself, and gives the rest back with the bytes that it has read and not used. */
export interface FastPath {
  take(connection: ClientConnection, handOver: (connection: ClientConnection, head: Buffer) => void): void;
}

/** Serves the requests that ask for a WebSocket connection, whether or not they are well-formed. */
export interface Upgrades {
  take(request: IncomingMessage, socket: Duplex, head: Buffer, connection: ClientConnection): void;
  /** The same by an extended CONNECT of HTTP/2 (RFC 8441). */
  takeStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, connection: ClientConnection): void;
}

export interface HttpFrontOptions {
  readonly director: Director;
  /** Where every connection of a client is entered for as long as it is open. */
  readonly open: OpenConnections;
  readonly upgrades: Upgrades;
  /** null: every request goes the full way. */
  readonly fastPath: FastPath | null;
  readonly ending: Ending;
  /** Set here by the settings; the same one for the upgrades and the fast path. */
  readonly trusted: TrustedProxies;
  /** The same. */
  readonly held: HeldRequests;
  /** The same. */
  readonly access: AccessLog;
  /** The same. */
  readonly tracing: Tracing;
  /** Told in a sentence of what keeps it from serving as the settings say: a listener, a certificate. */
  readonly onProblem: (message: string) => void;
}

/** What it has seen since it began. */
export interface FrontFacts {
  /** Connections that are open now, whether or not a request has come on them. */
  readonly connections: number;
  /** Connections that were let in. */
  readonly admitted: number;
  /** Connections that the limits did not let in. */
  readonly refused: number;
  /** Requests that no rule fits, or for which no instance was there; without those of the fast path and the upgrades. */
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
export class HttpFront implements Receiver {
  readonly #options: HttpFrontOptions;
  readonly #listeners: Listeners;
  readonly #certificates: Certificates;
  readonly #arrivals: Arrivals;
  readonly #http1: Http1;
  readonly #http2: Http2;
  readonly #pools = new InstancePools();
  readonly #full_path: FullPath;
  #limits: Limits = noLimits;
  #unroutable = 0;

  constructor(options: HttpFrontOptions) {
    const { director, held, onProblem, trusted } = options;
    this.#options = options;
    this.#http1 = new Http1(this);
    this.#http2 = new Http2(this);
    this.#full_path = new FullPath({
      director,
      held,
      pools: this.#pools,
      onUnroutable: () => {
        this.#unroutable += 1;
      },
    });
    this.#certificates = new Certificates({
      onProblem,
      onFirst: (first) => this.#arrivals.setCertificate(first),
    });
    this.#arrivals = new Arrivals({
      trusted,
      certificates: this.#certificates,
      onConnection: (connection, protocol) => this.#take(connection, protocol),
    });
    this.#listeners = new Listeners({
      onConnection: (socket, settings) => this.#arrivals.take(socket as Socket, settings),
      onProblem,
    });
  }

  get limits(): Limits {
    return this.#limits;
  }

  get ending(): Ending {
    return this.#options.ending;
  }

  get open(): OpenConnections {
    return this.#options.open;
  }

  /**
   * Opens and closes listeners, reads certificates, and sets the limits of what comes from now on. A listener that cannot be
   * opened, or a certificate that cannot be read, is told as a problem, and tried again every few seconds.
   */
  async apply(settings: RouterSettings): Promise<void> {
    const { limits, trusted_proxies, listeners } = settings;
    this.#limits = bounded(limits);
    this.#options.trusted.apply(trusted_proxies);
    this.#options.held.most = limits.held_requests;
    this.#options.access.apply(settings.access_log ?? null);
    this.#options.tracing.apply(settings.trace ?? 'carry');
    this.#arrivals.applyLimits(this.#limits);
    this.#http1.applyLimits();
    this.#certificates.apply(settings);
    for (const { address, proxy_protocol } of listeners)
      if (proxy_protocol && trusted_proxies.length === 0)
        this.#options.onProblem(
          `${address} expects the PROXY protocol, and no proxy is trusted: it takes no connections.`,
        );
    if (!this.ending.is_ending) await this.#listeners.apply(listeners);
  }

  /** Accepts nothing new. Connections that rest are given a few seconds, as a request may be on its way. */
  stopListening(): void {
    this.#listeners.close();
    this.#http1.end();
    this.#http2.end();
  }

  facts(): FrontFacts {
    const { open, admitted, refused } = this.#arrivals;
    return {
      connections: open,
      admitted,
      refused,
      unroutable: this.#unroutable,
      listening: this.#listeners.addresses,
    };
  }

  /** Ends every connection at once, also those to instances. */
  async close(): Promise<void> {
    this.#listeners.close();
    this.#certificates.close();
    this.#arrivals.close();
    this.#http1.close();
    this.#http2.close();
    await this.#pools.close();
  }

  /** See `Receiver`. */
  serve(incoming: Incoming): void {
    this.#serve(incoming).catch((error: unknown) => {
      incoming.answer.breakOff();
      this.#options.onProblem(`A request could not be served: ${String(error)}`);
    });
  }

  /** See `Receiver`. */
  noteRefused(status: number, protocol: LoggedProtocol, connection: ClientConnection, method?: string): void {
    this.#options.access.refused(status, connection.peer, protocol, method);
  }

  /** See `Receiver`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, connection: ClientConnection): void {
    this.#options.upgrades.take(request, socket, head, connection);
  }

  /** See `Receiver`. */
  upgradeStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, connection: ClientConnection): void {
    this.#options.upgrades.takeStream(stream, headers, connection);
  }

  async #serve(incoming: Incoming): Promise<void> {
    const { connection, answer, body } = incoming;
    const { access, tracing, trusted } = this.#options;
    const origin = originOf(incoming.head.fields, connection, incoming.head.authority, trusted.includes);
    const view = viewOf(incoming.head, origin);
    const trace = tracing.startFor(incoming.head.fields);
    const head =
      trace === null ? incoming.head : { ...incoming.head, fields: withTrace(incoming.head.fields, trace) };
    const record = access.begin();
    const served = this.#full_path.serve({ ...incoming, head, origin, view, record });
    if (record === null) return served;
    record.trace = trace;
    try {
      await served;
      if (answer.refused !== null) {
        record.given(answer.refused);
        record.failed('body_broken');
      } else if (answer.gone.aborted) record.failed('client_gone');
    } catch (error) {
      record.failed('internal');
      throw error;
    } finally {
      record.bytes_in = body?.bytes ?? 0;
      record.bytes_out = answer.bytes;
      access.end(record, view, `http/${head.version}`);
    }
  }

  #take(connection: ClientConnection, protocol: 'h2' | 'http/1.1'): void {
    const { fastPath } = this.#options;
    if (protocol === 'h2') this.#http2.take(connection);
    else if (fastPath === null) this.#http1.take(connection);
    else fastPath.take(connection, (given, head) => this.#http1.take(given, head));
  }
}

/** For those who set these clocks, no time at all would mean any time. */
function bounded(limits: Limits): Limits {
  const { header_timeout, idle_timeout, body_timeout } = limits;
  return {
    ...limits,
    header_timeout: Math.max(header_timeout, 1),
    idle_timeout: Math.max(idle_timeout, 1),
    body_timeout: Math.max(body_timeout, 1),
  };
}

/** Until the first settings come, and nothing is listened on. */
const noLimits: Limits = {
  header_size: 0,
  header_timeout: 0,
  idle_timeout: 0,
  body_timeout: 0,
  body_size: null,
  connections: 0,
  connections_per_address: 0,
  held_requests: 0,
};
