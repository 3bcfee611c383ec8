import { BackwardSource, ForwardSource, type LineSource, type SourceOptions } from './line_source.ts';
import { characterStart, lastBreak } from './lines.ts';
import type { Run } from './run.ts';
import { type Offsets, type StreamName, streamNames } from './run_files.ts';
import { openStream, type StreamFile } from './stream_file.ts';
import { TimeIndex } from './time_index.ts';

const smallPiece = 4_096;
const piece = 65_536;

/** Reads one run: its streams as they were when it was opened, and when what was written. */
export class RunReader {
  readonly run: Run;
  /** Where each stream ends, as far as it is read. */
  readonly end: Offsets;
  /** How long it was. */
  readonly #size: Offsets;
  readonly #streams: Readonly<Record<StreamName, StreamFile>>;
  readonly #index: TimeIndex;
  readonly #isFinal: boolean;
  /** What has not been stamped yet was written just now, or last of all. */
  readonly #unstamped: number;

  private constructor(
    run: Run,
    streams: Record<StreamName, StreamFile>,
    index: TimeIndex,
    facts: { end: Offsets; size: Offsets; isFinal: boolean },
  ) {
    this.run = run;
    this.#streams = streams;
    this.#index = index;
    this.end = facts.end;
    this.#size = facts.size;
    this.#isFinal = facts.isFinal;
    this.#unstamped = run.isLive ? Date.now() : run.endedAt;
  }

  /**
   * Null when the run's files are gone.
   * @param isStampedOnly whether what has no time yet is left out
   */
  static async open(run: Run, isStampedOnly = false): Promise<RunReader | null> {
    const opened: { close(): Promise<void> }[] = [];
    const keep = <T extends { close(): Promise<void> }>(reader: T): T => {
      opened.push(reader);
      return reader;
    };
    try {
      const isFinal = !run.isLive;
      const stdout = keep(await openStream(run.files.stdout));
      const stderr = keep(await openStream(run.files.stderr));
      const noted = run.sizes;
      const size = { stdout: await stdout.size(), stderr: await stderr.size() };
      const end = isStampedOnly && !isFinal ? lesser(size, noted) : size;
      run.noteHead({ stdout: stdout.begin, stderr: stderr.begin });
      const index = keep(await TimeIndex.open(run.files.index));
      if (stdout.isThere || stderr.isThere)
        return new RunReader(run, { stdout, stderr }, index, { end, size, isFinal });
    } catch (error) {
      await Promise.all(opened.map((reader) => reader.close()));
      throw error;
    }
    await Promise.all(opened.map((reader) => reader.close()));
    return null;
  }

  async close(): Promise<void> {
    await Promise.all([this.#streams.stdout.close(), this.#streams.stderr.close(), this.#index.close()]);
  }

  /** Where the last whole line of each stream ends that ends before `limit`. */
  async wholeLines(limit: Offsets): Promise<Offsets> {
    return {
      stdout: await this.#lineEnd('stdout', limit.stdout),
      stderr: await this.#lineEnd('stderr', limit.stderr),
    };
  }

  /** Where the lines end that were written until `time`. */
  async endAt(time: number): Promise<Offsets> {
    const sizes = await this.#index.sizesAt(time);
    if (sizes !== null) return this.wholeLines(sizes);
    return time >= this.#unstamped ? this.end : this.wholeLines(await this.#stampedSizes());
  }

  /** What lies after `from`, oldest first. */
  forward(from: Offsets, wanted: StreamName | undefined): LineSource[] {
    return this.#sources(wanted, (options) => {
      return new ForwardSource(options, Math.min(from[options.stream], this.#size[options.stream]));
    });
  }

  /** What lies before `to`, last first. */
  backward(to: Offsets, wanted: StreamName | undefined): LineSource[] {
    return this.#sources(wanted, (options) => {
      const { stream } = options;
      return new BackwardSource(options, Math.min(to[stream], this.end[stream]));
    });
  }

  #sources(wanted: StreamName | undefined, make: (options: SourceOptions) => LineSource): LineSource[] {
    return streamNames
      .filter((stream) => wanted === undefined || stream === wanted)
      .map((stream) =>
        make({
          run: this.run,
          stream,
          file: this.#streams[stream],
          index: this.#index,
          unstamped: this.#unstamped,
          isFinal: this.#isFinal,
          end: this.end[stream],
        }),
      );
  }

  async #stampedSizes(): Promise<Offsets> {
    return this.#index.count === 0 ? { stdout: 0, stderr: 0 } : await this.#index.at(this.#index.count - 1);
  }

  /** A line that is longer than a piece counts as whole. */
  async #lineEnd(stream: StreamName, limit: number): Promise<number> {
    const head = this.run.head[stream];
    const to = Math.min(limit, this.end[stream]);
    for (const size of [smallPiece, piece]) {
      const from = Math.max(head, to - size);
      if (from >= to) return head;
      const bytes = await this.#streams[stream].read(from, to);
      const found = lastBreak(bytes);
      if (found > 0) return from + found;
      if (from === head) return head;
      if (size === piece) return from + characterStart(bytes, bytes.length - 1);
    }
    return head;
  }
}

function lesser(one: Offsets, other: Offsets): Offsets {
  return { stdout: Math.min(one.stdout, other.stdout), stderr: Math.min(one.stderr, other.stderr) };
}
