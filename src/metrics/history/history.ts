import { readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { MetricsConfig } from '../../config/metrics.ts';
import type { Measurements, SeriesKey } from '../../contract/series.ts';
import { isDamage, setAside } from '../../lib/database.ts';
import { DavitError, errorMessage } from '../../lib/errors.ts';
import { bytes, milliseconds } from '../../lib/units.ts';
import { HistoryFile } from './history_file.ts';
import { hour, minute, type Retention } from './resolution.ts';
import type { StepValues } from './step_values.ts';
import { type AskedSteps, planSteps, type Steps } from './steps.ts';

interface HistoryOptions {
  readonly file: string;
  readonly settings: () => Pick<MetricsConfig, 'interval' | 'history'>;
  readonly onProblem: (message: string) => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

type HistorySettings = NonNullable<MetricsConfig['history']>;

/** How long it is waited before a file that could not be opened is tried again, in milliseconds. */
const reopenDelay = 60_000;

/**
 * The last days of the series on this machine. Whatever becomes of its file keeps the agent from nothing: without it there
 * is no history, which is told, and it is tried again.
 */
export class History {
  readonly #options: HistoryOptions;
  readonly #now: () => number;
  #file: HistoryFile | null = null;
  /** Those that were there last, which what is under way goes by. */
  #settings: HistorySettings | null = null;
  #problem: string | null = null;
  #reopenAt = 0;
  #isClosed = false;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** What somebody should know, in sentences. */
  get warnings(): string[] {
    return this.#problem === null ? [] : [this.#problem];
  }

  /** Every series of which anything is known. */
  get keys(): readonly string[] {
    return this.#file?.keys ?? [];
  }

  /** Whether anything is known of a series. */
  has(key: SeriesKey): boolean {
    return this.#file?.has(key) ?? false;
  }

  /** Resolves when what was to be made of earlier measurements is written. */
  get idle(): Promise<void> {
    return this.#file?.idle ?? Promise.resolve();
  }

  /** Takes up what an earlier agent kept, or, where nothing is to be kept any more, lets go of it; the file stays. */
  reload(): void {
    const { history } = this.#options.settings();
    this.#settings = history ?? this.#settings;
    if (history !== null) this.#open();
    else this.#letGo(null);
  }

  record(measurements: Measurements): void {
    const { history } = this.#options.settings();
    if (history === null) return;
    if (this.#file === null && performance.now() >= this.#reopenAt) this.reload();
    this.#file?.record(measurements);
  }

  /** Throws `invalid_request` where the times make no sense. */
  plan(asked: AskedSteps): Steps {
    const { interval, history } = this.#options.settings();
    const retention = retentionOf(history ?? this.#settings);
    return planSteps(asked, { now: this.#now(), retention, interval: milliseconds(interval) });
  }

  /** What is known of each of these series. Throws `not_supported` where nothing is kept, and `storage_unavailable`. */
  async read(keys: readonly SeriesKey[], steps: Steps): Promise<StepValues[]> {
    if (this.#options.settings().history === null)
      throw new DavitError(
        'not_supported',
        'no history is kept on this machine: the configuration has metrics.history: null',
      );
    const file = this.#file;
    if (file === null)
      throw new DavitError('storage_unavailable', this.#problem ?? 'the history has not been read yet');
    try {
      return await file.read(keys, steps);
    } catch (cause) {
      if (isDamage(cause)) this.#failed(file, cause);
      throw new DavitError('storage_unavailable', `the history cannot be read: ${errorMessage(cause)}`, {
        cause,
      });
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#letGo(null);
  }

  #open(): void {
    if (this.#file !== null || this.#isClosed) return;
    this.#reopenAt = performance.now() + reopenDelay;
    const { file, onProblem } = this.#options;
    try {
      const opened = new HistoryFile({
        file,
        now: this.#now,
        retention: () => retentionOf(this.#settings),
        mostBytes: () => bytes(this.#settings?.max_size ?? '0B'),
        onFailure: (error) => this.#failed(opened, error),
        onWritten: () => this.#recovered(),
        onProblem,
      });
      this.#file = opened;
      this.#recovered();
      removeOthers(file);
    } catch (error) {
      if (isDamage(error)) this.#beginAnew(error);
      else this.#tell(`there is no history of metrics: ${errorMessage(error)}`);
    }
  }

  #letGo(problem: string | null): void {
    this.#problem = problem;
    this.#file?.close();
    this.#file = null;
  }

  #failed(file: HistoryFile, error: unknown): void {
    if (file !== this.#file) return;
    if (isDamage(error)) this.#beginAnew(error);
    else this.#tell(`the history of metrics cannot be written: ${errorMessage(error)}`);
  }

  /** Puts a damaged file aside, in place of one that was put there before, for it may be large. */
  #beginAnew(error: unknown): void {
    const { file, onProblem } = this.#options;
    this.#letGo(null);
    try {
      const kept = setAside(file, 'damaged');
      onProblem(
        `${file} is damaged (${errorMessage(error)}); it was kept as ${kept}, and the history begins anew`,
      );
      removeOthers(file, kept);
      // Once: the next one is opened with the next measurements at the earliest.
      this.#reopenAt = 0;
    } catch (cause) {
      this.#tell(`there is no history of metrics: ${file} is damaged, and stays: ${errorMessage(cause)}`);
    }
  }

  /** Once, until it is well again. */
  #tell(problem: string): void {
    if (this.#problem === null) this.#options.onProblem(`${problem}; it is tried again`);
    this.#problem = problem;
  }

  #recovered(): void {
    if (this.#problem !== null) this.#options.onProblem('the history of metrics can be written again');
    this.#problem = null;
  }
}

function retentionOf(settings: HistorySettings | null): Retention {
  const { fine = '0s', minutes = '0s', hours = '0s' } = settings ?? {};
  return { 0: milliseconds(fine), [minute]: milliseconds(minutes), [hour]: milliseconds(hours) };
}

/** Removes what was put aside before, but for one. Default: the newest. What cannot be removed is tried again with the next file that is opened. */
function removeOthers(file: string, kept?: string): void {
  const folder = dirname(file);
  try {
    const aside = readdirSync(folder).filter((name) => name.startsWith(`${basename(file)}.damaged-`));
    const newest = kept
      ? basename(kept)
      : aside
          .filter((name) => name.endsWith('Z'))
          .sort()
          .at(-1);
    for (const name of aside)
      if (newest !== undefined && !name.startsWith(newest)) rmSync(join(folder, name), { force: true });
  } catch {}
}
