/** The least share: an instance that gets nothing never warms up. */
const leastShare = 0.1;

/**
 * Which part of its full share an instance gets at `now`: it rises evenly within `slow_start` from when it became ready. All in
 * milliseconds. One that became ready in the future has the full share: the clock has been set back.
 */
export function rampedShare(ready_at: number, slow_start: number, now: number): number {
  const age = now - ready_at;
  if (slow_start <= 0 || age >= slow_start || age < 0) return 1;
  return Math.max(leastShare, age / slow_start);
}
