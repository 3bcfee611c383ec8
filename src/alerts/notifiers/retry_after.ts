/** Whoever asks for more is asked again all the same after so long, in milliseconds. */
const longest = 3_600_000;

/** How long a receiver asks to be left alone: seconds or a date (RFC 9110, section 10.2.3), in milliseconds; 0 where it says nothing. */
export function retryAfter(value: string | undefined, now: number): number {
  if (value === undefined) return 0;
  const wait = /^\d{1,9}$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now;
  return Number.isNaN(wait) ? 0 : Math.min(Math.max(0, wait), longest);
}
