import type { Measurements, SeriesKey } from '../../contract/series.ts';
import type { Samples } from './samples.ts';
import type { HistoryStore } from './store.ts';

/** The number by which each series is known in the file. */
export class SeriesNumbers {
  readonly #numbers: Map<string, number>;
  readonly #keys: Map<number, string>;
  /** Those that are not in the file yet. */
  readonly #unwritten = new Map<number, string>();
  #last: number;

  constructor(known: Map<string, number>) {
    this.#numbers = known;
    this.#keys = new Map([...known].map(([key, number]) => [number, key]));
    this.#last = Math.max(0, ...this.#keys.keys());
  }

  get keys(): IterableIterator<string> {
    return this.#numbers.keys();
  }

  get all(): IterableIterator<number> {
    return this.#numbers.values();
  }

  find(key: SeriesKey): number | null {
    return this.#numbers.get(key) ?? null;
  }

  /** The values that a number of 4 bytes can hold, by the numbers of their series; a new one is given a number. */
  samples(values: Measurements['values']): Samples {
    const series = new Uint32Array(values.size);
    const samples = new Float32Array(values.size);
    let count = 0;
    for (const [key, value] of values) {
      samples[count] = value;
      if (!Number.isFinite(samples[count])) continue;
      series[count++] = this.#numbers.get(key) ?? this.#add(key);
    }
    return { series: series.subarray(0, count), values: samples.subarray(0, count) };
  }

  /** Writes down those that are new. To be followed by `wrote` when that is sure. */
  write(store: HistoryStore): void {
    for (const [number, key] of this.#unwritten) store.addSeries(number, key);
  }

  wrote(): void {
    this.#unwritten.clear();
  }

  forget(number: number): void {
    this.#numbers.delete(this.#keys.get(number) ?? '');
    this.#keys.delete(number);
    this.#unwritten.delete(number);
  }

  #add(key: SeriesKey): number {
    this.#last += 1;
    this.#numbers.set(key, this.#last);
    this.#keys.set(this.#last, key);
    this.#unwritten.set(this.#last, key);
    return this.#last;
  }
}
