import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessage, systemErrorCode } from '../lib/errors.ts';
import { writePrivateFile } from '../lib/private_file.ts';

const form = /^[0-9a-f]{64}$/;

/**
 * The key by which routers sign the cookies that keep a client with its instance, as hexadecimal digits. It is kept in a file
 * of the folder; one that cannot be read is made anew, which costs clients no more than their place.
 */
export function affinityKey(directory: string, onProblem: (message: string) => void): string {
  const file = join(directory, 'affinity.key');
  try {
    const kept = readFileSync(file, 'utf8').trim();
    if (form.test(kept)) return kept;
    onProblem(`${file} holds no key and is made anew`);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT')
      onProblem(`${file} cannot be read and is made anew: ${errorMessage(error)}`);
  }
  const key = randomBytes(32).toString('hex');
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writePrivateFile(file, `${key}\n`);
  } catch (error) {
    onProblem(`${file} cannot be written: ${errorMessage(error)}`);
  }
  return key;
}
