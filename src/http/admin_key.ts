import { closeSync, constants, openSync, readSync } from 'node:fs';
import { DavitError, errorMessage, systemErrorCode } from '../lib/errors.ts';
import { noFollow, writePrivateFile } from '../lib/private_file.ts';
import type { ApiKeys } from './api_keys.ts';

export interface AdminKeyReport {
  /** A key was made and written to the file. */
  readonly made: boolean;
  /** Why what is in the file is of no use, as a sentence; null: all is well. */
  readonly problem: string | null;
}

/**
 * Makes sure that somebody can come in: an admin key in `file` (0600), which the command line on this host picks up.
 * One is made when there is no valid admin key at all, or when the file is empty, which is how its owner asks for another.
 * A file that was taken away while admin keys are valid stays away: somebody put the key into a safer place.
 */
export function ensureAdminKey(keys: ApiKeys, file: string): AdminKeyReport {
  const found = readKey(file);
  if (found === '' || !keys.hasAdmin()) {
    const admin = { name: 'admin', scopes: ['admin'], services: null, expires_at: null } as const;
    keys.create(admin, (secret) => write(file, `${secret}\n`));
    return { made: true, problem: null };
  }
  if (found === null || keys.verify(found) !== null) return { made: false, problem: null };
  return {
    made: false,
    problem: `the key in ${file} is not valid any more; empty the file and restart the agent to get a new one`,
  };
}

/** null: there is no file. */
function readKey(file: string): string | null {
  try {
    const descriptor = openSync(file, constants.O_RDONLY | noFollow);
    try {
      const buffer = Buffer.alloc(1024);
      return buffer.toString('utf8', 0, readSync(descriptor, buffer)).trim();
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return null;
    throw new DavitError('storage_unavailable', `cannot read ${file}: ${errorMessage(cause)}`, { cause });
  }
}

function write(file: string, text: string): void {
  try {
    writePrivateFile(file, text);
  } catch (cause) {
    throw new DavitError('storage_unavailable', `cannot write ${file}: ${errorMessage(cause)}`, { cause });
  }
}
