import { closeSync, fsync, openSync } from 'node:fs';

/** How long what was written may wait before it is on the disk, in milliseconds. */
const longestWait = 50;

/**
 * Brings what SQLite has written into its log (WAL) onto the disk soon after it was asked for, many writes at once and
 * without anybody waiting for the disk. What was written outlives the process in any case; this is about a power cut,
 * which may take the last moments.
 */
export class SoonOnDisk {
  readonly #log: number;
  readonly #onProblem: (message: string) => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param database the file of a database that is open, in WAL mode */
  constructor(database: string, onProblem: (message: string) => void) {
    this.#log = openSync(`${database}-wal`, 'r');
    this.#onProblem = onProblem;
  }

  /** To be called after a write that should last. */
  ask(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      fsync(this.#log, (error) => {
        if (error) this.#onProblem(`the state cannot be brought onto the disk: ${error.message}`);
      });
    }, longestWait).unref();
  }

  /** To be called before the database is closed, which brings everything onto the disk. */
  close(): void {
    clearTimeout(this.#timer);
    closeSync(this.#log);
  }
}
