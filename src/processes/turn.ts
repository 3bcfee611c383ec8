/** How long others wait at most, in milliseconds, but for one step more. */
const longestTurn = 5;

/** Work that takes a while, in turns, so that what else the process does never waits for all of it. */
export class Turn {
  #began = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#began >= longestTurn;
  }

  /** Resolves when others have had theirs. */
  async next(): Promise<void> {
    await new Promise(setImmediate);
    this.#began = performance.now();
  }
}
