import type { Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import type { Certificates } from './certificates.ts';

/** How long a client may take for the TLS handshake, in milliseconds. */
const handshakeTimeout = 10_000;

interface TlsFrontOptions<T> {
  readonly certificates: Pick<Certificates, 'find'>;
  /** The handshake is done. @param known what `take` was given with the connection below */
  readonly onSecure: (socket: TLSSocket, known: T) => void;
}

/** Makes TLS connections of connections that others have accepted. */
export class TlsFront<T> {
  readonly #server: Server;
  /** By both ends, because nothing else tells which connection is below a TLS connection. */
  readonly #below = new Map<string, T>();

  constructor({ certificates, onSecure }: TlsFrontOptions<T>) {
    this.#server = createServer({
      handshakeTimeout,
      ALPNProtocols: ['h2', 'http/1.1'],
      SNICallback: (name, done) => done(null, certificates.find(name)),
    });
    this.#server.on('secureConnection', (socket) => {
      const known = this.#below.get(endsOf(socket));
      if (known === undefined) socket.destroy();
      else onSecure(socket, known);
    });
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  /** The certificate for all for whom there is no other. */
  setFirst(options: SecureContextOptions): void {
    this.#server.setSecureContext(options);
  }

  take(socket: Socket, known: T): void {
    const ends = endsOf(socket);
    this.#below.set(ends, known);
    socket.once('close', () => this.#below.delete(ends));
    this.#server.emit('connection', socket);
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
