import type { Label, SeriesValue } from './series.ts';

/** Knows which series there were, to tell which have ended. */
export class SeriesEnds {
  #known = new Map<string, readonly Label[]>();

  /** The labels of the series that there were the last time and that are not there any more. */
  take(values: readonly SeriesValue[]): (readonly Label[])[] {
    const before = this.#known;
    this.#known = new Map(values.map(({ key, labels }) => [key, labels]));
    return [...before].filter(([key]) => !this.#known.has(key)).map(([, labels]) => labels);
  }
}
