import { constants } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import type { AuditList, AuditRecord } from '../contract/audit.ts';
import { errorMessage, systemErrorCode } from '../lib/errors.ts';
import { noFollow } from '../lib/private_file.ts';
import { AuditPage, readHead } from './audit_page.ts';
import type { AuditQuery } from './audit_query.ts';

interface AuditLogOptions {
  readonly file: string;
  readonly onProblem: (message: string) => void;
  /** When a file is full, in bytes. Default: 20 MB. */
  readonly fileSize?: number;
  /** How many files there are at most, the one that is written included; at least 2. Default: 10. */
  readonly keptFiles?: number;
  /** How many records one call of `list` looks through at most. Default: 100,000. */
  readonly mostRead?: number;
}

/** How many records wait in memory while the disk is full; later ones are lost, and counted. */
const waitingRecords = 10_000;
/** How many records are written at once. */
const batchSize = 1000;
/** How long it takes, in milliseconds, until a write that failed is tried again. */
const retryAfter = 5000;

/**
 * The audit log: JSON lines that are only ever appended, in the order in which they came, in files of a bounded number and
 * size (`audit.jsonl`, then `audit.jsonl.1` and so on, older and older). A write that fails is told once, and tried again.
 */
export class AuditLog {
  readonly #file: string;
  readonly #fileSize: number;
  readonly #keptFiles: number;
  readonly #mostRead: number;
  readonly #onProblem: (message: string) => void;
  readonly #waiting: string[] = [];
  /** What of a batch is not written yet: a full disk may take half a line. */
  #rest = Buffer.alloc(0);
  #handle: FileHandle | null = null;
  #size = 0;
  #lost = 0;
  #isFailing = false;
  #writing: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;

  constructor({ file, onProblem, fileSize = 20e6, keptFiles = 10, mostRead = 100_000 }: AuditLogOptions) {
    this.#file = file;
    this.#onProblem = onProblem;
    this.#fileSize = fileSize;
    this.#keptFiles = keptFiles;
    this.#mostRead = mostRead;
  }

  /** Adds a record. Returns at once and never throws. */
  append(record: AuditRecord): void {
    if (this.#waiting.length >= waitingRecords) this.#lost++;
    else this.#waiting.push(`${JSON.stringify(record)}\n`);
    if (!this.#isFailing) void this.#write();
  }

  /** Resolves when what was appended is on the disk, or cannot be written just now. */
  async flush(): Promise<void> {
    await this.#write();
    await this.#handle?.datasync().catch((error: unknown) => this.#fail(error));
  }

  /** Flushes and gives the file free; nothing may be appended after it. */
  async close(): Promise<void> {
    await this.flush();
    if (this.#retry) clearTimeout(this.#retry);
    await this.#handle?.close();
    this.#handle = null;
  }

  /** The newest records that fit, oldest first, and where to go on. What is no record is left out. */
  async list(query: AuditQuery): Promise<AuditList> {
    await this.#write();
    const page = new AuditPage(query, this.#mostRead);
    const seen = new Set<string>();
    for (const file of this.#files()) {
      const handle = await openExisting(file);
      // While this reads, each file may move on to the next name.
      if (handle === null) continue;
      try {
        const head = await readHead(handle);
        if (head === null || seen.has(head.id)) continue;
        seen.add(head.id);
        if (await page.take(handle, head)) break;
      } finally {
        await handle.close();
      }
    }
    return page.answer;
  }

  #files(): string[] {
    return Array.from({ length: this.#keptFiles }, (_, age) =>
      age === 0 ? this.#file : `${this.#file}.${age}`,
    );
  }

  #write(): Promise<void> {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#rest.length > 0 || this.#waiting.length > 0) await this.#writeBatch();
      if (this.#isFailing) this.#recover();
    } catch (error) {
      this.#fail(error);
    }
  }

  async #writeBatch(): Promise<void> {
    const handle = this.#handle ?? (await this.#open());
    if (this.#rest.length === 0) {
      if (this.#size >= this.#fileSize) return this.#rotate(handle);
      this.#rest = Buffer.from(this.#waiting.splice(0, batchSize).join(''));
    }
    const { bytesWritten } = await handle.write(this.#rest);
    this.#rest = this.#rest.subarray(bytesWritten);
    this.#size += bytesWritten;
  }

  async #open(): Promise<FileHandle> {
    const { O_RDWR, O_APPEND, O_CREAT } = constants;
    const handle = await open(this.#file, O_RDWR | O_APPEND | O_CREAT | noFollow, 0o600);
    try {
      const { size } = await handle.stat();
      this.#size = size;
      const last = size === 0 ? null : await handle.read(Buffer.alloc(1), 0, 1, size - 1);
      // An agent that was killed may have left half a line.
      if (last !== null && last.buffer.toString() !== '\n') await handle.write('\n');
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#handle = handle;
    return handle;
  }

  async #rotate(handle: FileHandle): Promise<void> {
    this.#handle = null;
    await handle.close();
    const files = this.#files();
    for (let age = files.length - 1; age > 0; age--) {
      await renameExisting(files[age - 1] ?? '', files[age] ?? '');
    }
  }

  #fail(error: unknown): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      void this.#write();
    }, retryAfter).unref();
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#onProblem(`the audit log ${this.#file} cannot be written, and waits: ${errorMessage(error)}`);
  }

  #recover(): void {
    this.#isFailing = false;
    const lost = this.#lost === 0 ? 'no record was lost' : `${this.#lost} records were lost`;
    this.#onProblem(`the audit log ${this.#file} is written again; ${lost}`);
    this.#lost = 0;
  }
}

async function renameExisting(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  });
}

async function openExisting(file: string): Promise<FileHandle | null> {
  try {
    return await open(file, constants.O_RDONLY | noFollow);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw error;
  }
}
