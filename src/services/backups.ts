import type { DatabaseSync } from 'node:sqlite';
import { backUp } from '../lib/database.ts';
import { errorMessage } from '../lib/errors.ts';

interface BackupsOptions {
  readonly database: DatabaseSync;
  readonly folder: string;
  readonly onProblem: (message: string) => void;
}

/** How many backups are kept. */
const kept = 10;
/** How soon after a change a backup is made, in milliseconds. */
const soon = 5_000;
/** The least time between two backups, in milliseconds. */
const interval = 10 * 60_000;

/** Copies of the state to start from when it is found damaged: one soon after a change, and not too many. */
export class Backups {
  readonly #options: BackupsOptions;
  #timer: NodeJS.Timeout | undefined;
  #last = 0;

  constructor(options: BackupsOptions) {
    this.#options = options;
  }

  /** To be called whenever something changed that should not be lost. */
  noteChange(): void {
    if (this.#timer !== undefined) return;
    const delay = Math.max(soon, this.#last + interval - Date.now());
    this.#timer = setTimeout(() => void this.#make(), delay).unref();
  }

  /** Makes the backup that is due, if one is, and no more after it. */
  async close(): Promise<void> {
    if (this.#timer !== undefined) await this.#make();
    clearTimeout(this.#timer);
  }

  async #make(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#last = Date.now();
    try {
      await backUp(this.#options.database, this.#options.folder, kept);
    } catch (error) {
      this.#options.onProblem(`no backup of the state could be made: ${errorMessage(error)}`);
    }
  }
}
