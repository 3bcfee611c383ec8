import { type FileHandle, open } from 'node:fs/promises';
import { systemErrorCode } from '../lib/errors.ts';
import type { Offsets, StreamName } from './run_files.ts';

/** The sizes of both streams at one moment. */
export interface Stamp extends Offsets {
  /** Milliseconds since the epoch. */
  readonly time: number;
}

export const stampSize = 24;
const endless: Offsets = { stdout: Number.POSITIVE_INFINITY, stderr: Number.POSITIVE_INFINITY };
/** How many stamps are read at once. */
const blockStamps = 128;
/** How many such blocks are kept: a search comes by the same ones again and again. */
const keptBlocks = 64;

export function encodeStamp({ time, stdout, stderr }: Stamp): Buffer {
  const record = Buffer.alloc(stampSize);
  record.writeDoubleBE(time, 0);
  record.writeDoubleBE(stdout, 8);
  record.writeDoubleBE(stderr, 16);
  return record;
}

export function decodeStamp(bytes: Buffer, start = 0): Stamp {
  return {
    time: bytes.readDoubleBE(start),
    stdout: bytes.readDoubleBE(start + 8),
    stderr: bytes.readDoubleBE(start + 16),
  };
}

/**
 * The index of one run: when each stream had which size. It is searched in its file, never read as a whole. Its head
 * may have been given back: stamps that are gone read as zeros, which stand before every other.
 */
export class TimeIndex {
  /** How many stamps there are. */
  readonly count: number;
  readonly #handle: FileHandle | null;
  readonly #blocks = new Map<number, Buffer>();

  private constructor(handle: FileHandle | null, count: number) {
    this.#handle = handle;
    this.count = count;
  }

  /** A run whose first stamp could not be written has no index. */
  static async open(file: string): Promise<TimeIndex> {
    const handle = await open(file, 'r').catch((error: unknown) => {
      if (systemErrorCode(error) === 'ENOENT') return null;
      throw error;
    });
    if (handle === null) return new TimeIndex(null, 0);
    const { size } = await handle.stat();
    return new TimeIndex(handle, Math.floor(size / stampSize));
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }

  /**
   * When the bytes before each of these offsets, which rise, were first seen; `unstamped` for what has not been
   * stamped yet.
   */
  async timesOf(stream: StreamName, offsets: readonly number[], unstamped: number): Promise<number[]> {
    const times: number[] = [];
    let position = 0;
    let stamp: Stamp = { time: unstamped, stdout: -1, stderr: -1 };
    for (const offset of offsets) {
      if (stamp[stream] < offset) {
        position = await this.position((at) => at[stream] >= offset, position);
        stamp = position === this.count ? { time: unstamped, ...endless } : await this.at(position);
      }
      times.push(stamp.time);
    }
    return times;
  }

  /** The sizes that the streams had at `time`; null when nothing was noted after it. */
  async sizesAt(time: number): Promise<Offsets | null> {
    const position = await this.position((stamp) => stamp.time > time);
    if (position === this.count) return null;
    return position === 0 ? { stdout: 0, stderr: 0 } : await this.at(position - 1);
  }

  /** The first stamp from `from` on that fits, where all after one that fits do too; `count` when none does. */
  async position(fits: (stamp: Stamp) => boolean, from = 0): Promise<number> {
    let low = from;
    let high = this.count;
    // What is looked for after something else is often near it.
    for (let step = 1; from > 0 && low + step < high; step *= 2) {
      if (fits(await this.at(low + step - 1))) {
        high = low + step - 1;
        break;
      }
      low += step;
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (fits(await this.at(middle))) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  async at(position: number): Promise<Stamp> {
    const first = position - (position % blockStamps);
    let block = this.#blocks.get(first);
    if (block === undefined) {
      block = Buffer.alloc(blockStamps * stampSize);
      await this.#handle?.read(block, 0, block.length, first * stampSize);
      if (this.#blocks.size === keptBlocks) this.#blocks.clear();
      this.#blocks.set(first, block);
    }
    return decodeStamp(block, (position - first) * stampSize);
  }
}
