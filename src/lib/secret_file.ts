import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { errorMessage } from './errors.ts';

/** The largest file that is taken for a secret, in bytes. */
const largestSecret = 65_536;

/**
 * The secret in a file, without the white space around it: one line that can stand in a header. Throws an Error that
 * names the file and what is wrong with it, and never what stands in it.
 */
export async function readSecret(file: string): Promise<string> {
  const secret = (await readSmallFile(file, largestSecret)).trim();
  if (secret === '') throw new Error(`${file} is empty`);
  if (!/^[\x20-\x7e\x80-\uffff]+$/.test(secret)) throw new Error(`${file} holds more than one line of text`);
  return secret;
}

/** The text of a file of at most so many bytes. Throws an Error that names the file and what is wrong with it. */
export async function readSmallFile(file: string, largest: number): Promise<string> {
  try {
    // A pipe in its place must not be waited for.
    await using handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const facts = await handle.stat();
    if (!facts.isFile()) throw new Error('it is not a file');
    if (facts.size > largest) throw new Error(`it has more than ${largest} bytes`);
    return await handle.readFile('utf8');
  } catch (error) {
    throw new Error(`${file} cannot be read: ${errorMessage(error)}`, { cause: error });
  }
}
