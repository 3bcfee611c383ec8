/** How long a first change is waited for others, in milliseconds: what happens together is told together. */
const settleTime = 20;
/** How many may wait to be taken; a reader that takes none must not fill memory. */
const mostKeys = 10_000;

/** Names of what has changed, each of which can be taken soon after that, but not more often than every so many milliseconds. */
export class ChangedKeys {
  readonly #interval: number;
  /** When each may be taken. */
  readonly #due = new Map<string, number>();
  /** When those were taken that may have to wait for that. */
  readonly #taken = new Map<string, number>();

  constructor(interval: number) {
    this.#interval = interval;
  }

  /** Notes a change at a time; false when there are too many: then all of them are forgotten. */
  note(key: string, now: number): boolean {
    if (this.#due.has(key)) return true;
    if (this.#due.size >= mostKeys) {
      this.#due.clear();
      return false;
    }
    const earliest = (this.#taken.get(key) ?? Number.NEGATIVE_INFINITY) + this.#interval;
    this.#due.set(key, Math.max(now + settleTime, earliest));
    return true;
  }

  /** Takes those whose time has come. */
  take(now: number): string[] {
    for (const [key, at] of this.#taken) if (at + this.#interval <= now) this.#taken.delete(key);
    const ready = [...this.#due].filter(([, due]) => due <= now).map(([key]) => key);
    for (const key of ready) {
      this.#due.delete(key);
      this.#taken.set(key, now);
    }
    return ready;
  }

  /** When there is something to take next; infinity: nothing. */
  get nextDue(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const due of this.#due.values()) next = Math.min(next, due);
    return next;
  }
}
