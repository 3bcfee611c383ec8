import { ByteReader } from './byte_reader.ts';
import { refuseArchive, refuseEntry } from './refusal.ts';
import { blockSize, type RawHeader, readHeader, readRecords, textOf } from './tar_header.ts';

/** One entry of an archive. */
export interface TarEntry {
  readonly type: 'file' | 'directory' | 'symlink' | 'link';
  /** As the archive says; nothing of it has been checked. */
  readonly name: string;
  /** What a link leads to, as the archive says. */
  readonly link: string;
  readonly mode: number;
  /** Of a file, in bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified_at: number;
  /** What a file holds, to be read before the next entry; what is left is passed over. */
  readonly content: AsyncIterable<Buffer>;
}

/** How long what describes an entry may be, in bytes. */
const longestDescription = 65_536;

const types: Readonly<Record<string, TarEntry['type']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '5': 'directory',
};
const refusedKinds: Readonly<Record<string, string>> = {
  '3': 'is a device',
  '4': 'is a device',
  '6': 'is a pipe',
  S: 'is a sparse file: write it as an ordinary one',
};

/** What earlier entries said about the one that follows. */
interface Description {
  readonly name?: string;
  readonly link?: string;
  readonly size?: number;
}

/**
 * Reads an archive, entry by entry, as it comes (ustar, pax and the long names of GNU tar). What it does not know it
 * refuses: two readers must never see different files in one archive. Throws `artifact_refused`.
 */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const bytes = new ByteReader(source);
  try {
    yield* readEntries(bytes);
    await bytes.drain();
  } finally {
    await bytes.close();
  }
}

async function* readEntries(bytes: ByteReader): AsyncGenerator<TarEntry> {
  let said: Description = {};
  for (;;) {
    const block = await bytes.read(blockSize);
    if (block === null) throw refuseArchive('is cut off, or no tar archive');
    const header = readHeader(block);
    if (header === null) return;
    const about = await readDescription(header, bytes);
    if (about !== null) {
      said = { ...said, ...about };
      continue;
    }
    const entry = describe(header, said);
    said = {};
    let left = entry.size;
    const content = (async function* () {
      for await (const part of bytes.take(left)) {
        left -= part.length;
        yield part;
      }
    })();
    yield { ...entry, content };
    for await (const part of bytes.take(left)) left -= part.length;
    const padding = (blockSize - (entry.size % blockSize)) % blockSize;
    if (left > 0 || (await bytes.read(padding)) === null) throw refuseArchive('is cut off');
  }
}

/** What an entry says about the next one; null: it is one itself. */
async function readDescription(
  { kind, size, name }: RawHeader,
  bytes: ByteReader,
): Promise<Description | null> {
  if (!/^[xgLK]$/.test(kind)) return null;
  if (size > longestDescription)
    throw refuseEntry(name, `describes an entry with more than ${longestDescription} bytes`);
  const padded = Math.ceil(size / blockSize) * blockSize;
  const body = (await bytes.read(padded))?.subarray(0, size);
  if (body === undefined) throw refuseArchive('is cut off');
  if (kind === 'L') return { name: textOf(body) };
  if (kind === 'K') return { link: textOf(body) };
  return readPax(readRecords(body), kind === 'g');
}

function readPax(records: ReadonlyMap<string, string>, isGlobal: boolean): Description {
  const [path, linkpath, size] = ['path', 'linkpath', 'size'].map((key) => records.get(key));
  if (isGlobal && (path ?? linkpath ?? size) !== undefined)
    throw refuseArchive('gives all of its entries one name or size');
  if ([...records.keys()].some((key) => key.startsWith('GNU.sparse.')))
    throw refuseEntry(records.get('GNU.sparse.name') ?? path ?? '', refusedKinds['S'] ?? '');
  if (size !== undefined && !/^\d{1,15}$/.test(size)) throw refuseArchive('holds a size that is no number');
  return {
    ...(path !== undefined && { name: path }),
    ...(linkpath !== undefined && { link: linkpath }),
    ...(size !== undefined && { size: Number(size) }),
  };
}

function describe(header: RawHeader, said: Description): Omit<TarEntry, 'content'> {
  const { kind, mode, modified_at } = header;
  const { name, link, size } = { ...header, ...said };
  const known = types[kind];
  if (known === undefined) throw refuseEntry(name, refusedKinds[kind] ?? 'is of a kind that is not known');
  // Archives from before 1988 have no other mark of a directory.
  const type = known === 'file' && name.endsWith('/') ? 'directory' : known;
  if (type !== 'file' && size > 0) throw refuseEntry(name, 'is no file and has content all the same');
  return { type, name, link, mode, size, modified_at };
}
