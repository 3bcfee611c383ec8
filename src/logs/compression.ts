import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemErrorCode } from '../lib/errors.ts';
import { failPoint } from '../lib/fail_point.ts';
import type { Run } from './run.ts';
import { compressedName, filesOf, type RunFiles, streamNames } from './run_files.ts';
import { frameSize, SeekableWriter } from './seekable.ts';

/** What is smaller is left as it is. */
const worthwhile = 65_536;

/** Whether a run has a stream that is worth to be compressed and is not yet. */
export function isCompressible({ files, head }: Run): boolean {
  return streamNames.some((stream) => sizeOf(files[stream]) - head[stream] > worthwhile);
}

/**
 * Compresses the streams of a run that has ended. At every moment each of them is there, as it was or compressed.
 * It takes its time, half of which it rests, and ends early when `signal` says so.
 */
export async function compressRun(run: Run, signal: AbortSignal): Promise<void> {
  for (const stream of streamNames) {
    const file = run.files[stream];
    const begin = run.head[stream];
    if (signal.aborted || sizeOf(file) - begin <= worthwhile) continue;
    const written = statSync(file);
    const fresh = `${compressedName(file)}.new`;
    try {
      await write(fresh, file, begin, signal);
      // Whatever still wrote to it would be lost, and a run that was removed must not come back.
      if (run.isRemoved || run.isLive || signal.aborted || hasChanged(file, written)) continue;
      renameSync(fresh, compressedName(file));
      failPoint('retention.run_compressed');
      rmSync(file);
    } finally {
      rmSync(fresh, { force: true });
    }
  }
}

/**
 * Clears away what an agent left that ended while it compressed or removed a run. False when nothing is left of the
 * run's output.
 */
export function mend(files: RunFiles): boolean {
  for (const stream of streamNames) {
    const file = files[stream];
    rmSync(`${compressedName(file)}.new`, { force: true });
    if (existsSync(file)) rmSync(compressedName(file), { force: true });
  }
  if (streamNames.some((stream) => existsSync(files[stream]) || existsSync(compressedName(files[stream]))))
    return true;
  for (const file of filesOf(files)) rmSync(file, { force: true });
  return false;
}

async function write(fresh: string, file: string, begin: number, signal: AbortSignal): Promise<void> {
  const source = await open(file, 'r');
  const target = await open(fresh, 'w', 0o600);
  try {
    const writer = new SeekableWriter(target);
    await writer.start(begin);
    for (let position = begin; !signal.aborted; ) {
      const began = performance.now();
      const bytes = await readFully(source, position);
      if (bytes.length === 0) break;
      await writer.add(bytes);
      position += bytes.length;
      await sleep(performance.now() - began, undefined, { ref: false });
    }
    await writer.end();
    await target.sync();
    // When it was written last still says how old it is.
    const { atime, mtime } = await source.stat();
    await target.utimes(atime, mtime);
  } finally {
    await source.close();
    await target.close();
  }
}

async function readFully(source: FileHandle, position: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(frameSize);
  let length = 0;
  while (length < frameSize) {
    const { bytesRead } = await source.read(bytes, length, frameSize - length, position + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

function hasChanged(file: string, { size, mtimeMs }: { size: number; mtimeMs: number }): boolean {
  const now = statSync(file, { throwIfNoEntry: false });
  return now === undefined || now.size !== size || now.mtimeMs !== mtimeMs;
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return 0;
    throw error;
  }
}
