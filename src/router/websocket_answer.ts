import { type IncomingMessage, request } from 'node:http';
import { Duplex } from 'node:stream';
import type { WebSocketBackend } from './websocket_backend.ts';

/** What an instance says to a request for a WebSocket connection. */
export type HandshakeAnswer =
  | { readonly kind: 'accepts'; readonly head: string; readonly rest: Buffer }
  /** It has begun to answer with another status. */
  | { readonly kind: 'other'; readonly bytes: Buffer }
  | { readonly kind: 'failed'; readonly how: 'broken' | 'timed_out' }
  /** The wait was ended. */
  | { readonly kind: 'given_up' };

/** How large the head of an acceptance may be, in bytes, with the interim answers before it. */
const largestHead = 16_384;
const interim = 'HTTP/1.1 1';
const accepting = `${interim}01`;
const endOfHead = '\r\n\r\n';

/**
 * Waits until it is clear what an instance answers. Nothing more is read from it then, until its socket is resumed.
 * @param timeout in milliseconds
 */
export function awaitAnswer(
  backend: WebSocketBackend,
  timeout: number,
  signal: AbortSignal,
): Promise<HandshakeAnswer> {
  const { socket } = backend;
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    const settle = (answer: HandshakeAnswer) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.off('end', onBroken).off('close', onBroken);
      resolve(answer);
    };
    const onBroken = () => settle({ kind: 'failed', how: 'broken' });
    const onAbort = () => settle({ kind: 'given_up' });
    const timer = setTimeout(() => settle({ kind: 'failed', how: 'timed_out' }), timeout);
    socket.once('end', onBroken).once('close', onBroken);
    signal.addEventListener('abort', onAbort);
    backend.receiver = (bytes) => {
      received = Buffer.concat([received, bytes]);
      const answer = readAnswer(received);
      if (answer === null && received.length <= largestHead) return true;
      settle(answer ?? { kind: 'failed', how: 'broken' });
      return false;
    };
    if (signal.aborted) onAbort();
    else if (socket.destroyed) onBroken();
  });
}

/** null: it takes more bytes to say. Interim answers before the final one (RFC 9110, section 15.2) are passed over. */
function readAnswer(received: Buffer): HandshakeAnswer | null {
  const start = received.toString('latin1', 0, accepting.length);
  if (!accepting.startsWith(start) && !start.startsWith(interim)) return { kind: 'other', bytes: received };
  const end = received.indexOf(endOfHead);
  if (end > largestHead) return { kind: 'failed', how: 'broken' };
  if (end < 0) return null;
  const rest = received.subarray(end + endOfHead.length);
  if (start !== accepting) return readAnswer(rest);
  return { kind: 'accepts', head: received.toString('latin1', 0, end + endOfHead.length), rest };
}

/**
 * Reads an answer that has begun with `bytes` by Node's own parser of answers, which says where it ends.
 * @param timeout how long its head and each part of its body may take, in milliseconds
 * @returns null when it is none
 */
export function frameAnswer(
  backend: WebSocketBackend,
  bytes: Buffer,
  timeout: number,
): Promise<IncomingMessage | null> {
  const { socket } = backend;
  const replay = new Replay(backend);
  const timer = setTimeout(() => replay.destroy(new Error('the answer takes too long')), timeout);
  backend.receiver = (more) => {
    timer.refresh();
    return replay.push(Buffer.from(more));
  };
  socket.once('end', () => replay.push(null));
  socket.once('close', () => {
    clearTimeout(timer);
    if (!replay.readableEnded) replay.destroy(new Error('the answer was cut off'));
  });
  replay.push(bytes);
  return new Promise((resolve) => {
    const asked = request({ createConnection: () => replay });
    asked.once('response', resolve);
    asked.on('upgrade', () => resolve(null));
    asked.on('error', () => resolve(null));
    asked.on('close', () => socket.destroy());
    asked.end();
  });
}

/** Gives a parser what an instance has sent, and drops what it would say itself: that was said long ago. */
class Replay extends Duplex {
  readonly #backend: WebSocketBackend;

  constructor(backend: WebSocketBackend) {
    super();
    this.#backend = backend;
  }

  override _read(): void {
    this.#backend.socket.resume();
  }

  override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#backend.socket.destroy();
    done(error);
  }
}
