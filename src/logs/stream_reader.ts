import { type FileHandle, open } from 'node:fs/promises';

/** One line, and where in its stream it lies; `end` is after its line break. */
export interface StreamLine {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

const chunkSize = 65_536;
/** A longer line is cut into pieces of this size. */
const longestLine = 65_536;
const lineBreak = 0x0a;

/** Reads the file of one stream in pieces, and cuts it into lines. */
export class StreamReader {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  static async open(file: string): Promise<StreamReader> {
    return new StreamReader(await open(file, 'r'));
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  /** The lines between two offsets, last first. Text after the last line break is a line, too. */
  async *backward(from: number, to: number): AsyncGenerator<StreamLine, void, void> {
    let rest = Buffer.alloc(0);
    let position = to;
    while (position > from) {
      const start = Math.max(from, position - chunkSize);
      const bytes = Buffer.concat([await this.#read(start, position), rest]);
      position = start;
      // What stands before the first break may begin further ahead.
      const first = start === from ? 0 : firstLineStart(bytes);
      for (const line of cut(bytes.subarray(first), start + first).reverse()) yield line;
      rest = Buffer.from(bytes.subarray(0, first));
      if (rest.length >= longestLine) {
        for (const line of cut(rest, start).reverse()) yield line;
        rest = Buffer.alloc(0);
      }
    }
  }

  /** The whole lines from an offset on, not more than a piece of the file; also a part of a line where `final`. */
  async forward(from: number, final: boolean): Promise<StreamLine[]> {
    const bytes = await this.#read(from, from + chunkSize + longestLine);
    const end = bytes.lastIndexOf(lineBreak) + 1;
    if (end > 0) return cut(bytes.subarray(0, end), from);
    if (final || bytes.length >= longestLine)
      return cut(bytes.subarray(0, final ? bytes.length : longestLine), from);
    return [];
  }

  /** Where the last whole line before `size` ends; a line that is longer than a piece counts as whole. */
  async lastLineEnd(size: number): Promise<number> {
    const from = Math.max(0, size - chunkSize);
    const found = (await this.#read(from, size)).lastIndexOf(lineBreak);
    return found === -1 && from > 0 ? size : from + found + 1;
  }

  async #read(from: number, to: number): Promise<Buffer> {
    const { buffer, bytesRead } = await this.#handle.read(Buffer.allocUnsafe(to - from), 0, to - from, from);
    return buffer.subarray(0, bytesRead);
  }
}

/** Where the first line begins that is wholly in `bytes`. */
function firstLineStart(bytes: Buffer): number {
  const found = bytes.indexOf(lineBreak);
  return found === -1 ? bytes.length : found + 1;
}

function cut(bytes: Buffer, offset: number): StreamLine[] {
  const lines: StreamLine[] = [];
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(lineBreak, start);
    const whole = found === -1 ? bytes.length : found + 1;
    const end = Math.min(whole, start + longestLine);
    lines.push({ start: offset + start, end: offset + end, text: decode(bytes.subarray(start, end)) });
    start = end;
  }
  return lines;
}

/** UTF-8 without its line break; bytes that are none are shown as the replacement character. */
function decode(line: Buffer): string {
  let end = line.length;
  if (line[end - 1] === lineBreak) end -= 1;
  if (line[end - 1] === 0x0d) end -= 1;
  return line.toString('utf8', 0, end);
}
