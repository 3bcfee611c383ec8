/** Requests that wait until an instance takes them. */
export class LiveWaiters {
  readonly #waiting = new Set<(isThere: boolean) => void>();
  #timer: NodeJS.Timeout | null = null;

  get count(): number {
    return this.#waiting.size;
  }

  /** Resolves with true on `wake`, with false when `signal` ends the wait or on `close`. */
  wait(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const done = (isThere: boolean): void => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', onAbort);
        resolve(isThere);
      };
      const onAbort = () => done(false);
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(done);
    });
  }

  wake(): void {
    for (const done of [...this.#waiting]) done(true);
  }

  /** Calls `look` once after a time in milliseconds, if somebody waits by then; the last one asked for counts. */
  lookAfter(time: number, look: () => void): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#waiting.size > 0) look();
    }, time).unref();
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const done of [...this.#waiting]) done(false);
  }
}
