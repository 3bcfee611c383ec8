import { constants, existsSync } from 'node:fs';
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DavitError, systemErrorCode } from '../lib/errors.ts';
import { noFollow } from '../lib/private_file.ts';
import { systemReason } from '../processes/system_reason.ts';
import {
  type FileAccess,
  type FoundFile,
  largestFile,
  type NewFile,
  reasons,
  splitPath,
  unusable,
} from './file_access.ts';

/** Files with the rights of the agent itself, for services that run as the agent does. */
export class OwnFiles implements FileAccess {
  async read(path: string): Promise<FoundFile | null> {
    return await inDirectory(path, async (at, name) => {
      // Without O_NONBLOCK a pipe in place of the file would keep the agent waiting.
      const flags = constants.O_RDONLY | noFollow | (constants.O_NONBLOCK ?? 0);
      const handle = await open(at(name), flags).catch((error) => {
        if (systemErrorCode(error) === 'ENOENT') return null;
        throw error;
      });
      if (handle === null) return null;
      try {
        const stat = await handle.stat();
        if (!stat.isFile()) throw unusable(path, reasons.not_regular);
        if (stat.size > largestFile) throw unusable(path, reasons.too_large);
        const content = await readAtMost(handle, largestFile + 1);
        if (content.length > largestFile) throw unusable(path, reasons.too_large);
        return { content, mode: stat.mode & 0o7777, modified_at: stat.mtimeMs };
      } finally {
        await handle.close();
      }
    });
  }

  async write(path: string, { content, mode, temporary }: NewFile): Promise<void> {
    await inDirectory(path, async (at, name, directory) => {
      const before = await lstat(at(name)).catch(() => null);
      if (before?.isSymbolicLink()) throw unusable(path, reasons.link);
      if (before !== null && !before.isFile()) throw unusable(path, reasons.not_regular);
      await rm(at(temporary), { force: true });
      try {
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | noFollow;
        const handle = await open(at(temporary), flags, 0o600);
        try {
          await handle.writeFile(content);
          if (before !== null) await giveTo(handle, before);
          await handle.chmod(mode);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(at(temporary), at(name));
      } catch (error) {
        await rm(at(temporary), { force: true }).catch(() => {});
        throw error;
      }
      await directory?.sync();
    });
  }

  async remove(path: string): Promise<void> {
    await inDirectory(path, async (at, name, directory) => {
      await rm(at(name), { force: true });
      await directory?.sync();
    });
  }
}

type At = (name: string) => string;

/** Whether a directory that is open can be named, so that nothing can be put in its place meanwhile. */
const canBePinned = existsSync('/proc/self/fd');

/** Does something with a file in its directory, which stays the same one however its path changes meanwhile. */
async function inDirectory<T>(
  path: string,
  work: (at: At, name: string, directory: FileHandle | null) => Promise<T>,
): Promise<T> {
  const { directory, name } = splitPath(path);
  let handle: FileHandle | null = null;
  try {
    if (process.platform !== 'win32') {
      const flags = constants.O_RDONLY | constants.O_DIRECTORY;
      handle = await open(directory, flags).catch((error) => {
        throw unusable(path, `its directory: ${systemReason(error)}`, error);
      });
    }
    const folder = handle !== null && canBePinned ? `/proc/self/fd/${handle.fd}` : directory;
    return await work((entry) => join(folder, entry), name, handle);
  } catch (error) {
    throw explained(path, error);
  } finally {
    await handle?.close();
  }
}

function explained(path: string, error: unknown): unknown {
  if (error instanceof DavitError) return error;
  switch (systemErrorCode(error)) {
    case '':
      return error;
    case 'ELOOP':
      return unusable(path, reasons.link, error);
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EIO':
      return new DavitError('storage_unavailable', `${path} cannot be written: ${systemReason(error)}`, {
        cause: error,
      });
    default:
      return unusable(path, systemReason(error), error);
  }
}

/** Only root may give a file to another account; anybody to a group of theirs. */
async function giveTo(
  handle: FileHandle,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): Promise<void> {
  const own = await handle.stat();
  if (own.uid === uid && own.gid === gid) return;
  if (process.geteuid?.() === 0) return await handle.chown(uid, gid);
  await handle.chown(own.uid, gid).catch(() => {});
}

async function readAtMost(handle: FileHandle, most: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(most);
  let length = 0;
  for (let read = -1; read !== 0 && length < most; length += read)
    ({ bytesRead: read } = await handle.read(buffer, length, most - length, length));
  return Buffer.from(buffer.subarray(0, length));
}
