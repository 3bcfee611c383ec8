import { hour } from './resolution.ts';

/** By how much more than the time that has passed it may go forward from one look to the next, in milliseconds. */
const mostAhead = 6 * hour;

/**
 * The time by which it is decided what is too old. It follows the clock of the host, but slowly where that jumps ahead, so that
 * one that is wrong for an hour costs no more than the oldest hours of the history.
 */
export class CarefulClock {
  readonly #now: () => number;
  readonly #elapsed: () => number;
  #time: number;
  #lookedAt: number;

  /**
   * @param newest of when the newest is that is kept, in milliseconds since the epoch; null: nothing is kept yet
   * @param elapsed milliseconds of a clock that nobody sets
   */
  constructor(now: () => number, newest: number | null, elapsed = () => performance.now()) {
    this.#now = now;
    this.#elapsed = elapsed;
    this.#time = newest ?? now();
    this.#lookedAt = elapsed();
  }

  /** Milliseconds since the epoch. */
  look(): number {
    const elapsed = this.#elapsed();
    this.#time = Math.min(this.#now(), this.#time + (elapsed - this.#lookedAt) + mostAhead);
    this.#lookedAt = elapsed;
    return this.#time;
  }
}
