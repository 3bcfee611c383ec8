import { execFile } from 'node:child_process';
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { failPoint } from '../lib/fail_point.ts';
import { findTool } from '../lib/host_tools.ts';
import type { Run } from './run.ts';
import { compressedName, filesOf, type Offsets, type StreamName, streamNames } from './run_files.ts';
import { RunReader } from './run_reader.ts';
import { SeekableReader } from './seekable.ts';
import { type Stamp, stampSize, TimeIndex } from './time_index.ts';

/** The system gives back whole blocks of this size. */
const blockSize = 4_096;

/** Removes a run that has ended. */
export function removeRun(run: Run): void {
  run.isRemoved = true;
  for (const file of filesOf(run.files)) rmSync(file, { force: true });
  run.bytes = 0;
  failPoint('retention.run_removed');
}

/**
 * Gives back the beginning of a run, so that about `keep` of its bytes are left. A process that writes to it does not
 * notice: no offset moves. Throws when the system cannot do that.
 */
export async function cutToSize(run: Run, keep: number): Promise<void> {
  const reader = await RunReader.open(run);
  const index = await TimeIndex.open(run.files.index);
  try {
    if (reader === null) return;
    const left = total(reader.end) - total(run.head);
    const place = total(reader.end) - Math.floor(left * Math.min(1, keep / Math.max(1, run.bytes)));
    await cut(run, reader, await placeAt(index, reader.end, place));
  } finally {
    await index.close();
    await reader?.close();
  }
}

/** Gives back what a run wrote before `time`, in milliseconds since the epoch. */
export async function cutToAge(run: Run, time: number): Promise<void> {
  const reader = await RunReader.open(run);
  if (reader === null) return;
  try {
    await cut(run, reader, await reader.endAt(time - 1));
  } finally {
    await reader.close();
  }
}

async function cut(run: Run, reader: RunReader, place: Offsets): Promise<void> {
  const whole = await reader.wholeLines(place);
  const head = {
    stdout: Math.max(run.head.stdout, whole.stdout),
    stderr: Math.max(run.head.stderr, whole.stderr),
  };
  if (head.stdout === run.head.stdout && head.stderr === run.head.stderr) return;
  // First it is said that the beginning is gone, for a reader must never see the hole.
  writeFileSync(`${run.files.head}.new`, `${head.stdout} ${head.stderr}`, { mode: 0o600 });
  renameSync(`${run.files.head}.new`, run.files.head);
  run.head = head;
  failPoint('retention.head_written');
  for (const stream of streamNames) await giveBack(run, stream);
  await giveBackIndex(run);
  failPoint('retention.hole_punched');
}

async function giveBack(run: Run, stream: StreamName): Promise<void> {
  const file = run.files[stream];
  if (existsSync(file)) return punch(file, run.head[stream]);
  if (!existsSync(compressedName(file))) return;
  const handle = await open(compressedName(file), 'r');
  try {
    const seekable = await SeekableReader.open(handle);
    // Its first block says where the stream begins.
    await punch(compressedName(file), seekable.placeOf(run.head[stream]), blockSize);
  } finally {
    await handle.close();
  }
}

/** Gives back the stamps of what is gone. */
async function giveBackIndex({ files, head }: Run): Promise<void> {
  const index = await TimeIndex.open(files.index);
  try {
    const isLeft = (stamp: Stamp) => stamp.stdout > head.stdout || stamp.stderr > head.stderr;
    const position = await index.position(isLeft);
    // The one before what is left says when that was written at the earliest.
    await punch(files.index, Math.max(0, position - 1) * stampSize);
  } finally {
    await index.close();
  }
}

/** Where both streams together had reached `place` bytes, between two stamps as if it had been written evenly. */
async function placeAt(index: TimeIndex, end: Offsets, place: number): Promise<Offsets> {
  const position = await index.position((stamp) => total(stamp) > place);
  const before = position === 0 ? { stdout: 0, stderr: 0 } : await index.at(position - 1);
  const after = position === index.count ? end : await index.at(position);
  const part = (place - total(before)) / Math.max(1, total(after) - total(before));
  const between = (stream: StreamName) =>
    Math.floor(before[stream] + (after[stream] - before[stream]) * Math.min(1, part));
  return { stdout: between('stdout'), stderr: between('stderr') };
}

async function punch(file: string, upTo: number, from = 0): Promise<void> {
  const length = Math.floor(upTo / blockSize) * blockSize - from;
  if (length <= 0) return;
  const fallocate = findTool('fallocate');
  if (fallocate === null)
    throw new Error('fallocate (util-linux) is not installed, so what runs cannot be trimmed');
  const range = ['--offset', String(from), '--length', String(length)];
  await promisify(execFile)(fallocate, ['--punch-hole', ...range, file], { env: {} });
}

function total({ stdout, stderr }: Offsets): number {
  return stdout + stderr;
}
