import type { LogLine, SkippedOutput } from '../contract/logs.ts';
import { Turns } from '../lib/turns.ts';
import { formatCursor, type Place, placeOf, type Standing, standingOf } from './cursor.ts';
import { isSelected, type LogQuery, type SearchBudget } from './log_query.ts';
import { offsetsOf, resume } from './resume.ts';
import type { Run } from './run.ts';
import { streamNames } from './run_files.ts';
import { RunReader } from './run_reader.ts';
import { searchForward } from './search.ts';

/** The next lines of a service, for everyone who follows it from the same place. */
export interface LogBatch {
  readonly lines: readonly LogLine[];
  /** Where to go on. */
  readonly place: Place;
  readonly cursor: string;
  /** What the reader missed before these lines. */
  readonly skipped: SkippedOutput | null;
  /** Whether there may be more at once. */
  readonly more: boolean;
}

/** How much of what is followed is read at once. */
const batchBudget: SearchBudget = { searched_bytes: 131_072, milliseconds: 200, answered_bytes: 131_072 };
const mostLines = 4_000;
/** Of so many services lines are read at a time, for all readers: each may have many files open for that. */
const readAtOnce = 16;
/** So many batches of several services may wait for a reader; those of more are smaller. */
const wholeBatches = 4;
/** A reader that falls so many bytes further behind is moved forward, to so many before the end. */
const longestLag = 64 * 2 ** 20;
const lagAfterMove = 2 ** 20;
/** So many batches are kept for other readers of the same lines. */
const keptBatches = 16;

/**
 * Reads on for those who follow. Whoever is at the same place and wants the same lines gets the same batch, so that a
 * hundred readers at the end cost little more than one; nothing is kept for those who are behind.
 */
export class FollowedLines {
  readonly #batches = new Map<string, Promise<LogBatch>>();
  readonly #turns = new Turns(readAtOnce);

  /**
   * The lines after a place as far as they are there; none, and the same cursor, where there is nothing for now.
   * @param state the service and how far it has grown: what is there does not change while this stays
   * @param beside how many services the reader follows at the same time, this one included
   */
  async next(
    state: string,
    runs: () => readonly Run[],
    place: Place,
    query: LogQuery,
    beside: number,
  ): Promise<LogBatch> {
    const part = Math.min(1, wholeBatches / beside);
    const { stream, release, instance, grep, level, since } = query;
    const key = JSON.stringify([state, stream, release, instance, grep, level, since, place, part]);
    const reading = this.#batches.get(key) ?? this.#turns.run(() => readOn(runs, place, query, part));
    this.#batches.set(key, reading);
    for (const oldest of this.#batches.keys()) {
      if (this.#batches.size <= keptBatches) break;
      this.#batches.delete(oldest);
    }
    try {
      return await reading;
    } catch (error) {
      this.#batches.delete(key);
      throw error;
    }
  }

  /** Forgets what was kept; to be called when nobody follows any more. */
  clear(): void {
    this.#batches.clear();
  }
}

async function readOn(
  runs: () => readonly Run[],
  place: Place,
  query: LogQuery,
  part: number,
): Promise<LogBatch> {
  const wanted = { ...query, lines: Math.ceil(mostLines * part) };
  const budget = { ...batchBudget, answered_bytes: batchBudget.answered_bytes * part };
  const { lines, place: next, after, skipped, truncated } = await searchForward(runs, place, wanted, budget);
  return { lines, place: next, cursor: after, skipped, more: truncated };
}

/** Watches how far one reader is behind, and moves it forward when that gets too much. */
export class Lag {
  #allowed = Number.POSITIVE_INFINITY;

  /** Where the reader goes on, and what it misses by that; null while it keeps up. */
  async check(
    runs: readonly Run[],
    place: Place,
    query: LogQuery,
  ): Promise<{ place: Place; skipped: SkippedOutput } | null> {
    const live = runs.filter((run) => run.isLive && isSelected(run, query));
    const lag = live.reduce((sum, run) => sum + bytesAfter(run, standingOf(place, run.name.run), query), 0);
    // Whoever comes back after a long time reads what there is in peace; only falling further behind counts.
    this.#allowed = Math.min(this.#allowed, lag + longestLag);
    if (lag <= this.#allowed) return null;
    this.#allowed = Number.POSITIVE_INFINITY;
    return await moveForward(runs, place, query);
  }
}

async function moveForward(
  runs: readonly Run[],
  place: Place,
  query: LogQuery,
): Promise<{ place: Place; skipped: SkippedOutput }> {
  const { parts } = resume(runs, place, query);
  let bytes: number | null = 0;
  const standings: [number, Standing][] = [];
  for (const { run, standing } of parts) {
    const next = run.isLive ? await nearEnd(run, standing) : 'all';
    if (next === 'all') bytes = null;
    else if (bytes !== null) bytes += bytesAfter(run, standing, query) - bytesAfter(run, next, query);
    standings.push([run.name.run, next]);
  }
  const moved = placeOf(standings, runs.at(-1)?.name.run ?? 0);
  return { place: moved, skipped: { bytes, cursor: formatCursor(moved) } };
}

async function nearEnd(run: Run, standing: Standing): Promise<Standing> {
  const reader = await RunReader.open(run);
  if (reader === null) return 'all';
  try {
    const { end } = reader;
    const near = await reader.wholeLines({
      stdout: end.stdout - lagAfterMove,
      stderr: end.stderr - lagAfterMove,
    });
    const from = offsetsOf(standing, end);
    return { stdout: Math.max(from.stdout, near.stdout), stderr: Math.max(from.stderr, near.stderr) };
  } finally {
    await reader.close();
  }
}

/** How much of a run that is still written lies after a place, as far as it is there. */
function bytesAfter(run: Run, standing: Standing, { stream: wanted }: LogQuery): number {
  const from = offsetsOf(standing, run.sizes);
  return streamNames
    .filter((stream) => wanted === undefined || stream === wanted)
    .map((stream) => Math.max(0, run.sizes[stream] - Math.max(from[stream], run.head[stream])))
    .reduce((sum, bytes) => sum + bytes, 0);
}
