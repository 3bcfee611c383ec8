import { characterStart, cutLines, firstBreak, lastBreak, longestLine, type StreamLine } from './lines.ts';
import type { Run } from './run.ts';
import type { StreamName } from './run_files.ts';
import type { StreamFile } from './stream_file.ts';
import type { TimeIndex } from './time_index.ts';

/** A line with its place in time. */
export interface TimedLine extends StreamLine {
  readonly run: Run;
  readonly stream: StreamName;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Whether the line goes on in the next one of its stream. */
  readonly continues: boolean;
}

/** What is read of a stream, and how. */
export interface SourceOptions {
  readonly run: Run;
  readonly stream: StreamName;
  readonly file: StreamFile;
  readonly index: TimeIndex;
  /** The time of what has not been stamped. */
  readonly unstamped: number;
  /** Whether nothing more is written. */
  readonly isFinal: boolean;
  /** Where the stream ends. */
  readonly end: number;
}

const firstPiece = 16_384;
const piece = 65_536;

/** The lines of one stream of one run in one direction, read piece by piece. */
export abstract class LineSource {
  readonly options: SourceOptions;
  /** Up to here (or down to here) the lines have been taken. */
  position: number;
  /** Whether nothing more can be read for now. */
  isDry = false;
  /** Whether what was to be read next has been removed; such a source is dry. */
  isOvertaken = false;
  #lines: readonly TimedLine[] = [];
  #next = 0;

  constructor(options: SourceOptions, position: number) {
    this.options = options;
    this.position = position;
  }

  /** The next line; undefined when the source is dry, or has to be filled. */
  get line(): TimedLine | undefined {
    return this.#lines[this.#next];
  }

  /** Takes the next line. */
  drop(): void {
    const { line } = this;
    if (line === undefined) return;
    this.position = this.placeAfter(line);
    this.#next += 1;
  }

  /** Reads the next piece, when there are no lines left. */
  async fill(): Promise<void> {
    while (this.line === undefined && !this.isDry) {
      this.#lines = await this.#timed(await this.readLines());
      this.#next = 0;
    }
  }

  protected abstract placeAfter(line: StreamLine): number;
  /** The lines of the next piece, as they follow in the stream; sets `isDry` at the end. */
  protected abstract readLines(): Promise<StreamLine[]>;
  protected abstract inOrder(lines: TimedLine[]): TimedLine[];

  /** What lies between two offsets and the offset where that begins: what was given back meanwhile is left out. */
  protected async readFrom(from: number, to: number): Promise<{ start: number; bytes: Buffer }> {
    const { run, stream, file } = this.options;
    const bytes = await file.read(from, to);
    const start = Math.max(from, run.head[stream]);
    return { start, bytes: bytes.subarray(start - from) };
  }

  async #timed(lines: StreamLine[]): Promise<TimedLine[]> {
    const { run, stream, index, unstamped, isFinal, end } = this.options;
    const ends = lines.map((line) => line.end);
    const times = await index.timesOf(stream, ends, unstamped);
    return this.inOrder(
      lines.map((line, n) => ({
        ...line,
        run,
        stream,
        time: times[n] ?? unstamped,
        continues: !line.isWhole && !(isFinal && line.end === end),
      })),
    );
  }
}

/** Oldest first. Of what is still written, only whole lines are given, and pieces of very long ones. */
export class ForwardSource extends LineSource {
  #readTo: number;

  constructor(options: SourceOptions, from: number) {
    super(options, from);
    this.#readTo = from;
  }

  protected override placeAfter({ end }: StreamLine): number {
    return end;
  }

  protected override async readLines(): Promise<StreamLine[]> {
    const to = Math.min(this.options.end, this.#readTo + piece + longestLine);
    const { start, bytes } = await this.readFrom(this.#readTo, Math.max(to, this.#readTo));
    this.isOvertaken = start > this.#readTo;
    const length = this.isOvertaken ? 0 : this.#readable(bytes);
    this.isDry = length === 0;
    this.#readTo = start + length;
    return cutLines(bytes.subarray(0, length), start);
  }

  protected override inOrder(lines: TimedLine[]): TimedLine[] {
    return lines;
  }

  /** How many of these bytes are whole lines, or a piece of a very long one, or the end of all. */
  #readable(bytes: Buffer): number {
    const whole = lastBreak(bytes);
    if (whole > 0) return whole;
    if (bytes.length > longestLine) return characterStart(bytes, longestLine);
    return this.options.isFinal ? bytes.length : 0;
  }
}

/** Last first. Text after the last line break is a line, too. */
export class BackwardSource extends LineSource {
  #readDownTo: number;
  /** What has been read of a line whose beginning lies before. */
  #rest: Buffer = Buffer.alloc(0);
  #size = firstPiece;

  constructor(options: SourceOptions, to: number) {
    super(options, to);
    this.#readDownTo = to;
  }

  protected override placeAfter({ start }: StreamLine): number {
    return start;
  }

  protected override async readLines(): Promise<StreamLine[]> {
    const { run, stream } = this.options;
    const from = Math.max(run.head[stream], this.#readDownTo - this.#size);
    this.#size = piece;
    this.isDry = from >= this.#readDownTo;
    if (this.isDry) return [];
    const read = await this.readFrom(from, this.#readDownTo);
    const bytes = Buffer.concat([read.bytes, this.#rest]);
    this.#readDownTo = read.start;
    const isBeginning = read.start <= run.head[stream];
    const first = isBeginning ? 0 : this.#firstStart(bytes);
    this.#rest = Buffer.from(bytes.subarray(0, first));
    return cutLines(bytes.subarray(first), read.start + first);
  }

  protected override inOrder(lines: TimedLine[]): TimedLine[] {
    return lines.reverse();
  }

  /** Where the first line begins that is wholly in `bytes`, or a piece of one that is very long. */
  #firstStart(bytes: Buffer): number {
    const found = firstBreak(bytes);
    const start = found === -1 ? bytes.length : found;
    if (start < longestLine) return start;
    // Not in the middle of a character.
    return Math.max(0, [0, 1, 2, 3].find((place) => ((bytes[place] ?? 0) & 0xc0) !== 0x80) ?? 0);
  }
}
