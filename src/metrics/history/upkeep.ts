import { CarefulClock } from './careful_clock.ts';
import { decodeSummaries, encodeSummaries, encodeTimes, encodeValues } from './encoding.ts';
import {
  day,
  longestChunk,
  merges,
  type Resolution,
  type Retention,
  resolutions,
  rollups,
} from './resolution.ts';
import type { Piece } from './slices.ts';
import type { HistoryStore } from './store.ts';
import type { Stretch } from './stretch.ts';
import { addSummary, type Summaries, summarise } from './summary.ts';

interface UpkeepOptions {
  readonly store: HistoryStore;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly retention: () => Retention;
  /** Bytes that the file may have. */
  readonly mostBytes: () => number;
  /** The numbers of all series that are known. */
  readonly series: () => Iterable<number>;
  /** Whether there are values of it that are not written as chunks. */
  readonly isInMemory: (series: number) => boolean;
  /** Nothing is left of a series. */
  readonly onForgotten: (series: number) => void;
}

/** By how much more goes each time that the file is too large still, and what is kept in any case. */
const shrinkFactor = 0.8;
const leastShare = 0.001;
/** How many pages are given back to the disk at a time. */
const pagesAtOnce = 256;

/** What keeps the file of the history as it is to be, in pieces that are short. */
export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #clock: CarefulClock;
  /** By which it is decided what is too old. */
  #time: number;
  /** Of how much of the wanted time there is room for values. */
  #share = 1;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#clock = new CarefulClock(options.now, options.store.newest);
    this.#time = options.now();
  }

  /** Writes the chunks of a stretch, and removes its ticks. */
  *write(stretch: Stretch): Generator<Piece> {
    const { store } = this.#options;
    const { start, times } = stretch;
    store.addStretch(start, encodeTimes(times));
    for (const series of [...stretch.series]) {
      if (stretch.written.has(series)) continue;
      const values = stretch.values(series);
      store.addChunk(series, 0, { start, data: encodeValues(values) });
      for (const resolution of rollups)
        store.addChunk(series, resolution, {
          start,
          data: encodeSummaries(summarise(times, values, resolution)),
        });
      yield () => stretch.written.add(series);
    }
    store.removeTicks(stretch.lastTick);
  }

  /** Merges chunks of time that has passed, and removes what need not be kept any more. */
  *tidy(): Generator<Piece> {
    const { store, mostBytes } = this.#options;
    this.#time = this.#clock.look();
    yield* this.#merge();
    this.#share = Math.min(1, this.#share / shrinkFactor);
    yield* this.#expire();
    while (store.size().used > mostBytes() && this.#share > leastShare) {
      this.#share *= shrinkFactor;
      yield* this.#expire();
    }
    store.removeStretches(this.#oldest(0) - longestChunk[0]);
  }

  /** Gives room that nothing needs back to the disk, a little at a time. Returns whether there may be more. Not within a transaction. */
  shrink(): boolean {
    const { used, all } = this.#options.store.size();
    if (all - used <= Math.max(all / 10, 2 ** 20) && all <= this.#options.mostBytes()) return false;
    this.#options.store.shrink(pagesAtOnce);
    return this.#options.store.size().all < all;
  }

  *#merge(): Generator<Piece> {
    const { store, series } = this.#options;
    const until = Math.floor(this.#time / day) * day;
    const from = Math.min(store.mergedUntil, until);
    if (from === until) return;
    for (const id of [...series()])
      for (const { resolution, span } of merges) {
        this.#mergeSeries(id, resolution, { span, from, until });
        yield;
      }
    store.mergedUntil = until;
  }

  #mergeSeries(id: number, resolution: Resolution, { span, from, until }: Merge): void {
    const { store } = this.#options;
    const ended = Math.floor(until / span) * span;
    const chunks = store.chunks(id, resolution, Math.floor(from / span) * span, ended);
    for (const group of Map.groupBy(chunks, ({ start }) => Math.floor(start / span)).values()) {
      const [first, ...more] = group;
      if (first === undefined || more.length === 0) continue;
      const merged: Summaries = new Map();
      for (const { data } of group)
        decodeSummaries(data, (number, summary) => addSummary(merged, number, summary));
      for (const { start } of more) store.removeChunk(id, resolution, start);
      store.addChunk(id, resolution, { start: first.start, data: encodeSummaries(merged) });
    }
  }

  /** Removes chunks that hold nothing but what is too old. */
  *#expire(): Generator<Piece> {
    const { store, series, isInMemory, onForgotten } = this.#options;
    for (const id of [...series()]) {
      for (const resolution of resolutions) store.removeChunks(id, resolution, this.#oldest(resolution));
      if (isInMemory(id) || store.hasChunks(id)) yield;
      else {
        store.removeSeries(id);
        yield () => onForgotten(id);
      }
    }
  }

  /** When chunks began that need not be kept any more, at the latest. */
  #oldest(resolution: Resolution): number {
    const { retention } = this.#options;
    return this.#time - (retention()[resolution] + longestChunk[resolution]) * this.#share;
  }
}

interface Merge {
  readonly span: number;
  readonly from: number;
  readonly until: number;
}
