/** An entry of an archive, made byte by byte: also what no program would write. */
export interface Entry {
  readonly name: string;
  /** The letter of its kind. Default: a file. */
  readonly kind?: string;
  readonly content?: string | Buffer;
  readonly link?: string;
  readonly mode?: number;
  /** What the header says, where that is not how much content there is. */
  readonly size?: number | string;
  readonly prefix?: string;
  /** Instead of `ustar\0` and its version. */
  readonly magic?: string;
}

const blockSize = 512;

/** An archive with these entries, and the end that it should have. */
export function tar(...entries: readonly Entry[]): Buffer {
  return Buffer.concat([...entries.map(entryBytes), Buffer.alloc(2 * blockSize)]);
}

/** One entry with its content, and with as much after it as makes whole blocks. */
export function entryBytes(entry: Entry): Buffer {
  const content = Buffer.from(entry.content ?? '');
  const padding = (blockSize - (content.length % blockSize)) % blockSize;
  return Buffer.concat([header(entry, content.length), content, Buffer.alloc(padding)]);
}

/** What describes the entry that follows it, as pax writes it. */
export function pax(records: Readonly<Record<string, string>>, kind = 'x'): Entry {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    const length = (digits: number) => Buffer.byteLength(rest) + digits;
    const digits = [1, 2, 3, 4, 5].find((count) => String(length(count)).length === count) ?? 1;
    return `${length(digits)}${rest}`;
  });
  return { name: 'PaxHeader', kind, content: lines.join('') };
}

function header(entry: Entry, length: number): Buffer {
  const { name, kind = '0', link = '', mode = 0o644, size = length, prefix = '' } = entry;
  const block = Buffer.alloc(blockSize);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');
  block.write(name, 0, 100, 'utf8');
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(typeof size === 'string' ? size : octal(size, 11), 124, 12, 'latin1');
  block.write(octal(1_700_000_000, 11), 136);
  block.write(' '.repeat(8), 148);
  block.write(kind, 156, 1, 'latin1');
  block.write(link, 157, 100, 'utf8');
  block.write(entry.magic ?? 'ustar\x0000', 257, 8, 'latin1');
  block.write(prefix, 345, 155, 'utf8');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148, 8, 'latin1');
  return block;
}
