import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, lstatSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { chmod, lstat, mkdir, open, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError, systemErrorCode } from '../lib/errors.ts';
import { storageFailure } from './refusal.ts';
import { type Owner, unpack } from './unpack.ts';

interface ReleaseFoldersOptions {
  /** Where the folders of services are. */
  readonly root: string;
  /** Of whom they are: the data directory of the agent. */
  readonly agent: string;
  /** How much an archive may come to, in bytes. */
  readonly limit: () => number;
  readonly onProblem: (message: string) => void;
}

/** Everybody may go through to what is theirs, and see no names. */
const passable = 0o711;
const writableByOthers = 0o022;
const ownerFile = '.davit-agent';
const partial = '.unpacking-';
const currentLink = 'current';
/** Of a SHA-256, how much stands in the name of a folder: enough that nobody finds another archive with the same. */
const nameLength = 32;
const removalTimeout = 120_000;
const flushTimeout = 60_000;

/**
 * The folders with the files that releases run, one for each archive and account. They stand in a folder of the agent's
 * own, where the account can put nothing in their place.
 */
export class ReleaseFolders {
  readonly #options: ReleaseFoldersOptions;

  constructor(options: ReleaseFoldersOptions) {
    this.#options = options;
  }

  /** Where the files of an archive are for an account, once they have been unpacked. */
  directory(service: string, sha256: string, owner: Owner): string {
    return join(this.#options.root, service, folderName(sha256, owner));
  }

  /** Whether there is, or was, anything of a service. */
  has(service: string): boolean {
    return existsSync(join(this.#options.root, service));
  }

  /** Whether the files are there already. */
  isMade(service: string, sha256: string, owner: Owner): Promise<boolean> {
    return isDirectory(this.directory(service, sha256, owner));
  }

  /** Unpacks an archive, unless that has been done. It appears whole or not at all. Throws what `unpack` does. */
  async make(service: string, sha256: string, owner: Owner, archive: string): Promise<void> {
    if (await this.isMade(service, sha256, owner)) return;
    const directory = this.directory(service, sha256, owner);
    const temporary = join(this.#options.root, service, partial + randomBytes(8).toString('hex'));
    try {
      await this.#makeFolder(service);
      await mkdir(temporary, { mode: 0o700 });
      await unpack(archive, temporary, { owner, limit: this.#options.limit() });
      await flush(temporary);
      await rename(temporary, directory);
      await syncFolder(join(this.#options.root, service));
    } catch (error) {
      throw storageFailure(error, 'the archive cannot be unpacked');
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }

  /** Lets `current` lead to a folder of a service; null: there is none. */
  point(service: string, directory: string | null): void {
    const folder = join(this.#options.root, service);
    const link = join(folder, currentLink);
    if (directory === null) {
      rmSync(link, { force: true });
      return;
    }
    const name = directory.slice(folder.length + 1);
    if (lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() && readlinkSync(link) === name) return;
    const temporary = `${link}.${randomBytes(6).toString('hex')}`;
    symlinkSync(name, temporary);
    renameSync(temporary, link);
  }

  /** Removes the folders of other archives than these; null: all that there is of the service. */
  async keepOnly(service: string, kept: ReadonlySet<string> | null): Promise<void> {
    const names = new Set([...(kept ?? [])].map((sha256) => sha256.slice(0, nameLength)));
    const folder = join(this.#options.root, service);
    for (const name of await namesIn(folder)) {
      const [, hash] = /^([0-9a-f]{32})(?:-\d+-\d+)?$/.exec(name) ?? [];
      if (hash !== undefined && !names.has(hash)) await this.#remove(join(folder, name));
    }
    if (kept !== null) return;
    this.point(service, null);
    await rmdir(folder).catch((error) => {
      if (!/^(ENOENT|ENOTEMPTY)$/.test(systemErrorCode(error))) throw error;
    });
  }

  /** Removes what an agent that died left half unpacked, and all of services that are not known. */
  async tidy(isKnown: (service: string) => boolean): Promise<void> {
    const { root } = this.#options;
    if (!(await isDirectory(root))) return;
    await this.#claim();
    for (const service of await namesIn(root)) {
      const folder = join(root, service);
      if (!(await isDirectory(folder))) continue;
      for (const name of await namesIn(folder)) {
        const isLeft = name.startsWith(partial) || name.startsWith(`${currentLink}.`);
        // Nobody but the agent could reach it yet.
        if (isLeft) await rm(join(folder, name), { recursive: true, force: true });
      }
      if (!isKnown(service)) await this.keepOnly(service, null);
    }
  }

  async #makeFolder(service: string): Promise<void> {
    const { root } = this.#options;
    const folder = join(root, service);
    for (const place of [root, folder]) {
      await makePassable(place);
      const stat = await lstat(place);
      const isOurs = stat.uid === (process.geteuid?.() ?? stat.uid) && (stat.mode & writableByOthers) === 0;
      if (!stat.isDirectory() || !isOurs) {
        const message = `${place} must be a directory of the agent's account, in which nobody else may write`;
        throw new DavitError('storage_unavailable', message);
      }
      if (place === root) await this.#claim();
    }
  }

  /** Two agents must not take each other's files for leftovers. */
  async #claim(): Promise<void> {
    const { root, agent } = this.#options;
    const file = join(root, ownerFile);
    try {
      await writeFile(file, `${agent}\n`, { flag: 'wx', mode: 0o600 });
    } catch (error) {
      if (systemErrorCode(error) !== 'EEXIST') throw error;
      const owner = (await readFile(file, 'utf8')).trim();
      if (owner === agent) return;
      const message = `${root} is used by the agent of ${owner}; set artifacts to another folder`;
      throw new DavitError('storage_unavailable', message);
    }
  }

  /**
   * Removes a folder whose owner may still change it. With the rights of the agent, a link that is put into the way would
   * lead to the files of others; so its content goes with the rights of the owner.
   */
  async #remove(directory: string): Promise<void> {
    const { uid, gid } = await lstat(directory);
    if (uid === process.geteuid?.()) return rm(directory, { recursive: true, force: true });
    await run('rm', ['-rf', '--', directory], { uid, gid, timeout: removalTimeout });
    await rmdir(directory).catch((error) =>
      this.#options.onProblem(`${directory} is no longer needed, and cannot be removed: ${String(error)}`),
    );
  }
}

function folderName(sha256: string, owner: Owner): string {
  const name = sha256.slice(0, nameLength);
  return owner === null ? name : `${name}-${owner.uid}-${owner.gid}`;
}

/** What is there already keeps the permissions that somebody gave it. */
async function makePassable(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
    await chmod(folder, passable);
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
  }
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Files that were renamed into place must not be empty after a power cut. Where this cannot be had, the system does it later. */
async function flush(directory: string): Promise<void> {
  if (process.platform !== 'win32') await run('sync', ['-f', directory], { timeout: flushTimeout });
}

interface RunOptions {
  readonly uid?: number;
  readonly gid?: number;
  readonly timeout: number;
}

async function run(program: string, args: readonly string[], options: RunOptions): Promise<void> {
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
  const child = spawn(program, args, { ...options, env, cwd: '/', stdio: 'ignore', killSignal: 'SIGKILL' });
  // One that is not there, or fails, leaves its work to whoever looks at what came of it.
  await once(child, 'close').catch(() => {});
}
