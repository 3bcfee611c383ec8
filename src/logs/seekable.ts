import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { DavitError } from '../lib/errors.ts';

/*
 * A stream, compressed: independent zstd frames between two frames that every zstd skips. The first says at which
 * offset of the stream the rest begins; the last is the table of zstd's seekable format, by which one frame is found.
 */

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** How many bytes of the stream a frame holds; the last one may hold less. */
export const frameSize = 262_144;

const beginMagic = 0x184d2a50;
const tableMagic = 0x184d2a5e;
const endMagic = 0x8f92eab1;
const beginSize = 16;
const entrySize = 8;
const endSize = 9;

/** One frame: where its content lies in the stream, and where it lies in the file. */
interface Frame {
  readonly begin: number;
  readonly place: number;
  readonly length: number;
}

/** Writes a seekable file piece by piece; `end` makes it whole. */
export class SeekableWriter {
  readonly #handle: FileHandle;
  readonly #entries: { readonly compressed: number; readonly raw: number }[] = [];

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** @param begin the offset of the stream at which the first frame begins */
  async start(begin: number): Promise<void> {
    const head = Buffer.alloc(beginSize);
    head.writeUInt32LE(beginMagic, 0);
    head.writeUInt32LE(8, 4);
    head.writeBigUInt64LE(BigInt(begin), 8);
    await this.#handle.appendFile(head);
  }

  /** Compresses the next bytes of the stream, at most `frameSize`, all but the last exactly so many. */
  async add(bytes: Buffer): Promise<void> {
    const frame = await compress(bytes);
    await this.#handle.appendFile(frame);
    this.#entries.push({ compressed: frame.length, raw: bytes.length });
  }

  async end(): Promise<void> {
    const content = this.#entries.length * entrySize + endSize;
    const table = Buffer.alloc(8 + content);
    table.writeUInt32LE(tableMagic, 0);
    table.writeUInt32LE(content, 4);
    this.#entries.forEach(({ compressed, raw }, n) => {
      table.writeUInt32LE(compressed, 8 + n * entrySize);
      table.writeUInt32LE(raw, 12 + n * entrySize);
    });
    table.writeUInt32LE(this.#entries.length, table.length - endSize);
    table.writeUInt32LE(endMagic, table.length - 4);
    await this.#handle.appendFile(table);
  }
}

/** Reads a seekable file by the offsets of its stream. */
export class SeekableReader {
  /** The offset at which what is there begins, and at which it ends. */
  readonly begin: number;
  readonly end: number;
  readonly #handle: FileHandle;
  readonly #frames: readonly Frame[];
  #last: { readonly frame: Frame; readonly bytes: Buffer } | null = null;

  private constructor(handle: FileHandle, begin: number, end: number, frames: readonly Frame[]) {
    this.#handle = handle;
    this.begin = begin;
    this.end = end;
    this.#frames = frames;
  }

  /** Throws `storage_unavailable` when the file is not whole. */
  static async open(handle: FileHandle): Promise<SeekableReader> {
    const { size } = await handle.stat();
    const head = await readExactly(handle, 0, beginSize);
    const foot = await readExactly(handle, Math.max(0, size - endSize), endSize);
    if (head.readUInt32LE(0) !== beginMagic || foot.readUInt32LE(5) !== endMagic) throw damaged();
    const count = foot.readUInt32LE(0);
    const table = await readExactly(handle, size - endSize - count * entrySize, count * entrySize);
    const begin = Number(head.readBigUInt64LE(8));
    const frames: Frame[] = [];
    let offset = begin;
    let place = beginSize;
    for (let n = 0; n < count; n++) {
      const length = table.readUInt32LE(n * entrySize);
      frames.push({ begin: offset, place, length });
      place += length;
      offset += table.readUInt32LE(n * entrySize + 4);
    }
    return new SeekableReader(handle, begin, offset, frames);
  }

  /** The bytes of the stream from `from` up to `to`, as far as they are there. */
  async read(from: number, to: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    const limit = Math.min(to, this.end);
    for (let position = Math.max(from, this.begin); position < limit; ) {
      const frame = this.#frameAt(position);
      const bytes = await this.#content(frame);
      const piece = bytes.subarray(position - frame.begin, limit - frame.begin);
      if (piece.length === 0) break;
      pieces.push(piece);
      position += piece.length;
    }
    return Buffer.concat(pieces);
  }

  /** Where in the file the frame begins that holds an offset of the stream. */
  placeOf(offset: number): number {
    if (this.#frames.length === 0) return beginSize;
    return this.#frameAt(Math.max(offset, this.begin)).place;
  }

  #frameAt(offset: number): Frame {
    const frame =
      this.#frames[Math.min(Math.floor((offset - this.begin) / frameSize), this.#frames.length - 1)];
    if (frame === undefined) throw damaged();
    return frame;
  }

  async #content(frame: Frame): Promise<Buffer> {
    if (this.#last?.frame === frame) return this.#last.bytes;
    const bytes = await decompress(await readExactly(this.#handle, frame.place, frame.length));
    this.#last = { frame, bytes };
    return bytes;
  }
}

async function readExactly(handle: FileHandle, from: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, from);
  if (bytesRead < length) throw damaged();
  return buffer;
}

function damaged(): DavitError {
  return new DavitError('storage_unavailable', 'a compressed log is damaged');
}
