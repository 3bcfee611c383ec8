import type { Aggregate } from '../../contract/stats.ts';
import type { Steps } from './steps.ts';
import type { Summary } from './summary.ts';

/** A step and its value; null: nothing is known of it. */
export type Point = [at: number, value: number | null];

/** What falls into each of some steps. */
export class StepValues {
  readonly #steps: Steps;
  readonly #counts: Float64Array;
  readonly #sums: Float64Array;
  readonly #least: Float64Array;
  readonly #greatest: Float64Array;
  readonly #last: Float64Array;

  constructor(steps: Steps) {
    const { count } = steps;
    this.#steps = steps;
    this.#counts = new Float64Array(count);
    this.#sums = new Float64Array(count);
    this.#least = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
    this.#greatest = new Float64Array(count).fill(Number.NEGATIVE_INFINITY);
    this.#last = new Float64Array(count);
  }

  addValue(at: number, value: number): void {
    if (Number.isNaN(value)) return;
    this.add(at, { count: 1, sum: value, min: value, max: value, last: value });
  }

  /** Adds what is later than what is there. */
  add(at: number, { count, sum, min, max, last }: Summary): void {
    const { from, to, step } = this.#steps;
    if (at < from || at >= to) return;
    const index = Math.floor((at - from) / step);
    this.#counts[index] = (this.#counts[index] ?? 0) + count;
    this.#sums[index] = (this.#sums[index] ?? 0) + sum;
    this.#least[index] = Math.min(this.#least[index] ?? min, min);
    this.#greatest[index] = Math.max(this.#greatest[index] ?? max, max);
    this.#last[index] = last;
  }

  points(agg: Aggregate): Point[] {
    const { from, step, count } = this.#steps;
    return Array.from({ length: count }, (_, index) => [from + index * step, this.#value(index, agg)]);
  }

  #value(index: number, agg: Aggregate): number | null {
    const count = this.#counts[index] ?? 0;
    if (count === 0) return null;
    const sum = this.#sums[index] ?? 0;
    const [least = 0, greatest = 0, last = 0] = [
      this.#least[index],
      this.#greatest[index],
      this.#last[index],
    ];
    switch (agg) {
      case 'count':
        return count;
      case 'sum':
        return shown(sum);
      case 'min':
        return shown(least);
      case 'max':
        return shown(greatest);
      case 'last':
        return shown(last);
      case 'avg':
        // What is rounded must not lie outside of what it is the average of.
        return shown(Math.min(greatest, Math.max(least, sum / count)));
    }
  }
}

/** As many digits as are known. */
function shown(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(7));
}
