import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { DavitError, errorMessage } from './errors.ts';

/** SQLite's result codes for a file that is damaged or is no database (sqlite.org/rescode.html). */
const damagedCodes = new Set([11, 26]);

export interface DatabaseOptions {
  /** The database's file. */
  readonly file: string;
  /** The folder of its backups. */
  readonly backups: string;
  /** Statements that lead from one version to the next; the version is how many have run. Never edit one that was released. */
  readonly migrations: readonly string[];
}

export interface OpenedDatabase {
  readonly database: DatabaseSync;
  /** What was wrong with the file that was found and what became of it, in sentences; empty when all was well. */
  readonly problems: readonly string[];
}

/**
 * Opens the database, creating or migrating it as needed. A file that is damaged, or that a newer version wrote,
 * is never overwritten: it is renamed, named in `problems`, and the newest good backup takes its place.
 * A file that cannot be opened for another reason (permission, disk) is left alone and thrown as `storage_unavailable`.
 */
export function openDatabase(options: DatabaseOptions): OpenedDatabase {
  mkdirSync(options.backups, { recursive: true, mode: 0o700 });
  const backups = backupFiles(options.backups);
  const problems: string[] = [];
  if (existsSync(options.file)) {
    const fault = findFault(options.file, options.migrations.length, backups.length > 0);
    if (fault === null) return { database: open(options), problems };
    problems.push(`${options.file} ${fault.reason}; it was kept as ${setAside(options.file, fault.kind)}`);
  }
  for (const file of backups.toReversed()) {
    if (findFault(file, options.migrations.length, true) !== null) continue;
    copyFileSync(file, options.file);
    problems.push(`started with the backup ${file}: what changed after it is not known`);
    return { database: open(options), problems };
  }
  if (problems.length > 0) problems.push('there is no good backup: started with an empty state');
  return { database: open(options), problems };
}

/** Writes a whole, consistent copy beside the others and removes all but the newest `keep`. The copy appears at once or not at all. */
export async function backUp(database: DatabaseSync, folder: string, keep: number): Promise<void> {
  const name = `${new Date().toISOString().replaceAll(':', '-')}.db`;
  const partial = join(folder, 'partial');
  rmSync(partial, { force: true });
  await backup(database, partial);
  chmodSync(partial, 0o600);
  renameSync(partial, join(folder, name));
  for (const old of backupFiles(folder).slice(0, -keep)) rmSync(old, { force: true });
}

/**
 * Runs `work` in one transaction that is on the disk when this returns; when it throws, nothing of it is kept.
 * Writes outside of it survive the process, but a power cut may take the last of them.
 */
export function durableTransaction(database: DatabaseSync, work: () => void): void {
  database.exec('PRAGMA synchronous = FULL');
  try {
    transaction(database, work);
  } finally {
    database.exec('PRAGMA synchronous = NORMAL');
  }
}

/** Runs `work` in one transaction; when it throws, nothing of it is kept. */
export function transaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function open({ file, migrations }: DatabaseOptions): DatabaseSync {
  try {
    // Its neighbours get the mode of the file itself.
    closeSync(openSync(file, 'a', 0o600));
    const database = new DatabaseSync(file);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON');
    transaction(database, () => {
      for (const migration of migrations.slice(readVersion(database))) database.exec(migration);
      database.exec(`PRAGMA user_version = ${migrations.length}`);
    });
    return database;
  } catch (error) {
    throw unavailable(file, error);
  }
}

interface Fault {
  readonly kind: 'damaged' | 'newer';
  readonly reason: string;
}

function findFault(file: string, version: number, backupsExist: boolean): Fault | null {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    const check = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
    if (check.quick_check !== 'ok') return { kind: 'damaged', reason: `is damaged (${check.quick_check})` };
    const found = readVersion(database);
    if (found > version) {
      return {
        kind: 'newer',
        reason: `was written by a newer version (state version ${found}, this one reads up to ${version})`,
      };
    }
    if (found === 0 && backupsExist) return { kind: 'damaged', reason: 'is empty' };
    return null;
  } catch (error) {
    if (damagedCodes.has((error as { errcode?: number }).errcode ?? 0)) {
      return { kind: 'damaged', reason: `is damaged (${errorMessage(error)})` };
    }
    throw unavailable(file, error);
  } finally {
    database?.close();
  }
}

function setAside(file: string, kind: Fault['kind']): string {
  const kept = `${file}.${kind}-${new Date().toISOString().replaceAll(':', '-')}`;
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(file + suffix)) renameSync(file + suffix, kept + suffix);
  }
  return kept;
}

function readVersion(database: DatabaseSync): number {
  return (database.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
}

/** Oldest first: their names are the times at which they were made. */
function backupFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.db'))
    .sort()
    .map((name) => join(folder, name));
}

function unavailable(file: string, cause: unknown): DavitError {
  return new DavitError('storage_unavailable', `cannot open ${file}: ${errorMessage(cause)}`, { cause });
}
