import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../../lib/errors.ts';
import { fileName, isWhole, type QueuedRequest, readFileName } from './queued_request.ts';

/** How the names of files end that are being written. */
const partialEnd = '.tmp';
/** Another try may work: the file is as it was. */
const passingErrors: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EBUSY']);

/** Whether what went wrong may be over in a moment. */
export function isPassing(error: unknown): boolean {
  return passingErrors.has(systemErrorCode(error));
}

/** A folder in which each request is a file. */
export class RequestFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** What is there, the oldest first; makes the folder, and removes what a write left that was broken off. */
  load(): QueuedRequest[] {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const names = readdirSync(this.#folder).sort();
    for (const name of names) if (isPartial(name)) rmSync(join(this.#folder, name), { force: true });
    return names.flatMap((name) => readFileName(name) ?? []);
  }

  /** The file appears whole or not at all, unless the power is cut. */
  async write(request: QueuedRequest, body: Uint8Array): Promise<void> {
    const file = this.#fileOf(request);
    const partial = file + partialEnd;
    try {
      // Somebody may have removed it.
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await writeFile(partial, body, { mode: 0o600 });
      await rename(partial, file);
    } catch (error) {
      await rm(partial, { force: true }).catch(() => {});
      throw error;
    }
  }

  /** Throws where it cannot be read or is not what was written. */
  async read(request: QueuedRequest): Promise<Uint8Array> {
    const file = this.#fileOf(request);
    const body = await readFile(file);
    if (!isWhole(request, body)) throw new Error(`${file} is damaged`);
    return body;
  }

  async remove(request: QueuedRequest): Promise<void> {
    await rm(this.#fileOf(request), { force: true });
  }

  /** Removes all requests, and the folder unless something else is in it, too. Resolves with whether there were any. */
  async clear(): Promise<boolean> {
    const own = (await readdir(this.#folder)).filter(
      (name) => readFileName(name) !== null || isPartial(name),
    );
    for (const name of own) await rm(join(this.#folder, name), { force: true });
    await rmdir(this.#folder).catch(() => {});
    return own.length > 0;
  }

  #fileOf(request: QueuedRequest): string {
    return join(this.#folder, fileName(request));
  }
}

function isPartial(name: string): boolean {
  return name.endsWith(partialEnd) && readFileName(name.slice(0, -partialEnd.length)) !== null;
}
