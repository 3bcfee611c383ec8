import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import type { Offsets } from './run_files.ts';
import { decodeStamp, encodeStamp, stampSize } from './time_index.ts';

/** Notes when the streams of a run had which size. */
export class IndexWriter {
  readonly #file: string;
  #descriptor: number | null = null;
  #count = 0;
  /** Times never go back, whatever the clock does: the index is searched by them. */
  #lastTime = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** How many bytes it has. */
  get size(): number {
    return this.#count * stampSize;
  }

  /** Throws when there is no room; what was noted before stays readable. */
  note(sizes: Offsets): void {
    this.#descriptor ??= this.#open();
    this.#lastTime = Math.max(this.#lastTime, Date.now());
    const stamp = encodeStamp({ time: this.#lastTime, stdout: sizes.stdout, stderr: sizes.stderr });
    const written = writeSync(this.#descriptor, stamp);
    if (written === stampSize) {
      this.#count += 1;
      return;
    }
    ftruncateSync(this.#descriptor, this.size);
    throw new Error('there is no room for it');
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }

  #open(): number {
    const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDWR } = constants;
    const descriptor = openSync(this.#file, O_RDWR | O_APPEND | O_CREAT | (O_NOFOLLOW ?? 0), 0o600);
    const { size } = fstatSync(descriptor);
    this.#count = Math.floor(size / stampSize);
    if (size > this.size) ftruncateSync(descriptor, this.size);
    const last = Buffer.alloc(stampSize);
    if (this.#count > 0 && readSync(descriptor, last, 0, stampSize, this.size - stampSize) === stampSize)
      this.#lastTime = decodeStamp(last).time;
    return descriptor;
  }
}
