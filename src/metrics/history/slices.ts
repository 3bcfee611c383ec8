import { setImmediate as nextTurn } from 'node:timers/promises';

/** A piece of work: what it gives back is called when it is sure that it was written. */
export type Piece = (() => void) | undefined;

/** How long a slice takes at most, in milliseconds, but for its last piece. */
const longest = 4;

interface SlicesOptions {
  /** Runs what it is given in a transaction; throws when nothing of it was kept. */
  readonly transaction: (work: () => void) => void;
  /** Called again and again when all of a work is written, outside of a transaction, until it says that there is no more to do. */
  readonly after: () => boolean;
  readonly onFailure: (error: unknown) => void;
}

/** Does long work in slices, each a transaction of its own, so that nothing else has to wait for long. */
export class Slices {
  readonly #options: SlicesOptions;
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;
  #isClosed = false;

  constructor(options: SlicesOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Resolves when nothing is under way. */
  get idle(): Promise<void> {
    return this.#running;
  }

  /** Does all pieces of the work. What fails ends it. Only while nothing else is under way. */
  start(work: Iterator<Piece>): void {
    this.#isRunning = true;
    this.#running = this.#run(work).finally(() => {
      this.#isRunning = false;
    });
  }

  /** Leaves what has not begun. */
  close(): void {
    this.#isClosed = true;
  }

  async #run(work: Iterator<Piece>): Promise<void> {
    const { after, onFailure } = this.#options;
    try {
      while (await this.#isNext()) if (this.#doSlice(work)) break;
      while ((await this.#isNext()) && after());
    } catch (error) {
      onFailure(error);
    }
  }

  /** Returns whether that was all. */
  #doSlice(work: Iterator<Piece>): boolean {
    const written: (() => void)[] = [];
    let isDone = false;
    this.#options.transaction(() => {
      isDone = slice(work, written);
    });
    for (const tell of written) tell();
    return isDone;
  }

  async #isNext(): Promise<boolean> {
    await nextTurn();
    return !this.#isClosed;
  }
}

/** Returns whether that was all. */
function slice(work: Iterator<Piece>, written: (() => void)[]): boolean {
  const until = performance.now() + longest;
  do {
    const { done, value } = work.next();
    if (value !== undefined) written.push(value);
    if (done) return true;
  } while (performance.now() < until);
  return false;
}
