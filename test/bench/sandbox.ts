import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killAllOf } from './processes.ts';

const runs = join(tmpdir(), 'davit-bench-runs');

/**
 * A new folder, away from what earlier runs deleted: ext4 searches long for a free inode near many that were deleted
 * within the last minutes, which would slow down most whoever creates most files. The attribute T makes it look for
 * another place on the disk for each folder in `runs`; other file systems neither know nor need it.
 */
function makeRunFolder(): string {
  mkdirSync(runs, { recursive: true });
  try {
    execFileSync('chattr', ['+T', runs], { stdio: 'ignore' });
  } catch {
    // The head of the report tells what creating a file takes.
  }
  return mkdtempSync(join(runs, 'run-'));
}

/** A folder of its own for one run; what runs in it and what lies in it is gone after `close`. */
export class Sandbox {
  readonly folder = makeRunFolder();
  readonly #open = new Set<() => Promise<void>>();
  #made = 0;
  #closing: Promise<void> | null = null;

  /** A new empty folder inside; throws once the sandbox is being closed, so that nothing new starts then. */
  makeFolder(name: string): string {
    if (this.#closing !== null) throw new Error('the run was cut short');
    this.#made += 1;
    const folder = join(this.folder, `${this.#made}-${name}`);
    mkdirSync(folder, { mode: 0o700 });
    return folder;
  }

  /** Runs `use` and then `close`; when the run is cut short, `close` is left to the sandbox. */
  async using<T>(close: () => Promise<void>, use: () => Promise<T>): Promise<T> {
    this.#open.add(close);
    try {
      return await use();
    } finally {
      this.#open.delete(close);
      await close();
    }
  }

  /** Closes what is open, kills every process that is left and removes the folder. */
  close(): Promise<void> {
    this.#closing ??= this.#clear();
    return this.#closing;
  }

  async #clear(): Promise<void> {
    await Promise.allSettled([...this.#open].map((close) => close()));
    await killAllOf(this.folder);
    rmSync(this.folder, { recursive: true, force: true });
    try {
      rmdirSync(runs);
    } catch {
      // Another run is under way.
    }
  }
}
