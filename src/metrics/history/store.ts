import type { DatabaseSync } from 'node:sqlite';
import { transaction } from '../../lib/database.ts';
import type { Resolution } from './resolution.ts';

export interface Chunk {
  readonly start: number;
  readonly data: Uint8Array;
}

/** The row of a tick. */
interface StoredTick {
  readonly number: number;
  readonly at: number;
  readonly samples: Uint8Array;
}

/** Bytes that the log of writes is cut back to. */
const logSize = 8 * 2 ** 20;

/** The statements on the file of the history. Everything throws what SQLite throws. */
export class HistoryStore {
  readonly #database: DatabaseSync;
  readonly #statements;

  constructor(database: DatabaseSync) {
    this.#database = database;
    // Has an effect only on a database that is written anew, which a new one is.
    if (this.#pragma('auto_vacuum') !== 2) database.exec('PRAGMA auto_vacuum = INCREMENTAL; VACUUM');
    database.exec(`PRAGMA journal_size_limit = ${logSize}`);
    this.#statements = {
      series: database.prepare('SELECT id, key FROM series'),
      addSeries: database.prepare('INSERT INTO series (id, key) VALUES (?, ?)'),
      removeSeries: database.prepare('DELETE FROM series WHERE id = ?'),
      ticks: database.prepare('SELECT number, at, samples FROM ticks ORDER BY number'),
      addTick: database.prepare('INSERT INTO ticks (at, samples) VALUES (?, ?)'),
      removeTicks: database.prepare('DELETE FROM ticks WHERE number <= ?'),
      stretches: database.prepare(
        'SELECT start, times AS data FROM stretches WHERE start >= ? AND start < ? ORDER BY start',
      ),
      newest: database.prepare('SELECT max(start) AS start FROM stretches'),
      addStretch: database.prepare('INSERT OR REPLACE INTO stretches (start, times) VALUES (?, ?)'),
      removeStretches: database.prepare('DELETE FROM stretches WHERE start < ?'),
      chunks: database.prepare(
        `SELECT start, data FROM chunks WHERE series = ? AND resolution = ? AND start >= ? AND start < ?
         ORDER BY start`,
      ),
      addChunk: database.prepare(
        'INSERT OR REPLACE INTO chunks (series, resolution, start, data) VALUES (?, ?, ?, ?)',
      ),
      removeChunk: database.prepare('DELETE FROM chunks WHERE series = ? AND resolution = ? AND start = ?'),
      removeChunks: database.prepare('DELETE FROM chunks WHERE series = ? AND resolution = ? AND start < ?'),
      anyChunk: database.prepare('SELECT 1 FROM chunks WHERE series = ? LIMIT 1'),
      mergedUntil: database.prepare('SELECT merged_until FROM progress'),
      setMergedUntil: database.prepare('UPDATE progress SET merged_until = ?'),
    };
  }

  transaction(work: () => void): void {
    transaction(this.#database, work);
  }

  /** The number of each series by its key. */
  series(): Map<string, number> {
    return new Map(this.#statements.series.all().map(({ id, key }) => [String(key), Number(id)]));
  }

  addSeries(id: number, key: string): void {
    this.#statements.addSeries.run(id, key);
  }

  removeSeries(id: number): void {
    this.#statements.removeSeries.run(id);
  }

  /** In the order in which they came. */
  *ticks(): Generator<StoredTick> {
    for (const row of this.#statements.ticks.iterate()) yield row as unknown as StoredTick;
  }

  /** Returns the number of its row. */
  addTick(at: number, samples: Uint8Array): number {
    return Number(this.#statements.addTick.run(at, samples).lastInsertRowid);
  }

  /** Those up to the one with that number. */
  removeTicks(number: number): void {
    this.#statements.removeTicks.run(number);
  }

  /** The times of the ticks of stretches that begin within that time. */
  stretches(from: number, to: number): Chunk[] {
    return this.#statements.stretches.all(from, to) as unknown as Chunk[];
  }

  /** When the last stretch began whose chunks are written; null: there is none. */
  get newest(): number | null {
    const start = this.#statements.newest.get()?.['start'];
    return typeof start === 'number' ? start : null;
  }

  addStretch(start: number, times: Uint8Array): void {
    this.#statements.addStretch.run(start, times);
  }

  removeStretches(before: number): void {
    this.#statements.removeStretches.run(before);
  }

  /** Those that begin within that time, the earliest first. */
  chunks(series: number, resolution: Resolution, from: number, to: number): Chunk[] {
    return this.#statements.chunks.all(series, resolution, from, to) as unknown as Chunk[];
  }

  addChunk(series: number, resolution: Resolution, { start, data }: Chunk): void {
    this.#statements.addChunk.run(series, resolution, start, data);
  }

  removeChunk(series: number, resolution: Resolution, start: number): void {
    this.#statements.removeChunk.run(series, resolution, start);
  }

  /** Those that begin before that time. */
  removeChunks(series: number, resolution: Resolution, before: number): void {
    this.#statements.removeChunks.run(series, resolution, before);
  }

  hasChunks(series: number): boolean {
    return this.#statements.anyChunk.get(series) !== undefined;
  }

  /** Up to when small chunks have been made into larger ones, in milliseconds since the epoch. */
  get mergedUntil(): number {
    return Number(this.#statements.mergedUntil.get()?.['merged_until'] ?? 0);
  }

  set mergedUntil(time: number) {
    this.#statements.setMergedUntil.run(time);
  }

  /** Bytes of the file that hold something, and all of its bytes. */
  size(): { readonly used: number; readonly all: number } {
    const page = this.#pragma('page_size');
    const pages = this.#pragma('page_count');
    return { used: (pages - this.#pragma('freelist_count')) * page, all: pages * page };
  }

  /** Gives so many pages that hold nothing back to the disk. Not within a transaction. */
  shrink(pages: number): void {
    this.#database.exec(`PRAGMA incremental_vacuum(${pages})`);
  }

  close(): void {
    this.#database.close();
  }

  #pragma(name: 'auto_vacuum' | 'page_size' | 'page_count' | 'freelist_count'): number {
    return Number(Object.values(this.#database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
  }
}
