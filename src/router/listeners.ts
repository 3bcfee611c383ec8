import { type AddressInfo, createServer, isIP, type Server, type Socket } from 'node:net';
import type { RouterSettings } from '../contract/routing_table.ts';
import { splitHostPort } from '../lib/addresses.ts';
import { systemErrorCode } from '../lib/errors.ts';

export type ListenerSettings = RouterSettings['listeners'][number];

interface ListenersOptions {
  readonly onConnection: (socket: Socket, settings: ListenerSettings) => void;
  readonly onProblem: (message: string) => void;
  /** How soon it is tried again to open what could not be opened, in milliseconds. Default: 3 seconds. */
  readonly retryInterval?: number;
}

/** An address that is to be listened on. */
interface Listener {
  readonly settings: ListenerSettings;
  /** Null: it could not be opened so far. */
  server: Server | null;
  is_wanted: boolean;
}

const backlog = 1_024;

/** Where connections are accepted. Other routers may listen on the same addresses: the kernel shares out the connections. */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #listeners = new Map<string, Listener>();
  #retry: NodeJS.Timeout | undefined;

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** Where it listens, as `host:port`. */
  get addresses(): string[] {
    return [...this.#listeners.values()].flatMap(({ server }) =>
      server === null ? [] : [addressOf(server)],
    );
  }

  /** Opens what is new and closes what is no longer wanted; the connections of that go on. Resolves when all was tried. */
  async apply(wanted: readonly ListenerSettings[]): Promise<void> {
    const keys = new Set(wanted.map(keyOf));
    for (const [key, listener] of this.#listeners) if (!keys.has(key)) this.#drop(key, listener);
    for (const settings of wanted) {
      if (this.#listeners.has(keyOf(settings))) continue;
      this.#listeners.set(keyOf(settings), { settings, server: null, is_wanted: true });
    }
    await this.#openAll();
    const { retryInterval = 3_000 } = this.#options;
    this.#retry ??= setInterval(() => void this.#openAll(), retryInterval).unref();
  }

  close(): void {
    clearInterval(this.#retry);
    for (const [key, listener] of this.#listeners) this.#drop(key, listener);
  }

  async #openAll(): Promise<void> {
    const closed = [...this.#listeners.values()].filter(({ server }) => server === null);
    await Promise.all(closed.map((listener) => this.#open(listener)));
  }

  async #open(listener: Listener): Promise<void> {
    const { settings } = listener;
    const { onConnection, onProblem } = this.#options;
    try {
      const server = await opened(settings, (socket) => onConnection(socket, settings));
      // It may have been opened twice, or be no longer wanted, in the meantime.
      if (listener.is_wanted && listener.server === null) listener.server = server;
      else server.close();
      server.on('error', (error) => onProblem(`Listening on ${settings.address}: ${error.message}.`));
    } catch (error) {
      onProblem(`Cannot listen on ${settings.address}: ${reasonOf(error as Error)}. It is tried again.`);
    }
  }

  #drop(key: string, listener: Listener): void {
    this.#listeners.delete(key);
    listener.is_wanted = false;
    const { server } = listener;
    // What the kernel has accepted and nobody has taken is lost with the listener: right after the poll that is nothing.
    if (server !== null) setImmediate(() => server.close());
  }
}

function keyOf({ address, tls, proxy_protocol }: ListenerSettings): string {
  return JSON.stringify([address, tls, proxy_protocol]);
}

async function opened(settings: ListenerSettings, onConnection: (socket: Socket) => void): Promise<Server> {
  try {
    return await listen(settings, true, onConnection);
  } catch (error) {
    // Some systems cannot share a port: there is one router then.
    if (systemErrorCode(error) !== 'ENOTSUP') throw error;
    return listen(settings, false, onConnection);
  }
}

function listen(
  { address, tls }: ListenerSettings,
  reusePort: boolean,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  const { host, port } = splitHostPort(address);
  // A WebSocket may be half closed; but below TLS nobody would notice the end of a connection whose handshake is not done.
  const allowHalfOpen = !tls;
  const server = createServer(
    { allowHalfOpen, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 },
    onConnection,
  );
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, reusePort, backlog }, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

function addressOf(server: Server): string {
  const { address, port } = server.address() as AddressInfo;
  return `${isIP(address) === 6 ? `[${address}]` : address}:${port}`;
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EACCES: 'this user may not listen there',
  EADDRNOTAVAIL: 'this host has no such address',
};

function reasonOf(error: Error): string {
  return reasons[systemErrorCode(error) ?? ''] ?? error.message;
}
