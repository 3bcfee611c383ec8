import type { Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { canonicalAddress } from '../lib/addresses.ts';
import { Admission } from './admission.ts';
import { rawAnswer } from './answer_page.ts';
import type { Certificates } from './certificates.ts';
import type { ClientConnection } from './client_connection.ts';
import type { ListenerSettings } from './listeners.ts';
import { takeProxyHeader } from './proxy_header.ts';
import type { Limits } from './receiver.ts';
import { TlsFront } from './tls_front.ts';
import type { TrustedProxies } from './trusted_proxies.ts';

interface ArrivalsOptions {
  readonly trusted: TrustedProxies;
  readonly certificates: Certificates;
  /** A connection on which HTTP can begin. */
  readonly onConnection: (connection: ClientConnection, protocol: 'h2' | 'http/1.1') => void;
}

type Known = Omit<ClientConnection, 'socket'>;

/** How long a connection that is not let in has for reading why, in milliseconds. */
const farewell = 2_000;
const full = Buffer.from(
  rawAnswer({ status: 503, message: 'there are too many connections', retry_after: 5 }),
);

/** Takes connections from their acceptance to where HTTP begins: the limits, the PROXY header, TLS. */
export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #admission = new Admission();
  readonly #tls: TlsFront<Known>;
  /** Every connection that is open, so that all can be ended. */
  readonly #sockets = new Set<Socket>();
  #header_timeout = 0;
  #admitted = 0;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
    this.#tls = new TlsFront({
      certificates: options.certificates,
      onSecure: (socket, known) => this.#secured(socket, known),
    });
  }

  get open(): number {
    return this.#admission.open;
  }

  /** How many were let in since it began. */
  get admitted(): number {
    return this.#admitted;
  }

  get refused(): number {
    return this.#admission.refused;
  }

  applyLimits(limits: Limits): void {
    this.#admission.limits = limits;
    this.#header_timeout = limits.header_timeout;
  }

  setCertificate(options: SecureContextOptions): void {
    this.#tls.setFirst(options);
  }

  /** A connection as it was accepted. */
  take(socket: Socket, settings: ListenerSettings): void {
    // Whoever serves it learns of its end by its close.
    socket.on('error', () => {});
    const peer = canonicalAddress(socket.remoteAddress ?? '');
    if (peer === null) return void socket.destroy();
    const leave = this.#admission.enter();
    if (leave === null) return void refuse(socket, settings);
    this.#sockets.add(socket);
    socket.once('close', () => {
      leave();
      this.#sockets.delete(socket);
    });
    const port = socket.localPort ?? 0;
    if (!settings.proxy_protocol) return void this.#admit(socket, settings, peer, port);
    // Anybody else could say that he is anybody.
    if (!this.#options.trusted.includes(peer)) return void socket.destroy();
    takeProxyHeader(socket, this.#header_timeout, (header) => {
      if (header !== null) this.#admit(socket, settings, header.source?.address ?? peer, header.port ?? port);
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #admit(socket: Socket, settings: ListenerSettings, peer: string, local_port: number): void {
    const is_trusted = this.#options.trusted.includes(peer);
    if (!is_trusted) {
      // A proxy has the connections of many clients.
      const leave = this.#admission.enterFrom(peer);
      if (leave === null) return void refuse(socket, settings);
      socket.once('close', leave);
    }
    this.#admitted += 1;
    const known: Known = { peer, is_trusted, is_tls: settings.tls, local_port, started_at: Date.now() };
    if (settings.tls) this.#tls.take(socket, known);
    else this.#options.onConnection({ ...known, socket }, 'http/1.1');
  }

  #secured(socket: TLSSocket, known: Known): void {
    if (socket.destroyed) return;
    socket.on('error', () => {});
    this.#options.onConnection({ ...known, socket }, socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1');
  }
}

/** Cheaply: nothing of it is read, and with TLS there is nobody yet who could read an answer. */
function refuse(socket: Socket, { tls }: ListenerSettings): void {
  if (tls) return void socket.destroy();
  socket.setTimeout(farewell, () => socket.destroy());
  socket.end(full, () => socket.destroy());
}
