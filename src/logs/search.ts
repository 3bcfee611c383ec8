import type { LogLine, LogPage, SkippedOutput } from '../contract/logs.ts';
import { formatCursor, type Place, placeOf, type Standing, standingOf } from './cursor.ts';
import { levelOf } from './level.ts';
import { type LineFilter, lineFilter } from './line_filter.ts';
import type { TimedLine } from './line_source.ts';
import { lineText } from './lines.ts';
import { isSelected, type LogQuery, type SearchBudget, type Selection } from './log_query.ts';
import { type Direction, MergedLines, type Part } from './merged_lines.ts';
import { offsetsOf, type Resumption, resume } from './resume.ts';
import type { Run } from './run.ts';
import type { Offsets } from './run_files.ts';
import { RunReader } from './run_reader.ts';

/** A line that was found; its id where lasting lines were asked for. */
export interface FoundLine extends LogLine {
  /** Tells it from every other line of its service: `<run>.<stream>.<where it ends in it>`. */
  readonly id?: string;
}

type Page = Omit<LogPage, 'service' | 'skipped' | 'lines'> & { readonly lines: FoundLine[] };

/** The last lines before a place that fit, oldest first; before the end when the place is null. */
export async function searchBackward(
  runs: readonly Run[],
  place: Place | null,
  query: LogQuery,
  budget: SearchBudget,
): Promise<Page> {
  const parts = runs
    .filter((run) => isSelected(run, query))
    .map((run) => partBefore(run, place, query.until));
  const known =
    place === null ? (parts.findLast(({ standing }) => standing !== 'none')?.run.name.run ?? 0) : 0;
  const lines = new MergedLines(parts, known, backwards(query));
  const isTooEarly = ({ time }: TimedLine) => query.since !== undefined && time < query.since;
  try {
    const { found, truncated } = await collect(lines, query, budget, false, isTooEarly);
    const [before, after] = [formatCursor(lines.place()), formatCursor(place ?? lines.begin())];
    return { lines: found.reverse(), truncated, before, after };
  } finally {
    await lines.close();
  }
}

/** The first lines after a place that fit, oldest first, and what lay before them and is not kept any more. */
export async function searchForward(
  runs: () => readonly Run[],
  place: Place,
  query: LogQuery,
  budget: SearchBudget,
): Promise<Page & { readonly place: Place; readonly skipped: SkippedOutput | null }> {
  for (;;) {
    const resumption = resume(runs(), place, query);
    const page = await readOn(resumption, query, budget);
    // What was to be read first has been removed under our hands: now it is known as skipped.
    if (page.isOvertaken && formatCursor(page.place) === formatCursor(place)) continue;
    const skipped = resumption.skipped && { ...resumption.skipped, cursor: page.before };
    return { ...page, skipped };
  }
}

async function readOn({ parts, known }: Resumption, query: LogQuery, budget: SearchBudget) {
  const lines = new MergedLines(parts, known, forwards(query));
  const isTooLate = ({ time }: TimedLine) => query.until !== undefined && time > query.until;
  try {
    const { found, truncated } = await collect(lines, query, budget, true, isTooLate);
    const place = lines.place();
    const [before, after] = [formatCursor(lines.begin()), formatCursor(place)];
    const { isOvertaken } = lines;
    return { lines: found, truncated: truncated || isOvertaken, before, after, place, isOvertaken };
  } finally {
    await lines.close();
  }
}

/** The place after every whole line so far. */
export async function endOf(runs: readonly Run[], selection: Selection): Promise<Place> {
  const selected = runs.filter((run) => isSelected(run, selection));
  const standings = selected.map(async (run) => [run.name.run, await endOfRun(run)] as const);
  return placeOf(await Promise.all(standings), selected.at(-1)?.name.run ?? 0);
}

async function endOfRun(run: Run): Promise<Standing> {
  if (!run.isLive) return 'all';
  const reader = await RunReader.open(run);
  if (reader === null) return 'none';
  try {
    return await reader.wholeLines(reader.end);
  } finally {
    await reader.close();
  }
}

