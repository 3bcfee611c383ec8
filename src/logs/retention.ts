import { statfsSync } from 'node:fs';
import type { Spec } from '../contract/spec.ts';
import { bytes, milliseconds } from '../lib/units.ts';

/** How much of a service's output is kept; null: that does not matter. */
export interface Retention {
  /** Bytes on the disk, all runs together. */
  readonly max_bytes: number;
  readonly max_age_ms: number | null;
  /** How many releases, counted from the one that was started last. */
  readonly max_releases: number | null;
  /** Whether what has ended is compressed. */
  readonly compress: boolean;
}

/** What a run holds, as far as it matters here. */
export interface Holding {
  readonly name: { readonly run: number; readonly release: number };
  readonly bytes: number;
  readonly isLive: boolean;
  /** Milliseconds since the epoch. */
  readonly endedAt: number;
}

/** What is to be done: a run goes as a whole, or keeps only its last `keep` bytes. */
export type Step<Kept extends Holding> =
  | { readonly kind: 'remove'; readonly run: Kept }
  | { readonly kind: 'cut'; readonly run: Kept; readonly keep: number };

/** How many runs are kept at most, however little they wrote. */
const keptRuns = 200;
/** The quota of a host when nobody sets one. */
const largestQuota = 20e9;
/** Once there is too much, this part of what is allowed is left, so that it does not start again at once. */
const leftover = 0.75;

/** What the spec of a service says of its logs. */
export function readRetention({ max_size, max_age, max_releases, compress }: Spec['logs']): Retention {
  const max_age_ms = max_age === null ? null : milliseconds(max_age);
  return { max_bytes: bytes(max_size), max_age_ms, max_releases, compress };
}

/** How many bytes all services together may keep: what is set, or else a tenth of the disk of `directory`, at most 20 GB. */
export function hostQuota(size: string | null, directory: string): number {
  if (size !== null) return bytes(size);
  try {
    const { blocks, bsize } = statfsSync(directory);
    return Math.min((blocks * bsize) / 10, largestQuota);
  } catch {
    // Somebody may have removed it; the next run makes it anew.
    return largestQuota;
  }
}

/** What of one service has to go; `runs` are all of its runs, rising. */
export function chooseOfService<Kept extends Holding>(
  runs: readonly Kept[],
  { max_bytes, max_age_ms, max_releases }: Omit<Retention, 'compress'>,
  now: number,
): Step<Kept>[] {
  const releases = max_releases === null ? null : lastReleases(runs, max_releases);
  const oldest = max_age_ms === null ? Number.NEGATIVE_INFINITY : now - max_age_ms;
  const surplus = new Set(runs.slice(0, -keptRuns));
  const isOver = (run: Kept) =>
    !run.isLive && (surplus.has(run) || run.endedAt < oldest || releases?.has(run.name.release) === false);
  const kept = runs.filter((run) => !isOver(run));
  return [
    ...runs.filter(isOver).map((run) => ({ kind: 'remove' as const, run })),
    ...shrink(kept, max_bytes),
  ];
}

/** What of all services has to go so that they stay under the quota of the host. */
export function chooseOfHost<Kept extends Holding>(runs: readonly Kept[], maxBytes: number): Step<Kept>[] {
  return shrink(
    runs.toSorted((one, other) => one.endedAt - other.endedAt),
    maxBytes,
  );
}

/** The greatest size to which each must be held so that all together have at most `total`: the small ones keep all. */
export function waterLevel(sizes: readonly number[], total: number): number {
  let left = Math.max(0, total);
  const rising = sizes.toSorted((one, other) => one - other);
  for (const [n, size] of rising.entries()) {
    const share = left / (rising.length - n);
    if (size > share) return share;
    left -= size;
  }
  return Number.POSITIVE_INFINITY;
}

/** First what has ended, oldest first, then the beginning of what is still written. */
function shrink<Kept extends Holding>(runs: readonly Kept[], maxBytes: number): Step<Kept>[] {
  const total = sum(runs);
  if (total <= maxBytes) return [];
  const steps: Step<Kept>[] = [];
  let excess = total - maxBytes * leftover;
  for (const run of runs) {
    if (run.isLive || run.bytes === 0) continue;
    if (excess <= 0) return steps;
    if (run.bytes > excess) steps.push({ kind: 'cut', run, keep: run.bytes - excess });
    else steps.push({ kind: 'remove', run });
    excess -= run.bytes;
  }
  const live = runs.filter(({ isLive }) => isLive);
  const level = waterLevel(
    live.map(({ bytes }) => bytes),
    sum(live) - excess,
  );
  if (excess <= 0) return steps;
  return steps.concat(
    live.filter(({ bytes }) => bytes > level).map((run) => ({ kind: 'cut', run, keep: level })),
  );
}

function lastReleases(runs: readonly Holding[], count: number): ReadonlySet<number> {
  const newestFirst = new Set(runs.map(({ name }) => name.release).reverse());
  return new Set([...newestFirst].slice(0, count));
}

function sum(runs: readonly Holding[]): number {
  return runs.reduce((total, { bytes }) => total + bytes, 0);
}
