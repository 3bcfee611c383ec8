import { type Place, type Standing, standingOf } from './cursor.ts';
import { isSelected, type Selection } from './log_query.ts';
import type { Part } from './merged_lines.ts';
import type { Run } from './run.ts';
import { type Offsets, type StreamName, streamNames } from './run_files.ts';

/** Where reading goes on after a place, and what is not there any more. */
export interface Resumption {
  /** The runs of which something lies after the place, rising. */
  readonly parts: readonly Part[];
  /** The greatest run that is accounted for. */
  readonly known: number;
  /** What lay after the place and was removed: its bytes, null where nobody knows. */
  readonly skipped: { readonly bytes: number | null } | null;
}

/** What there is to read after a place, and what retention has removed of it. `runs` are all of the service, rising. */
export function resume(runs: readonly Run[], place: Place, selection: Selection): Resumption {
  const present = new Set(runs.map(({ name }) => name.run));
  const newest = runs.at(-1)?.name.run ?? 0;
  const last = place.at(-1)?.run ?? 0;
  const isLost = hasGap(present, place, newest);
  const parts: Part[] = [];
  let bytes = 0;
  for (const run of runs) {
    if (!isSelected(run, selection)) continue;
    const standing = standingOf(place, run.name.run);
    if (standing === 'all') continue;
    const from = typeof standing === 'string' ? nothing : standing;
    const { reached, lost } = overHead(from, run.head, selection.stream);
    bytes += lost;
    parts.push({ run, standing: lost > 0 ? reached : standing });
  }
  const isKnown = present.has(last) ? last : Math.min(last - 1, newest);
  const skipped = isLost ? { bytes: null } : bytes > 0 ? { bytes } : null;
  return { parts, known: isLost ? newest : Math.max(0, isKnown), skipped };
}

const nothing: Offsets = { stdout: 0, stderr: 0 };

/** Whether a whole run is gone of which something lay after the place. */
function hasGap(present: ReadonlySet<number>, place: Place, newest: number): boolean {
  if (place.some(({ run }) => run > 0 && run <= newest && !present.has(run))) return true;
  for (let run = Math.max(1, (place.at(-1)?.run ?? 0) + 1); run < newest; run++)
    if (!present.has(run)) return true;
  return false;
}

function overHead(
  from: Offsets,
  head: Offsets,
  wanted: StreamName | undefined,
): { reached: Offsets; lost: number } {
  const reached = { ...from };
  let lost = 0;
  for (const stream of streamNames) {
    if (wanted !== undefined && stream !== wanted) continue;
    lost += Math.max(0, head[stream] - from[stream]);
    reached[stream] = Math.max(from[stream], head[stream]);
  }
  return { reached, lost };
}

/** How far a standing is into a run that ends at `end`. */
export function offsetsOf(standing: Standing, end: Offsets): Offsets {
  if (standing === 'all') return end;
  return standing === 'none' ? nothing : standing;
}
