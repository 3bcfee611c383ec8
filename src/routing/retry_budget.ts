/** The time over which requests and retries are compared, in seconds. */
const windowSeconds = 10;

/** So many retries per second are free, so that a service with few requests has some at all. */
const freePerSecond = 10;

/**
 * Lets retries be a share of the requests only: when everything fails, retries must not double the load that makes it fail.
 * Both are counted over the last ten seconds. All times are milliseconds since the epoch.
 */
export class RetryBudget {
  readonly #requests = new Array<number>(windowSeconds).fill(0);
  readonly #retries = new Array<number>(windowSeconds).fill(0);
  #second = 0;
  #requestsOfAll = 0;
  #retriesOfAll = 0;

  /** A request has come. */
  requested(now: number): void {
    const place = this.#turn(now);
    this.#requests[place] = (this.#requests[place] ?? 0) + 1;
    this.#requestsOfAll++;
  }

  /** Whether there is one more retry to be had: takes it if so. @param percent of the requests */
  take(percent: number, now: number): boolean {
    const place = this.#turn(now);
    const most = (this.#requestsOfAll * percent) / 100 + freePerSecond * windowSeconds;
    if (this.#retriesOfAll + 1 > most) return false;
    this.#retries[place] = (this.#retries[place] ?? 0) + 1;
    this.#retriesOfAll++;
    return true;
  }

  /** Forgets what has become too old, or everything when the clock has been set back. Returns the place of this second. */
  #turn(now: number): number {
    const second = Math.floor(now / 1_000);
    const steps = second < this.#second ? windowSeconds : Math.min(second - this.#second, windowSeconds);
    for (let step = 1; step <= steps; step++) this.#forget((second - steps + step) % windowSeconds);
    this.#second = second;
    return second % windowSeconds;
  }

  #forget(place: number): void {
    this.#requestsOfAll -= this.#requests[place] ?? 0;
    this.#retriesOfAll -= this.#retries[place] ?? 0;
    this.#requests[place] = 0;
    this.#retries[place] = 0;
  }
}
