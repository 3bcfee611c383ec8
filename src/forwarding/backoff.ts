/** How long to wait between tries, in milliseconds. */
export interface BackoffTimes {
  readonly first: number;
  readonly longest: number;
}

/** Nobody is obeyed who wants longer. */
const longestAsked = 300_000;

/** Waits longer after each failure in a row, and not as long as others that failed at the same time. */
export class Backoff {
  readonly #times: BackoffTimes;
  readonly #random: () => number;
  #failures = 0;

  constructor(times: BackoffTimes, random: () => number = Math.random) {
    this.#times = times;
    this.#random = random;
  }

  /** How often it has failed in a row. */
  get failures(): number {
    return this.#failures;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  /**
   * Takes one more failure, and says how long to wait: from half of what is doubled each time to all of it.
   * @param asked what the receiver asked for, in milliseconds
   */
  failed(asked: number | null): number {
    const { first, longest } = this.#times;
    const most = Math.min(longest, first * 2 ** Math.min(30, this.#failures));
    this.#failures += 1;
    return Math.max(most * (0.5 + this.#random() / 2), Math.min(asked ?? 0, longestAsked));
  }
}
