import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { type AddressInfo, isIP } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { TlsSettings } from '../config/access.ts';
import { splitHostPort } from '../lib/addresses.ts';
import { DavitError, errorMessage, systemErrorCode } from '../lib/errors.ts';
import { boundConnections, connectionLimits } from './connections.ts';
import { readCertificate, watchCertificate } from './tls.ts';

interface ListenerOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string;
  readonly tls: TlsSettings | null;
  readonly onRequest: RequestListener;
  /** Told of a certificate that was taken over, or was of no use. */
  readonly onCertificate: (problem: string | null) => void;
  readonly onProblem: (message: string) => void;
}

/** Where the API is served. */
export interface Listener {
  /** Resolves with the address under which it answers. Throws `state_conflict` when that is taken. */
  open(): Promise<string>;
  /** Reads the certificate again; when it is of no use, the one before stays. */
  reload(): void;
  /**
   * Reads the certificate again, and gives what puts it to use. Settings that are others than at the start are only
   * checked: they wait for the next start. Throws `invalid_request` that names the file that is of no use.
   */
  prepare(tls: TlsSettings | null): () => void;
  /** Takes no more connections, and resolves when those that are open have ended. */
  close(): Promise<void>;
  /** Ends the connections that are still open. */
  cut(): void;
}

/** How often connections without a request are ended while the server closes, in milliseconds. */
const idleSweepInterval = 50;
/** How often the files of the certificate are looked at, in milliseconds. */
const watchInterval = 5_000;

/** Makes the server. Throws `invalid_request` that names the file of the certificate or key that is of no use. */
export function createListener(options: ListenerOptions): Listener {
  const { listen, tls, onRequest, onCertificate, onProblem } = options;
  const read = (settings: TlsSettings) => {
    const certificate = readCertificate(settings);
    for (const warning of certificate.warnings) onProblem(warning);
    return certificate.options;
  };
  const server: Server | TlsServer = tls
    ? createTlsServer({ ...connectionLimits, ...read(tls), ...clientCheck(tls) }, onRequest)
    : createServer(connectionLimits, onRequest);
  boundConnections(server);
  const { host, port } = splitHostPort(listen);
  let endWatch = () => {};

  const reload = () => {
    if (tls === null) return;
    try {
      (server as TlsServer).setSecureContext(read(tls));
      onCertificate(null);
    } catch (error) {
      onCertificate(errorMessage(error));
    }
  };

  const prepare = (next: TlsSettings | null) => {
    if (next === null || tls === null || !isDeepStrictEqual(next, tls)) {
      if (next !== null) readCertificate(next);
      return () => {};
    }
    const context = read(tls);
    return () => {
      (server as TlsServer).setSecureContext(context);
      onCertificate(null);
    };
  };

  return {
    reload,
    prepare,
    async open() {
      await opened(server, host, port, listen);
      if (tls !== null) endWatch = watchCertificate(tls, watchInterval, reload);
      const { port: given } = server.address() as AddressInfo;
      return `${tls ? 'https' : 'http'}://${isIP(host) === 6 ? `[${host}]` : host}:${given}`;
    },
    close() {
      endWatch();
      // A connection that is kept for another request would keep us waiting for its own timeout.
      const sweep = setInterval(() => server.closeIdleConnections(), idleSweepInterval);
      return new Promise<void>((resolve) => server.close(() => resolve())).finally(() =>
        clearInterval(sweep),
      );
    },
    cut: () => server.closeAllConnections(),
  };
}

/** Whether an address to listen on can be reached from this host alone. */
export function isLoopback(listen: string): boolean {
  const { host } = splitHostPort(listen);
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}

function opened(server: Server, host: string, port: number, listen: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const taken = systemErrorCode(cause) === 'EADDRINUSE';
      const reason = taken
        ? `${listen} is taken by another program`
        : `cannot listen on ${listen}: ${cause.message}`;
      reject(new DavitError('state_conflict', `${reason}; choose another address with --listen`, { cause }));
    });
    server.listen(port, host, resolve);
  });
}

function clientCheck({ client_ca_file }: TlsSettings) {
  return client_ca_file === null ? {} : { requestCert: true, rejectUnauthorized: true };
}
