import { connect, type Socket } from 'node:net';

/** Takes what an instance sends, and keeps nothing of `bytes`. Returns false when no more is to be read for now. */
export type Receiver = (bytes: Buffer) => boolean;

/** Why there is no connection to an instance. */
export type Unconnected = 'unreachable' | 'timed_out';

export interface BackendAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * The time after which a connection without a byte is asked whether its other end is still there, between two further such
 * questions, in milliseconds, and how many there are.
 */
export const keepAlive = { enable: true, initialDelay: 60_000, interval: 15_000, count: 4 };

/**
 * A connection to an instance. All of them are read into one buffer, which costs a connection at rest no memory: what was read
 * is taken out of it before anything else is read.
 */
export class WebSocketBackend {
  readonly socket: Socket;
  /** Whoever gets the next bytes. */
  receiver: Receiver = () => true;

  constructor({ host, port }: BackendAddress, buffer: Buffer) {
    const callback = (length: number) => this.receiver(buffer.subarray(0, length));
    const onread = { buffer, callback };
    this.socket = connect({ host, port, noDelay: true, allowHalfOpen: true, onread });
    this.socket.on('error', ignore).setKeepAlive(keepAlive);
  }
}

/**
 * Connects to an instance.
 * @param timeout in milliseconds
 * @returns why there is no connection; `unreachable` also when `signal` ends it
 */
export async function connectBackend(
  address: BackendAddress,
  { buffer, timeout, signal }: { buffer: Buffer; timeout: number; signal: AbortSignal },
): Promise<WebSocketBackend | Unconnected> {
  const backend = new WebSocketBackend(address, buffer);
  const problem = await untilConnected(backend.socket, timeout, signal);
  if (problem === null) return backend;
  backend.socket.destroy();
  return problem;
}

/** Resolves with null when it is connected. */
function untilConnected(socket: Socket, timeout: number, signal: AbortSignal): Promise<Unconnected | null> {
  return new Promise((resolve) => {
    const settle = (problem: Unconnected | null) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      socket.off('close', giveUp).off('connect', succeed);
      resolve(problem);
    };
    const giveUp = () => settle('unreachable');
    const succeed = () => settle(null);
    const timer = setTimeout(() => settle('timed_out'), timeout);
    signal.addEventListener('abort', giveUp);
    socket.on('close', giveUp).on('connect', succeed);
    if (signal.aborted) giveUp();
  });
}

/** What is wrong with a connection is seen by its end. */
export function ignore(): void {}
