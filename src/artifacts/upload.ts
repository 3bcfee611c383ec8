import { createHash } from 'node:crypto';
import { open, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { DavitError, systemErrorCode } from '../lib/errors.ts';
import { storageFailure } from './refusal.ts';

interface UploadOptions {
  /** How large it may be, in bytes. */
  readonly limit: number;
  /** How large it says that it is, in bytes; null: it does not say. */
  readonly expected: number | null;
  /** Milliseconds in which at least `leastBytes` must come. */
  readonly patience: number;
}

/** What has to come in each while, in bytes: whoever sends less keeps a place that others need. */
export const leastBytes = 32_768;
/** What is left on the disk for others, in bytes. */
const reserve = 64 * 2 ** 20;

/**
 * Writes what comes into a new file, and gives its SHA-256 and its size. Throws `body_too_large`, `storage_unavailable`, or
 * `invalid_request` where it stands still or breaks off; what there is of the file then is for the caller to remove. What
 * has not been read of the source stays in it.
 */
export async function writeUpload(
  source: Readable,
  file: string,
  options: UploadOptions,
): Promise<{ readonly sha256: string; readonly size: number }> {
  const { limit, expected, patience } = options;
  if (expected !== null && expected > limit) throw tooLarge(limit);
  await requireSpace(dirname(file), expected ?? 0);
  const hash = createHash('sha256');
  let size = 0;
  const target = await open(file, 'wx', 0o600);
  try {
    for await (const chunk of withoutStanding(source, patience)) {
      size += chunk.length;
      if (size > limit) throw tooLarge(limit);
      hash.update(chunk);
      await target.writeFile(chunk);
    }
    await target.sync();
  } catch (error) {
    throw understood(error);
  } finally {
    await target.close();
  }
  return { sha256: hash.digest('hex'), size };
}

/** What comes, as long as enough of it does. The source is not closed: who sends it is still to be answered. */
async function* withoutStanding(source: Readable, patience: number): AsyncGenerator<Buffer> {
  let came = 0;
  // Null while nothing is waited for: a disk that is slow is no fault of the sender.
  let giveUp: ((error: DavitError) => void) | null = null;
  const watch = setInterval(() => {
    if (came < leastBytes) giveUp?.(stoodStill(patience));
    came = 0;
  }, patience);
  const chunks = source.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      // A promise of its own for each: what is raced against one that lasts stays in memory with it.
      const { done, value } = await new Promise<IteratorResult<Buffer>>((resolve, reject) => {
        giveUp = reject;
        chunks.next().then(resolve, reject);
      });
      giveUp = null;
      if (done === true) return;
      came += value.length;
      yield value;
    }
  } finally {
    clearInterval(watch);
  }
}

/** An upload of which too little came for so many milliseconds. */
export function stoodStill(patience: number): DavitError {
  return new DavitError('invalid_request', `the upload stood still for ${patience / 1_000} s`);
}

async function requireSpace(folder: string, wanted: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= wanted + reserve) return;
  throw new DavitError('storage_unavailable', 'there is not enough room on the disk for the upload');
}

function tooLarge(limit: number): DavitError {
  return new DavitError('body_too_large', `the artifact is larger than ${limit} bytes (artifact_limit)`);
}

function understood(error: unknown): unknown {
  const code = systemErrorCode(error);
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return new DavitError('invalid_request', 'the request ended before its body did', { cause: error });
  return storageFailure(error, 'the upload cannot be written');
}
