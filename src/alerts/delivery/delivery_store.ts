import type { DatabaseSync } from 'node:sqlite';
import type { Notification } from '../../contract/alerts.ts';
import { notification as schema } from '../../contract/alerts.ts';
import { errorMessage } from '../../lib/errors.ts';
import { validate } from '../../lib/validation.ts';

/** A notification that waits to be delivered, as it was written down. */
export interface StoredDelivery {
  readonly row: number;
  /** Milliseconds since the epoch. */
  readonly posted_at: number;
  readonly notification: Notification;
}

interface DeliveryStoreOptions {
  readonly database: DatabaseSync;
  readonly onProblem: (message: string) => void;
}

/** How many rows whose removal failed are remembered; what is forgotten is delivered once more by the next agent. */
const mostUnremoved = 10_000;

/** What waits to be delivered, in SQLite. Where that cannot be written, nothing is thrown: it is told once, and what is in memory counts. */
export class DeliveryStore {
  readonly #options: DeliveryStoreOptions;
  readonly #insert;
  readonly #delete;
  readonly #unremoved = new Set<number>();
  #isTold = false;

  constructor(options: DeliveryStoreOptions) {
    this.#options = options;
    const { database } = options;
    this.#insert = database.prepare('INSERT INTO deliveries (notifier, posted_at, record) VALUES (?, ?, ?)');
    this.#delete = database.prepare('DELETE FROM deliveries WHERE id = ?');
  }

  /** The row in which it is; null: it could not be written. */
  add(notifier: string, posted_at: number, record: string): number | null {
    return this.#write(() => Number(this.#insert.run(notifier, posted_at, record).lastInsertRowid)) ?? null;
  }

  remove(row: number): void {
    if (this.#unremoved.size < mostUnremoved) this.#unremoved.add(row);
    this.#write(() => {
      for (const each of this.#unremoved) {
        this.#delete.run(each);
        this.#unremoved.delete(each);
      }
    });
  }

  /** The newest, oldest first. What cannot be read is told and gone. */
  load(notifier: string, most: number): StoredDelivery[] {
    const query = 'SELECT * FROM deliveries WHERE notifier = ? ORDER BY id DESC LIMIT ?';
    const rows = this.#read(() => this.#options.database.prepare(query).all(notifier, most)) ?? [];
    return rows.reverse().flatMap((row) => {
      const id = Number(row['id']);
      try {
        const notification = validate(schema, JSON.parse(String(row['record'])), 'what was kept');
        return { row: id, posted_at: Number(row['posted_at']), notification };
      } catch (error) {
        this.#options.onProblem(`a notification that waited cannot be read: ${errorMessage(error)}`);
        this.remove(id);
        return [];
      }
    });
  }

  /** Whose notifications wait, also of notifiers that are not there any more. */
  notifiers(): string[] {
    const query = 'SELECT DISTINCT notifier FROM deliveries';
    const rows = this.#read(() => this.#options.database.prepare(query).all()) ?? [];
    return rows.map((row) => String(row['notifier']));
  }

  /** Removes what waits for a notifier, or only what is older than a row, and says how much that was. */
  forget(notifier: string, before = Number.MAX_SAFE_INTEGER): number {
    const query = 'DELETE FROM deliveries WHERE notifier = ? AND id < ?';
    const work = () => Number(this.#options.database.prepare(query).run(notifier, before).changes);
    return this.#write(work) ?? 0;
  }

  #write<T>(work: () => T): T | undefined {
    try {
      const result = work();
      this.#isTold = false;
      return result;
    } catch (error) {
      if (!this.#isTold)
        this.#options.onProblem(
          `notifications that wait cannot be written, and are kept in memory: ${errorMessage(error)}`,
        );
      this.#isTold = true;
      return undefined;
    }
  }

  #read<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#options.onProblem(`notifications that wait cannot be read: ${errorMessage(error)}`);
      return undefined;
    }
  }
}
