import { crc32 } from 'node:zlib';
import { errorMessage } from '../../lib/errors.ts';
import type { Complaints } from './complaints.ts';
import { type QueuedRequest, sizeOnDisk } from './queued_request.ts';
import { isPassing, RequestFolder } from './request_folder.ts';
import type { EncodedRequest } from './write_request.ts';

/** Why a request is given up before it is sent. */
export const dropReasons = ['too_old', 'queue_full', 'memory_full', 'unreadable'] as const;
export type DropReason = (typeof dropReasons)[number];

export interface QueueLimits {
  /** Bytes on the disk. */
  readonly size: number;
  /** Milliseconds. */
  readonly age: number;
}

interface QueueOptions {
  /** The queue's own; made when it is needed. */
  readonly folder: string;
  readonly limits: QueueLimits;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly onDrop: (reason: DropReason, samples: number) => void;
  readonly complaints: Complaints;
}

type Entry = QueuedRequest & {
  place: 'memory' | 'being_written' | 'disk' | 'removed';
  /** null: it is read from the disk. */
  body: Uint8Array | null;
};

/** What is to be sent next. */
export interface NextRequest {
  readonly request: QueuedRequest;
  readonly body: Uint8Array;
}

/** How many requests are kept in memory while the disk takes none. */
const mostInMemory = 64;
/** How many requests wait at most, whatever their size: each is a file. */
const mostRequests = 50_000;

/**
 * Requests in the order in which they were made, each a file until it is removed: what the agent did not send, the next
 * one sends. When there is too much, or it gets too old, the oldest goes. A disk that takes nothing hinders nobody: the
 * newest requests are in memory then. After a power cut the last moments may be missing.
 */
export class RequestQueue {
  readonly #options: QueueOptions;
  readonly #folder: RequestFolder;
  readonly #entries: Entry[] = [];
  /** Those that are not on the disk, the oldest first. */
  readonly #unwritten: Entry[] = [];
  /** Those whose files are to go. */
  readonly #doomed: Entry[] = [];
  #limits: QueueLimits;
  #number = 0;
  #bytes = 0;
  #samples = 0;
  #isWorking = false;
  #work: Promise<void> = Promise.resolve();
  #refusal: string | null = null;

