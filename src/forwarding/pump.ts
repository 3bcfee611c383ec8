import { Backoff, type BackoffTimes } from '../lib/backoff.ts';
import { errorMessage, systemErrorCode } from '../lib/errors.ts';
import type { LogFeed } from '../logs/log_feed.ts';
import { Bell } from './bell.ts';
import { Collector } from './collector.ts';
import { type Marks, marksOf, type Outgoing } from './outgoing.ts';
import { NotNow, type Receiver, type ReceiverEvents, Refused } from './receiver.ts';
import { sendAround } from './refused_lines.ts';
import type { Source } from './source.ts';

/** What a pump tells. */
export interface PumpEvents {
  /** What has arrived of a service is to be noted. */
  readonly onKept: (source: Source) => void;
  readonly onSent: (lines: number, bytes: number) => void;
  readonly onDropped: (service: string, why: string) => void;
  readonly onSkipped: (service: string, bytes: number | null) => void;
  readonly onUnreadable: (service: string, error: unknown) => void;
  /** A try failed, as often as said in a row. */
  readonly onFailed: (message: string, failures: number) => void;
  readonly onArrived: () => void;
}

export interface PumpOptions extends PumpEvents {
  readonly feed: Pick<LogFeed, 'next'>;
  readonly receiver: (events: ReceiverEvents) => Receiver;
  readonly backoff: BackoffTimes;
  /** How long lines are gathered, in milliseconds: one request for many of them costs less. Longer where many services write. */
  readonly gathering: number;
}

/** The least to which a batch is made smaller when the receiver wants that, in bytes. */
const leastBatch = 16_384;
/** How long a receiver may refuse everything before what it refuses is dropped, in milliseconds. */
const patience = 600_000;
/** How long what is under way may take when the pump ends, in milliseconds. */
const longestClose = 3_000;
/** For how long each service that wrote lets the next ones be gathered, and for how long at most, in milliseconds: what costs most is to open files. */
const perService = 10;
const longestGathering = 5_000;
/** How often a pump looks after itself when nothing is written, in milliseconds. */
const longestIdle = 10_000;

/** Sends the output of many services to one receiver: one request at a time, and again what did not arrive. */
export class Pump {
  readonly #options: PumpOptions;
  readonly #receiver: Receiver;
  readonly #collector: Collector;
  readonly #backoff: Backoff;
  readonly #bell = new Bell();
  /** Cuts the waits between tries short. */
  readonly #hurry = new Bell();
  readonly #end = new AbortController();
  readonly #onSettled = new Set<() => void>();
  #most: number;
  /** Rises when sources are set back: what was read before that is not to be sent. */
  #round = 0;
  #isEnding = false;
  /** How long to gather lines before the next batch, in milliseconds. */
  #gathering: number;
  /** How long to wait before the next try, in milliseconds. */
  #pause = 0;
  /** Since when lines are being read or sent, by a clock that is never set; null: none are. */
  #busySince: number | null = null;
  #isSending = false;
  #refusedSince: number | null = null;
  readonly #work: Promise<void>;

