import { decodeSummaries, decodeTimes, decodeValues } from './encoding.ts';
import { longestChunk } from './resolution.ts';
import { StepValues } from './step_values.ts';
import type { Steps } from './steps.ts';
import type { HistoryStore } from './store.ts';
import type { Stretch } from './stretch.ts';

/** Reads series out of the file, and what is not in it yet out of memory. */
export class Reading {
  readonly #store: HistoryStore;
  readonly #steps: Steps;
  readonly #stretches: () => readonly Stretch[];
  /** The times of the ticks of stretches, by when they began. */
  readonly #times = new Map<number, Float64Array>();

  constructor(store: HistoryStore, steps: Steps, stretches: () => readonly Stretch[]) {
    this.#store = store;
    this.#steps = steps;
    this.#stretches = stretches;
  }

  /** What there is of a series. Throws what SQLite throws. */
  values(series: number): StepValues {
    const values = new StepValues(this.#steps);
    if (this.#steps.resolution === 0) this.#readValues(series, values);
    else this.#readSummaries(series, values);
    for (const stretch of this.#stretches()) {
      if (!stretch.has(series) || stretch.written.has(series)) continue;
      const found = stretch.values(series);
      for (const [index, at] of stretch.times.entries()) values.addValue(at, found[index] ?? Number.NaN);
    }
    return values;
  }

  #readSummaries(series: number, values: StepValues): void {
    const { resolution } = this.#steps;
    for (const { data } of this.#chunks(series))
      decodeSummaries(data, (number, summary) => values.add(number * resolution, summary));
  }

  #readValues(series: number, values: StepValues): void {
    for (const { start, data } of this.#chunks(series)) {
      const times = this.#timesOf(start);
      const found = decodeValues(data);
      for (let index = 0; index < times.length; index++)
        values.addValue(times[index] ?? 0, found[index] ?? Number.NaN);
    }
  }

  #chunks(series: number) {
    const { from, to, resolution } = this.#steps;
    return this.#store.chunks(series, resolution, from - longestChunk[resolution], to);
  }

  #timesOf(start: number): Float64Array {
    const known = this.#times.get(start);
    if (known !== undefined) return known;
    const [stretch] = this.#store.stretches(start, start + 1);
    const times = stretch === undefined ? new Float64Array() : decodeTimes(stretch.data);
    this.#times.set(start, times);
    return times;
  }
}
