import type { DatabaseSync } from 'node:sqlite';
import { type NewNotifier, newNotifier } from '../../contract/notifiers.ts';
import { durableTransaction } from '../../lib/database.ts';
import { DavitError, errorMessage } from '../../lib/errors.ts';

interface NotifierStoreOptions {
  readonly database: DatabaseSync;
  readonly onProblem: (message: string) => void;
}

/** How many notifiers the API may make. */
const most = 100;

/** The notifiers of the API with their secrets, in memory and in SQLite. A change is refused when it cannot be written (`storage_unavailable`). */
export class NotifierStore {
  readonly #options: NotifierStoreOptions;
  readonly #notifiers = new Map<string, NewNotifier>();
  readonly #save;
  readonly #delete;

  constructor(options: NotifierStoreOptions) {
    this.#options = options;
    const { database } = options;
    this.#save = database.prepare(
      'INSERT INTO notifiers (name, record) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET record = excluded.record',
    );
    this.#delete = database.prepare('DELETE FROM notifiers WHERE name = ?');
    for (const row of database.prepare('SELECT record FROM notifiers ORDER BY rowid').all())
      this.#load(String(row['record']));
  }

  /** In the order in which they were made. */
  all(): NewNotifier[] {
    return [...this.#notifiers.values()];
  }

  has(name: string): boolean {
    return this.#notifiers.has(name);
  }

  /** Throws `notifier_not_found`. */
  get(name: string): NewNotifier {
    const notifier = this.#notifiers.get(name);
    if (notifier !== undefined) return notifier;
    throw new DavitError('notifier_not_found', `there is no notifier "${name}"`);
  }

  /** Makes one, or another of one. Throws `state_conflict` when there are too many. */
  keep(notifier: NewNotifier): void {
    const { name } = notifier;
    if (!this.#notifiers.has(name) && this.#notifiers.size >= most)
      throw new DavitError('state_conflict', `there are ${most} notifiers already, which is the most`);
    this.#write(() => this.#save.run(name, JSON.stringify(notifier)));
    this.#notifiers.set(name, notifier);
  }

  remove(name: string): void {
    this.#write(() => this.#delete.run(name));
    this.#notifiers.delete(name);
  }

  #write(work: () => void): void {
    try {
      durableTransaction(this.#options.database, work);
    } catch (cause) {
      const message = `the notifiers cannot be written: ${errorMessage(cause)}`;
      throw new DavitError('storage_unavailable', message, { cause });
    }
  }

  /** What is wrong with it may name its secrets, and is not told. */
  #load(record: string): void {
    try {
      const notifier = newNotifier.parse(JSON.parse(record));
      this.#notifiers.set(notifier.name, notifier);
    } catch {
      this.#options.onProblem('a notifier of the API cannot be read and does not count');
    }
  }
}
