/** How long to wait between tries, in milliseconds. */
export interface BackoffTimes {
  readonly first: number;
  readonly longest: number;
}

/** Nobody is obeyed who asks for longer, in milliseconds. */
const longestAsked = 300_000;

/**
 * How long to wait after so many failures in a row: from half of what is doubled each time to all of it, so that those
 * whose receiver failed at the same time do not come back at the same time. In milliseconds.
 * @param random from 0 to 1
 */
export function waitBeforeRetry({ first, longest }: BackoffTimes, failures: number, random: number): number {
  const most = Math.min(longest, first * 2 ** Math.min(30, Math.max(0, failures - 1)));
  return most * (0.5 + random / 2);
}

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
   * Takes one more failure, and says how long to wait, in milliseconds.
   * @param asked what the receiver asked for, in milliseconds; it is obeyed for five minutes at most
   */
  failed(asked: number | null): number {
    this.#failures += 1;
    const wait = waitBeforeRetry(this.#times, this.#failures, this.#random());
    return Math.max(wait, Math.min(asked ?? 0, longestAsked));
  }
}
