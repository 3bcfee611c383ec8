import type { Failure } from './circuit_breaker.ts';

/** How it stands with the instances of a service. */
export interface Census {
  /** Those that take requests by the table. */
  readonly members: number;
  /** Those of them whose breaker is not closed. */
  readonly out: number;
}

/** How many of so many instances may be out at the same time. */
export function mostOut(members: number, max_percent: number): number {
  return Math.floor((members * max_percent) / 100);
}

/**
 * Whether one more may be taken out: never more than their share; and because it refused a single connection only when
 * another one is well.
 */
export function mayEject(how: Failure, { members, out }: Census, max_percent: number): boolean {
  if (how === 'unreachable' && members - out < 2) return false;
  return out < mostOut(members, max_percent);
}

/** Which of those that are out come back because there are fewer instances than there were: those whose time is over first. */
export function toReadmit<O extends { readonly until: number }>(out: readonly O[], most: number): O[] {
  return out
    .toSorted((one, other) => one.until - other.until)
    .slice(0, Math.max(0, out.length - Math.max(0, most)));
}
