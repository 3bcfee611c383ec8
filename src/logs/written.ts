import { closeSync, constants, openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Run } from './run.ts';
import { type Offsets, type StreamName, streamNames } from './run_files.ts';

/** How much was written since the agent was started; neither ever falls. */
export interface Written {
  readonly bytes: number;
  /** Ends of lines, some seconds later than the bytes. Where much is written they are estimated. */
  readonly lines: number;
}

/** What a service wrote, by stream and in all. */
export interface WrittenOutput extends Written {
  readonly stdout: Written;
  readonly stderr: Written;
}

/** How often the lines of what has come are counted, in milliseconds. */
const roundInterval = 5_000;
/** How much of one stream is read in a round: of one that has grown by more, the lines of the rest are estimated. */
const mostOfOne = 256 * 1024;
/** The same of all streams together, which is one hundredth of the time of a core. */
const mostOfAll = 16 * 2 ** 20;
/** For how many milliseconds it counts at a stretch. */
const longestSlice = 4;
const lineEnd = 0x0a;

/** A stream that has grown. */
interface Growth {
  readonly run: Run;
  readonly stream: StreamName;
  /** Up to where its lines were counted, and are to be counted now. */
  readonly from: number;
  readonly to: number;
  readonly output: StreamOutput;
}

/**
 * Counts what services write. The bytes are known from the sizes of the files, which are looked at anyway. Lines would cost
 * more than the whole capture if all output were read for them: every few seconds the end of what has come is read,
 * which is still in the memory of the system, and where that is not all, the rest counts as if it were alike.
 */
export class WrittenCounts {
  readonly #services = new Map<string, ServiceOutput>();
  /** Where the streams of each run were when its lines were counted last. */
  readonly #grown = new Map<Run, { readonly service: string; readonly from: Offsets }>();
  readonly #piece = Buffer.allocUnsafeSlow(mostOfOne);
  #timer: NodeJS.Timeout | undefined;

  /** By service: those that have written anything. */
  get all(): ReadonlyMap<string, WrittenOutput> {
    return this.#services;
  }

  /** Takes that the streams of a run have grown. */
  grown(service: string, run: Run, from: Offsets, to: Offsets): void {
    const output = this.#services.get(service) ?? new ServiceOutput();
    this.#services.set(service, output);
    for (const stream of streamNames) output[stream].bytes += Math.max(0, to[stream] - from[stream]);
    if (!this.#grown.has(run)) this.#grown.set(run, { service, from });
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.countLines();
    }, roundInterval).unref();
  }

  /** Forgets a service that is deleted. */
  forget(service: string): void {
    this.#services.delete(service);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#grown.clear();
  }

  /** Counts the lines of what has come since the last time. */
  async countLines(): Promise<void> {
    const growths = this.#takeGrowths();
    const most = Math.min(mostOfOne, Math.floor(mostOfAll / Math.max(1, growths.length)));
    let sliceBegin = performance.now();
    for (const growth of growths) {
      this.#count(growth, most);
      if (performance.now() - sliceBegin < longestSlice) continue;
      await nextTurn();
      sliceBegin = performance.now();
    }
  }

  #takeGrowths(): Growth[] {
    const growths = [...this.#grown].flatMap(([run, { service, from }]) => {
      const output = this.#services.get(service);
      const grown = streamNames.filter((stream) => run.sizes[stream] > from[stream]);
      return output === undefined
        ? []
        : grown.map((stream) => ({
            run,
            stream,
            from: from[stream],
            to: run.sizes[stream],
            output: output[stream],
          }));
    });
    this.#grown.clear();
    return growths;
  }

  #count({ run, stream, from, to, output }: Growth, most: number): void {
    const length = Math.min(to - from, most);
    const lines = this.#linesIn(run.files[stream], to - length, length);
    output.counted += (lines / length) * (to - from);
  }

  /** None of what cannot be read: it was removed meanwhile. */
  #linesIn(file: string, from: number, length: number): number {
    try {
      const descriptor = openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
      try {
        return countLineEnds(this.#piece, readSync(descriptor, this.#piece, 0, length, from));
      } finally {
        closeSync(descriptor);
      }
    } catch {
      return 0;
    }
  }
}

class StreamOutput implements Written {
  bytes = 0;
  /** With the fractions that estimates leave. */
  counted = 0;

  get lines(): number {
    return Math.round(this.counted);
  }
}

class ServiceOutput implements WrittenOutput {
  readonly stdout = new StreamOutput();
  readonly stderr = new StreamOutput();

  get bytes(): number {
    return this.stdout.bytes + this.stderr.bytes;
  }

  get lines(): number {
    return this.stdout.lines + this.stderr.lines;
  }
}

/** Byte by byte: a search for each line would cost more where lines are short. */
function countLineEnds(bytes: Uint8Array, length: number): number {
  let count = 0;
  for (let place = 0; place < length; place++) if (bytes[place] === lineEnd) count++;
  return count;
}
