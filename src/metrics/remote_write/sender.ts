import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../../lib/errors.ts';
import type { NextRequest, RequestQueue } from './queue.ts';
import type { ReceiverClient } from './receiver_client.ts';
import { type Outcome, waitBeforeRetry } from './retry.ts';

/** What a sender tells. */
export interface SenderEvents {
  readonly onTaken: (samples: number) => void;
  /** Given up, as the receiver does not want it. */
  readonly onRefused: (samples: number, message: string) => void;
  /** Will be tried again. */
  readonly onFailed: (message: string, failures: number) => void;
}

interface SenderOptions extends SenderEvents {
  readonly queue: RequestQueue;
  readonly client: ReceiverClient;
  /** From 0 to 1. Default: chance. */
  readonly random?: () => number;
}

/** How long a try may take to notice that it was broken off, in milliseconds. */
const grace = 500;

/** Sends what is in a queue, the oldest first, one request at a time and as fast as the receiver takes them. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #ended = new AbortController();
  readonly #done: Promise<void>;
  #isEnding = false;
  #failures = 0;
  #wake = () => {};

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  /** There is more to send. */
  wake(): void {
    this.#wake();
  }

  /** Sends what it can within so many milliseconds, and nothing at all where the last try failed. What is left stays in the queue. */
  async close(patience: number): Promise<void> {
    this.#isEnding = true;
    this.#wake();
    const timer = setTimeout(() => this.#ended.abort(), this.#failures === 0 ? patience : 0);
    // A disk that hangs must hinder no end.
    await Promise.race([this.#done, sleep(patience + grace, undefined, { ref: false })]);
    clearTimeout(timer);
    this.#ended.abort();
    await this.#options.client.close();
  }

  async #run(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      const { promise: isMore, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const outcome = await this.#sendNext();
      if (outcome === null && this.#isEnding) return;
      if (outcome === null) await isMore;
      else if (outcome.kind === 'failed') await this.#pause(outcome.wait);
    }
  }

  /** null: there is nothing to send. Never rejects. */
  async #sendNext(): Promise<Outcome | null> {
    const { queue, client } = this.#options;
    try {
      const next = await queue.next();
      if (next === null || this.#ended.signal.aborted) return null;
      const outcome = await client.post(next.body, this.#ended.signal);
      this.#take(next, outcome);
      return outcome;
    } catch (error) {
      const outcome: Outcome = { kind: 'failed', message: errorMessage(error), wait: null };
      this.#takeFailure(outcome.message);
      return outcome;
    }
  }

  #take({ request }: NextRequest, outcome: Outcome): void {
    const { queue, onTaken, onRefused } = this.#options;
    if (outcome.kind === 'failed') {
      this.#takeFailure(outcome.message);
      return;
    }
    this.#failures = 0;
    queue.remove(request);
    if (outcome.kind === 'taken') onTaken(request.samples);
    else onRefused(request.samples, outcome.message);
  }

  #takeFailure(message: string): void {
    // It was broken off here, which says nothing of the receiver.
    if (this.#ended.signal.aborted) return;
    this.#failures += 1;
    this.#options.onFailed(message, this.#failures);
  }

  async #pause(asked: number | null): Promise<void> {
    const { random = Math.random } = this.#options;
    if (this.#isEnding) return this.#ended.abort();
    const wait = waitBeforeRetry(this.#failures, asked, random());
    await sleep(wait, undefined, { signal: this.#ended.signal, ref: false }).catch(() => {});
  }
}
