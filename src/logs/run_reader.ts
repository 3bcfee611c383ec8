import { systemErrorCode } from '../lib/errors.ts';
import { type RunFiles, readHead } from './run_files.ts';
import { type StreamLine, StreamReader } from './stream_reader.ts';
import { type StreamName, TimeIndex } from './time_index.ts';

/** How far a reader is in the streams of a run. */
export type Offsets = Readonly<Record<StreamName, number>>;

/** A line of a run, with its place in time. */
export interface RunLine {
  readonly stream: StreamName;
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** How far one is when this line and all before it have been read. */
  readonly after: Offsets;
}

const streamNames = ['stdout', 'stderr'] as const;

/** Reads one run: both streams merged by time, each in its own order. */
export class RunReader {
  readonly #streams: Readonly<Record<StreamName, StreamReader>>;
  readonly #index: TimeIndex;
  readonly #head: Offsets;
  /** What has not been stamped yet was written just now. */
  readonly #now = Date.now();

  private constructor(streams: Record<StreamName, StreamReader>, index: TimeIndex, head: Offsets) {
    this.#streams = streams;
    this.#index = index;
    this.#head = head;
  }

  /** Null when the run's files are gone. */
  static async open(files: RunFiles): Promise<RunReader | null> {
    const opened: { close(): Promise<void> }[] = [];
    const keep = <T extends { close(): Promise<void> }>(reader: T): T => {
      opened.push(reader);
      return reader;
    };
    try {
      const index = keep(await TimeIndex.open(files.index));
      const stdout = keep(await StreamReader.open(files.stdout));
      const stderr = keep(await StreamReader.open(files.stderr));
      return new RunReader({ stdout, stderr }, index, readHead(files));
    } catch (error) {
      await Promise.all(opened.map((reader) => reader.close()));
      if (systemErrorCode(error) === 'ENOENT') return null;
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#streams.stdout.close(), this.#streams.stderr.close(), this.#index.close()]);
  }

  async sizes(): Promise<Offsets> {
    return { stdout: await this.#streams.stdout.size(), stderr: await this.#streams.stderr.size() };
  }

  /** Where the last whole line of each stream ends. */
  async wholeLines(): Promise<Offsets> {
    const { stdout, stderr } = await this.sizes();
    return {
      stdout: await this.#streams.stdout.lastLineEnd(stdout),
      stderr: await this.#streams.stderr.lastLineEnd(stderr),
    };
  }

  /** The sizes that the streams had at a time. */
  sizesAt(time: number): Promise<Offsets> {
    return this.#index.sizesAt(time);
  }

  /** The lines before `to`, last first, of the streams that are wanted. */
  async *backward(to: Offsets, wanted: StreamName | undefined): AsyncGenerator<RunLine, void, void> {
    const heads = await Promise.all(
      streamNames.map(async (stream) => {
        const from =
          wanted !== undefined && stream !== wanted ? to[stream] : Math.min(this.#head[stream], to[stream]);
        const lines = this.#streams[stream].backward(from, to[stream]);
        return { stream, lines, line: await this.#next(stream, lines), begin: to[stream] };
      }),
    );
    const [stdout, stderr] = heads;
    if (stdout === undefined || stderr === undefined) return;
    while (stdout.line !== null || stderr.line !== null) {
      const later = isLater(stderr.line, stdout.line) ? stderr : stdout;
      const { line } = later;
      if (line === null) return;
      const after = { stdout: endOf(stdout), stderr: endOf(stderr) };
      yield { stream: later.stream, text: line.text, time: line.time, after };
      later.begin = line.start;
      later.line = await this.#next(later.stream, later.lines);
    }
  }

  /** Whole lines after `from`, oldest first, and how far they lead; not more than a piece of each stream. */
  async forward(from: Offsets, wanted: StreamName | undefined, final: boolean): Promise<RunLine[]> {
    const read = await Promise.all(
      streamNames.map(async (stream) => {
        if (wanted !== undefined && stream !== wanted) return [];
        const start = Math.max(from[stream], this.#head[stream]);
        const lines = await this.#streams[stream].forward(start, final);
        const times = await this.#index.timesOf(
          stream,
          lines.map(({ end }) => end),
          this.#now,
        );
        return lines.map((line, n) => ({ stream, line, time: times[n] ?? this.#now }));
      }),
    );
    const merged = read.flat().sort((one, other) => one.time - other.time);
    let after = from;
    return merged.map(({ stream, line, time }) => {
      after = { ...after, [stream]: line.end };
      return { stream, text: line.text, time, after };
    });
  }

  async #next(
    stream: StreamName,
    lines: AsyncGenerator<StreamLine, void, void>,
  ): Promise<(StreamLine & { time: number }) | null> {
    const { value } = await lines.next();
    return value ? { ...value, time: await this.#timeOf(stream, value.end) } : null;
  }

  async #timeOf(stream: StreamName, end: number): Promise<number> {
    return (await this.#index.timeOf(stream, end)) ?? this.#now;
  }
}

interface Timed {
  readonly time: number;
}

function isLater(one: Timed | null, other: Timed | null): boolean {
  if (one === null) return false;
  return other === null || one.time >= other.time;
}

/** How far a stream has been read when its present line is the last. */
function endOf({ line, begin }: { readonly line: StreamLine | null; readonly begin: number }): number {
  return line === null ? begin : line.end;
}
