import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { compressedName, filesOf, type Offsets, type RunFiles, type RunName, readHead } from './run_files.ts';
import { decodeStamp, stampSize } from './time_index.ts';

/** One run of a service, as the agent knows it: what is kept of it, and whether its process still writes. */
export class Run {
  readonly name: RunName;
  readonly files: RunFiles;
  /** Milliseconds since the epoch; 0 where that is not known any more. */
  readonly startedAt: number;
  isLive: boolean;
  /** When it was last written to, in milliseconds since the epoch; only what has ended has a last time. */
  endedAt: number;
  /** What was given back to the disk. Said here before it is done: a reader that has read a hole finds it out here. */
  head: Offsets;
  /** Where its streams end, as far as that has been seen. */
  sizes: Offsets = { stdout: 0, stderr: 0 };
  /** What it holds on the disk, in bytes. */
  bytes = 0;
  /** Whether its files are gone, or are being removed. */
  isRemoved = false;
  /** Whether its files are being replaced. */
  isBusy = false;
  /** Whether it has ended and there is nothing more to compress of it. */
  isSettled = false;

  constructor(name: RunName, files: RunFiles, facts: Pick<Run, 'startedAt' | 'isLive' | 'endedAt' | 'head'>) {
    this.name = name;
    this.files = files;
    this.startedAt = facts.startedAt;
    this.isLive = facts.isLive;
    this.endedAt = facts.endedAt;
    this.head = facts.head;
  }

  /** A run whose process writes from now on. */
  static begin(name: RunName, files: RunFiles): Run {
    const head = { stdout: 0, stderr: 0 };
    return new Run(name, files, { startedAt: Date.now(), isLive: true, endedAt: 0, head });
  }

  /** A run that was found on the disk; it counts as ended. */
  static find(name: RunName, files: RunFiles): Run {
    const facts = { startedAt: firstTime(files), isLive: false, endedAt: 0, head: readHead(files) };
    const run = new Run(name, files, facts);
    run.measure();
    return run;
  }

  /** Notes that what stood before these offsets is not there any more. */
  noteHead({ stdout, stderr }: Offsets): void {
    const { head } = this;
    if (stdout <= head.stdout && stderr <= head.stderr) return;
    this.head = { stdout: Math.max(stdout, head.stdout), stderr: Math.max(stderr, head.stderr) };
  }

  /** Looks at the disk: how much it holds, and when it was last written to. */
  measure(): void {
    this.bytes = 0;
    for (const file of filesOf(this.files)) this.bytes += (found(file)?.blocks ?? 0) * 512;
    const written = [this.files.stdout, this.files.stderr, this.files.index]
      .map((file) => found(file) ?? found(compressedName(file)))
      .map((file) => file?.mtimeMs ?? 0);
    // A file's time may lie some milliseconds before what the clock said when it was written.
    this.endedAt = Math.max(Math.floor(Math.max(...written)), lastTime(this.files));
  }
}

function found(file: string) {
  return statSync(file, { throwIfNoEntry: false });
}

/** The first time of an index; 0 where there is none. */
function firstTime({ index }: RunFiles): number {
  return timeAt(index, () => 0);
}

/** The last time of an index; 0 where there is none. */
function lastTime({ index }: RunFiles): number {
  return timeAt(index, (count) => count - 1);
}

function timeAt(index: string, position: (count: number) => number): number {
  try {
    const descriptor = openSync(index, 'r');
    try {
      const count = Math.floor(fstatSync(descriptor).size / stampSize);
      const place = Math.max(0, position(count)) * stampSize;
      const bytes = Buffer.alloc(stampSize);
      return readSync(descriptor, bytes, { position: place }) === stampSize ? decodeStamp(bytes).time : 0;
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return 0;
  }
}
