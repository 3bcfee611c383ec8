import { constants, type ServerHttp2Stream } from 'node:http2';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { AccessFailure } from './access_record.ts';
import { closeFrame, FrameBoundary } from './frame_boundary.ts';
import { ignore } from './websocket_backend.ts';

export interface SpliceOptions {
  /** Of the client: a socket, or a stream of HTTP/2. */
  readonly client: Duplex;
  /** To the instance. What it sends is given to `receive`. */
  readonly backend: Socket;
  /** Whether a client whose instance has just gone is to be told that the service restarts. */
  readonly isRestarting: () => boolean;
  /** Both sides have ended. Once. */
  readonly onEnd: () => void;
}

/** Close codes of RFC 6455, section 7.4.1, and of its registry. */
export const closeCodes = { going_away: 1001, service_restart: 1012 } as const;

/** How long a client that is sent a Close frame has to answer it, and an instance to end the frame under way, in milliseconds. */
const closingTime = 5_000;
/** How long one side may stay open without a byte when the other one has ended, in milliseconds. */
const halfOpenTime = 60_000;

/**
 * `open`: everything is passed on as it comes. `finishing`: a Close frame of ours goes in once the frame of the instance that is
 * under way is complete. `closing`: it has been sent; what the client answers still reaches the instance, but nothing comes back.
 */
type State = 'open' | 'finishing' | 'closing' | 'ended';

/**
 * A WebSocket connection after its handshake: the two sockets, whose bytes are passed on as they are. Either side may end its
 * direction before the other one, and neither is read faster than the other one takes it.
 */
export class Splice {
  readonly #options: SpliceOptions;
  readonly #frames = new FrameBoundary();
  #state: State = 'open';
  #close = { code: 0, reason: '' };
  #hasSaidClose = false;
  /** When it is cut at the latest, in milliseconds since the epoch. */
  #deadline = Number.POSITIVE_INFINITY;
  #open = 2;
  /** What ended it first in another way than it should; null: nothing has. */
  #broken: AccessFailure | null = null;
  #lastActivity = Date.now();

  constructor(options: SpliceOptions) {
    this.#options = options;
    this.#joinClient();
    this.#joinBackend();
  }

  /** Milliseconds since the epoch. */
  get lastActivity(): number {
    return this.#lastActivity;
  }

  /** Of the Close frame that the client was sent; null: it was sent none, or one without. */
  get closeCode(): number | null {
    return this.#hasSaidClose ? this.#close.code : this.#frames.closeCode;
  }

  /** How many messages the client was sent. */
  get messages(): number {
    return this.#frames.messages;
  }

  /** Why it ended before anybody had said that it does; null: it did not. */
  get failure(): AccessFailure | null {
    return this.#hasSaidClose || this.#frames.isClosed ? null : this.#broken;
  }

  /** Begins with what has come of both sides already. */
  begin(ofClient: Buffer, ofBackend: Buffer): void {
    const { client, backend } = this.#options;
    const isToRead = ofBackend.length === 0 || this.receive(ofBackend);
    if (isToRead) backend.resume();
    if (ofClient.length === 0 || backend.write(ofClient)) client.resume();
    // With nothing left to read, its end may have come before anybody listened.
    if (client.readableEnded) backend.end();
  }

