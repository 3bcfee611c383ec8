import { type FileHandle, open } from 'node:fs/promises';
import { systemErrorCode } from '../lib/errors.ts';
import { compressedName } from './run_files.ts';
import { SeekableReader } from './seekable.ts';

/** The file of one stream, read by the offsets of the stream, whether it is compressed or not. */
export interface StreamFile {
  /** Where what is there begins: a compressed stream lacks what had been given back before. */
  readonly begin: number;
  /** Where the stream ends by now. */
  size(): Promise<number>;
  /** What lies between two offsets, as far as it is there. */
  read(from: number, to: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** Opens the file of a stream. A stream that is not there is empty, and says so. */
export async function openStream(file: string): Promise<StreamFile & { readonly isThere: boolean }> {
  // A file that is being compressed is removed only when the compressed one is there.
  const raw = await openIfThere(file);
  if (raw !== null) return { ...rawFile(raw), isThere: true };
  const compressed = await openIfThere(compressedName(file));
  if (compressed === null) return { ...emptyFile, isThere: false };
  try {
    return { ...compressedFile(compressed, await SeekableReader.open(compressed)), isThere: true };
  } catch (error) {
    await compressed.close();
    throw error;
  }
}

function rawFile(handle: FileHandle): StreamFile {
  return {
    begin: 0,
    size: async () => (await handle.stat()).size,
    read: async (from, to) => {
      if (from >= to) return Buffer.alloc(0);
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(to - from), 0, to - from, from);
      return buffer.subarray(0, bytesRead);
    },
    close: () => handle.close(),
  };
}

function compressedFile(handle: FileHandle, reader: SeekableReader): StreamFile {
  return {
    begin: reader.begin,
    size: async () => reader.end,
    read: (from, to) => reader.read(from, to),
    close: () => handle.close(),
  };
}

const emptyFile: StreamFile = {
  begin: 0,
  size: async () => 0,
  read: async () => Buffer.alloc(0),
  close: async () => {},
};

async function openIfThere(file: string): Promise<FileHandle | null> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw error;
  }
}