async function collect(
  lines: MergedLines,
  query: LogQuery,
  budget: SearchBudget,
  isForward: boolean,
  isBeyond: (line: TimedLine) => boolean,
): Promise<{ found: FoundLine[]; truncated: boolean }> {
  const filter = lineFilter(query.grep, query.level);
  const found: FoundLine[] = [];
  const deadline = performance.now() + budget.milliseconds;
  let [searched, answered] = [0, 0];
  for (;;) {
    const { line } = lines;
    if (line === undefined) {
      if (searched > 0 && performance.now() > deadline) return { found, truncated: true };
      await lines.fill();
      continue;
    }
    if (line === null || isBeyond(line)) return { found, truncated: false };
    const isEnough = found.length >= query.lines || answered >= budget.answered_bytes;
    if (isEnough || searched >= budget.searched_bytes) return { found, truncated: true };
    searched += line.bytes.length;
    const shown = take(lines, line, filter, isForward);
    if (shown === null) continue;
    found.push(query.lasting ? { ...shown, id: idOf(line) } : shown);
    answered += line.bytes.length;
  }
}

/** Takes a line, and shows it if it is wanted. Its cursor is the place after it, from whichever side one comes. */
function take(lines: MergedLines, line: TimedLine, filter: LineFilter, isForward: boolean): LogLine | null {
  const text = lineText(line.bytes);
  const level = levelOf(text);
  const isWanted = filter(text, level);
  const before = isWanted && !isForward ? lines.place() : null;
  lines.drop();
  if (!isWanted) return null;
  return {
    time: new Date(line.time).toISOString(),
    stream: line.stream,
    line: text,
    level,
    release: line.run.name.release,
    instance: line.run.name.instance,
    cursor: formatCursor(before ?? lines.place()),
    ...(line.continues && { continues: true as const }),
  };
}

function idOf({ run, stream, end }: TimedLine): string {
  return `${run.name.run}.${stream}.${end}`;
}

function partBefore(run: Run, place: Place | null, until: number | undefined): Part {
  if (until !== undefined && run.startedAt > until) return { run, standing: 'none' };
  return { run, standing: place === null ? 'all' : standingOf(place, run.name.run) };
}

function backwards({ stream, until }: LogQuery): Direction {
  const latest = until ?? Number.POSITIVE_INFINITY;
  return {
    sign: -1,
    stream,
    bound: (run) => Math.min(latest, run.isLive ? Number.POSITIVE_INFINITY : run.endedAt),
    open: ({ run, standing }) =>
      opening(run, async (reader) => {
        const limit = until === undefined ? reader.end : await reader.endAt(until);
        const from = lesser(offsetsOf(standing, reader.end), limit);
        return { from, sources: reader.backward(from, stream) };
      }),
  };
}

function forwards({ stream, since, lasting }: LogQuery): Direction {
  return {
    sign: 1,
    stream,
    bound: (run) => run.startedAt,
    open: ({ run, standing }) =>
      opening(
        run,
        async (reader) => {
          const limit = since === undefined ? nothing : await reader.endAt(since - 1);
          const from = greater(offsetsOf(standing, reader.end), limit);
          return { from, sources: reader.forward(from, stream) };
        },
        lasting,
      ),
  };
}

type Opened = NonNullable<Awaited<ReturnType<Direction['open']>>>;

async function opening(
  run: Run,
  begin: (reader: RunReader) => Promise<Omit<Opened, 'reader'>>,
  isStampedOnly = false,
): Promise<Opened | null> {
  const reader = await RunReader.open(run, isStampedOnly);
  if (reader === null) return null;
  try {
    return { reader, ...(await begin(reader)) };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

const nothing: Offsets = { stdout: 0, stderr: 0 };

function lesser(one: Offsets, other: Offsets): Offsets {
  return { stdout: Math.min(one.stdout, other.stdout), stderr: Math.min(one.stderr, other.stderr) };
}

function greater(one: Offsets, other: Offsets): Offsets {
  return { stdout: Math.max(one.stdout, other.stdout), stderr: Math.max(one.stderr, other.stderr) };
}
