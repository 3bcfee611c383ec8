import type { LogLine, LogPage, SkippedOutput } from '../contract/logs.ts';
import { type Place, parseCursor } from './cursor.ts';

/** Lines of one service from a place on, in one direction; `null`: from its end backwards. */
export type ReadLines = (place: Place | null) => Promise<Omit<LogPage, 'service'>>;

/** The lines of one service in one direction, read page by page as they are taken. */
export class ServiceLines {
  readonly service: string;
  readonly #isForward: boolean;
  readonly #read: ReadLines;
  #place: Place | null;
  /** In the order in which they are taken. */
  #lines: readonly LogLine[] = [];
  #taken = 0;
  /** The place after the lines of the page. */
  #pageEnd: string | null = null;
  #cursor: string | null = null;
  #isAll = false;
  /** The place where reading began, as soon as something was read. */
  begin: string | null = null;
  /** What was removed before it could be read. */
  skipped: SkippedOutput | null = null;

  constructor(service: string, place: Place | null, isForward: boolean, read: ReadLines) {
    this.service = service;
    this.#place = place;
    this.#isForward = isForward;
    this.#read = read;
  }

  /** The next line; null when there is none, undefined when more has to be read first, by `fill`. */
  get line(): LogLine | null | undefined {
    return this.#lines[this.#taken] ?? (this.#isAll ? null : undefined);
  }

  /** The place between what has been taken and what has not; null before anything was read. */
  get cursor(): string | null {
    return this.#cursor;
  }

  /** Takes the next line. */
  drop(): void {
    const line = this.#lines[this.#taken];
    if (line === undefined) return;
    this.#taken += 1;
    const next = this.#lines[this.#taken];
    // The cursor of a line is the place after it, from whichever side one comes.
    if (next === undefined) this.#cursor = this.#pageEnd;
    else this.#cursor = this.#isForward ? line.cursor : next.cursor;
  }

  /** Reads on; that may bring no line although there are more. */
  async fill(): Promise<void> {
    if (this.line !== undefined) return;
    const { lines, truncated, before, after, skipped } = await this.#read(this.#place);
    const [near, far] = this.#isForward ? [before, after] : [after, before];
    this.#lines = this.#isForward ? lines : lines.toReversed();
    this.#taken = 0;
    this.#isAll = !truncated;
    this.#place = parseCursor(far);
    this.#pageEnd = far;
    this.begin ??= near;
    this.skipped ??= skipped ?? null;
    this.#cursor = lines.length === 0 ? far : (this.#cursor ?? near);
  }
}
