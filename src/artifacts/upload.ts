import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DavitError } from '../lib/errors.ts';
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
const leastBytes = 32_768;
/** What is left on the disk for others, in bytes. */
const reserve = 64 * 2 ** 20;

/**
 * Writes what comes into a new file, and gives its SHA-256 and its size. Throws `body_too_large`, `storage_unavailable`, or
 * `invalid_request` where it stands still or breaks off; what there is of the file then is for the caller to remove.
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
  const stalled = new AbortController();
  let size = 0;
  let before = 0;
  const watch = setInterval(() => {
    if (size - before < leastBytes) stalled.abort();
    before = size;
  }, patience);
  const measure = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      size += chunk.length;
      if (size > limit) throw tooLarge(limit);
      hash.update(chunk);
      yield chunk;
    }
  };
  try {
    const target = createWriteStream(file, { flags: 'wx', mode: 0o600, flush: true });
    await pipeline(source, measure, target, { signal: stalled.signal });
  } catch (error) {
    if (stalled.signal.aborted)
      throw new DavitError('invalid_request', `the upload stood still for ${patience / 1_000} s`);
    throw broken(error);
  } finally {
    clearInterval(watch);
  }
  return { sha256: hash.digest('hex'), size };
}

async function requireSpace(folder: string, wanted: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= wanted + reserve) return;
  throw new DavitError('storage_unavailable', 'there is not enough room on the disk for the upload');
}

function tooLarge(limit: number): DavitError {
  return new DavitError('body_too_large', `the artifact is larger than ${limit} bytes (artifact_limit)`);
}

function broken(error: unknown): unknown {
  const { code } = error as { code?: unknown };
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ABORT_ERR')
    return new DavitError('invalid_request', 'the request ended before its body did', { cause: error });
  return storageFailure(error, 'the upload cannot be written');
}
