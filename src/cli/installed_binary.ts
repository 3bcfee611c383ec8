import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  createReadStream,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { failPoint } from '../lib/fail_point.ts';

/** The file that a unit starts. It is only ever replaced as a whole, by a rename. */
export class InstalledBinary {
  /** Without symbolic links: what is replaced is the file. */
  readonly path: string;
  /** The binary from before, kept beside it. */
  readonly previous: string;
  /** The next one, until it takes its place. */
  readonly staged: string;

  constructor(program: string) {
    try {
      this.path = realpathSync(program);
    } catch (cause) {
      throw new DavitError('unit_unusable', `${program}, which the unit starts, is not there`, { cause });
    }
    this.previous = `${this.path}.previous`;
    this.staged = `${this.path}.upgrade-${process.pid}`;
  }

  /** Takes away what an upgrade left that was killed. Nobody else may be upgrading. */
  removeLeftovers(): void {
    const folder = dirname(this.path);
    const prefix = `${basename(this.path)}.upgrade-`;
    for (const name of readdirSync(folder)) {
      if (name.startsWith(prefix)) rmSync(join(folder, name), { force: true });
    }
  }

  /** Copies a binary beside the present one, where it can be tried and, by a rename, put in force. */
  stage(from: string): void {
    try {
      copyFileSync(from, this.staged, constants.COPYFILE_EXCL);
      chmodSync(this.staged, 0o755);
      sync(this.staged);
    } catch (cause) {
      rmSync(this.staged, { force: true });
      const message = `${from} cannot be copied into ${dirname(this.path)}, so nothing was changed: ${errorMessage(cause)}`;
      throw new DavitError('upgrade_refused', message, { cause });
    }
    failPoint('upgrade.staged');
  }

  /** Whether the staged binary is, byte by byte, the one in place. */
  async isStaged(): Promise<boolean> {
    const files = [this.path, this.staged] as const;
    const [length, other] = files.map((file) => statSync(file).size);
    if (length !== other) return false;
    const [present, staged] = await Promise.all(files.map(hashOf));
    return present === staged;
  }

  /** Whether a process was started from the file that is in place now, and not from one before it. */
  isRunBy(pid: number): boolean {
    return pid === 0 || executableOf(pid) !== `${this.path} (deleted)`;
  }

  /** Keeps the binary that runs as `previous`; after an interrupted upgrade that is not the one in place. */
  keepPresent(pid: number): void {
    const running = `/proc/${pid}/exe`;
    if (this.isRunBy(pid)) this.#put(this.path, this.previous);
    else if (!isSameFile(running, this.previous)) this.#put(running, this.previous);
    failPoint('upgrade.kept');
  }

  /** Puts the staged binary in force. */
  swap(): void {
    renameSync(this.staged, this.path);
    sync(dirname(this.path));
    failPoint('upgrade.swapped');
  }

  /** Puts the previous binary in force again. */
  putBack(): void {
    renameSync(this.previous, this.path);
    sync(dirname(this.path));
    failPoint('upgrade.put_back');
  }

  /** One file also under the name of another, which it replaces at once. */
  #put(from: string, to: string): void {
    const partial = `${this.path}.upgrade-kept`;
    rmSync(partial, { force: true });
    try {
      linkSync(from, partial);
    } catch {
      // Not every file system has links, and no link leads to what was deleted.
      copyFileSync(from, partial);
      chmodSync(partial, 0o755);
      sync(partial);
    }
    renameSync(partial, to);
    // A rename onto another name of the same file does nothing.
    rmSync(partial, { force: true });
  }
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function executableOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((file) => statSync(file, { throwIfNoEntry: false }));
  return a !== undefined && a.ino === b?.ino && a.dev === b.dev;
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
