import type { Socket } from 'node:net';
import { formatTraceparent } from '../lib/trace_context.ts';
import type { AccessLog } from './access_log.ts';
import { rawAnswer } from './answer_page.ts';
import type { ClientConnection, Ending } from './client_connection.ts';
import { type FastClient, type FastParts, FastRequest } from './fast_request.ts';
import type { OpenConnection } from './open_connections.ts';
import { type PlainHead, readPlainHead } from './plain_head.ts';
import { PlainOrigins, PlainRequest } from './plain_origin.ts';
import { RunningRecord } from './running_record.ts';
import type { TargetInstance } from './target.ts';
import type { Tracing } from './tracing.ts';

/** What the connections of the fast path have in common. */
export interface ConnectionParts extends FastParts {
  readonly ending: Ending;
  readonly limits: () => FastLimits;
  readonly isTrusted: (address: string) => boolean;
  readonly access: AccessLog;
  readonly tracing: Tracing;
  /** It is closed, or another's. */
  readonly onGone: (connection: FastConnection) => void;
}

/** In bytes and milliseconds. */
export interface FastLimits {
  readonly header_size: number;
  readonly header_timeout: number;
  readonly idle_timeout: number;
}

/** Gives a connection away for good, with the bytes that were read and not used. */
export type HandOver = (connection: ClientConnection, head: Buffer) => void;

/** Where a connection is: between two requests, within one, closed by this side, or gone. */
type State = 'waiting' | 'serving' | 'closing' | 'gone';

/** How many bytes of further requests are read while one is being answered. */
const mostAhead = 65_536;
/** In how many pieces a head may come before the full path gets it, which does not begin anew with each. */
const mostPieces = 8;
/** How long a client has to close its side once this one is closed, in milliseconds: its last bytes must not cross with that. */
const lingering = 2_000;

const tooSlow = rawAnswer({ status: 408, message: 'the head of the request did not come in time' });

/** A connection of a client, as long as its requests are plain. They are answered one after the other. */
export class FastConnection implements FastClient, OpenConnection {
  readonly protocol = 'http/1.1';
  deadline: number;
  readonly #parts: ConnectionParts;
  readonly #connection: ClientConnection;
  readonly #socket: Socket;
  readonly #handOver: HandOver;
  readonly #origins: PlainOrigins;
  #state: State = 'waiting';
  /** What has come and was not used. */
  #pending: Buffer | null = null;
  #pieces = 0;
  #request: FastRequest | null = null;
  readonly #record: RunningRecord;
  /** Whether requests are being taken from what is pending, further down the stack. */
  #isTaking = false;
  #closesAfter = false;
  /** Of the last request, as the fields after it are. */
  #head: PlainHead | null = null;
  #host: string | null = null;
  #path: string | null = null;
  #client: string;
  #rule: string | null = null;
  #instance: TargetInstance | null = null;
  /** By performance.now(). */
  #active_at: number;

