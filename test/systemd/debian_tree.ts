import { execFile } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemErrorCode } from '../../src/lib/errors.ts';

const release = 'bookworm';

/** A minimal Debian that boots with systemd. It is made once a user, in 30 seconds, and only read after that. */
export async function debianTree(environment: NodeJS.ProcessEnv): Promise<string> {
  const cache = join(environment['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'davit-test');
  const tree = join(cache, `${release}-systemd`);
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  if (isOurs(tree)) return tree;
  const unfinished = mkdtempSync(`${tree}.`);
  try {
    const what = ['--variant=minbase', '--include=systemd,systemd-sysv,dbus,libpam-systemd', release];
    await promisify(execFile)('debootstrap', [...what, unfinished], { env: environment, maxBuffer: 2 ** 26 });
    // Users of that Debian must be able to enter it.
    chmodSync(unfinished, 0o755);
    renameSync(unfinished, tree);
  } catch (error) {
    // Another run may have been first.
    if (!['ENOTEMPTY', 'EEXIST'].includes(systemErrorCode(error))) throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return tree;
}

/** Its programs are run as root, so nobody else may have made it. */
function isOurs(tree: string): boolean {
  const stat = lstatSync(tree, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (stat.isDirectory() && stat.uid === process.getuid?.() && (stat.mode & 0o022) === 0) return true;
  throw new Error(`${tree} is not a directory of ours: remove it`);
}
