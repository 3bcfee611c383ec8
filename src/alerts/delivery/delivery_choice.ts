/** What is known of a notification that waits, as far as it decides when it is its turn. Times are of one steady clock, in milliseconds. */
export interface Waiting {
  /** Those of one group are delivered in the order in which they were posted. */
  readonly group: string;
  /** How often it was tried in vain. */
  readonly attempts: number;
  /** Before this it is not tried again. */
  readonly not_before: number;
}

/** The one to try now, or how long to wait for one; null: nothing waits. */
export type Choice<T> = { readonly entry: T } | { readonly wait: number } | null;

/**
 * Which notification is tried next: of those that are the first of their group, the one that was tried least, and of
 * these the oldest. So one that its receiver does not take keeps nothing from being told but what follows it in its
 * own group: that something is over is never told before that it began.
 * @param entries in the order in which they were posted
 * @param paused_until the receiver is left alone until then
 */
export function chooseDelivery<T extends Waiting>(
  entries: readonly T[],
  now: number,
  paused_until: number,
): Choice<T> {
  const seen = new Set<string>();
  let best: T | null = null;
  let earliest = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    if (seen.has(entry.group)) continue;
    seen.add(entry.group);
    earliest = Math.min(earliest, entry.not_before);
    if (entry.not_before > now || (best !== null && best.attempts <= entry.attempts)) continue;
    best = entry;
    if (entry.attempts === 0) break;
  }
  if (entries.length === 0) return null;
  if (paused_until > now) return { wait: Math.max(paused_until, best === null ? earliest : 0) - now };
  return best === null ? { wait: earliest - now } : { entry: best };
}
