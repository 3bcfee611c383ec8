import type { FileHandle } from 'node:fs/promises';

const chunkSize = 65_536;
const newline = 0x0a;

export interface LineInFile {
  /** Without what it ends with. */
  readonly text: string;
  /** Where it begins, in bytes. */
  readonly start: number;
}

/**
 * The lines of a file from the last to the first; nothing more than one line and a chunk is in memory.
 * @param end where to begin, in bytes: where a line starts. Default: the end of the file
 */
export async function* linesBackwards(
  handle: FileHandle,
  end: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<LineInFile> {
  const size = Math.min(end, (await handle.stat()).size);
  let position = size;
  let rest = Buffer.alloc(0);
  let isEnd = true;
  while (position > 0) {
    const length = Math.min(chunkSize, position);
    position -= length;
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, position);
    rest = Buffer.concat([buffer, rest]);
    for (let at = rest.lastIndexOf(newline); at !== -1; at = rest.lastIndexOf(newline)) {
      const text = rest.toString('utf8', at + 1);
      rest = rest.subarray(0, at);
      // Nothing stands after the last newline.
      if (!isEnd || text !== '') yield { text, start: position + at + 1 };
      isEnd = false;
    }
  }
  if (size > 0) yield { text: rest.toString('utf8'), start: 0 };
}
