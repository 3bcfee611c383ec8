import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DavitError } from './errors.ts';

/** SQLITE_BUSY: another process holds the lock. */
const busy = 5;

/**
 * Makes sure that one process at a time uses a directory, and returns what gives it free; whoever lets go of that
 * gives the directory free, too.
 * The lock is SQLite's (fcntl): the system drops it with the process, however that ends, and children do not inherit it.
 * Throws `state_conflict` with the pid of the process that holds it.
 */
export function lockDirectory(directory: string): () => void {
  const pidFile = join(directory, 'agent.pid');
  const lockFile = join(directory, 'agent.lock');
  closeSync(openSync(lockFile, 'a', 0o600));
  const lock = new DatabaseSync(lockFile);
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode !== busy) throw error;
    throw new DavitError('state_conflict', `another agent (pid ${readPid(pidFile)}) uses ${directory}`, {
      cause: error,
    });
  }
  notePid(pidFile);
  return () => lock.close();
}

/** Only for the sentence that another process gets: a full disk is no reason not to use the directory. */
function notePid(file: string): void {
  try {
    writeFileSync(file, `${process.pid}\n`, { mode: 0o600 });
  } catch {
    rmSync(file, { force: true });
  }
}

function readPid(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim() || 'unknown';
  } catch {
    return 'unknown';
  }
}
