import type { Breaker, Failure } from './circuit_breaker.ts';

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
 * Whether one more may be taken out: while another one is well if it refused a connection, because then it carries nothing that the
 * others would have to carry; else only up to the share of them that may be out, as those that are left get all requests.
 */
export function mayEject(how: Failure, { members, out }: Census, max_percent: number): boolean {
  return how === 'unreachable' ? members - out >= 2 : out < mostOut(members, max_percent);
}

/** Which of those that are out come back because fewer may be out now: those whose time is over first. */
export function toReadmit<O extends Pick<Breaker, 'until' | 'cause'>>(out: readonly O[], most: number): O[] {
  const ejected = out.filter(({ cause }) => cause !== 'unreachable');
  return ejected.toSorted((one, other) => one.until - other.until).slice(0, Math.max(0, out.length - most));
}
