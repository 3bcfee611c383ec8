import { hour } from './resolution.ts';
import type { Samples } from './samples.ts';

/** How many ticks there are in a stretch at most. */
const mostTicks = 360;
const firstRoom = 32;

/** Ticks that follow each other within one hour, in memory, by series, until they are written as chunks. */
export class Stretch {
  /** When its first tick was, in milliseconds since the epoch: the name of its chunks. */
  readonly start: number;
  readonly times: number[] = [];
  /** The series whose chunks are written. */
  readonly written = new Set<number>();
  /** The number of the row of its last tick; 0: none of them could be written. */
  lastTick = 0;
  readonly #columns = new Map<number, Float32Array>();

  constructor(start: number) {
    this.start = start;
  }

  /** The time of its last tick. */
  get end(): number {
    return this.times.at(-1) ?? this.start;
  }

  /** Whether a tick may be part of it. */
  takes(at: number): boolean {
    return (
      this.times.length < mostTicks &&
      (this.times.length === 0 || at > this.end) &&
      Math.floor(at / hour) === Math.floor(this.start / hour)
    );
  }

  add(at: number, { series, values }: Samples): void {
    const index = this.times.push(at) - 1;
    for (let place = 0; place < series.length; place++)
      this.#column(series[place] ?? 0, index)[index] = values[place] ?? Number.NaN;
  }

  /** The numbers of all series that have a value in it. */
  get series(): IterableIterator<number> {
    return this.#columns.keys();
  }

  has(series: number): boolean {
    return this.#columns.has(series);
  }

  /** At each of its times; NaN: it had none. */
  values(series: number): Float32Array {
    const column = this.#columns.get(series) ?? new Float32Array();
    const values = new Float32Array(this.times.length).fill(Number.NaN);
    values.set(column.subarray(0, this.times.length));
    return values;
  }

  #column(series: number, index: number): Float32Array {
    const column = this.#columns.get(series);
    if (column !== undefined && index < column.length) return column;
    const room = Math.min(mostTicks, Math.max(firstRoom, 2 * (index + 1)));
    const greater = new Float32Array(room).fill(Number.NaN);
    if (column !== undefined) greater.set(column);
    this.#columns.set(series, greater);
    return greater;
  }
}
