import { type FileHandle, open } from 'node:fs/promises';
import { systemErrorCode } from '../lib/errors.ts';

/** The sizes of both streams at one moment. */
export interface Stamp {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly stdout: number;
  readonly stderr: number;
}

export type StreamName = 'stdout' | 'stderr';

const recordSize = 24;
/** How many records are read at once. */
const blockRecords = 1_024;

export function encodeStamp({ time, stdout, stderr }: Stamp): Buffer {
  const record = Buffer.alloc(recordSize);
  record.writeDoubleBE(time, 0);
  record.writeDoubleBE(stdout, 8);
  record.writeDoubleBE(stderr, 16);
  return record;
}

/** The index of one run: when each stream had which size. It is searched in its file, never read as a whole. */
export class TimeIndex {
  readonly #handle: FileHandle | null;
  readonly #count: number;
  #block: { readonly first: number; readonly bytes: Buffer } | null = null;

  private constructor(handle: FileHandle | null, count: number) {
    this.#handle = handle;
    this.#count = count;
  }

  /** A run that has written nothing has no index. */
  static async open(file: string): Promise<TimeIndex> {
    const handle = await open(file, 'r').catch((error: unknown) => {
      if (systemErrorCode(error) === 'ENOENT') return null;
      throw error;
    });
    if (handle === null) return new TimeIndex(null, 0);
    const { size } = await handle.stat();
    return new TimeIndex(handle, Math.floor(size / recordSize));
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }

  /** When the byte before `offset` was first seen; null when it has not been stamped yet. */
  async timeOf(stream: StreamName, offset: number): Promise<number | null> {
    const found = await this.#first((stamp) => stamp[stream] >= offset);
    return found === null ? null : found.time;
  }

  /** As `timeOf` for many offsets, which rise; `unstamped` stands for what has not been stamped yet. */
  async timesOf(stream: StreamName, offsets: readonly number[], unstamped: number): Promise<number[]> {
    const times: number[] = [];
    let position = await this.#position((stamp) => stamp[stream] >= (offsets[0] ?? 0));
    let stamp = position < this.#count ? await this.#read(position) : null;
    for (const offset of offsets) {
      while (stamp !== null && stamp[stream] < offset) {
        position += 1;
        stamp = position < this.#count ? await this.#read(position) : null;
      }
      times.push(stamp === null ? unstamped : stamp.time);
    }
    return times;
  }

  /** The sizes that the streams had at `time`. */
  async sizesAt(time: number): Promise<{ stdout: number; stderr: number }> {
    const position = await this.#position((stamp) => stamp.time > time);
    return position === 0 ? { stdout: 0, stderr: 0 } : await this.#read(position - 1);
  }

  async #first(fits: (stamp: Stamp) => boolean): Promise<Stamp | null> {
    const position = await this.#position(fits);
    return position === this.#count ? null : await this.#read(position);
  }

  /** The first record that fits, where all after one that fits do too. */
  async #position(fits: (stamp: Stamp) => boolean): Promise<number> {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (fits(await this.#read(middle))) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  async #read(position: number): Promise<Stamp> {
    if (
      this.#block === null ||
      position < this.#block.first ||
      position >= this.#block.first + blockRecords
    ) {
      const first = position - (position % blockRecords);
      const bytes = Buffer.alloc(blockRecords * recordSize);
      await this.#handle?.read(bytes, 0, bytes.length, first * recordSize);
      this.#block = { first, bytes };
    }
    const start = (position - this.#block.first) * recordSize;
    const { bytes } = this.#block;
    return {
      time: bytes.readDoubleBE(start),
      stdout: bytes.readDoubleBE(start + 8),
      stderr: bytes.readDoubleBE(start + 16),
    };
  }
}
