import type { TargetInstance } from './target.ts';

/** From when on connections are to be closed, in milliseconds since the epoch, and the time over which that is spread. */
export type ClosingTime = NonNullable<TargetInstance['draining']>;

export interface CloseScheduleOptions<Connection> {
  readonly close: (connection: Connection) => void;
  readonly now?: () => number;
  /** From 0 up to 1. */
  readonly random?: () => number;
}

interface Due<Connection> {
  readonly connection: Connection;
  readonly at: number;
}

/** How long is waited at most before the clock is looked at again, in milliseconds: it may have been set. */
const longestWait = 10_000;

/**
 * Closes a number of connections, when the time for it comes, in random order and evenly over a span of time, so that their
 * clients do not all come back in the same moment. One timer, whatever their number.
 */
export class CloseSchedule<Connection> {
  readonly #connections = new Set<Connection>();
  readonly #options: CloseScheduleOptions<Connection>;
  readonly #now: () => number;
  readonly #random: () => number;
  #time: ClosingTime | null = null;
  /** Once the time has come: the latest first. */
  #due: Due<Connection>[] | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CloseScheduleOptions<Connection>) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** One that comes late is closed in what is left of the time, or at once. */
  add(connection: Connection): void {
    this.#connections.add(connection);
    if (this.#time === null || this.#due === null) return;
    const now = this.#now();
    const left = Math.max(0, this.#time.until + this.#time.spread - now);
    this.#due.push({ connection, at: now + left * this.#random() });
    this.#due.sort((one, other) => other.at - one.at);
    this.#proceed();
  }

  delete(connection: Connection): void {
    this.#connections.delete(connection);
  }

  /** Replaces what was planned; null: nothing is, and those that are not closed yet stay. */
  plan(time: ClosingTime | null): void {
    clearTimeout(this.#timer);
    this.#time = time;
    this.#due = null;
    this.#proceed();
  }

  #proceed(): void {
    if (this.#time === null) return;
    clearTimeout(this.#timer);
    const now = this.#now();
    if (this.#due === null && now >= this.#time.until) {
      // Whoever hears of it too late must not close all of them at once.
      this.#time = { until: now, spread: this.#time.spread };
      this.#due = spread([...this.#connections], this.#time, this.#random);
    }
    if (this.#due !== null) this.#closeUntil(this.#due, now);
    const next = this.#due === null ? this.#time.until : this.#due.at(-1)?.at;
    if (next === undefined) return;
    this.#timer = setTimeout(() => this.#proceed(), Math.min(Math.max(next - now, 1), longestWait));
    this.#timer.unref();
  }

  #closeUntil(due: Due<Connection>[], now: number): void {
    for (let last = due.at(-1); last !== undefined && last.at <= now; last = due.at(-1)) {
      due.pop();
      if (this.#connections.has(last.connection)) this.#options.close(last.connection);
    }
  }
}

/** Gives each its own part of the time, and there a random moment. The latest first. */
function spread<Connection>(
  connections: readonly Connection[],
  { until, spread }: ClosingTime,
  random: () => number,
): Due<Connection>[] {
  const part = spread / Math.max(connections.length, 1);
  return shuffled(connections, random)
    .map((connection, place) => ({ connection, at: until + part * (place + random()) }))
    .reverse();
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((one, other) => one.key - other.key).map(({ item }) => item);
}
