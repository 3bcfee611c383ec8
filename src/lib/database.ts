import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { DavitError, errorMessage } from './errors.ts';
import { failPoint } from './fail_point.ts';

/** SQLite's result codes for a file that is damaged or is no database (sqlite.org/rescode.html). */
const damagedCodes = new Set([11, 26]);

/** How many backups of states from before a migration are kept, beside the others. */
const keptVersions = 3;

export interface DatabaseOptions {
  /** The database's file. */
  readonly file: string;
  /**
   * The folder of its backups. null: there are none, for what is in it may be lost; then the whole of it, which may be
   * large, is not read through for damage either, and what is met later is for `setAside`.
   */
  readonly backups: string | null;
  /** Statements that lead from one version to the next; the version is how many have run. Never edit one that was released. */
  readonly migrations: readonly string[];
}

export interface OpenedDatabase {
  readonly database: DatabaseSync;
  /** What was wrong with the file that was found and what became of it, in sentences; empty when all was well. */
  readonly problems: readonly string[];
}

/**
 * Opens the database, creating or migrating it as needed; the state before a migration stays as a backup.
 * A file that is damaged, or that a newer version wrote,
 * is never overwritten: it is renamed, named in `problems`, and the newest good backup takes its place. Without one, a
 * damaged state begins anew, and a newer one is left alone and thrown as `state_newer`.
 * A file that cannot be opened for another reason (permission, disk) is left alone and thrown as `storage_unavailable`.
 */
export function openDatabase(options: DatabaseOptions): OpenedDatabase {
  const { file, migrations } = options;
  if (options.backups !== null) mkdirSync(options.backups, { recursive: true, mode: 0o700 });
  const backups = options.backups === null ? [] : backupFiles(options.backups);
  const extent = options.backups === null ? 'head' : 'whole';
  const fault = existsSync(file) ? findFault(file, migrations.length, backups.length > 0, extent) : null;
  if (fault === null && (existsSync(file) || backups.length === 0))
    return { database: open(options), problems: [] };
  const good = backups.findLast((backup) => findFault(backup, migrations.length, true) === null);
  if (fault?.kind === 'newer' && good === undefined) {
    const advice = 'and there is no backup that this one can read: use a davit that is at least as new';
    throw new DavitError('state_newer', `${file} ${fault.reason}, ${advice}`);
  }
  if (fault !== null && options.backups === null) {
    const kept = setAside(file, fault.kind);
    return {
      database: open(options),
      problems: [`${file} ${fault.reason}; it was kept as ${kept}, and begins anew`],
    };
  }
  const problems: string[] = [];
  if (fault !== null) problems.push(`${file} ${fault.reason}; it was kept as ${setAside(file, fault.kind)}`);
  if (good !== undefined) putCopy(good, file);
  problems.push(
    good === undefined
      ? 'there is no good backup: started with an empty state'
      : `started with the backup ${good}: what changed after it is not known`,
  );
  return { database: open(options), problems };
}

/** Writes a whole, consistent copy beside the others and removes all but the newest `keep`. The copy appears at once or not at all. */
export async function backUp(database: DatabaseSync, folder: string, keep: number): Promise<void> {
  const partial = join(folder, 'partial');
  rmSync(partial, { force: true });
  await backup(database, partial);
  chmodSync(partial, 0o600);
  failPoint('backup.written');
  renameSync(partial, join(folder, `${timeName()}.db`));
  const files = backupFiles(folder).filter((file) => !versionInName.test(file));
  for (const old of files.slice(0, -keep)) rmSync(old, { force: true });
}

/**
 * Writes a copy beside the other backups whose name tells the state's version, and removes all but the newest three of
 * this kind. Others may write to the database meanwhile. Returns the file.
 */
export function backUpVersion(file: string, folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const name = join(folder, `${timeName()}.version-${stateVersion(file)}.db`);
  const partial = join(folder, 'partial-version');
  rmSync(partial, { force: true });
  copyDatabase(file, partial);
  failPoint('backup.written');
  renameSync(partial, name);
  const files = backupFiles(folder).filter((each) => versionInName.test(each));
  for (const old of files.slice(0, -keptVersions)) rmSync(old, { force: true });
  return name;
}