  constructor(parts: ConnectionParts, connection: ClientConnection, handOver: HandOver) {
    const { socket } = connection;
    this.#parts = parts;
    this.#connection = connection;
    this.#socket = socket;
    this.#handOver = handOver;
    this.#origins = new PlainOrigins(connection, parts.isTrusted);
    this.#record = new RunningRecord(parts.access);
    this.#client = connection.peer;
    this.#active_at = performance.now();
    this.deadline = this.#active_at + parts.limits().header_timeout;
    socket.on('data', this.#onData).on('end', this.#onEnd).on('drain', this.#onDrain);
    socket.on('close', this.#onClose).on('error', ignore);
  }

  get client(): string {
    return this.#client;
  }

  get started_at(): number {
    return this.#connection.started_at;
  }

  describe(): ReturnType<OpenConnection['describe']> {
    return {
      host: this.#host,
      path: this.#path,
      service: this.#instance?.service ?? null,
      instance: this.#instance?.number ?? null,
      release: this.#instance?.release ?? null,
      rule: this.#rule,
      active: this.#state === 'serving',
      bytes_in: this.#socket.bytesRead,
      bytes_out: this.#socket.bytesWritten,
      last_activity: Math.round(performance.timeOrigin + this.#active_at),
    };
  }

  /** Ends it, once what is under way is answered or at once. */
  close(): void {
    this.#closesAfter = true;
    if (this.#state === 'waiting') this.#end();
  }

  /** Since when nothing has been asked on it, by performance.now(); null: something is under way. */
  get rests_since(): number | null {
    return this.#state === 'waiting' ? this.#active_at : null;
  }

  /** Ends it at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Something takes too long. */
  onDeadline(): void {
    this.deadline = Number.POSITIVE_INFINITY;
    if (this.#state === 'serving') this.#request?.onDeadline();
    else if (this.#state === 'closing' || this.#socket.writableLength > 0) this.destroy();
    else {
      // Who has asked before and rests now is not too slow.
      if (this.#pending !== null || this.#host === null) {
        this.#socket.write(tooSlow);
        this.#parts.access.refused(408, this.#client, this.protocol);
      }
      this.#end();
    }
  }

  send(length: number): boolean {
    return this.#parts.buffer.send(this.#socket, length, this.#connection.is_tls);
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  decideToClose(): boolean {
    this.#closesAfter ||= this.#parts.ending.is_ending || this.#head?.closes === true;
    return this.#closesAfter;
  }

  goesTo(rule: string, instance: TargetInstance | null): void {
    this.#rule = rule;
    this.#instance = instance;
  }

  done(): void {
    this.#record.end();
    this.#request = null;
    this.#head = null;
    this.#active_at = performance.now();
    if (this.#closesAfter) return void this.#end();
    this.#state = 'waiting';
    this.deadline = this.#active_at + this.#parts.limits().idle_timeout;
    this.#takeNext();
  }

  breakOff(): void {
    this.#record.end();
    this.#request = null;
    this.destroy();
  }

  leave(): void {
    const { bytes, lines_end, length } = this.#head as PlainHead;
    const end = lines_end + 2;
    this.#request = null;
    this.#record.drop();
    const head = bytes.subarray(end - length, end);
    this.#handAway(this.#pending === null ? head : joined(head, this.#pending));
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#state === 'closing') return;
    this.#pending = joined(this.#pending, chunk);
    this.#takeNext();
  };

  /** Whoever has closed its side is taken for gone, as by other servers: it cannot be told from one that is. */
  readonly #onEnd = (): void => {
    if (this.#state === 'serving') this.destroy();
    else this.#end();
  };

  readonly #onDrain = (): void => {
    if (this.#request === null) this.#takeNext();
    else this.#request.onClientDrain();
  };

  readonly #onClose = (): void => {
    this.#state = 'gone';
    this.#request?.abort();
    if (this.#request !== null) this.#record.end('client_gone');
    this.#request = null;
    this.#parts.onGone(this);
  };

  /** Serves what has come, one request after the other, for as long as they are plain and their answers are taken. */
  #takeNext(): void {
    if (this.#isTaking) return;
    this.#isTaking = true;
    while (this.#canTake() && this.#take(this.#pending as Buffer));
    this.#isTaking = false;
    if (this.#state === 'gone') return;
    const isAhead = this.#pending !== null && this.#pending.length >= mostAhead && !this.#canTake();
    if (isAhead) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #canTake(): boolean {
    return this.#state === 'waiting' && this.#pending !== null && !this.#socket.writableNeedDrain;
  }

  /** Returns false when there is no whole head, or it is not for this path. */
  #take(bytes: Buffer): boolean {
    const head = readPlainHead(bytes, 0);
    if (head === 'incomplete') return this.#awaitRest(bytes);
    if (head === 'not_plain' || head.length > this.#parts.limits().header_size) return this.#handAway(bytes);
    const origin = this.#origins.find(head);
    if (origin === null) return this.#handAway(bytes);
    const request = new PlainRequest(head, origin);
    const { tracing } = this.#parts;
    const trace = tracing.isStarting ? tracing.startForPlain(request) : null;
    if (trace === 'not_valid') return this.#handAway(bytes);
    this.#state = 'serving';
    this.#active_at = performance.now();
    this.#pending = bytes.length === head.length ? null : bytes.subarray(head.length);
    this.#pieces = 0;
    this.#head = head;
    this.#host = origin.host;
    this.#path = head.path;
    this.#client = origin.client;
    this.#rule = null;
    this.#instance = null;
    const lines =
      trace === null ? origin.lines : `${origin.lines}traceparent: ${formatTraceparent(trace)}\r\n`;
    const record = this.#record.begin(request, trace);
    this.#request = new FastRequest(this.#parts, this, head, request, lines, record);
    this.#request.start();
    return true;
  }

  #awaitRest(bytes: Buffer): false {
    this.#pieces += 1;
    const { header_size, header_timeout } = this.#parts.limits();
    if (this.#pieces > mostPieces || bytes.length > header_size) return this.#handAway(bytes);
    if (this.#pieces === 1) this.deadline = performance.now() + header_timeout;
    return false;
  }

  #handAway(bytes: Buffer): false {
    const socket = this.#socket;
    this.#state = 'gone';
    this.#pending = null;
    socket.pause();
    socket.off('data', this.#onData).off('end', this.#onEnd).off('drain', this.#onDrain);
    socket.off('close', this.#onClose).off('error', ignore);
    this.#parts.onGone(this);
    this.#handOver(this.#connection, bytes);
    socket.resume();
    return false;
  }

  #end(): void {
    if (this.#state === 'closing') return;
    this.#state = 'closing';
    this.#pending = null;
    this.deadline = performance.now() + this.#parts.stall();
    this.#socket.end(() => {
      this.deadline = performance.now() + lingering;
    });
    // What comes now counts no more, but for the end.
    this.#socket.resume();
  }
}

function joined(before: Buffer | null, after: Buffer): Buffer {
  return before === null ? after : Buffer.concat([before, after]);
}

function ignore(): void {}
