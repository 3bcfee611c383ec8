import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Measurements, SeriesKey } from '../../contract/series.ts';
import { openDatabase } from '../../lib/database.ts';
import { Reading } from './reading.ts';
import { hour, type Retention, resolutions } from './resolution.ts';
import { decodeSamples, encodeSamples, type Samples } from './samples.ts';
import { historyMigrations } from './schema.ts';
import { SeriesNumbers } from './series_numbers.ts';
import { type Piece, Slices } from './slices.ts';
import { StepValues } from './step_values.ts';
import type { Steps } from './steps.ts';
import { HistoryStore } from './store.ts';
import { Stretch } from './stretch.ts';
import { Upkeep } from './upkeep.ts';

interface HistoryFileOptions {
  readonly file: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly retention: () => Retention;
  /** Bytes that the file may have. */
  readonly mostBytes: () => number;
  /** Something could not be written; it is tried again. */
  readonly onFailure: (error: unknown) => void;
  /** A tick was written. */
  readonly onWritten: () => void;
  /** What was wrong with the file that was found. */
  readonly onProblem: (message: string) => void;
}

/** How many stretches may wait to be written; while the disk is full, the oldest is given up. */
const mostWaiting = 3;
/** How many ticks in a row must be earlier than what is there before it is believed that the clock was set back. */
const ticksToBelieve = 30;
/** For how many milliseconds the agent reads at a stretch. */
const longestRead = 8;

/** The history in its file, which is open. Each tick is written as it comes; chunks are made of them later, piece by piece. */
export class HistoryFile {
  readonly #options: HistoryFileOptions;
  readonly #store: HistoryStore;
  readonly #numbers: SeriesNumbers;
  readonly #upkeep: Upkeep;
  readonly #slices: Slices;
  /** Those that wait to be written, oldest first. */
  #waiting: Stretch[] = [];
  #present: Stretch | null = null;
  #earlierTicks = 0;
  /** The last tick of stretches that were given up. */
  #givenUp = 0;
  /** In which hour since the epoch it was tidied last. */
  #tidiedIn = 0;

  /** Throws what `openDatabase` throws. */
  constructor(options: HistoryFileOptions) {
    this.#options = options;
    const { file, now, retention, mostBytes, onFailure, onProblem } = options;
    const { database, problems } = openDatabase({ file, backups: null, migrations: historyMigrations });
    for (const problem of problems) onProblem(problem);
    try {
      this.#store = new HistoryStore(database);
      this.#numbers = new SeriesNumbers(this.#store.series());
      this.#takeUp();
    } catch (error) {
      database.close();
      throw error;
    }
    this.#upkeep = new Upkeep({
      store: this.#store,
      now,
      retention,
      mostBytes,
      series: () => this.#numbers.all,
      isInMemory: (series) => this.#stretches.some((stretch) => stretch.has(series)),
      onForgotten: (series) => this.#numbers.forget(series),
    });
    this.#slices = new Slices({
      transaction: (work) => this.#store.transaction(work),
      after: () => this.#upkeep.shrink(),
      onFailure,
    });
  }

  /** Every series of which anything is known. */
  get keys(): readonly string[] {
    return [...this.#numbers.keys];
  }

  has(key: SeriesKey): boolean {
    return this.#numbers.find(key) !== null;
  }

  /** Resolves when what was to be made of earlier ticks is written. */
  get idle(): Promise<void> {
    return this.#slices.idle;
  }

  record({ at, values }: Measurements): void {
    if (!this.#isBelieved(at)) return;
    if (!this.#present?.takes(at)) this.#turn(at);
    const samples = this.#numbers.samples(values);
    this.#present?.add(at, samples);
    this.#write(at, samples);
  }

  /** What is known of each of these series. */
  async read(keys: readonly SeriesKey[], steps: Steps): Promise<StepValues[]> {
    const reading = new Reading(this.#store, steps, () => this.#stretches);
    const all: StepValues[] = [];
    let turnEnds = performance.now() + longestRead;
    for (const key of keys) {
      const number = this.#numbers.find(key);
      all.push(number === null ? new StepValues(steps) : reading.values(number));
      if (performance.now() < turnEnds) continue;
      await nextTurn();
      turnEnds = performance.now() + longestRead;
    }
    return all;
  }

  /** What is not written as chunks yet is there as ticks. */
  close(): void {
    this.#slices.close();
    this.#store.close();
  }

  /** Oldest first. */
  get #stretches(): readonly Stretch[] {
    return this.#present === null ? this.#waiting : [...this.#waiting, this.#present];
  }

  /** A clock that is set back a little catches up; meanwhile there are values of that time already. */
  #isBelieved(at: number): boolean {
    if (this.#present === null || at > this.#present.end) this.#earlierTicks = 0;
    else if (++this.#earlierTicks < ticksToBelieve) return false;
    return true;
  }

  #turn(at: number): void {
    if (this.#present !== null) this.#waiting.push(this.#present);
    this.#earlierTicks = 0;
    this.#present = new Stretch(at);
    while (this.#waiting.length > mostWaiting) this.#givenUp = this.#waiting.shift()?.lastTick ?? 0;
  }

  #write(at: number, samples: Samples): void {
    const { onFailure, onWritten } = this.#options;
    try {
      let tick = 0;
      this.#store.transaction(() => {
        this.#numbers.write(this.#store);
        tick = this.#store.addTick(at, encodeSamples(samples));
        if (this.#givenUp > 0) this.#store.removeTicks(this.#givenUp);
      });
      this.#givenUp = 0;
      this.#numbers.wrote();
      if (this.#present !== null) this.#present.lastTick = tick;
      onWritten();
      if (this.#waiting.length > 0 && !this.#slices.isRunning) this.#slices.start(this.#work());
    } catch (error) {
      onFailure(error);
    }
  }

  *#work(): Generator<Piece> {
    for (const stretch of [...this.#waiting]) {
      yield* this.#upkeep.write(stretch);
      yield () => {
        this.#waiting = this.#waiting.filter((each) => each !== stretch);
      };
    }
    const present = Math.floor(this.#options.now() / hour);
    if (present === this.#tidiedIn) return;
    yield* this.#upkeep.tidy();
    yield () => {
      this.#tidiedIn = present;
    };
  }

  /** Goes on with the ticks that an earlier agent has not made chunks of, or not of all series. */
  #takeUp(): void {
    for (const { number, at, samples } of this.#store.ticks()) {
      if (!this.#present?.takes(at)) this.#turn(at);
      this.#present?.add(at, decodeSamples(samples));
      if (this.#present !== null) this.#present.lastTick = number;
    }
    if (this.#present === null) return;
    this.#store.transaction(() => {
      for (const stretch of this.#stretches)
        for (const series of stretch.series)
          for (const resolution of resolutions) this.#store.removeChunk(series, resolution, stretch.start);
    });
  }
}
