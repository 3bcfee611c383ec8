import { STATUS_CODES } from 'node:http';
import type { AccessRecord } from './access_record.ts';
import type { AnswerBuffer } from './answer_buffer.ts';
import { answerPage, type PageText } from './answer_page.ts';
import { AnswerRelay } from './answer_relay.ts';
import { linesOf } from './field_lines.ts';
import { failures, noInstance, nothingHere, retryAfter } from './full_path.ts';
import type { PlainAnswer } from './plain_answer.ts';
import type { PlainHead } from './plain_head.ts';
import type { PlainRequest } from './plain_origin.ts';
import type { RawConnection, RawPool, RawUser } from './raw_pool.ts';
import { triesAgain } from './retries.ts';
import type { Destination, Director, Failure, Lease, NoInstance, TargetInstance } from './target.ts';

/** The way back to the client of a request. */
export interface FastClient {
  /** Writes the first so many bytes of the buffer of answers. False: the client reads more slowly; `FastRequest.onClientDrain` follows. */
  send(length: number): boolean;
  write(text: string): void;
  /** Whether the answer is to say that the connection ends after it, which it does then. */
  decideToClose(): boolean;
  goesTo(rule: string, instance: TargetInstance | null): void;
  /** When `FastRequest.onDeadline` is to be called, by performance.now(). */
  deadline: number;
  /** The answer is whole. */
  done(): void;
  /** The answer has begun, and cannot become whole. */
  breakOff(): void;
  /** The request is none for the fast path. Nothing of it was answered. */
  leave(): void;
}

/** What all requests of the fast path have in common. */
export interface FastParts {
  readonly director: Director;
  readonly pool: RawPool;
  readonly buffer: AnswerBuffer;
  /** Told of each request that no rule fits, or for which there was no instance. */
  readonly onUnroutable: () => void;
  /** How long a client may take to read some of its answer, in milliseconds. */
  readonly stall: () => number;
}

type ServiceDestination = Extract<Destination, { kind: 'service' }>;
type Given = Extract<Destination, { kind: 'answer' }>;

/** Where a request is. */
type Phase = 'choosing' | 'connecting' | 'waiting' | 'answering' | 'done';

const nothingTried: ReadonlySet<string> = new Set();
/** A path that can stand in a request line as it is. */
const plainPath = /^\/[\x21\x22\x24-\x3e\x40-\x7e]*$/;

/** A plain request on its way: to an instance, and its answer from there to the client. */
export class FastRequest implements RawUser {
  readonly #parts: FastParts;
  readonly #client: FastClient;
  readonly #head: PlainHead;
  readonly #request: PlainRequest;
  /** The header lines in place of those that are not passed on, and with the trace that is begun here. */
  readonly #origin_lines: string;
  /** Null: nothing is noted of it. */
  readonly #record: AccessRecord | null;
  #phase: Phase = 'choosing';
  #destination: ServiceDestination | null = null;
  #tried = nothingTried;
  #lease: Lease | null = null;
  #raw: RawConnection | null = null;
  #relay: AnswerRelay | null = null;
  #sent_at = 0;
  /** Whether nothing is read from the instance, as the client has enough to read. */
  #isPaused = false;

  constructor(
    parts: FastParts,
    client: FastClient,
    head: PlainHead,
    request: PlainRequest,
    origin_lines: string,
    record: AccessRecord | null,
  ) {
    this.#parts = parts;
    this.#client = client;
    this.#head = head;
    this.#request = request;
    this.#origin_lines = origin_lines;
    this.#record = record;
  }

  start(): void {
    const destination = this.#parts.director.direct(this.#request);
    if (destination.kind === 'answer') return void this.#give(destination);
    if (destination.kind === 'nowhere') return void this.#refuseUnroutable(nothingHere);
    // What has to be encoded first is none of our business.
    if (destination.path !== null && !plainPath.test(destination.path)) return void this.#leave();
    this.#destination = destination;
    this.#record?.goesTo(destination.rule, destination.service.id);
    this.#next(destination, null);
  }

  /** The client is gone. */
  abort(): void {
    this.#raw?.destroy();
    this.#end();
  }

