/** How long the same is not told again, in milliseconds. */
const quiet = 600_000;

/** Tells what is wrong, each kind of it once in ten minutes: a receiver that is half broken must not fill the log. */
export class Complaints {
  readonly #tell: (message: string) => void;
  readonly #told = new Map<string, number>();

  constructor(tell: (message: string) => void) {
    this.#tell = tell;
  }

  /** Returns whether it was told. */
  tell(kind: string, message: string): boolean {
    const now = performance.now();
    if (now - (this.#told.get(kind) ?? Number.NEGATIVE_INFINITY) < quiet) return false;
    this.#told.set(kind, now);
    this.#tell(message);
    return true;
  }
}