  constructor(options: PumpOptions) {
    this.#options = options;
    this.#receiver = options.receiver({
      onArrived: (marks) => this.#arrived(marks),
      onBroken: (message) => this.#broken(message),
    });
    this.#most = this.#receiver.batchSize;
    this.#gathering = options.gathering;
    this.#backoff = new Backoff(options.backoff);
    this.#collector = new Collector({
      ...options,
      render: (service, line) => this.#receiver.render(service, line),
      onMoved: (source) => source.isUnderWay || options.onKept(source),
    });
    this.#work = this.#run();
  }

  /** A service may have more to send, perhaps for the first time. */
  add(source: Source): void {
    this.#collector.add(source);
    this.#bell.ring();
  }

  /** Nothing of a service is sent any more. */
  remove(source: Source): void {
    this.#collector.remove(source);
  }

  /** Resolves when all that a service had to send was sent, or that failed, and after so many milliseconds in any case. */
  async settled(source: Source, most: number): Promise<void> {
    const isOver = () => this.#busySince === null && !this.#collector.isWaiting(source);
    // Whoever has not answered for so long will not do it in time for this one either.
    if (this.#busySince !== null && performance.now() - this.#busySince > most) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => (isOver() || this.#backoff.failures > 0 || this.#isEnding) && resolve();
    const timer = setTimeout(resolve, most);
    this.#onSettled.add(look);
    this.#hurry.ring();
    look();
    await promise;
    clearTimeout(timer);
    this.#onSettled.delete(look);
  }

  /** Ends what is under way, and waits a moment for what was sent to arrive. */
  async close(): Promise<void> {
    this.#isEnding = true;
    this.#bell.ring();
    this.#hurry.ring();
    const timer = setTimeout(() => this.#end.abort(new Error('the agent ends')), longestClose);
    await this.#work;
    clearTimeout(timer);
    await this.#receiver.close();
    this.#settle();
  }

  async #run(): Promise<void> {
    while (!this.#isEnding) {
      if (this.#collector.isEmpty) await this.#bell.heard(longestIdle);
      if (this.#gathering > 0 && !this.#isEnding) await this.#hurry.heard(this.#gathering);
      if (this.#pause > 0 && !this.#isEnding) await this.#hurry.heard(this.#pause);
      if (this.#isEnding) break;
      this.#pause = 0;
      this.#busySince = performance.now();
      await this.#sendNext();
      this.#busySince = null;
      this.#settle();
    }
    // The host may be about to go: what was written last goes now, if it can.
    if (this.#backoff.failures === 0 && !this.#collector.isEmpty) await this.#sendNext();
  }

  /** Sends a batch of what there is. */
  async #sendNext(): Promise<void> {
    const [round, least] = [this.#round, this.#options.gathering];
    try {
      const batch = await this.#collector.collect(this.#most, () => round === this.#round);
      this.#gathering = batch.isFull
        ? 0
        : Math.max(least, Math.min(batch.services * perService, longestGathering));
      if (batch.lines.length > 0 && round === this.#round) await this.#send(batch.lines, batch.bytes);
    } catch (error) {
      this.#gathering = least;
      this.#failed(error);
    }
  }

  async #send(lines: readonly Outgoing[], bytes: number): Promise<void> {
    let dropped = 0;
    this.#isSending = true;
    try {
      await sendAround(lines, {
        send: (piece) => this.#try(piece),
        onDropped: ({ source }, why) => {
          dropped += 1;
          this.#options.onDropped(source.service, why);
        },
        givesUp: this.#refusedSince !== null && performance.now() - this.#refusedSince > patience,
      });
      if (dropped > 0) this.#keep(marksOf(lines));
      this.#refusedSince = null;
      this.#options.onSent(lines.length - dropped, bytes);
    } finally {
      this.#isSending = false;
    }
  }

  async #try(lines: readonly Outgoing[]): Promise<void> {
    try {
      await this.#receiver.send(lines, this.#end.signal);
    } catch (error) {
      if (error instanceof Refused) {
        if (error.isTooLarge) this.#most = Math.max(leastBatch, this.#most >>> 1);
        this.#refusedSince ??= performance.now();
      } else this.#refusedSince = null;
      throw error;
    }
  }

  /** What is under way is sent once more, after a while. */
  #failed(error: unknown): void {
    this.#setBack();
    if (this.#isEnding) return;
    this.#pause = this.#backoff.failed(error instanceof NotNow ? error.retryAfter : null);
    this.#options.onFailed(failureText(error), this.#backoff.failures);
    this.#settle();
  }

  #broken(message: string): void {
    // A try that is under way fails by itself.
    if (this.#isSending) this.#setBack();
    else this.#failed(new Error(message));
  }

  /** What is under way will not arrive: it is read once more. */
  #setBack(): void {
    this.#round += 1;
    for (const source of this.#collector.sources) {
      if (source.isUnderWay) this.#collector.add(source);
      source.rewind();
    }
    this.#bell.ring();
  }

  #arrived(marks: Marks): void {
    this.#backoff.succeeded();
    this.#keep(marks);
    this.#options.onArrived();
    this.#settle();
  }

  #keep(marks: Marks): void {
    for (const [source, cursor] of marks) {
      if (!this.#collector.has(source)) continue;
      source.keep(cursor);
      this.#options.onKept(source);
    }
  }

  #settle(): void {
    for (const look of this.#onSettled) look();
  }
}

/** What went wrong. An error about several addresses has no text of its own. */
function failureText(error: unknown): string {
  return errorMessage(error) || systemErrorCode(error) || 'it failed';
}
