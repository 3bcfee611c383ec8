import { randomBytes } from 'node:crypto';
import { renameSync, rmdirSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { DavitError, systemErrorCode } from '../lib/errors.ts';
import { storageFailure } from './refusal.ts';
import { writeUpload } from './upload.ts';

interface UploadStoreOptions {
  /** Where archives are kept, each in the folder of its service. */
  readonly directory: string;
  /** How large one may be, in bytes. */
  readonly limit: () => number;
  /** Milliseconds in which something must come of an upload. Default 30 s. */
  readonly patience?: number;
}

/** An archive that is kept. */
export interface Upload {
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly uploaded_at: number;
}

/** What comes with an upload. */
export interface UploadRequest {
  /** What it must be; null: whatever it is. */
  readonly sha256: string | null;
  /** How large it says that it is, in bytes; null: it does not say. */
  readonly expected: number | null;
}

/** How many uploads may come at a time. */
const mostAtOnce = 8;
const partial = '.incoming-';
const isArchive = (name: string) => /^[0-9a-f]{64}$/.test(name);

/** The archives that were uploaded, by service and by what they hold. */
export class UploadStore {
  readonly #options: UploadStoreOptions;
  /** The files that come, and those that somebody is about to use, with how many they are. */
  readonly #held = new Map<string, number>();
  #coming = 0;

  constructor(options: UploadStoreOptions) {
    this.#options = options;
  }

  /**
   * Takes an upload in, and keeps it until `release` is called at least. Throws what `writeUpload` does, `checksum_mismatch`,
   * and `too_many_requests`, with nothing left of it.
   */
  async receive(service: string, source: Readable, { sha256: wanted, expected }: UploadRequest) {
    if (this.#coming >= mostAtOnce)
      throw new DavitError('too_many_requests', `${mostAtOnce} uploads are coming already; try again later`);
    this.#coming += 1;
    const { directory, limit, patience = 30_000 } = this.#options;
    const name = partial + randomBytes(8).toString('hex');
    const file = this.file(service, name);
    const leave = this.hold(service, name);
    let release = () => {};
    try {
      await mkdir(join(directory, service), { recursive: true, mode: 0o700 });
      const { sha256, size } = await writeUpload(source, file, { limit: limit(), expected, patience });
      if (wanted !== null && wanted !== sha256)
        throw new DavitError('checksum_mismatch', `the upload was to be ${wanted}, but is ${sha256}`);
      release = this.hold(service, sha256);
      await rename(file, this.file(service, sha256));
      return { sha256, size, release };
    } catch (error) {
      release();
      throw storageFailure(error, 'the upload cannot be kept');
    } finally {
      this.#coming -= 1;
      await rm(file, { force: true });
      leave();
    }
  }

  /** Where an archive is, if it is kept. */
  file(service: string, sha256: string): string {
    return join(this.#options.directory, service, sha256);
  }

  async has(service: string, sha256: string): Promise<boolean> {
    return (await this.#stat(service, sha256)) !== null;
  }

  /** Newest first. */
  async list(service: string): Promise<Upload[]> {
    const names = await this.#names(service);
    const uploads = await Promise.all(names.filter(isArchive).map((name) => this.#stat(service, name)));
    return uploads.flatMap((upload) => upload ?? []).toSorted((a, b) => b.uploaded_at - a.uploaded_at);
  }

  /** Keeps an archive until what is returned is called. */
  hold(service: string, sha256: string): () => void {
    const name = this.file(service, sha256);
    this.#held.set(name, (this.#held.get(name) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const left = (this.#held.get(name) ?? 1) - 1;
      if (left === 0) this.#held.delete(name);
      else this.#held.set(name, left);
    };
  }

  isHeld(service: string, sha256: string): boolean {
    return this.#held.has(this.file(service, sha256));
  }

  /** Whether anything comes for a service, or somebody is about to use any of what came. */
  isAnyHeld(service: string): boolean {
    return [...this.#held.keys()].some((file) => dirname(file) === join(this.#options.directory, service));
  }

  /** Its place is free at once: what comes at the same time stays. */
  async remove(service: string, sha256: string): Promise<void> {
    const doomed = this.file(service, partial + randomBytes(8).toString('hex'));
    try {
      renameSync(this.file(service, sha256), doomed);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return;
      throw error;
    }
    await rm(doomed, { force: true });
  }

  /** Removes what there is of a service, but for what comes or is held. */
  async removeAll(service: string): Promise<void> {
    for (const name of await this.#names(service))
      if (!this.isHeld(service, name)) await this.remove(service, name);
    // Nothing can begin to come in between.
    if (!this.isAnyHeld(service)) removeEmpty(join(this.#options.directory, service));
  }

  /** Removes what an agent that died left of uploads that came, and all of services that are not known. */
  async tidy(isKnown: (service: string) => boolean): Promise<void> {
    for (const service of await this.#namesIn(this.#options.directory)) {
      for (const name of await this.#names(service))
        if (name.startsWith(partial) && !this.isHeld(service, name)) await this.remove(service, name);
      if (!isKnown(service)) await this.removeAll(service);
    }
  }

  async #stat(service: string, sha256: string): Promise<Upload | null> {
    try {
      const { size, mtimeMs } = await stat(this.file(service, sha256));
      return { sha256, size, uploaded_at: mtimeMs };
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return null;
      throw storageFailure(error, 'the uploads cannot be read');
    }
  }

  #names(service: string): Promise<string[]> {
    return this.#namesIn(join(this.#options.directory, service));
  }

  async #namesIn(directory: string): Promise<string[]> {
    try {
      return await readdir(directory);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return [];
      throw storageFailure(error, 'the uploads cannot be read');
    }
  }
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!/^(ENOENT|ENOTEMPTY)$/.test(systemErrorCode(error))) throw error;
  }
}
