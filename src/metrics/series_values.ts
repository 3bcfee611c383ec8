import { type SeriesKey, type SeriesName, seriesKey } from '../contract/series.ts';

/** Values of series, as they are found; one that is not known is left out. */
export class SeriesValues {
  readonly #values = new Map<SeriesKey, number>();

  add(name: SeriesName, value: number | null, service: string | null = null): void {
    if (value !== null && Number.isFinite(value)) this.#values.set(seriesKey(name, service), value);
  }

  /** How much there was a second. */
  addRate(name: SeriesName, amount: number | null, seconds: number, service: string | null = null): void {
    if (amount !== null && seconds > 0) this.add(name, amount / seconds, service);
  }

  get all(): ReadonlyMap<SeriesKey, number> {
    return this.#values;
  }
}
