import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from '../../lib/backoff.ts';
import { errorMessage } from '../../lib/errors.ts';
import type { ReceiverClient } from '../../lib/receiver_client.ts';
import { type Outcome, trySending } from './outcome.ts';
import type { NextRequest, RequestQueue } from './queue.ts';

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

/** The longest wait that is not asked for is as long as a receiver may be back before it is noticed. */
const times = { first: 500, longest: 5_000 };
/** How long a try may take to notice that it was broken off, in milliseconds. */
const grace = 500;

/** Sends what is in a queue, the oldest first, one request at a time and as fast as the receiver takes them. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #ended = new AbortController();
  readonly #done: Promise<void>;
  #isEnding = false;
  readonly #backoff: Backoff;
  /** After a failure, in milliseconds. */
  #wait = 0;
  #wake = () => {};

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#backoff = new Backoff(times, options.random);
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
    const timer = setTimeout(() => this.#ended.abort(), this.#backoff.failures === 0 ? patience : 0);
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
      else if (outcome.kind === 'failed') await this.#pause();
    }
  }

  /** null: there is nothing to send. Never rejects. */
  async #sendNext(): Promise<Outcome | null> {
    const { queue, client } = this.#options;
    try {
      const next = await queue.next();
      if (next === null || this.#ended.signal.aborted) return null;
      const outcome = await trySending(client, next.body, this.#ended.signal);
      this.#take(next, outcome);
      return outcome;
    } catch (error) {
      const outcome = { kind: 'failed', message: errorMessage(error), wait: null } as const;
      this.#takeFailure(outcome);
      return outcome;
    }
  }

  #take({ request }: NextRequest, outcome: Outcome): void {
    const { queue, onTaken, onRefused } = this.#options;
    if (outcome.kind === 'failed') {
      this.#takeFailure(outcome);
      return;
    }
    this.#backoff.succeeded();
    queue.remove(request);
    if (outcome.kind === 'taken') onTaken(request.samples);
    else onRefused(request.samples, outcome.message);
  }

  #takeFailure({ message, wait }: Extract<Outcome, { kind: 'failed' }>): void {
    // It was broken off here, which says nothing of the receiver.
    if (this.#ended.signal.aborted) return;
    this.#wait = this.#backoff.failed(wait);
    this.#options.onFailed(message, this.#backoff.failures);
  }

  async #pause(): Promise<void> {
    if (this.#isEnding) return this.#ended.abort();
    await sleep(this.#wait, undefined, { signal: this.#ended.signal, ref: false }).catch(() => {});
  }
}
