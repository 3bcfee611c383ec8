import { constants, fstatSync, openSync, write, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, systemErrorCode } from '../lib/errors.ts';

interface LineOutputOptions {
  /** Where lines go: an open file. */
  readonly descriptor: number;
  readonly onProblem: (message: string) => void;
  /** How much waits at most to be written, in bytes; what comes beyond that is lost, and counted. Default: 8 MiB. */
  readonly mostWaiting?: number;
  /** How long it takes, in milliseconds, until a write that failed is tried again. Default: a second. */
  readonly retryAfter?: number;
}

/** How much is gathered before it is written, in bytes, and for how long at most, in milliseconds. */
const batchSize = 65_536;
const longestWait = 200;
/** How long until it is looked whether a reader that had enough takes more, in milliseconds. */
const pollInterval = 50;
/** How long the end of the process waits at most for what is left, in milliseconds. */
const patience = 2_000;

/**
 * Lines of ASCII on their way to a file or a reader: gathered and written many at once, off the thread that serves. A full disk
 * or a reader that does not read costs lines, and never time.
 */
export class LineOutput {
  readonly #options: Required<LineOutputOptions>;
  #descriptor: number | null = null;
  #lines = '';
  /** What of a batch is not written yet. */
  #rest = Buffer.alloc(0);
  #isWriting = false;
  #timer: NodeJS.Timeout | undefined;
  #isFailing = false;
  #lost = 0;

  constructor(options: LineOutputOptions) {
    this.#options = { mostWaiting: 8 * 2 ** 20, retryAfter: 1_000, ...options };
  }

  /** Adds a line with its end. Returns at once and never throws. */
  write(line: string): void {
    if (this.#lines.length + line.length > this.#options.mostWaiting) {
      this.#lost += 1;
      this.#fail('it is not taken as fast as it is written');
      return;
    }
    this.#lines += line;
    if (this.#lines.length >= batchSize && !this.#isFailing) this.#write();
    else this.#timer ??= this.#later(longestWait);
  }

  /** Resolves when everything is written, or it takes too long. */
  async flush(): Promise<void> {
    const end = performance.now() + patience;
    while (this.#hasMore && performance.now() < end) {
      this.#write();
      await sleep(1);
    }
  }

  /** The same at once, for a process that ends. What is being written is left to the system. */
  flushNow(): void {
    try {
      const left = Buffer.concat([this.#isWriting ? Buffer.alloc(0) : this.#rest, this.#batch()]);
      if (left.length > 0) writeSync(this.#open(), left);
    } catch {
      // There is nobody left who could be told.
    }
  }

  get #hasMore(): boolean {
    return this.#isWriting || this.#rest.length > 0 || this.#lines !== '';
  }

  #later(time: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined;
      this.#write();
    }, time).unref();
  }

  #write(): void {
    if (this.#isWriting) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#rest.length === 0) this.#rest = this.#batch();
    if (this.#rest.length === 0) return;
    try {
      write(this.#open(), this.#rest, 0, this.#rest.length, null, (error, written) => {
        this.#isWriting = false;
        if (error === null) this.#wrote(written);
        else this.#failed(error);
      });
      this.#isWriting = true;
    } catch (error) {
      this.#failed(error);
    }
  }

  #batch(): Buffer<ArrayBuffer> {
    const batch = Buffer.from(this.#lines, 'latin1');
    this.#lines = '';
    return batch;
  }

  #wrote(written: number): void {
    this.#rest = this.#rest.subarray(written);
    if (this.#rest.length > 0 || this.#lines.length >= batchSize) this.#write();
    else if (this.#lines !== '') this.#timer ??= this.#later(longestWait);
    if (this.#isFailing && !this.#hasMore) this.#recover();
  }

  #failed(error: unknown): void {
    const isFull = systemErrorCode(error) === 'EAGAIN';
    if (!isFull) this.#fail(errorMessage(error));
    this.#timer ??= this.#later(isFull ? pollInterval : this.#options.retryAfter);
  }

  #fail(why: string): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#options.onProblem(`the access log cannot be written, and waits: ${why}`);
  }

  #recover(): void {
    this.#isFailing = false;
    const lost = this.#lost === 0 ? 'no line was lost' : `${this.#lost} lines were lost`;
    this.#options.onProblem(`the access log is written again; ${lost}`);
    this.#lost = 0;
  }

  /**
   * A file takes what is written or says that it cannot. Anything else, such as a pipe, could let a write wait for ever: it is
   * opened once more, so that it says so instead, and whoever else has it open does not notice.
   */
  #open(): number {
    const { descriptor } = this.#options;
    this.#descriptor ??= fstatSync(descriptor).isFile() ? descriptor : withoutWaiting(descriptor);
    return this.#descriptor;
  }
}

function withoutWaiting(descriptor: number): number {
  const { O_WRONLY, O_APPEND, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
  } catch {
    // A socket cannot be opened again.
    return descriptor;
  }
}
