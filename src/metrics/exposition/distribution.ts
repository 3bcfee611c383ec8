/** The upper bounds of buckets, rising. */
export type Bounds = readonly number[];

/** How values are spread. */
export interface Distribution {
  /** How many fell into each bucket alone, and last those beyond all bounds. */
  readonly counts: readonly number[];
  /** Of all values; null: nobody adds them up. */
  readonly sum: number | null;
}

/** Counts values by the bucket that they fall into. */
export class CountedDistribution implements Distribution {
  readonly counts: number[];
  sum = 0;
  readonly #bounds: Bounds;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    const bucket = this.#bounds.findIndex((bound) => value <= bound);
    const index = bucket === -1 ? this.#bounds.length : bucket;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sum += value;
  }
}
