import { readFileSync } from 'node:fs';
import { join } from 'node:path';

// The build replaces both names by string constants, and the readers below then drop out of the bundle.
declare const DAVIT_VERSION: string;
declare const DAVIT_COMMIT: string;

/** The product's version, such as `0.1.0`. */
export const version: string = typeof DAVIT_VERSION === 'string' ? DAVIT_VERSION : versionOfCheckout();

/**
 * The short git hash of the source; with `-dirty` in a binary that was built from changed files; `unknown` where
 * there is no git history to ask.
 */
export const commit: string = typeof DAVIT_COMMIT === 'string' ? DAVIT_COMMIT : commitOfCheckout();

function versionOfCheckout(): string {
  return JSON.parse(readFileSync(fromRoot('package.json'), 'utf8')).version;
}

/** Reads git's files by hand, for importing a module must start no process. */
function commitOfCheckout(): string {
  try {
    const head = readFileSync(fromRoot('.git/HEAD'), 'utf8').trim();
    const hash = head.startsWith('ref: ') ? hashOfRef(head.slice('ref: '.length)) : head;
    return /^[0-9a-f]{40,64}$/.test(hash) ? hash.slice(0, 7) : 'unknown';
  } catch {
    return 'unknown';
  }
}

function hashOfRef(ref: string): string {
  try {
    return readFileSync(fromRoot('.git', ref), 'utf8').trim();
  } catch {
    const packed = readFileSync(fromRoot('.git/packed-refs'), 'utf8').split('\n');
    return packed.find((line) => line.endsWith(` ${ref}`))?.split(' ')[0] ?? '';
  }
}

function fromRoot(...path: string[]): string {
  return join(import.meta.dirname, '../..', ...path);
}
