import type { FileHandle } from 'node:fs/promises';

const chunkSize = 65_536;
const newline = 0x0a;

/** The lines of a file from the last to the first, without what they end with; nothing more than one line and a chunk is in memory. */
export async function* linesBackwards(handle: FileHandle): AsyncGenerator<string> {
  const { size } = await handle.stat();
  let position = size;
  let rest = Buffer.alloc(0);
  let isEnd = true;
  while (position > 0) {
    const length = Math.min(chunkSize, position);
    position -= length;
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, position);
    rest = Buffer.concat([buffer, rest]);
    for (let at = rest.lastIndexOf(newline); at !== -1; at = rest.lastIndexOf(newline)) {
      const line = rest.toString('utf8', at + 1);
      rest = rest.subarray(0, at);
      // Nothing stands after the last newline.
      if (!isEnd || line !== '') yield line;
      isEnd = false;
    }
  }
  if (size > 0) yield rest.toString('utf8');
}
