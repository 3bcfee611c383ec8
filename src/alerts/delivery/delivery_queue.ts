import type { Notification } from '../../contract/alerts.ts';
import { waitBeforeRetry } from '../../lib/backoff.ts';
import { type DeliveryFailure, toFailure } from '../notifiers/delivery_failure.ts';
import type { Delivered, Notifier } from '../notifiers/notifier.ts';
import { chooseDelivery } from './delivery_choice.ts';
import type { DeliveryStore } from './delivery_store.ts';

interface DeliveryQueueOptions {
  readonly notifier: Notifier;
  /** How long what could not be delivered is tried again, in milliseconds. */
  readonly keep_trying: number;
  readonly store: DeliveryStore;
  /** Told of each try that failed, and with null of each that did not. */
  readonly onFailing: (message: string | null) => void;
  readonly onProblem: (message: string) => void;
  /** Milliseconds since the epoch. Default: the clock of the system. */
  readonly now?: () => number;
  /** Milliseconds that never go back. Default: since this process began. */
  readonly steadyNow?: () => number;
  /** From 0 to 1. */
  readonly random?: () => number;
}

/** How many notifications may wait, and how much they may hold together as JSON, in UTF-16 units. The oldest go. */
export const mostWaiting = 1_000;
const largestQueue = 8_000_000;
/** How long to wait after failures, in milliseconds. */
const times = { first: 1_000, longest: 300_000 };
/** How long a try that is under way may go on when the agent ends, in milliseconds. */
const grace = 1_000;
/** How often it is said that notifications were dropped, in milliseconds. */
const toldEvery = 60_000;
/** The longest that a timer of the system can wait for, in milliseconds. */
const longestTimer = 2_000_000_000;

interface Entry {
  /** null: it is in memory alone. */
  row: number | null;
  readonly posted_at: number;
  readonly notification: Notification;
  readonly size: number;
  readonly group: string;
  attempts: number;
  not_before: number;
}

/** What is under way. */
interface Try {
  readonly entry: Entry;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

/** Since the agent was started. */
export interface DeliveryCounts {
  readonly delivered: number;
  /** Tries. */
  readonly failed: number;
  /** Notifications. */
  readonly dropped: number;
}

/** What waits for one notifier, and the one that delivers it: one after the other, and again until it succeeds or is too old. */
export class DeliveryQueue {
  readonly #options: DeliveryQueueOptions;
  #notifier: Notifier;
  #keepTrying: number;
  #entries: Entry[] = [];
  #state: 'waiting to begin' | 'running' | 'closed' = 'waiting to begin';
  #current: Try | null = null;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #pausedUntil = 0;
  #counts = { delivered: 0, failed: 0, dropped: 0 };
  #toldAt = Number.NEGATIVE_INFINITY;
  /** How many were dropped of which nothing was said. */
  #untold = 0;
  #lastDeliveredAt: number | null = null;
  #lastError: string | null = null;

