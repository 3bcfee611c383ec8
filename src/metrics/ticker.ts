import { errorMessage } from '../lib/errors.ts';
import type { Tick } from './tick.ts';

interface TickerOptions {
  readonly look: () => Promise<Tick>;
  /** How often, in milliseconds; it may change while the agent runs. */
  readonly interval: () => number;
  readonly onProblem: (message: string) => void;
}

/** A timer may fire a little before its time; that is no reason to look twice. */
const earliest = 0.05;

/** Looks at every multiple of the interval, so that ticks of several hosts fall together, and never twice at a time. */
export class Ticker {
  readonly #options: TickerOptions;
  readonly #listeners = new Set<(tick: Tick) => void>();
  #latest: Tick | null = null;
  #previous: Tick | null = null;
  #looking: Promise<Tick> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #state: 'new' | 'running' | 'closed' = 'new';
  #hasFailed = false;

  constructor(options: TickerOptions) {
    this.#options = options;
  }

  /** The last tick; null before the first. */
  get latest(): Tick | null {
    return this.#latest;
  }

  /** The one before it. */
  get previous(): Tick | null {
    return this.#previous;
  }

  /** Has a listener called with each tick from now on. Returns what ends that. */
  onTick(listener: (tick: Tick) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks at once, and from then on regularly. */
  begin(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    this.#tick();
  }

  /** The interval may be another. */
  reload(): void {
    if (this.#looking === null) this.#schedule();
  }

  /** The last tick, and the first one when there has been none yet. Throws why it failed. */
  async present(): Promise<Tick> {
    return this.#latest ?? (await this.#look());
  }

  /** Resolves when it looks no more. */
  async close(): Promise<void> {
    this.#state = 'closed';
    clearTimeout(this.#timer);
    await this.#looking?.catch(() => {});
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#state !== 'running') return;
    const delay = delayUntilNext(Date.now(), this.#options.interval());
    this.#timer = setTimeout(() => this.#tick(), delay);
    this.#timer.unref();
  }

  /** What fails is told once, and tried again at the next time. */
  #tick(): void {
    this.#look()
      .then(
        () => {
          this.#hasFailed = false;
        },
        (error) => {
          if (!this.#hasFailed) this.#options.onProblem(`usage cannot be measured: ${errorMessage(error)}`);
          this.#hasFailed = true;
        },
      )
      .finally(() => this.#schedule());
  }

  /** Whoever asks while it looks gets the same. */
  #look(): Promise<Tick> {
    this.#looking ??= this.#options
      .look()
      .then((tick) => this.#take(tick))
      .finally(() => {
        this.#looking = null;
      });
    return this.#looking;
  }

  #take(tick: Tick): Tick {
    this.#previous = this.#latest;
    this.#latest = tick;
    for (const listener of this.#listeners) this.#tell(listener, tick);
    return tick;
  }

  /** One that fails keeps the others from nothing. */
  #tell(listener: (tick: Tick) => void, tick: Tick): void {
    try {
      listener(tick);
    } catch (error) {
      this.#options.onProblem(`what was measured cannot be used: ${errorMessage(error)}`);
    }
  }
}

/**
 * Milliseconds until the next multiple of the interval. It is asked anew after each tick, so that a clock that is set
 * delays none by more than an interval.
 */
export function delayUntilNext(now: number, interval: number): number {
  const delay = interval - (now % interval);
  return delay < interval * earliest ? delay + interval : delay;
}
