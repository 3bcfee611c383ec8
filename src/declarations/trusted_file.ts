import { constants, type Stats } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { noFollow } from '../lib/private_file.ts';

const writableByOthers = 0o022;
const sticky = 0o1000;

/**
 * The text of a file that says what is run, so that nobody may have a hand in it but root and the agent's own account: it
 * is no link, is theirs, and cannot be written by others, and neither can the folders that lead to it. Throws
 * `invalid_request` otherwise.
 * @param most the greatest size, in bytes
 */
export async function readTrusted(file: string, most: number): Promise<string> {
  await requireTrustedFolders(dirname(file));
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    // What is not a file, such as a pipe, must not hold us up.
    handle = await open(file, constants.O_RDONLY | noFollow | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    const why = (cause as { code?: string }).code === 'ELOOP' ? 'is a link' : errorMessage(cause);
    throw refused(file, why, cause);
  }
  try {
    const facts = await handle.stat();
    if (!facts.isFile()) throw refused(file, 'is no file');
    requireOurs(file, facts, facts.mode & writableByOthers);
    if (facts.size > most) throw refused(file, `is larger than ${most / 1_000_000} MB`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** The folder and all above it. In one with the sticky bit, such as /tmp, nobody can replace what is another's. */
async function requireTrustedFolders(folder: string): Promise<void> {
  for (let current = folder; ; current = dirname(current)) {
    const facts = await lstat(current);
    if (!facts.isDirectory()) throw refused(current, 'is a link');
    requireOurs(current, facts, facts.mode & sticky ? 0 : facts.mode & writableByOthers);
    if (dirname(current) === current) return;
  }
}

function requireOurs(path: string, { uid }: Stats, writable: number): void {
  if (process.platform === 'win32') return;
  if (uid !== 0 && uid !== process.getuid?.())
    throw refused(path, `belongs to the user ${uid}, and must belong to root or to the agent's user`);
  if (writable !== 0) throw refused(path, 'can be written by others: chmod go-w');
}

function refused(path: string, why: string, cause?: unknown): DavitError {
  return new DavitError('invalid_request', `${path} ${why}`, { cause });
}
