import type { DatabaseSync } from 'node:sqlite';
import type { Release } from '../contract/releases.ts';
import { spec } from '../contract/spec.ts';
import { transaction } from '../lib/database.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import type { StoredRelease } from './release.ts';
import type { Service } from './service.ts';

/** How many releases of a service are kept; the oldest go first, those that are current or run never. */
const keptReleases = 100;

/** Services and releases in SQLite. A write that fails throws `storage_unavailable`. */
export class ServiceStore {
  readonly #database: DatabaseSync;
  readonly #onCommit: () => void;
  readonly #beforeSave: () => void;
  readonly #statements;

  /**
   * @param onCommit called after a write that must outlive a power cut
   * @param beforeSave called before a service is written, so that the events that it names are written before it
   */
  constructor(database: DatabaseSync, onCommit: () => void, beforeSave: () => void = () => {}) {
    this.#database = database;
    this.#onCommit = onCommit;
    this.#beforeSave = beforeSave;
    const prepare = (sql: string) => database.prepare(sql);
    this.#statements = {
      services: prepare('SELECT record FROM services ORDER BY id'),
      save: prepare(
        'INSERT INTO services (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record',
      ),
      remove: prepare('DELETE FROM services WHERE id = ?'),
      releases: prepare('SELECT * FROM releases WHERE service = ? ORDER BY release DESC'),
      release: prepare('SELECT * FROM releases WHERE service = ? AND release = ?'),
      addRelease: prepare('INSERT INTO releases VALUES (?, ?, ?, ?, ?, ?, ?, ?)'),
      settle: prepare('UPDATE releases SET outcome = ?, cause = ? WHERE service = ? AND release = ?'),
      prune: prepare(
        'DELETE FROM releases WHERE service = ? AND release <= ? AND release NOT IN (SELECT value FROM json_each(?))',
      ),
      lastGood: prepare(
        `SELECT * FROM releases WHERE service = ? AND release < ? AND outcome = 'succeeded' ORDER BY release DESC LIMIT 1`,
      ),
    };
  }

  services(): Service[] {
    return this.#statements.services.all().map((row) => JSON.parse(row['record'] as string) as Service);
  }

  saveService(service: Service): void {
    this.#beforeSave();
    write(() => this.#statements.save.run(service.id, JSON.stringify(service)));
  }

  /** As `saveService`; with all that was written before, it is on the disk a moment later. */
  commitService(service: Service): void {
    this.saveService(service);
    this.#onCommit();
  }

  removeService(id: string): void {
    write(() => this.#statements.remove.run(id));
  }

  /** Newest first. */
  releases(id: string): StoredRelease[] {
    return this.#statements.releases.all(id).map(toRelease);
  }

  release(id: string, release: number): StoredRelease | null {
    const row = this.#statements.release.get(id, release);
    return row ? toRelease(row) : null;
  }

  /** The newest release before `release` that once ran well, or null. */
  lastGoodRelease(id: string, release: number): StoredRelease | null {
    const row = this.#statements.lastGood.get(id, release);
    return row ? toRelease(row) : null;
  }

  /** Keeps a new release together with the service that it belongs to: both or neither. Only a commit makes it last. */
  addRelease(service: Service, added: StoredRelease): void {
    const { release, reason, outcome, cause, created_at, created_by } = added;
    const { id } = service;
    const spec = JSON.stringify(added.spec);
    write(() =>
      transaction(this.#database, () => {
        this.#statements.save.run(id, JSON.stringify(service));
        this.#statements.addRelease.run(id, release, spec, reason, outcome, cause, created_at, created_by);
        const inUse = JSON.stringify(releasesInUse(service));
        this.#statements.prune.run(id, release - keptReleases, inUse);
      }),
    );
  }

  settleRelease(id: string, release: number, outcome: Release['outcome'], cause: string | null): void {
    write(() => this.#statements.settle.run(outcome, cause, id, release));
  }
}

/** Those that are current, run, or are to run again. */
function releasesInUse({ current_release, instances, under_way }: Service): number[] {
  const running = instances.flatMap(({ process }) => process?.release ?? []);
  return [current_release, ...running, under_way?.release ?? [], under_way?.before?.release ?? []].flat();
}

function toRelease(row: Record<string, unknown>): StoredRelease {
  // The schema fills in what a later version added.
  return { ...(row as unknown as StoredRelease), spec: spec.parse(JSON.parse(row['spec'] as string)) };
}

function write(work: () => void): void {
  try {
    work();
  } catch (cause) {
    throw new DavitError('storage_unavailable', `the state cannot be written: ${errorMessage(cause)}`, {
      cause,
    });
  }
}