  /** Something takes too long. */
  onDeadline(): void {
    if (this.#phase !== 'answering') return void this.#fail('timed_out');
    // A client that does not read is no fault of the instance.
    if (!this.#isPaused) this.#lease?.failed('timed_out');
    this.#record?.failed(this.#isPaused ? 'client_gone' : 'timed_out');
    this.#breakOff();
  }

  /** The client has read what was written. */
  onClientDrain(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#expectMore(performance.now());
    this.#raw?.socket.resume();
  }

  onConnected(): void {
    this.#send(performance.now());
  }

  onBytes(bytes: Buffer, length: number): void {
    const relay = this.#relay as AnswerRelay;
    const progress = relay.take(bytes, length);
    if (progress === 'malformed') return void this.#fail('broken');
    const goesOn = relay.written === 0 || this.#client.send(relay.written);
    if (progress === 'whole') return void this.#finish(relay);
    if (relay.answer === null) return;
    if (!goesOn) {
      this.#isPaused = true;
      this.#raw?.socket.pause();
    }
    this.#expectMore(performance.now());
  }

  onClosed(isOrderly: boolean): void {
    if (this.#phase === 'connecting') return void this.#fail('unreachable');
    const raw = this.#raw as RawConnection;
    const relay = this.#relay as AnswerRelay;
    // The instance has closed it while it rested, which says nothing of this request.
    if (raw.isReused && !relay.hasBegun) return void this.#connect(raw.instance);
    if (relay.close(isOrderly) === 'malformed') return void this.#fail('broken');
    this.#client.send(relay.written);
    this.#finish(relay);
  }

  /** Goes to the next instance that there is. */
  #next({ service, rule }: ServiceDestination, failed: Failure | null): void {
    const lease = service.acquire(this.#request, this.#tried);
    if (typeof lease === 'string') return void this.#goWithout(service, lease, failed);
    this.#lease = lease;
    this.#client.goesTo(rule, lease.instance);
    this.#record?.tries(lease.instance);
    const now = performance.now();
    const raw = this.#parts.pool.take(lease.instance, this, now);
    if (raw === null) return void this.#connect(lease.instance);
    this.#raw = raw;
    this.#send(now);
  }

  #connect(instance: TargetInstance): void {
    const { service } = this.#destination as ServiceDestination;
    this.#phase = 'connecting';
    this.#client.deadline = performance.now() + service.timeouts.connect;
    this.#raw = this.#parts.pool.open(instance, this);
  }

  #send(now: number): void {
    const { service, path } = this.#destination as ServiceDestination;
    const { method, target, query, lines } = this.#head;
    const asked = path === null ? target : query === '' ? path : `${path}?${query}`;
    this.#phase = 'waiting';
    this.#sent_at = now;
    this.#client.deadline = now + service.timeouts.response;
    this.#relay = new AnswerRelay(this.#parts.buffer, method === 'HEAD', this.#onHead);
    this.#raw?.socket.write(`${method} ${asked} HTTP/1.1\r\n${lines}${this.#origin_lines}\r\n`, 'latin1');
  }

  readonly #onHead = ({ status }: PlainAnswer): string => {
    const lease = this.#lease as Lease;
    this.#phase = 'answering';
    const duration = performance.now() - this.#sent_at;
    lease.answered(status, duration);
    this.#record?.answered(status, duration);
    const cookie = lease.cookie === null ? '' : `Set-Cookie: ${lease.cookie}\r\n`;
    return this.#client.decideToClose() ? `${cookie}Connection: close\r\n` : cookie;
  };

  /** Another part of the answer is to come in time; or the client is to read some of what has come. */
  #expectMore(now: number): void {
    const { service } = this.#destination as ServiceDestination;
    this.#client.deadline = now + (this.#isPaused ? this.#parts.stall() : service.timeouts.response);
  }

  #finish({ answer, hasSurplus }: AnswerRelay): void {
    const raw = this.#raw as RawConnection;
    if (hasSurplus || !answer?.keeps) raw.destroy();
    else this.#parts.pool.giveBack(raw, answer.keeps_for, performance.now());
    this.#end();
    this.#client.done();
  }

  /** Gives the place at the instance back. */
  #end(): void {
    this.#phase = 'done';
    const bytes = this.#relay?.body_bytes ?? 0;
    this.#lease?.end(0, bytes);
    this.#lease = null;
    if (this.#record !== null) this.#record.bytes_out = bytes;
  }

  /** The instance has not answered, or not to the end. */
  #fail(how: Failure): void {
    const lease = this.#lease as Lease;
    const { service } = this.#destination as ServiceDestination;
    lease.failed(how);
    this.#record?.failed(how);
    this.#raw?.destroy();
    if (this.#relay?.answer) return void this.#breakOff();
    this.#tried = new Set(this.#tried).add(lease.instance.id);
    const again = triesAgain(service, how === 'unreachable', this.#tried.size);
    if (again) lease.retried();
    this.#end();
    if (again) this.#next(this.#destination as ServiceDestination, how);
    else this.#refuse(failures[how]);
  }

  #breakOff(): void {
    this.#raw?.destroy();
    this.#end();
    this.#client.breakOff();
  }

  /** No instance is left to try. */
  #goWithout({ hold }: ServiceDestination['service'], why: NoInstance, failed: Failure | null): void {
    // The full path knows how to wait.
    if (why === 'none_ready' && hold !== null) return void this.#leave();
    if (failed !== null) return void this.#refuse(failures[failed]);
    this.#record?.failed(why);
    this.#refuseUnroutable({ status: 503, message: noInstance[why], retry_after: retryAfter });
  }

  #refuseUnroutable(text: PageText): void {
    this.#parts.onUnroutable();
    this.#refuse(text);
  }

  #leave(): void {
    this.#phase = 'done';
    this.#client.leave();
  }

  #refuse(text: PageText): void {
    const { status, fields, body } = answerPage(text, this.#request.header('accept'));
    this.#answer(status, linesOf(fields), body);
  }

  /** What a rule says. RFC 9110, 8.6: 204 and 304 have no length of a body. */
  #give({ rule, status, headers, body }: Given): void {
    const lines = linesOf(Object.entries(headers).flat());
    const length = status === 204 || status === 304 ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    this.#client.goesTo(rule, null);
    this.#record?.goesTo(rule, null);
    this.#answer(status, `${lines}${length}`, body);
  }

  #answer(status: number, lines: string, body: string): void {
    this.#phase = 'done';
    const hasBody = this.#head.method !== 'HEAD' && status !== 204 && status !== 304;
    if (this.#record !== null) {
      this.#record.given(status);
      this.#record.bytes_out = hasBody ? Buffer.byteLength(body) : 0;
    }
    const close = this.#client.decideToClose() ? 'Connection: close\r\n' : '';
    const date = `Date: ${new Date().toUTCString()}\r\n`;
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines}${date}${close}\r\n`;
    this.#client.write(hasBody ? `${head}${body}` : head);
    this.#client.done();
  }
}
