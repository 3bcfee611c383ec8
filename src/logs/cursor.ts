import { DavitError } from '../lib/errors.ts';
import type { Offsets } from './run_files.ts';

/** How much of one run lies before a place. */
export interface RunOffsets extends Offsets {
  readonly run: number;
}

/**
 * A place in the output of a service, over all its runs: those that are named lie before it up to their offsets, of the
 * others those with a smaller number than the last one wholly, and those with a greater number not at all.
 */
export type Place = readonly RunOffsets[];

/** How much of a run lies before a place: everything, nothing, or what is before these offsets. */
export type Standing = 'all' | 'none' | Offsets;

/** At most so many runs are named by a cursor; what is written at the same time by more of them is passed over. */
const mostRuns = 256;
const entryPattern = /^(\d{1,12})\.(\d{1,15})\.(\d{1,15})$/;

/** A place as text. It stays valid when the agent is started again, and when the oldest output is removed. */
export function formatCursor(place: Place): string {
  return place
    .slice(-mostRuns)
    .map(({ run, stdout, stderr }) => `${run}.${stdout}.${stderr}`)
    .join('_');
}

/** Throws `invalid_request` for a text that is no cursor. */
export function parseCursor(text: string): Place {
  const parts = text.split('_', mostRuns + 1);
  if (parts.length > mostRuns) throw noCursor();
  const place = parts.map((part) => {
    const [, run, stdout, stderr] = entryPattern.exec(part) ?? [];
    if (run === undefined) throw noCursor();
    return { run: Number(run), stdout: Number(stdout), stderr: Number(stderr) };
  });
  const rises = place.every(({ run }, n) => n === 0 || run > (place[n - 1]?.run ?? 0));
  if (!rises) throw noCursor();
  return place;
}

/** How much of a run lies before a place. */
export function standingOf(place: Place, run: number): Standing {
  const named = place.find((entry) => entry.run === run);
  if (named !== undefined) return { stdout: named.stdout, stderr: named.stderr };
  return run < (place.at(-1)?.run ?? 0) ? 'all' : 'none';
}

/**
 * The place of which so much of each run lies before it; runs rise.
 * @param known the greatest run that is accounted for, although nothing of it may lie before the place
 */
export function placeOf(runs: readonly (readonly [number, Standing])[], known: number): Place {
  const reached = runs.reduce(
    (last, [run, standing]) => (standing === 'none' ? last : Math.max(last, run)),
    known,
  );
  const named = runs
    .filter(([run, standing]) => run <= reached && standing !== 'all')
    .map(([run, standing]) => ({ run, ...(typeof standing === 'string' ? nothing : standing) }));
  if ((named.at(-1)?.run ?? -1) < reached) named.push({ run: reached + 1, ...nothing });
  return named.length > 0 ? named : [{ run: 0, ...nothing }];
}

const nothing: Offsets = { stdout: 0, stderr: 0 };

function noCursor(): DavitError {
  return new DavitError('invalid_request', 'the cursor is not one that came with a line of this log');
}
