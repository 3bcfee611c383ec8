/** Wakes the one who waits for it; rung before, it does not let wait. */
export class Bell {
  #isRung = false;
  #wake: (() => void) | null = null;

  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  /** Resolves when it is rung, or was since the last time, and at the latest after so many milliseconds. */
  async heard(most: number = Number.POSITIVE_INFINITY): Promise<void> {
    if (!this.#isRung) await this.#wait(most);
    this.#isRung = false;
  }

  #wait(most: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = most === Number.POSITIVE_INFINITY ? undefined : setTimeout(resolve, most);
    timer?.unref();
    this.#wake = resolve;
    return promise.finally(() => {
      clearTimeout(timer);
      this.#wake = null;
    });
  }
}
