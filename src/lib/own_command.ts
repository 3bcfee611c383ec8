import { join } from 'node:path';
import { isSea } from 'node:sea';

/** The words that run this very program again: the binary alone, or Node and the source. */
export function ownCommand(): [string, ...string[]] {
  return isSea() ? [process.execPath] : [process.execPath, join(import.meta.dirname, '../main.ts')];
}
