import { closeSync, mkdirSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { devNull } from 'node:os';
import type { LogPage } from '../contract/logs.ts';
import { errorMessage, systemErrorCode } from '../lib/errors.ts';
import { Captures } from './captures.ts';
import { Catalog } from './catalog.ts';
import { formatCursor, type Place } from './cursor.ts';
import { FollowedLines, Lag, type LogBatch } from './follow.ts';
import { Keeper } from './keeper.ts';
import { lineFilter } from './line_filter.ts';
import { LogFeed } from './log_feed.ts';
import { defaultBudget, type LogQuery, type SearchBudget } from './log_query.ts';
import type { Retention } from './retention.ts';
import { RunCapture } from './run_capture.ts';
import { serviceFolder } from './run_files.ts';
import { endOf, searchBackward, searchForward } from './search.ts';
import { WrittenCounts, type WrittenOutput } from './written.ts';

export interface LogStoreOptions {
  readonly directory: string;
  /** How much of a service's output is kept; null when there is no such service. */
  readonly retentionOf: (service: string) => Retention | null;
  /** How many bytes all services together may keep. */
  readonly maxBytes: () => number;
  /** Told of what hinders the capture: a full disk, a missing tool. */
  readonly onProblem: (message: string) => void;
  readonly budget?: SearchBudget;
  /** How long a run must have been quiet before it is compressed, in milliseconds. Default: ten seconds. */
  readonly quietTime?: number;
}

/** Which release a run belongs to, and which of its instances it is. */
export interface RunLabel {
  readonly release: number;
  readonly instance: number;
}

/** Where a page of lines lies: after a place, or before one. Without either it is the last page. */
export interface PagePlace {
  readonly after?: Place | undefined;
  readonly before?: Place | undefined;
}

/** What a run's process gets, and how its capture ends. */
interface LiveCapture {
  readonly stdout: number;
  readonly stderr: number;
  close(): Promise<void>;
}

/** How often a problem of one service is told, in milliseconds. */
const problemInterval = 60_000;
/** Why the files of a run cannot be made although nothing is wrong with them. */
const noRoom: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS']);

/** The output of all services: captured into files, found again by time and content, followed, and held within bounds. */
export class LogStore {
  /** For those who take all output along. */
  readonly feed: LogFeed;
  readonly #options: LogStoreOptions;
  readonly #catalog: Catalog;
  readonly #captures: Captures;
  readonly #keeper: Keeper;
  readonly #followed = new FollowedLines();
  #onShortened: (service: string, why: string) => void = () => {};
  readonly #written = new WrittenCounts();
  readonly #toldAt = new Map<string, number>();
  #followers = 0;

  constructor(options: LogStoreOptions) {
    this.#options = options;
    const { directory, retentionOf, maxBytes, quietTime = 10_000 } = options;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#catalog = new Catalog(directory);
    this.#keeper = new Keeper({
      catalog: this.#catalog,
      retentionOf,
      maxBytes,
      quietTime,
      onShortened: (service, why) => this.#onShortened(service, why),
      onProblem: (service, message) => this.#tell(service, message),
    });
    this.#captures = new Captures((service) => this.#keeper.noteGrowth(service));
    this.feed = new LogFeed(this.#catalog, this.#captures);
  }

  /**
   * Makes the files of a new run, and opens them: the process gets copies of the descriptors. On a full disk
   * the output goes nowhere, and that is told: better a service without logs than no service.
   */
  open(service: string, run: number, label: RunLabel): LiveCapture {
    return this.#capture(service, run, label);
  }

  /** Takes up a run whose process outlived an earlier agent. */
  adopt(service: string, run: number, label: RunLabel): LiveCapture {
    if (this.#catalog.find(service, run) === undefined)
      this.#options.onProblem(
        `the log of "${service}" is gone; what it writes is lost until it is started again`,
      );
    return this.#capture(service, run, label);
  }

  /** The greatest number of a run of a service of which something is there; 0 when there is none. */
  lastRun(service: string): number {
    return Math.max(0, ...this.#catalog.of(service).map(({ name }) => name.run));
  }

  /** What each service wrote since the agent was started. */
  written(): ReadonlyMap<string, WrittenOutput> {
    return this.#written.all;
  }

  /** From now on what is kept is held within its bounds. To be called when every run that lives has been adopted. */
  keepWithinBounds(): void {
    this.#keeper.start();
  }

  /** Has a listener told from now on when output of a service goes to make room, and why: as the rest of a sentence. */
  onShortened(listener: (service: string, why: string) => void): void {
    this.#onShortened = listener;
  }

  /** Holds what is kept within its bounds once, now, and compresses what can be. */
  sweep(): Promise<void> {
    return this.#keeper.sweep();
  }

  /** A page of lines, oldest first, with the cursors to go on in both directions. */
  async query(
    service: string,
    query: LogQuery,
    { after, before }: PagePlace = {},
    budget: SearchBudget = this.#options.budget ?? defaultBudget,
  ): Promise<Omit<LogPage, 'service'>> {
    const runs = () => this.#catalog.of(service);
    if (after === undefined) return searchBackward(runs(), before ?? null, query, budget);
    const { lines, truncated, skipped, ...page } = await searchForward(runs, after, query, budget);
    return {
      lines,
      truncated,
      before: page.before,
      after: page.after,
      ...(skipped && { skipped }),
    };
  }

  /**
   * The last lines that fit, or those after a cursor, and then what is written, over restarts of the service, until
   * `signal` ends it or the service is deleted. It reads at the pace of its reader, who never slows anyone else, and is told what it misses.
   * @param beside how many services the reader follows at the same time, this one included
   */
  async *follow(
    service: string,
    query: LogQuery,
    after: Place | null,
    signal: AbortSignal,
    beside = 1,
  ): AsyncGenerator<LogBatch> {
    lineFilter(query.grep, query.level);
    const ended = AbortSignal.any([signal, this.feed.removalOf(service)]);
    const lag = new Lag();
    this.#followers += 1;
    try {
      let place = after ?? (await endOf(this.#catalog.of(service), query));
      if (after === null) {
        const { lines } = await this.query(service, query, { before: place });
        yield { lines, place, cursor: formatCursor(place), skipped: null, more: true };
      }
      while (!ended.aborted) {
        const growth = this.#captures.growthOf(service);
        const batch = await this.#next(service, place, query, growth, lag, beside);
        if (batch === null) {
          await this.#captures.grownSince(service, growth, ended);
          continue;
        }
        place = batch.place;
        yield batch;
      }
    } finally {
      this.#followers -= 1;
      if (this.#followers === 0) this.#followed.clear();
    }
  }

  /** The last lines of one run as text, each of at most 1,000 characters. */
  async tail(service: string, run: number, lines: number): Promise<string[]> {
    const found = this.#catalog.find(service, run);
    if (found === undefined) return [];
    const page = await searchBackward([found], null, { lines }, defaultBudget);
    return page.lines.map(({ line }) => line.slice(0, 1_000));
  }

  /** The first line of a run that matches a regular expression (RE2), written already or later; null once `signal` is aborted. */
  async waitForLine(
    service: string,
    run: number,
    pattern: string,
    signal: AbortSignal,
  ): Promise<string | null> {
    const runs = () => this.#catalog.of(service).filter(({ name }) => name.run === run);
    const query = { lines: 1, grep: pattern };
    let place: Place = [{ run, stdout: 0, stderr: 0 }];
    while (!signal.aborted) {
      const growth = this.#captures.growthOf(service);
      const page = await searchForward(runs, place, query, this.#options.budget ?? defaultBudget);
      const [found] = page.lines;
      if (found !== undefined) return found.line;
      place = page.place;
      if (!page.truncated) await this.#captures.grownSince(service, growth, signal);
    }
    return null;
  }

  /** Removes all output of a service. */
  async remove(service: string): Promise<void> {
    await this.feed.announceRemoval(service);
    this.#catalog.forget(service);
    await rm(serviceFolder(this.#options.directory, service), { recursive: true, force: true });
    this.#catalog.forget(service);
    this.#written.forget(service);
    this.#toldAt.delete(service);
    this.feed.noteRemoved(service);
  }

  /** Notes the sizes once more and looks no longer; what runs writes on. */
  close(): void {
    this.#keeper.close();
    this.#captures.close();
    this.#written.close();
  }

  #capture(service: string, number: number, label: RunLabel): LiveCapture {
    const run = this.#catalog.begin(service, { run: number, ...label });
    try {
      const capture = new RunCapture(service, run, {
        onAwake: (awake) => this.#captures.look(awake),
        onGrown: (grown, from, to) => this.#written.grown(service, grown, from, to),
        onProblem: (message) => this.#tell(service, message),
      });
      run.isLive = true;
      this.#captures.add(capture);
      return this.#live(capture);
    } catch (error) {
      if (run.isLive) run.isRemoved = true;
      this.#catalog.sweep(service);
      if (!noRoom.has(systemErrorCode(error))) throw error;
      this.#options.onProblem(
        `the output of "${service}" is lost until it is started again: ${errorMessage(error)}`,
      );
      return discard();
    }
  }

  #live(capture: RunCapture): LiveCapture {
    const { stdout, stderr, run } = capture;
    let isOpen = true;
    return {
      stdout,
      stderr,
      close: async () => {
        if (!isOpen) return;
        isOpen = false;
        run.isLive = false;
        this.#captures.end(capture);
        run.measure();
      },
    };
  }

  async #next(
    service: string,
    place: Place,
    query: LogQuery,
    growth: number,
    lag: Lag,
    beside: number,
  ): Promise<LogBatch | null> {
    const runs = () => this.#catalog.of(service);
    const moved = await lag.check(runs(), place, query);
    if (moved !== null) {
      const { skipped } = moved;
      return { lines: [], place: moved.place, cursor: skipped.cursor, skipped, more: true };
    }
    const batch = await this.#followed.next(`${service} ${growth}`, runs, place, query, beside);
    return batch.cursor === formatCursor(place) && batch.skipped === null ? null : batch;
  }

  #tell(service: string, message: string): void {
    const key = `${service} ${message}`;
    if (Date.now() - (this.#toldAt.get(key) ?? 0) < problemInterval) return;
    this.#toldAt.set(key, Date.now());
    this.#options.onProblem(message);
  }
}

/** A run whose output goes nowhere. */
function discard(): LiveCapture {
  const nowhere = openSync(devNull, 'a');
  let isOpen = true;
  const close = async () => {
    if (isOpen) closeSync(nowhere);
    isOpen = false;
  };
  return { stdout: nowhere, stderr: nowhere, close };
}
