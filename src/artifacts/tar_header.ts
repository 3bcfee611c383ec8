import { refuseArchive, refuseEntry } from './refusal.ts';

/** The size of a block, of which everything in an archive is made (POSIX.1-2024, pax, "ustar Interchange Format"). */
export const blockSize = 512;

/** A header as it stands, before what other entries say about it. */
export interface RawHeader {
  readonly name: string;
  readonly link: string;
  /** The letter of its kind. */
  readonly kind: string;
  readonly mode: number;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified_at: number;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** What a block says; null: it is empty, which ends an archive. Throws `artifact_refused` where it is no header. */
export function readHeader(block: Buffer): RawHeader | null {
  if (block.every((byte) => byte === 0)) return null;
  if (readNumber(block, 148, 8) !== checksumOf(block)) throw refuseArchive('is damaged, or no tar archive');
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? textAt(block, 345, 155) : '';
  const name = textAt(block, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    link: textAt(block, 157, 100),
    kind: String.fromCharCode(block[156] ?? 0),
    mode: readNumber(block, 100, 8),
    size: readNumber(block, 124, 12),
    modified_at: readNumber(block, 136, 12) * 1000,
  };
}

/** The text of bytes that end with a NUL, or with the bytes. Throws `artifact_refused` where it is no UTF-8. */
export function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  const named = end === -1 ? bytes : bytes.subarray(0, end);
  try {
    return decoder.decode(named);
  } catch {
    throw refuseEntry(named.toString('latin1'), 'has a name that is not UTF-8');
  }
}

/** The records of a pax header: `<length> <key>=<value>\n`. Throws `artifact_refused` where it holds anything else. */
export function readRecords(body: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const digits = body.toString('latin1', at, space === -1 ? at : Math.min(space, at + 10));
    const end = at + Number(digits);
    const equals = body.indexOf(0x3d, space);
    const isRecord = /^[1-9]\d*$/.test(digits) && end <= body.length && body[end - 1] === 0x0a;
    if (!isRecord || equals === -1 || equals >= end)
      throw refuseArchive('holds a pax header that is damaged');
    const value = body.subarray(equals + 1, end - 1);
    // A NUL would end the name for some and not for others.
    if (value.includes(0)) throw refuseArchive('holds a pax header with a NUL character');
    records.set(textOf(body.subarray(space + 1, equals)), textOf(value));
    at = end;
  }
  return records;
}

function textAt(block: Buffer, at: number, length: number): string {
  return textOf(block.subarray(at, at + length));
}

/** The sum of all bytes, with its own field taken for spaces. */
function checksumOf(block: Buffer): number {
  return block.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);
}

/** Octal digits, or, where the first bit is set, the bytes of a number. Throws `artifact_refused` where it is neither. */
function readNumber(block: Buffer, at: number, length: number): number {
  const field = block.subarray(at, at + length);
  const [first = 0] = field;
  if (first === 0x80) {
    const number = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
    if (Number.isSafeInteger(number)) return number;
  }
  const digits = field
    .toString('latin1')
    .replace(/^[ \0]+/, '')
    .replace(/[ \0].*$/s, '');
  if (first < 0x80 && /^[0-7]*$/.test(digits)) return digits === '' ? 0 : Number.parseInt(digits, 8);
  throw refuseArchive('is damaged, or no tar archive');
}
