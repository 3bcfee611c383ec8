import { latencyBounds } from '../contract/connections.ts';

/**
 * By how much a sum has grown. null: nothing is known, for it is new, or it fell, since what it counted was forgotten or
 * began anew.
 */
export function increase(before: number | null | undefined, now: number | null | undefined): number | null {
  if (before === null || before === undefined || now === null || now === undefined) return null;
  return now >= before ? now - before : null;
}

/** The same of several sums at once; null where it is of any of them. */
export function increases(before: readonly number[], now: readonly number[]): readonly number[] | null {
  const all = now.map((value, index) => increase(before[index], value));
  return all.every((each) => each !== null) ? all : null;
}

/**
 * Within what time that share of the answers began, in seconds, with those of one range of the histogram taken as spread
 * evenly over it; of those later than all bounds it is only known that they are. null: there were no answers.
 * @param counts how many answers began within each of `latencyBounds` and, last, later than all of them
 */
export function latencyQuantile(counts: readonly number[], share: number): number | null {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  let below = 0;
  for (const [index, bound] of latencyBounds.entries()) {
    const count = counts[index] ?? 0;
    if (count > 0 && below + count >= share * all) {
      const lower = latencyBounds[index - 1] ?? 0;
      return (lower + ((bound - lower) * (share * all - below)) / count) / 1_000;
    }
    below += count;
  }
  return (latencyBounds.at(-1) ?? 0) / 1_000;
}
