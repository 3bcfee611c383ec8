import type { MergedLine, SkippedServiceOutput } from '../../../contract/merged_logs.ts';

/** A line, or what is missing between two. */
export interface Entry {
  /** Counts on from line to line; those that are put before count down. */
  readonly id: number;
  readonly line: MergedLine | null;
  readonly skipped: SkippedServiceOutput | null;
  /** How high its row is, in pixels: estimated until it was measured. */
  height: number;
}

/** What follows one another between two places, to which it can be gone back. */
interface Chunk {
  readonly entries: Entry[];
  readonly before: string;
  after: string;
  /** Of all its rows, in pixels. */
  height: number;
}

/** Lines with the places before and after them. */
interface Piece {
  readonly lines: readonly MergedLine[];
  readonly skipped?: readonly SkippedServiceOutput[];
  readonly before: string;
  readonly after: string;
}

/** Pieces are put together until a chunk has so many lines: that is how exactly the window can be cut off. */
const chunkLines = 500;

/**
 * A part of a log that may be of any length: lines are added at either end and whole chunks are dropped at the other.
 * It also knows where each row lies, so that only those that are seen need to exist. Nothing in it is reactive.
 */
export class LogWindow {
  #chunks: Chunk[] = [];
  #estimate: (entry: Entry) => number = () => 20;
  #length = 0;
  readonly #mostLines: number;

  constructor(mostLines = 50_000) {
    this.#mostLines = mostLines;
  }

  get length(): number {
    return this.#length;
  }

  /** The place before its first line; null: it holds nothing, not even a place. */
  get before(): string | null {
    return this.#chunks[0]?.before ?? null;
  }

  get after(): string | null {
    return this.#chunks.at(-1)?.after ?? null;
  }

  /** Of its first entry, or of the one that would be it. */
  get firstId(): number {
    return this.#chunks.find(({ entries }) => entries.length > 0)?.entries[0]?.id ?? 0;
  }

  get endId(): number {
    return this.firstId + this.#length;
  }

  /** Of all rows, in pixels. */
  get height(): number {
    return this.#chunks.reduce((sum, { height }) => sum + height, 0);
  }

  clear(): void {
    this.#chunks = [];
    this.#length = 0;
  }

  /** Adds what comes after everything else. */
  append(piece: Piece): void {
    const entries = this.#entriesOf(piece, this.endId);
    const height = sumOf(entries);
    const last = this.#chunks.at(-1);
    this.#length += entries.length;
    if (last !== undefined && last.entries.length + entries.length <= chunkLines) {
      for (const entry of entries) last.entries.push(entry);
      last.height += height;
      last.after = piece.after;
    } else this.#chunks.push({ entries, before: piece.before, after: piece.after, height });
  }

  /** Adds what comes before everything else. */
  prepend(piece: Piece): void {
    const count = piece.lines.length + (piece.skipped?.length ?? 0);
    const entries = this.#entriesOf(piece, this.firstId - count);
    this.#length += count;
    this.#chunks.unshift({ entries, before: piece.before, after: piece.after, height: sumOf(entries) });
  }

  /** Drops the oldest lines of what is too much; answers whether it did. */
  dropOldest(): boolean {
    return this.#drop(() => this.#chunks.shift());
  }

  /** Drops the newest lines of what is too much; answers whether it did. */
  dropNewest(): boolean {
    return this.#drop(() => this.#chunks.pop());
  }

  #drop(take: () => Chunk | undefined): boolean {
    const before = this.#length;
    while (this.#length > this.#mostLines && this.#chunks.length > 1)
      this.#length -= take()?.entries.length ?? 0;
    return this.#length < before;
  }

  at(id: number): Entry | undefined {
    let first = this.firstId;
    for (const { entries } of this.#chunks) {
      if (id < first + entries.length) return entries[id - first];
      first += entries.length;
    }
    return undefined;
  }

  slice(from: number, to: number): Entry[] {
    const found: Entry[] = [];
    let first = this.firstId;
    for (const { entries } of this.#chunks) {
      const end = first + entries.length;
      if (end > from && first < to) {
        found.push(...entries.slice(Math.max(0, from - first), Math.max(0, to - first)));
      }
      first = end;
    }
    return found;
  }

  find(fits: (entry: Entry) => boolean): Entry | undefined {
    for (const { entries } of this.#chunks) {
      const found = entries.find(fits);
      if (found) return found;
    }
    return undefined;
  }

  /** Which entry is so many pixels from the top, and where it begins. Above the top it is the first, below the end the last. */
  entryAt(pixels: number): { readonly entry: Entry; readonly top: number } | null {
    let top = 0;
    let last: { entry: Entry; top: number } | null = null;
    for (const { entries, height } of this.#chunks) {
      const first = entries[0];
      if (first === undefined) continue;
      if (pixels >= top + height) {
        const end = entries.at(-1) ?? first;
        top += height;
        last = { entry: end, top: top - end.height };
        continue;
      }
      for (const entry of entries) {
        if (pixels < top + entry.height) return { entry, top };
        top += entry.height;
      }
    }
    return last;
  }

  /** How many pixels there are above an entry. */
  topOf(id: number): number {
    let [top, first] = [0, this.firstId];
    for (const { entries, height } of this.#chunks) {
      if (id < first + entries.length) {
        for (const entry of entries) {
          if (entry.id >= id) break;
          top += entry.height;
        }
        return top;
      }
      top += height;
      first += entries.length;
    }
    return top;
  }

  /** Takes what a row really measures; answers whether that is something else than was known. */
  measure(id: number, height: number): boolean {
    let first = this.firstId;
    for (const chunk of this.#chunks) {
      const entry = chunk.entries[id - first];
      if (id >= first && entry !== undefined) {
        if (Math.abs(entry.height - height) < 0.1) return false;
        chunk.height += height - entry.height;
        entry.height = height;
        return true;
      }
      first += chunk.entries.length;
    }
    return false;
  }

  /** Forgets what was measured: rows look different from now on. */
  estimateBy(estimate: (entry: Entry) => number): void {
    this.#estimate = estimate;
    for (const chunk of this.#chunks) {
      for (const entry of chunk.entries) entry.height = estimate(entry);
      chunk.height = sumOf(chunk.entries);
    }
  }

  #entriesOf({ lines, skipped = [] }: Piece, firstId: number): Entry[] {
    const things = [
      ...skipped.map((one) => ({ line: null, skipped: one })),
      ...lines.map((line) => ({ line, skipped: null })),
    ];
    return things.map((thing, index) => {
      const entry: Entry = { ...thing, id: firstId + index, height: 0 };
      entry.height = this.#estimate(entry);
      return entry;
    });
  }
}

function sumOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { height }) => sum + height, 0);
}