  constructor(options: DeliveryQueueOptions) {
    this.#options = options;
    this.#notifier = options.notifier;
    this.#keepTrying = options.keep_trying;
    for (const { row, posted_at, notification } of options.store.load(this.#notifier.name, mostWaiting))
      this.#entries.push(entryOf(notification, posted_at, row, JSON.stringify(notification).length));
    const [oldest] = this.#entries;
    if (oldest?.row) options.store.forget(this.#notifier.name, oldest.row);
  }

  get notifier(): Notifier {
    return this.#notifier;
  }

  get waiting(): number {
    return this.#entries.length;
  }

  get counts(): DeliveryCounts {
    return this.#counts;
  }

  /** Milliseconds since the epoch; null: not since the agent was started. */
  get lastDeliveredAt(): number | null {
    return this.#lastDeliveredAt;
  }

  /** Of the last try; null: it worked, or there was none. */
  get lastError(): string | null {
    return this.#lastError;
  }

  /** Begins to deliver. */
  begin(): void {
    if (this.#state !== 'waiting to begin') return;
    this.#state = 'running';
    this.#continue();
  }

  /** Returns at once. */
  post(notification: Notification): void {
    if (this.#state === 'closed') return;
    const { store, now = Date.now } = this.#options;
    const record = JSON.stringify(notification);
    const row = store.add(this.#notifier.name, now(), record);
    this.#entries.push(entryOf(notification, now(), row, record.length));
    if (row !== null) this.#writeUnwritten();
    this.#makeRoom();
    this.#continue();
  }

  /** From now on another of the same name delivers; what waits stays, and is tried at once. */
  use(notifier: Notifier, keepTrying: number): void {
    this.#notifier = notifier;
    this.#keepTrying = keepTrying;
    this.#tryAllAgain();
  }

  /** One try of something that does not wait here. When it succeeds, what waits is tried too. Throws a DeliveryFailure. */
  async test(notification: Notification, signal: AbortSignal): Promise<Delivered> {
    try {
      const delivered = await this.#notifier.deliver(notification, signal);
      this.#succeeded();
      this.#continue();
      return delivered;
    } catch (error) {
      throw toFailure(error);
    }
  }

  /** Delivers nothing more. What is under way may end within a second; what was not delivered stays for the next agent. */
  async close(): Promise<void> {
    this.#state = 'closed';
    clearTimeout(this.#timer);
    if (this.#current !== null) {
      const { done, abort } = this.#current;
      const timer = setTimeout(() => abort.abort(), grace);
      await done;
      clearTimeout(timer);
    }
    this.#writeUnwritten();
  }

  /** Delivers nothing more and forgets what waits. Returns how much that was. */
  discard(): number {
    this.#state = 'closed';
    clearTimeout(this.#timer);
    this.#current?.abort.abort();
    const count = this.#entries.length;
    this.#entries = [];
    this.#options.store.forget(this.#notifier.name);
    return count;
  }

  /** Begins the next try, or waits until it is time for it. */
  #continue(): void {
    if (this.#state !== 'running' || this.#current !== null) return;
    clearTimeout(this.#timer);
    const choice = chooseDelivery(this.#entries, this.#steadyNow(), this.#pausedUntil);
    if (choice === null) return;
    if ('wait' in choice) {
      const wait = Math.min(Math.ceil(choice.wait), longestTimer);
      this.#timer = setTimeout(() => this.#continue(), wait).unref();
      return;
    }
    const abort = new AbortController();
    const { entry } = choice;
    const done = this.#try(entry, abort.signal).finally(() => {
      this.#current = null;
      this.#continue();
    });
    this.#current = { entry, abort, done };
  }

  /** Never rejects. */
  async #try(entry: Entry, signal: AbortSignal): Promise<void> {
    const { name } = this.#notifier;
    try {
      const { problem } = await this.#notifier.deliver(entry.notification, signal);
      this.#remove(entry);
      this.#counts.delivered += 1;
      this.#lastDeliveredAt = (this.#options.now ?? Date.now)();
      this.#succeeded();
      if (problem !== null) this.#options.onProblem(`notifier "${name}": ${problem}`);
    } catch (error) {
      // What was ended because the agent ends has not failed.
      if (this.#state !== 'closed') this.#failed(entry, toFailure(error));
    }
  }

  #succeeded(): void {
    this.#lastError = null;
    this.#options.onFailing(null);
    if (this.#failures > 0) this.#tryAllAgain();
  }

  #failed(entry: Entry, failure: DeliveryFailure): void {
    const { random = Math.random, now = Date.now } = this.#options;
    this.#counts.failed += 1;
    this.#lastError = failure.message;
    this.#options.onFailing(failure.message);
    // Only what was tried can be too old: the agent may have been off, or the clock wrong.
    const isTooOld = now() - entry.posted_at >= this.#keepTrying;
    if (!failure.retry || isTooOld) {
      const why = failure.retry ? `${failure.message}, and it is too old to try again` : failure.message;
      this.#drop(entry, why);
      if (!failure.retry) return;
    }
    this.#failures += 1;
    entry.attempts += 1;
    const asked = failure.retry_after_ms ?? 0;
    entry.not_before = this.#steadyNow() + waitBeforeRetry(times, entry.attempts, random());
    this.#pausedUntil = this.#steadyNow() + Math.max(waitBeforeRetry(times, this.#failures, random()), asked);
  }

  #tryAllAgain(): void {
    this.#failures = 0;
    this.#pausedUntil = 0;
    for (const entry of this.#entries) entry.not_before = 0;
    this.#continue();
  }

  #drop(entry: Entry, why: string): void {
    this.#remove(entry);
    this.#counts.dropped += 1;
    this.#untold += 1;
    if (this.#steadyNow() - this.#toldAt < toldEvery) return;
    const { title } = entry.notification;
    const others = this.#untold > 1 ? `, and ${this.#untold - 1} before it` : '';
    this.#options.onProblem(`notifier "${this.#notifier.name}": ${why}; not told: ${title}${others}`);
    this.#toldAt = this.#steadyNow();
    this.#untold = 0;
  }

  #makeRoom(): void {
    let size = this.#entries.reduce((sum, entry) => sum + entry.size, 0);
    while (this.#entries.length > mostWaiting || (size > largestQueue && this.#entries.length > 1)) {
      const oldest = this.#entries.find((entry) => entry !== this.#current?.entry);
      if (oldest === undefined) return;
      size -= oldest.size;
      this.#drop(oldest, 'too many notifications wait for it');
    }
  }

  #remove(entry: Entry): void {
    const at = this.#entries.indexOf(entry);
    if (at < 0) return;
    this.#entries.splice(at, 1);
    if (entry.row !== null) this.#options.store.remove(entry.row);
  }

  /** The disk may have room again. All are written anew from the first that is in memory alone on, so that their order stays. */
  #writeUnwritten(): void {
    const { store } = this.#options;
    const from = this.#entries.findIndex(({ row }) => row === null);
    if (from < 0) return;
    for (const entry of this.#entries.slice(from)) {
      const row = store.add(this.#notifier.name, entry.posted_at, JSON.stringify(entry.notification));
      if (row === null) return;
      if (entry.row !== null) store.remove(entry.row);
      entry.row = row;
    }
  }

  #steadyNow(): number {
    return (this.#options.steadyNow ?? (() => performance.now()))();
  }
}

function entryOf(notification: Notification, posted_at: number, row: number | null, size: number): Entry {
  return { row, posted_at, notification, size, group: notification.group.key, attempts: 0, not_before: 0 };
}
