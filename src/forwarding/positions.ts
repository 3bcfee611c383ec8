import type { DatabaseSync } from 'node:sqlite';
import { transaction } from '../lib/database.ts';
import { errorMessage } from '../lib/errors.ts';
import { formatCursor, type Place, parseCursor } from '../logs/cursor.ts';

/** How far one target has got. */
export interface TargetPositions {
  /** Whose output it took when it was looked at last, as the configuration names them; null: it is new. */
  readonly services: readonly string[] | null;
  readonly places: ReadonlyMap<string, Place>;
}

/** How soon what has arrived is written, in milliseconds: so much is sent twice after a kill -9. */
const writtenAfter = 1_000;
/** What no service is called: here stands whose output a target takes. */
const noService = '';

/**
 * How far the output of each service has arrived at each target, in SQLite. A disk that takes nothing hinders nobody: more is
 * sent twice then, should the agent end.
 */
export class Positions {
  readonly #database: DatabaseSync;
  readonly #onProblem: (message: string) => void;
  readonly #save;
  readonly #delete;
  /** What is to be written, by target and service; null: removed. */
  readonly #unwritten = new Map<string, Map<string, (() => string) | null>>();
  #timer: NodeJS.Timeout | undefined;
  #isFailing = false;

  constructor(database: DatabaseSync, onProblem: (message: string) => void) {
    this.#database = database;
    this.#onProblem = onProblem;
    this.#save = database.prepare(
      `INSERT INTO forwarded_logs (target, service, cursor) VALUES (?, ?, ?)
       ON CONFLICT (target, service) DO UPDATE SET cursor = excluded.cursor`,
    );
    this.#delete = database.prepare('DELETE FROM forwarded_logs WHERE target = ? AND service = ?');
  }

  of(target: string): TargetPositions {
    this.flush();
    const rows = this.#database.prepare('SELECT service, cursor FROM forwarded_logs WHERE target = ?');
    const places = new Map<string, Place>();
    let services: readonly string[] | null = null;
    for (const row of rows.all(target)) {
      const [service, text] = [String(row['service']), String(row['cursor'])];
      try {
        if (service === noService) services = JSON.parse(text);
        else places.set(service, parseCursor(text));
      } catch {
        this.#onProblem(`how far "${target}" has got with the output of "${service}" cannot be read`);
      }
    }
    return { services, places };
  }

  /** Notes whose output a target takes. */
  noteServices(target: string, services: readonly string[]): void {
    this.#note(target, noService, () => JSON.stringify(services));
  }

  /** Notes how far a target has got; null: there is nothing to get any more. It is asked for when it is written. */
  note(target: string, service: string, place: (() => Place) | null): void {
    this.#note(target, service, place === null ? null : () => formatCursor(place()));
  }

  /** Forgets all targets but these. */
  keepOnly(targets: readonly string[]): void {
    for (const target of this.#unwritten.keys())
      if (!targets.includes(target)) this.#unwritten.delete(target);
    const list = JSON.stringify(targets);
    this.#try(() =>
      this.#database
        .prepare('DELETE FROM forwarded_logs WHERE target NOT IN (SELECT value FROM json_each(?))')
        .run(list),
    );
  }

  /** Writes what was noted. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#unwritten.size === 0) return;
    const isWritten = this.#try(() =>
      transaction(this.#database, () => {
        for (const [target, places] of this.#unwritten)
          for (const [service, text] of places)
            if (text === null) this.#delete.run(target, service);
            else this.#save.run(target, service, text());
      }),
    );
    if (isWritten) this.#unwritten.clear();
    else this.#plan();
  }

  /** Writes what was noted, and no more after it. */
  close(): void {
    this.flush();
    clearTimeout(this.#timer);
  }

  #note(target: string, service: string, text: (() => string) | null): void {
    const known = this.#unwritten.get(target) ?? new Map<string, (() => string) | null>();
    this.#unwritten.set(target, known.set(service, text));
    this.#plan();
  }

  #plan(): void {
    this.#timer ??= setTimeout(() => this.flush(), writtenAfter).unref();
  }

  #try(work: () => unknown): boolean {
    try {
      work();
      this.#isFailing = false;
      return true;
    } catch (error) {
      if (!this.#isFailing)
        this.#onProblem(
          `how far logs were forwarded cannot be written, it is tried again: ${errorMessage(error)}`,
        );
      this.#isFailing = true;
      return false;
    }
  }
}
