import { connect, type Socket } from 'node:net';

/** Takes what an instance sends, and keeps nothing of `bytes`. Returns false when no more is to be read for now. */
export type Receiver = (bytes: Buffer) => boolean;

export interface WebSocketBackend {
  readonly socket: Socket;
  /** Whoever gets the next bytes. They do not begin to come before the request is sent. */
  receiver: Receiver;
}

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
 * Connects to an instance. All of these connections are read into one buffer, which costs a connection at rest no memory: what
 * was read is taken out of it before anything else is read.
 * @returns null when nobody accepts it within `timeout` milliseconds, or `signal` ends it
 */
export function connectBackend(
  { host, port }: BackendAddress,
  { buffer, timeout, signal }: { buffer: Buffer; timeout: number; signal: AbortSignal },
): Promise<WebSocketBackend | null> {
  return new Promise((resolve) => {
    const onread = {
      buffer,
      callback: (length: number) => backend.receiver(buffer.subarray(0, length)),
    };
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true, onread });
    const backend: WebSocketBackend = { socket, receiver: () => true };
    const settle = (connected: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      socket.off('error', giveUp).off('connect', succeed);
      if (connected) resolve(backend);
      else {
        socket.on('error', () => {}).destroy();
        resolve(null);
      }
    };
    const giveUp = () => settle(false);
    const succeed = () => settle(true);
    const timer = setTimeout(giveUp, timeout);
    if (signal.aborted) return giveUp();
    signal.addEventListener('abort', giveUp);
    socket.on('error', giveUp).on('connect', succeed);
  });
}
