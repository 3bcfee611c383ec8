import type { LogLine, SkippedOutput } from '../contract/logs.ts';
import type { LogBatch } from './follow.ts';

/** How long the next batch is waited for where there is more at once, in milliseconds. */
const refillTime = 50;

/** One of several services that are followed: the batch of it that waits to be taken. The next one is read when it was. */
export class FollowedService {
  readonly service: string;
  readonly #onNews: () => void;
  readonly #reading: Promise<void>;
  #batch: LogBatch | null = null;
  #taken = 0;
  #hasMore = false;
  #skipped: SkippedOutput | null = null;
  #error: unknown = null;
  #hasEnded = false;
  #release: () => void = () => {};
  #onRefill: () => void = () => {};

  constructor(service: string, batches: AsyncIterable<LogBatch>, onNews: () => void) {
    this.service = service;
    this.#onNews = onNews;
    this.#reading = this.#read(batches);
  }

  /** Whether there is anything to take. */
  get isPending(): boolean {
    return this.#batch !== null || this.#error !== null;
  }

  /** When the next line was seen; null: none waits, or what was missed before it is to be taken first. Throws why reading failed. */
  get time(): string | null {
    if (this.#error !== null) throw this.#error;
    return this.#skipped === null ? (this.#batch?.lines[this.#taken]?.time ?? null) : null;
  }

  /** Whether all that waits has been taken, and more is probably there. */
  get mayHaveMore(): boolean {
    return this.#batch === null && this.#hasMore;
  }

  /** What was missed before the lines that wait. */
  takeSkipped(): SkippedOutput | null {
    const skipped = this.#skipped;
    this.#skipped = null;
    return skipped;
  }

  /** Takes the next line, with the place after it. */
  take(): { readonly line: LogLine; readonly cursor: string } {
    const batch = this.#batch;
    const line = batch?.lines[this.#taken];
    if (batch === null || line === undefined) throw new RangeError('there is no line to take');
    this.#taken += 1;
    if (this.#taken < batch.lines.length) return { line, cursor: line.cursor };
    this.#done();
    return { line, cursor: batch.cursor };
  }

  /** Takes a batch in which nothing was wanted: the place after it; null: there is none. */
  takeRest(): string | null {
    if (this.#batch === null || this.#skipped !== null || this.time !== null) return null;
    const { cursor } = this.#batch;
    this.#done();
    return cursor;
  }

  /** Resolves when there is a batch again, or it takes too long. */
  async refilled(): Promise<void> {
    if (this.isPending || this.#hasEnded) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onRefill = resolve;
    const timer = setTimeout(resolve, refillTime);
    await promise;
    clearTimeout(timer);
    this.#hasMore &&= this.isPending;
  }

  /** To be called when the reading is over: resolves when it has ended. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    this.#release();
    await this.#reading;
  }

  #done(): void {
    this.#batch = null;
    this.#taken = 0;
    this.#release();
  }

  async #read(batches: AsyncIterable<LogBatch>): Promise<void> {
    try {
      for await (const batch of batches) {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#release = resolve;
        this.#batch = batch;
        this.#skipped = batch.skipped;
        this.#hasMore = batch.more;
        this.#onRefill();
        this.#onNews();
        if (!this.#hasEnded) await promise;
        if (this.#hasEnded) return;
      }
    } catch (error) {
      this.#error = error;
      this.#onRefill();
      this.#onNews();
    }
  }
}
