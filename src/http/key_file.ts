import { readFileSync, statSync } from 'node:fs';
import { DavitError, errorMessage } from '../lib/errors.ts';

/** More than any key, certificate or list of authorities needs, in bytes. */
const greatestSize = 1_048_576;

/**
 * Reads a file that a setting names: a key, a secret, certificates. Links are followed: renewal tools keep links.
 * Throws `invalid_request` that names the setting and the file.
 */
export function readKeyFile(setting: string, file: string): string {
  try {
    const facts = statSync(file);
    if (!facts.isFile()) throw new Error('it is no regular file');
    if (facts.size > greatestSize) throw new Error(`it is larger than ${greatestSize} bytes`);
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new DavitError('invalid_request', `${setting}: cannot read ${file}: ${errorMessage(cause)}`, {
      cause,
    });
  }
}

/** A warning when others than the owner and the group may read a file that holds a secret; null: all is well. */
export function exposure(setting: string, file: string): string | null {
  if (process.platform === 'win32' || (statSync(file).mode & 0o007) === 0) return null;
  return `${setting}: every user of this host may read ${file}; take that away with chmod o= ${file}`;
}
