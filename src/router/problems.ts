interface ProblemsOptions {
  readonly onNew: (message: string) => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** For how long a problem counts as one of now, in milliseconds. */
const memory = 60_000;
/** How many are remembered, and so told, within that time: what clients and instances do must not fill a log. */
const most = 20;

/** What went wrong lately, each thing told once as long as it goes on. */
export class Problems {
  readonly #onNew: (message: string) => void;
  readonly #now: () => number;
  readonly #seen = new Map<string, number>();
  #unsaid = 0;

  constructor({ onNew, now = Date.now }: ProblemsOptions) {
    this.#onNew = onNew;
    this.#now = now;
  }

  /** Those of the last minute, and how many more there were. */
  get recent(): string[] {
    this.#forget();
    const more = this.#unsaid > 0 ? [`${this.#unsaid} more problems were not told`] : [];
    return [...this.#seen.keys(), ...more];
  }

  /** Something goes wrong, as a sentence. */
  tell(message: string): void {
    this.#forget();
    const isKnown = this.#seen.has(message);
    if (!isKnown && this.#seen.size >= most) {
      this.#unsaid += 1;
      return;
    }
    this.#seen.set(message, this.#now());
    if (!isKnown) this.#onNew(message);
  }

  #forget(): void {
    const since = this.#now() - memory;
    for (const [message, at] of this.#seen) if (at < since) this.#seen.delete(message);
    if (this.#seen.size === 0) this.#unsaid = 0;
  }
}
