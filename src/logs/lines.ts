/** One line as it stands in its stream; `end` is after its line break. */
export interface StreamLine {
  readonly start: number;
  readonly end: number;
  readonly bytes: Buffer;
  /** Whether it ends with a line break. */
  readonly isWhole: boolean;
}

/** A longer line is given in pieces of at most this size. */
export const longestLine = 65_536;
const lineBreak = 0x0a;
const carriageReturn = 0x0d;

/** Cuts bytes into lines; what stands after the last line break is one, too. */
export function cutLines(bytes: Buffer, offset: number): StreamLine[] {
  const lines: StreamLine[] = [];
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(lineBreak, start);
    const whole = found === -1 ? bytes.length : found + 1;
    const end = whole - start > longestLine ? characterStart(bytes, start + longestLine) : whole;
    lines.push({
      start: offset + start,
      end: offset + end,
      bytes: bytes.subarray(start, end),
      isWhole: bytes[end - 1] === lineBreak,
    });
    start = end;
  }
  return lines;
}

/** Where the last line break ends; 0 when there is none. */
export function lastBreak(bytes: Buffer): number {
  return bytes.lastIndexOf(lineBreak) + 1;
}

/** Where the first line break ends; -1 when there is none. */
export function firstBreak(bytes: Buffer): number {
  const found = bytes.indexOf(lineBreak);
  return found === -1 ? -1 : found + 1;
}

/** UTF-8 without its line break; bytes that are none become the replacement character. */
export function lineText(line: Buffer): string {
  let end = line.length;
  if (line[end - 1] === lineBreak) {
    end -= 1;
    if (line[end - 1] === carriageReturn) end -= 1;
  }
  return line.toString('utf8', 0, end);
}

/** The place at or up to three bytes before `place` at which a character of UTF-8 begins. */
export function characterStart(bytes: Buffer, place: number): number {
  for (let start = place; start > place - 4 && start > 0; start--) {
    if (((bytes[start] ?? 0) & 0xc0) !== 0x80) return start;
  }
  return place;
}