/**
 * Goes back to what `backUpVersion` kept last of a version: the present file is renamed, the backup takes its place.
 * Nobody may have the database open. Returns both names; null, with nothing changed, when there is no good such backup.
 */
export function restoreVersion(
  file: string,
  folder: string,
  version: number,
): { readonly restored: string; readonly kept: string } | null {
  const names = existsSync(folder) ? backupFiles(folder) : [];
  const restored = names.findLast(
    (name) => name.endsWith(`.version-${version}.db`) && findFault(name, version, true) === null,
  );
  if (restored === undefined) return null;
  const kept = setAside(file, 'newer');
  putCopy(restored, file);
  return { restored, kept };
}

/** The version of the state in a file, which is left untouched. Throws `storage_unavailable` when it cannot be read. */
export function stateVersion(file: string): number {
  return untouched(file, readVersion);
}

/**
 * Writes a consistent copy, of mode 0600 and on the disk, also while others write. The original is only read.
 * Throws `storage_unavailable`.
 */
export function copyDatabase(file: string, target: string): void {
  untouched(file, (database) => {
    closeSync(openSync(target, 'w', 0o600));
    database.prepare('VACUUM INTO ?').run(target);
  });
  syncFile(target);
}

/** Reads a database without leaving anything beside it. */
function untouched<T>(file: string, read: (database: DatabaseSync) => T): T {
  // Without a log nobody has it open, and to read it in the usual way would make one.
  const isAtRest = !existsSync(`${file}-wal`);
  const url = pathToFileURL(file);
  if (isAtRest) url.searchParams.set('immutable', '1');
  let result: T;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(url, { readOnly: true });
    result = read(database);
  } catch (error) {
    throw unavailable(file, error);
  } finally {
    database?.close();
  }
  return isAtRest && existsSync(`${file}-wal`) ? untouched(file, read) : result;
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

function open({ file, backups, migrations }: DatabaseOptions): DatabaseSync {
  try {
    // Its neighbours get the mode of the file itself.
    closeSync(openSync(file, 'a', 0o600));
    const database = new DatabaseSync(file);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON');
    const version = readVersion(database);
    if (backups !== null && version > 0 && version < migrations.length) backUpVersion(file, backups);
    // Nothing is written where there is nothing to do: the disk may be full.
    if (version < migrations.length)
      transaction(database, () => {
        for (const migration of migrations.slice(version)) database.exec(migration);
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

function findFault(
  file: string,
  version: number,
  backupsExist: boolean,
  extent: 'whole' | 'head' = 'whole',
): Fault | null {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    const damage = extent === 'whole' ? damageOf(database) : null;
    if (damage !== null) return { kind: 'damaged', reason: `is damaged (${damage})` };
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
    if (isDamage(error)) {
      return { kind: 'damaged', reason: `is damaged (${errorMessage(error)})` };
    }
    throw unavailable(file, error);
  } finally {
    database?.close();
  }
}

/** Reads all of it. null: it is as it should be. */
function damageOf(database: DatabaseSync): string | null {
  const { quick_check } = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
  return quick_check === 'ok' ? null : quick_check;
}

/** Whether an error of SQLite says that the file is damaged, or is no database. */
export function isDamage(error: unknown): boolean {
  // The lowest byte is the code, the others say more.
  return damagedCodes.has(((error as { errcode?: number }).errcode ?? 0) & 0xff);
}

/** Renames a database that nobody has open, so that another can take its place. Returns its new name. */
export function setAside(file: string, kind: Fault['kind']): string {
  const kept = `${file}.${kind}-${timeName()}`;
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(file + suffix)) renameSync(file + suffix, kept + suffix);
  }
  return kept;
}

function readVersion(database: DatabaseSync): number {
  return (database.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
}

/** The copy appears whole or not at all. */
function putCopy(from: string, to: string): void {
  const partial = `${to}.partial`;
  copyFileSync(from, partial);
  syncFile(partial);
  renameSync(partial, to);
}

function syncFile(file: string): void {
  const descriptor = openSync(file, 'r+');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Now, as the part of a file's name that sorts by time. */
function timeName(): string {
  return new Date().toISOString().replaceAll(':', '-');
}

const versionInName = /\.version-\d+\.db$/;

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
