import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { type AuditList, type AuditRecord, auditRecord } from '../contract/audit.ts';
import { type LineInFile, linesBackwards } from '../lib/lines_backwards.ts';
import { type AuditQuery, fits, isAhead, isPast } from './audit_query.ts';

/** How an audit file begins, which stays as it is whatever its name becomes. */
export interface AuditFileHead {
  /** Of its first line: what a place in the file is told by. */
  readonly id: string;
  readonly first: AuditRecord | null;
}

/** No line of the log is so long, in bytes. */
const longestLine = 65_536;

/** How a file begins; null: it has no whole line yet, so there is nothing in it to be read. */
export async function readHead(handle: FileHandle): Promise<AuditFileHead | null> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(longestLine), 0, longestLine, 0);
  const end = buffer.subarray(0, bytesRead).indexOf('\n');
  if (end === -1 && bytesRead < longestLine) return null;
  const line = buffer.subarray(0, end === -1 ? longestLine : end);
  const id = createHash('sha256').update(line).digest('hex').slice(0, 16);
  return { id, first: parse(line.toString('utf8')) };
}

/**
 * Gathers a page of the audit log from its files, the newest first. A place is told by the head of its file and where a
 * line begins in it, so it stays the same when files move on to other names; once its file is gone, so is all that is older.
 */
export class AuditPage {
  readonly #query: AuditQuery;
  readonly #found: AuditRecord[] = [];
  /** The file and the place in it before which the page begins. */
  readonly #beginFile: string | null;
  readonly #beginAt: number;
  #hasBegun: boolean;
  #left: number;
  /** Where the oldest line begins that was looked at. */
  #place: string | null = null;
  #hasMore = false;

  /** @param mostRead how many lines are looked at */
  constructor(query: AuditQuery, mostRead: number) {
    this.#query = query;
    this.#left = mostRead;
    const [file = null, at] = query.before?.split('.') ?? [];
    this.#beginFile = file;
    this.#beginAt = Number(at);
    this.#hasBegun = file === null;
  }

  get answer(): AuditList {
    return { records: this.#found.toReversed(), next: this.#hasMore ? this.#place : null };
  }

  /** Takes what fits of a file; true: the page is done. */
  async take(handle: FileHandle, { id, first }: AuditFileHead): Promise<boolean> {
    let end: number | undefined;
    if (!this.#hasBegun) {
      if (id !== this.#beginFile) return false;
      this.#hasBegun = true;
      end = this.#beginAt;
    }
    if (first !== null && isAhead(first, this.#query)) return false;
    for await (const line of linesBackwards(handle, end)) {
      if (this.#isFull) {
        this.#hasMore = true;
        return true;
      }
      if (this.#look(line)) return true;
      this.#place = `${id}.${line.start}`;
    }
    return false;
  }

  get #isFull(): boolean {
    return this.#left === 0 || this.#found.length >= this.#query.limit;
  }

  /** True: nothing older can fit. */
  #look({ text }: LineInFile): boolean {
    this.#left -= 1;
    const record = parse(text);
    if (record === null) return false;
    if (fits(record, this.#query)) this.#found.push(record);
    return isPast(record, this.#query);
  }
}

function parse(line: string): AuditRecord | null {
  try {
    return auditRecord.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}
