import { once } from 'node:events';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { unacknowledged } from './unacknowledged.ts';

interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** Whom to believe; undefined: the usual ones. */
  readonly authorities: string[] | undefined;
  /** How long it may take to connect, and to take what is written, in milliseconds. */
  readonly timeout: number;
  readonly signal: AbortSignal;
}

/** After how much silence the other host is asked whether it is still there, in milliseconds. */
const keepAliveAfter = 15_000;
const brokenOff = 'it closed the connection';

/** A TCP connection that is written to, with TLS or without. What comes back is thrown away. */
export class SyslogConnection {
  readonly #socket: Socket;
  readonly #timeout: number;
  #failure: Error | null = null;
  #isEnded = false;
  readonly #closed = Promise.withResolvers<void>();

  private constructor(socket: Socket, timeout: number, onClosed: (message: string) => void) {
    this.#socket = socket;
    this.#timeout = timeout;
    socket.resume();
    socket.on('error', (error) => {
      this.#failure ??= error;
    });
    socket.once('close', () => {
      this.#closed.resolve();
      onClosed(this.#failure?.message ?? brokenOff);
    });
  }

  /** Connects, and with TLS proves whose name the certificate bears. Throws where that fails. */
  static async open(
    options: ConnectionOptions,
    onClosed: (message: string) => void,
  ): Promise<SyslogConnection> {
    const { timeout } = options;
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeout)]);
    const socket = connectSocket(options);
    try {
      await once(socket, options.tls ? 'secureConnect' : 'connect', { signal });
    } catch (error) {
      socket.on('error', () => undefined);
      socket.destroy();
      throw signal.aborted ? new Error(`it did not answer within ${timeout} ms`) : error;
    }
    socket.setKeepAlive(true, keepAliveAfter);
    return new SyslogConnection(socket, timeout, onClosed);
  }

  get isOpen(): boolean {
    return this.#socket.writable;
  }

  /** How much has been written, in bytes as they were given; only the order of these numbers matters. */
  get written(): number {
    return this.#socket.bytesWritten;
  }

  /** Resolves when the system has taken all of it. Throws when the connection breaks, nothing is taken any more, or `signal` ends it. */
  async write(bytes: Buffer, signal: AbortSignal): Promise<void> {
    const giveUp = () => {
      this.#failure ??= new Error(`it took nothing for ${this.#timeout} ms`);
      this.#socket.destroy();
    };
    const timer = setTimeout(giveUp, this.#timeout);
    signal.addEventListener('abort', giveUp);
    // It is called in any case, and without an error also where the connection was destroyed meanwhile.
    const error = await new Promise((resolve) => this.#socket.write(bytes, resolve));
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
    if (error || this.#socket.destroyed)
      throw this.#failure ?? (error instanceof Error ? error : new Error(brokenOff));
  }

  /** How much of all that was written the other host has acknowledged; null: not known. */
  async acknowledged(): Promise<number | null> {
    const { written } = this;
    const waiting = await unacknowledged(this.#socket);
    return waiting === null ? null : written - waiting;
  }

  /** Ends our side and waits for the other one, which reads all before it ends its own. Says whether it did. */
  async end(most: number): Promise<boolean> {
    if (this.#isEnded || !this.#socket.writable) return false;
    this.#isEnded = true;
    let isAnswered = false;
    this.#socket.once('end', () => {
      isAnswered = true;
    });
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), most);
    await this.#closed.promise;
    clearTimeout(timer);
    return isAnswered && this.#failure === null;
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

function connectSocket({ host, port, tls, authorities }: ConnectionOptions): Socket {
  if (!tls) return connectTcp({ host, port });
  // An address is no name that a server could be asked for; it is compared with the certificate all the same.
  const name = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({
    host,
    port,
    ...name,
    rejectUnauthorized: true,
    ...(authorities && { ca: authorities }),
  });
}
