import { closeSync, constants, openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Run } from './run.ts';
import { type Offsets, type StreamName, streamNames } from './run_files.ts';

/** How much was written since the agent was started; neither ever falls. */
export interface Written {
  readonly bytes: number;
  /** Ends of lines. They are counted a few seconds later than the bytes. */
  readonly lines: number;
}

/** What a service wrote, by stream and in all. */
export interface WrittenOutput extends Written {
  readonly stdout: Written;
  readonly stderr: Written;
}

/** How often what has grown is read to count its lines, in milliseconds. */
const roundInterval = 5_000;
/** For how many milliseconds of each round the agent counts at most. Who writes more than that is counted later, as far as it is kept till then. */
const mostWork = 250;
/** For how many of them it counts at a stretch. */
const longestSlice = 4;
/** How much of one stream is read at a time, so that nobody waits for the end of a long one. */
const pieceSize = 128 * 1024;
const lineEnd = 0x0a;

/** How far the lines of a run have been counted. */
interface Pending {
  readonly service: string;
  readonly run: Run;
  readonly counted: Record<StreamName, number>;
}

/**
 * Counts what services write. The bytes are known from the sizes of the files, which are looked at anyway. For the lines, what
 * has come is read once more, some seconds of it at a time: it is still in the memory of the system then.
 */
export class WrittenCounts {
  readonly #services = new Map<string, ServiceOutput>();
  readonly #pending = new Map<Run, Pending>();
  readonly #piece = Buffer.allocUnsafeSlow(pieceSize);
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** By service: those that have written anything. */
  get all(): ReadonlyMap<string, WrittenOutput> {
    return this.#services;
  }

  /** Takes that the streams of a run have grown. */
  grown(service: string, run: Run, from: Offsets, to: Offsets): void {
    const output = this.#services.get(service) ?? new ServiceOutput();
    this.#services.set(service, output);
    for (const stream of streamNames) output[stream].bytes += Math.max(0, to[stream] - from[stream]);
    if (!this.#pending.has(run)) this.#pending.set(run, { service, run, counted: { ...from } });
    this.#plan();
  }

  /** Forgets a service that is deleted. */
  forget(service: string): void {
    this.#services.delete(service);
    for (const { run, service: whose } of this.#pending.values())
      if (whose === service) this.#pending.delete(run);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Counts the lines that have come, as many of them as there is time for. */
  async countLines(): Promise<void> {
    let worked = 0;
    let sliceBegin = performance.now();
    while (this.#pending.size > 0)
      // One piece of each in turn: a service that writes much does not keep the others from being counted.
      for (const pending of [...this.#pending.values()]) {
        if (this.#countPiece(pending) === 0) this.#pending.delete(pending.run);
        const slice = performance.now() - sliceBegin;
        if (slice < longestSlice) continue;
        worked += slice;
        await nextTurn();
        if (worked >= mostWork || this.#isClosed) return;
        sliceBegin = performance.now();
      }
  }

  #plan(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      void this.countLines().finally(() => {
        this.#timer = undefined;
        if (this.#pending.size > 0) this.#plan();
      });
    }, roundInterval).unref();
  }

  /** How many bytes there were to count. */
  #countPiece({ service, run, counted }: Pending): number {
    const output = this.#services.get(service);
    if (output === undefined || run.isRemoved) return 0;
    let read = 0;
    for (const stream of streamNames) {
      const from = Math.max(counted[stream], run.head[stream]);
      const length = Math.min(run.sizes[stream] - from, pieceSize);
      if (length <= 0) continue;
      const lines = this.#linesIn(run.files[stream], from, length);
      // What cannot be read now was removed, or compressed since its run ended.
      counted[stream] = lines === null ? run.sizes[stream] : from + length;
      output[stream].lines += lines ?? 0;
      read += length;
    }
    return read;
  }

  #linesIn(file: string, from: number, length: number): number | null {
    try {
      const descriptor = openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
      try {
        return countLineEnds(this.#piece, readSync(descriptor, this.#piece, 0, length, from));
      } finally {
        closeSync(descriptor);
      }
    } catch {
      return null;
    }
  }
}

class ServiceOutput implements WrittenOutput {
  readonly stdout = { bytes: 0, lines: 0 };
  readonly stderr = { bytes: 0, lines: 0 };

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