  /** Passes on to the client what the instance has sent, and keeps nothing of `bytes`. Returns false when no more is to be read for now. */
  receive(bytes: Buffer): boolean {
    this.#lastActivity = Date.now();
    if (this.#state === 'open') {
      this.#frames.advance(bytes);
      return this.#options.client.write(Buffer.from(bytes));
    }
    if (this.#state !== 'finishing') return true;
    const rest = bytes.subarray(0, this.#frames.finish(bytes));
    const isToGoOn = this.#options.client.write(Buffer.from(rest));
    return this.#sayClose() || isToGoOn;
  }

  /**
   * Ends it by a Close frame, between two frames. Where the instance has sent one already it only gets a bound: then what comes
   * is the end. Once; later calls do nothing.
   */
  close(code: number, reason: string): void {
    if (this.#state !== 'open') return;
    this.#endWithin(closingTime);
    if (this.#frames.isClosed) return;
    this.#state = 'finishing';
    this.#close = { code, reason };
    this.#sayClose();
  }

  /** Ends both sides at once. */
  cut(): void {
    this.#broken ??= 'cut_off';
    reset(this.#options.client);
    reset(this.#options.backend);
  }

  /** Cuts it when its time is over. */
  check(now: number): void {
    const { client, backend } = this.#options;
    const isHalfOpen = client.readableEnded || backend.readableEnded;
    if (now >= this.#deadline || (isHalfOpen && now - this.#lastActivity >= halfOpenTime)) this.cut();
  }

  #joinClient(): void {
    const { client, backend } = this.#options;
    client.on('data', (bytes: Buffer) => {
      this.#lastActivity = Date.now();
      if (backend.writable && !backend.write(bytes)) client.pause();
    });
    client.on('drain', () => backend.resume());
    client.on('end', () => backend.end());
    client.on('error', ignore);
    client.once('close', () => {
      // What ended in good order has ended the other direction too; all else is to be seen by the instance as what it is.
      if (!isFinished(client)) {
        this.#broken ??= 'client_gone';
        reset(backend);
      }
      this.#endOne();
    });
  }

  #joinBackend(): void {
    const { client, backend } = this.#options;
    backend.on('drain', () => client.resume());
    backend.on('end', () => this.#backendEnded());
    backend.once('close', () => {
      if (!isFinished(backend)) {
        this.#broken ??= 'broken';
        this.#backendBroke();
      }
      client.resume();
      this.#endOne();
    });
  }

  #backendEnded(): void {
    this.#sayRestart();
    this.#options.client.end();
  }

  /** A client that is still to get something gets that and the end; any other one sees at once that the connection broke. */
  #backendBroke(): void {
    const { client } = this.#options;
    this.#sayRestart();
    if (client.writableLength === 0 && this.#state !== 'closing') reset(client);
    else client.end();
  }

  #sayRestart(): void {
    if (this.#options.isRestarting()) this.close(closeCodes.service_restart, 'service restart');
  }

  /** Sends the Close frame if one may stand here. Returns whether it is sent. */
  #sayClose(): boolean {
    const { client, backend } = this.#options;
    if (!this.#frames.isBetween) return false;
    this.#state = 'closing';
    this.#hasSaidClose = true;
    if (client.writable) client.write(closeFrame(this.#close.code, this.#close.reason));
    backend.resume();
    return true;
  }

  #endOne(): void {
    this.#open--;
    this.#endWithin(closingTime);
    if (this.#open > 0) return;
    this.#state = 'ended';
    this.#options.onEnd();
  }

  #endWithin(time: number): void {
    this.#deadline = Math.min(this.#deadline, Date.now() + time);
  }
}

/** Ends a connection at once, in a way that shows that something broke. */
export function reset(stream: Duplex): void {
  if (stream.destroyed) return;
  if ('rstCode' in stream) (stream as ServerHttp2Stream).close(constants.NGHTTP2_CONNECT_ERROR);
  else if (stream instanceof Socket && isResettable(stream)) stream.resetAndDestroy();
  else stream.destroy();
}

/** While the end of its direction is on its way a socket cannot be reset: Node would then never close it. */
function isResettable(socket: Socket): boolean {
  const isEnding = socket.writableEnded && !socket.writableFinished;
  return !isEnding && !(socket instanceof TLSSocket);
}

/** Whether both directions were ended as they should be. A stream of HTTP/2 that was reset looks like that, but for `aborted`. */
function isFinished(stream: Duplex & Partial<Pick<ServerHttp2Stream, 'aborted'>>): boolean {
  const { readableEnded, writableFinished, errored, aborted } = stream;
  return readableEnded && writableFinished && errored === null && aborted !== true;
}
