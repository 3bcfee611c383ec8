/**
 * How long a receiver asks to be left alone, in milliseconds: `Retry-After` as seconds or a date (RFC 9110, section
 * 10.2.3); null where it says nothing of use.
 * @param now milliseconds since the epoch
 */
export function readRetryAfter(value: string | string[] | undefined, now: number): number | null {
  if (typeof value !== 'string') return null;
  const wait = /^\d{1,9}$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now;
  return Number.isFinite(wait) && wait > 0 ? wait : null;
}
