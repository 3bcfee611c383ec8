import { basename, dirname } from 'node:path';
import { DavitError } from '../lib/errors.ts';

/** The largest file that is read or written, in bytes. */
export const largestFile = 2 ** 20;

/** A file as it is. */
export interface FoundFile {
  readonly content: Buffer;
  /** Its permissions, such as 0o640. */
  readonly mode: number;
  /** Milliseconds since 1970. */
  readonly modified_at: number;
}

/** What a file is to become. */
export interface NewFile {
  readonly content: Buffer;
  readonly mode: number;
  /** The name that it has in its directory until it is whole. What has it is removed. */
  readonly temporary: string;
}

/**
 * Reads and replaces files with the rights of one account. No link is followed in place of a file. Each call throws
 * `config_unusable` that says why it cannot be done, or `storage_unavailable` on a full disk, with nothing changed.
 */
export interface FileAccess {
  /** Null: there is no such file, but a directory for it. */
  read(path: string): Promise<FoundFile | null>;
  /**
   * Makes the file, or replaces it as a whole. The owner and the group of the file that was there are kept as far as the
   * account may give files to them.
   */
  write(path: string, file: NewFile): Promise<void>;
  /** Removes the file, if there is one. */
  remove(path: string): Promise<void>;
}

/** A path taken apart. Throws `config_unusable` where it names no file. */
export function splitPath(path: string): { directory: string; name: string } {
  const name = basename(path);
  if (name === '' || name === '.' || name === '..' || path.endsWith('/'))
    throw unusable(path, 'it names no file');
  return { directory: dirname(path), name };
}

export function unusable(path: string, reason: string, cause?: unknown): DavitError {
  return new DavitError('config_unusable', `${path} cannot be used: ${reason}`, { cause });
}

/** Why files cannot be used, in the words of every account. */
export const reasons = {
  link: 'it is a symbolic link; name the file that it leads to',
  not_regular: 'it is no regular file',
  too_large: `it is larger than ${largestFile} bytes`,
} as const;
