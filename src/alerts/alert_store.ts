import type { DatabaseSync } from 'node:sqlite';
import { transaction } from '../lib/database.ts';
import { errorMessage } from '../lib/errors.ts';
import { validate } from '../lib/validation.ts';
import { type AlertRecord, alertRecord } from './alert_record.ts';

/** How many alerts are kept that are over. */
const keptResolved = 1_000;
/** How many changes wait at most while nothing can be written. */
const mostWaiting = 20_000;

/** A place among those that are over. */
export type AlertPlace = Pick<AlertRecord, 'id'> & { readonly resolved_at: number };

/** Alerts in SQLite: those that are pending or fire, and the last ones that are over. What cannot be written is written with the next change. */
export class AlertStore {
  readonly #database: DatabaseSync;
  readonly #onProblem: (message: string) => void;
  readonly #statements;
  /** By id; null: to be deleted. */
  readonly #waiting = new Map<string, AlertRecord | null>();
  #isBroken = false;

  constructor(database: DatabaseSync, onProblem: (message: string) => void) {
    this.#database = database;
    this.#onProblem = onProblem;
    const prepare = (sql: string) => database.prepare(sql);
    this.#statements = {
      save: prepare(
        `INSERT INTO alerts (id, rule, service, state, started_at, resolved_at, record) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, resolved_at = excluded.resolved_at, record = excluded.record`,
      ),
      remove: prepare('DELETE FROM alerts WHERE id = ?'),
      find: prepare('SELECT id, record FROM alerts WHERE id = ?'),
      live: prepare("SELECT id, record FROM alerts WHERE state <> 'resolved' ORDER BY started_at"),
      resolved: prepare(
        "SELECT id, record FROM alerts WHERE state = 'resolved' ORDER BY resolved_at DESC, id DESC",
      ),
      resolvedBefore: prepare(
        `SELECT id, record FROM alerts WHERE state = 'resolved' AND (resolved_at, id) < (?, ?)
         ORDER BY resolved_at DESC, id DESC`,
      ),
      prune: prepare(
        `DELETE FROM alerts WHERE state = 'resolved' AND id NOT IN
         (SELECT id FROM alerts WHERE state = 'resolved' ORDER BY resolved_at DESC, id DESC LIMIT ${keptResolved})`,
      ),
    };
  }

  /** Those that are not over, oldest first. */
  live(): AlertRecord[] {
    return this.#read([...this.#statements.live.all()]);
  }

  /** Those that are over, the newest first; before a place, where one is given. */
  resolved(before: AlertPlace | null = null): AlertRecord[] {
    this.flush();
    const { resolved, resolvedBefore } = this.#statements;
    return this.#read([
      ...(before === null ? resolved.all() : resolvedBefore.all(before.resolved_at, before.id)),
    ]);
  }

  find(id: string): AlertRecord | null {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) return waiting;
    const row = this.#statements.find.get(id);
    return row === undefined ? null : (this.#read([row])[0] ?? null);
  }

  /** Writes it with the next `flush`. */
  save(record: AlertRecord): void {
    this.#note(record.id, record);
  }

  /** Forgets one, with the next `flush`. */
  remove(id: string): void {
    this.#note(id, null);
  }

  /** Writes what has changed, all at once. */
  flush(): void {
    if (this.#waiting.size === 0) return;
    try {
      transaction(this.#database, () => this.#write());
      this.#waiting.clear();
      this.#isBroken = false;
    } catch (error) {
      if (!this.#isBroken)
        this.#onProblem(`alerts cannot be written, and are tried again: ${errorMessage(error)}`);
      this.#isBroken = true;
    }
  }

  #note(id: string, record: AlertRecord | null): void {
    if (this.#waiting.size >= mostWaiting && !this.#waiting.has(id)) {
      const [oldest = ''] = this.#waiting.keys();
      this.#waiting.delete(oldest);
    }
    this.#waiting.set(id, record);
  }

  #write(): void {
    const { save, remove, prune } = this.#statements;
    let isOver = false;
    for (const [id, record] of this.#waiting) {
      if (record === null) {
        remove.run(id);
        continue;
      }
      const { rule, service, state, started_at, resolved_at } = record;
      save.run(id, rule, service, state, started_at, resolved_at, JSON.stringify(record));
      isOver ||= state === 'resolved';
    }
    if (isOver) prune.run();
  }

  #read(rows: readonly Readonly<Record<string, unknown>>[]): AlertRecord[] {
    return rows.flatMap(({ id, record }) => {
      try {
        return validate(alertRecord, JSON.parse(String(record)), 'what was kept');
      } catch (error) {
        this.#onProblem(`an alert cannot be read and is forgotten: ${errorMessage(error)}`);
        this.remove(String(id));
        return [];
      }
    });
  }
}