  /** Takes up what is in the folder. */
  constructor(options: QueueOptions) {
    this.#options = options;
    this.#limits = options.limits;
    this.#folder = new RequestFolder(options.folder);
    try {
      for (const request of this.#folder.load()) this.#add({ ...request, place: 'disk', body: null });
    } catch (error) {
      options.complaints.tell('load', `what waited is not sent: ${errorMessage(error)}`);
    }
    this.#number = this.#entries.at(-1)?.number ?? 0;
    this.#keepWithinLimits();
  }

  get waiting(): { readonly requests: number; readonly samples: number; readonly bytes: number } {
    return { requests: this.#entries.length, samples: this.#samples, bytes: this.#bytes };
  }

  /** The time of the newest that waits, in milliseconds since the epoch; 0 without any. */
  get newest(): number {
    return this.#entries.at(-1)?.at ?? 0;
  }

  /** Why nothing can be written; null while it can. */
  get refusal(): string | null {
    return this.#refusal;
  }

  /** Returns at once; it is written soon. */
  push({ samples, body }: EncodedRequest, at: number): void {
    this.#number += 1;
    const request = { number: this.#number, at, samples, size: body.length, checksum: crc32(body) };
    const entry: Entry = { ...request, place: 'memory', body };
    this.#add(entry);
    this.#unwritten.push(entry);
    this.#keepWithinLimits();
    this.#wake();
  }

  /** The oldest that waits, or null. Throws where it cannot be read now but perhaps later. */
  async next(): Promise<NextRequest | null> {
    for (;;) {
      this.#keepWithinLimits();
      const entry = this.#entries[0];
      if (entry === undefined) return null;
      const body = entry.body ?? (await this.#read(entry));
      // It may have become too old in the meantime.
      if (body !== null && entry === this.#entries[0]) return { request: entry, body };
      if (body === null) this.#drop(entry, 'unreadable');
    }
  }

  /** It was sent, or nobody wants it. Has no effect on one that is gone already. */
  remove({ number }: QueuedRequest): void {
    const entry = this.#entries.find((other) => other.number === number);
    if (entry) this.#remove(entry);
  }

  limit(limits: QueueLimits): void {
    this.#limits = limits;
    this.#keepWithinLimits();
  }

  /** Resolves when all is on the disk that the disk takes. */
  async settle(): Promise<void> {
    this.#wake();
    while (this.#isWorking) await this.#work;
  }

  #add(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += sizeOnDisk(entry);
    this.#samples += entry.samples;
  }

  #keepWithinLimits(): void {
    const { size, age } = this.#limits;
    const oldest = this.#options.now() - age;
    const isTooMuch = () =>
      this.#entries.length > 1 && (this.#bytes > size || this.#entries.length > mostRequests);
    this.#dropFirst(this.#entries, 'too_old', ({ at }) => at < oldest);
    this.#dropFirst(this.#entries, 'queue_full', isTooMuch);
    this.#dropFirst(this.#unwritten, 'memory_full', () => this.#unwritten.length > mostInMemory);
  }

  #dropFirst(list: readonly Entry[], reason: DropReason, isToGo: (first: Entry) => boolean): void {
    for (let first = list[0]; first !== undefined && isToGo(first); first = list[0])
      this.#drop(first, reason);
  }

  #drop(entry: Entry, reason: DropReason): void {
    if (entry.place === 'removed') return;
    this.#remove(entry);
    this.#options.onDrop(reason, entry.samples);
  }

  #remove(entry: Entry): void {
    const wasOnDisk = entry.place === 'disk';
    this.#forget(entry);
    if (!wasOnDisk) return;
    this.#doomed.push(entry);
    this.#wake();
  }

  #forget(entry: Entry): void {
    for (const list of [this.#entries, this.#unwritten]) {
      const index = list.indexOf(entry);
      if (index >= 0) list.splice(index, 1);
    }
    this.#bytes -= sizeOnDisk(entry);
    this.#samples -= entry.samples;
    entry.place = 'removed';
  }

  #wake(): void {
    if (this.#isWorking) return;
    this.#isWorking = true;
    this.#work = this.#tidy();
  }

  /** One after the other: a disk that hangs is asked for one thing at a time. */
  async #tidy(): Promise<void> {
    let takesMore = true;
    while (this.#doomed.length > 0 || (takesMore && this.#unwritten.length > 0)) {
      const [doomed, unwritten] = [this.#doomed.shift(), this.#unwritten[0]];
      if (doomed) await this.#removeFile(doomed);
      else if (unwritten) takesMore = await this.#write(unwritten);
    }
    this.#isWorking = false;
  }

  async #removeFile(entry: Entry): Promise<void> {
    try {
      await this.#folder.remove(entry);
    } catch (error) {
      this.#complain('remove', `what was sent cannot be removed: ${errorMessage(error)}`);
    }
  }

  /** Resolves with whether the disk takes more. */
  async #write(entry: Entry): Promise<boolean> {
    entry.place = 'being_written';
    try {
      await this.#folder.write(entry, entry.body ?? new Uint8Array());
    } catch (error) {
      if (!isRemoved(entry)) entry.place = 'memory';
      this.#refusal = errorMessage(error);
      const most = `up to ${mostInMemory} requests`;
      this.#complain(
        'write',
        `what waits is kept in memory, ${most}, for it cannot be written: ${this.#refusal}`,
      );
      return false;
    }
    this.#refusal = null;
    // It may have been sent while it was written.
    if (isRemoved(entry)) this.#doomed.push(entry);
    else this.#isOnDisk(entry);
    return true;
  }

  #isOnDisk(entry: Entry): void {
    this.#unwritten.splice(this.#unwritten.indexOf(entry), 1);
    entry.place = 'disk';
    entry.body = null;
  }

  /** null where it is lost. */
  async #read(entry: Entry): Promise<Uint8Array | null> {
    try {
      return await this.#folder.read(entry);
    } catch (error) {
      if (isPassing(error)) throw error;
      if (!isRemoved(entry)) this.#complain('read', `what waits is not sent: ${errorMessage(error)}`);
      return null;
    }
  }

  #complain(kind: string, message: string): void {
    this.#options.complaints.tell(kind, message);
  }
}

/** A question of its own, for it changes while others wait. */
function isRemoved({ place }: Entry): boolean {
  return place === 'removed';
}
