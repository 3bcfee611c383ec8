import { createReadStream } from 'node:fs';
import { chmod, constants, lchown, link, mkdir, open, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { DavitError, systemErrorCode } from '../lib/errors.ts';
import { noFollow } from '../lib/private_file.ts';
import { EntryTree } from './entry_tree.ts';
import { refuseArchive, storageFailure } from './refusal.ts';
import { readTar, type TarEntry } from './tar_reader.ts';

/** Whom unpacked files belong to; null: to the agent. */
export type Owner = { readonly uid: number; readonly gid: number } | null;

export interface UnpackOptions {
  readonly owner: Owner;
  /** How much it may come to, in bytes. */
  readonly limit: number;
}

/** What may be left of the permissions of an entry: nothing for others to write, no set-user-id and the like. */
const keptPermissions = 0o755;
/** What comes to more than this, in bytes, may be so many times the size of the archive at most. */
const suspiciousSize = 100_000_000;
const greatestRatio = 200;

/**
 * Unpacks an archive (tar; plain, gzip or zstd) into an empty directory, where nobody else may reach it meanwhile. Files are
 * made in directories that were made here, before there is any link to go through. Throws `artifact_refused` where it holds
 * what may not be, or too much, and `storage_unavailable` on a full disk; what there is of it then is for the caller to remove.
 */
export async function unpack(archive: string, into: string, options: UnpackOptions): Promise<void> {
  const tree = new EntryTree();
  try {
    for await (const entry of readTar(await openArchive(archive, options.limit)))
      await unpackEntry(entry, tree, into, options.owner);
    for (const { path, link: target } of tree.symlinks()) {
      await symlink(target, join(into, path));
      await give(join(into, path), options.owner);
    }
    for (const path of [...tree.directories(), '.']) {
      await chmod(join(into, path), keptPermissions);
      await give(join(into, path), options.owner);
    }
  } catch (error) {
    throw understood(error);
  }
}

async function unpackEntry(entry: TarEntry, tree: EntryTree, into: string, owner: Owner): Promise<void> {
  const { type, name } = entry;
  const place = tree.place(name);
  if (place === null) {
    if (type !== 'directory') throw refuseArchive('has a root that is no directory');
    return;
  }
  for (const missing of place.missing) await mkdir(join(into, missing), 0o700);
  const path = join(into, place.path);
  switch (type) {
    case 'directory':
      if (tree.addDirectory(name, place.path)) await mkdir(path, 0o700);
      return;
    case 'symlink':
      tree.addSymlink(name, place.path, entry.link);
      return;
    case 'link':
      await link(join(into, tree.addLink(name, place.path, entry.link)), path);
      return;
    default:
      tree.addFile(name, place.path);
      await writeFile(path, entry, owner);
  }
}

async function writeFile(
  path: string,
  { content, mode, modified_at }: TarEntry,
  owner: Owner,
): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | noFollow;
  const file = await open(path, flags, 0o600);
  try {
    for await (const part of content) await file.writeFile(part);
    if (owner !== null) await file.chown(owner.uid, owner.gid);
    await file.chmod((mode & keptPermissions) | 0o600);
    const time = new Date(Math.min(modified_at, Date.now()));
    await file.utimes(time, time);
  } finally {
    await file.close();
  }
}

async function give(path: string, owner: Owner): Promise<void> {
  if (owner !== null) await lchown(path, owner.uid, owner.gid);
}

/** The bytes of the tar archive, which never come to more than may be. */
async function openArchive(archive: string, limit: number): Promise<AsyncIterable<Buffer>> {
  const file = await open(archive, 'r');
  let first: Buffer;
  let packed: number;
  try {
    first = (await file.read(Buffer.alloc(4), 0, 4, 0)).buffer;
    packed = (await file.stat()).size;
  } finally {
    await file.close();
  }
  const decompressor = decompressorFor(first);
  const source = createReadStream(archive, { highWaterMark: 262_144 });
  // Errors come out of the last stream, from which is read.
  const bytes = decompressor === null ? source : pipeline(source, decompressor, () => {});
  return bounded(bytes, packed, limit);
}

function decompressorFor(first: Buffer) {
  if (first.subarray(0, 2).toString('hex') === '1f8b') return createGunzip({ chunkSize: 262_144 });
  return first.toString('hex') === '28b52ffd' ? createZstdDecompress({ chunkSize: 262_144 }) : null;
}

async function* bounded(
  source: AsyncIterable<Buffer>,
  packed: number,
  limit: number,
): AsyncGenerator<Buffer> {
  let total = 0;
  for await (const part of source) {
    total += part.length;
    if (total > limit)
      throw refuseArchive(`comes to more than ${limit} bytes when it is unpacked (artifact_unpacked_limit)`);
    if (total > suspiciousSize && total > packed * greatestRatio)
      throw refuseArchive(`comes to more than ${greatestRatio} times its size when it is unpacked`);
    yield part;
  }
}

/** What a decompressor says is about the archive, what the system says about the disk. */
function understood(error: unknown): unknown {
  if (error instanceof DavitError) return error;
  const code = systemErrorCode(error);
  if (/^Z_|^ZSTD_|^ERR_ZLIB|^ERR_.*ZSTD/.test(code)) return refuseArchive('is damaged, or cut off', error);
  // Names that the archive tells apart, and the file system does not.
  if (/^(EEXIST|ENAMETOOLONG|EILSEQ|EINVAL)$/.test(code))
    return refuseArchive('holds names that cannot be made here', error);
  return storageFailure(error, 'the archive cannot be unpacked');
}
