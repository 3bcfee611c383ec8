/** What one try to send came to. */
export type Outcome =
  | { readonly kind: 'taken' }
  /** Another try would come to the same. */
  | { readonly kind: 'refused'; readonly message: string }
  /** Another try may help; `wait` is what the receiver asked for, in milliseconds. */
  | { readonly kind: 'failed'; readonly message: string; readonly wait: number | null };

/** The first wait, in milliseconds; it doubles with each try. */
const shortestWait = 500;
/** The longest wait that is not asked for: so long a receiver may be back before it is noticed. In milliseconds. */
const longestWait = 5_000;
/** The longest wait that a receiver may ask for, in milliseconds. */
const longestAsked = 300_000;

/**
 * What Prometheus says of samples whose time it does not take, older versions with 500 where they are older than its
 * `out_of_order_time_window`. It will never take them, and all that waits behind them would wait in vain.
 */
const neverTaken = /too old sample|out of order sample|out of bounds|duplicate sample/i;

/** What an answer means, as the specification of remote write 1.0 has it: of those with 4xx only 429 is worth another try. */
export function readAnswer(answer: {
  readonly status: number;
  readonly retryAfter: string | null;
  /** The beginning of what it says. */
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}): Outcome {
  const { status, retryAfter, text, now } = answer;
  if (status >= 200 && status < 300) return { kind: 'taken' };
  const says = text === '' ? '' : `: ${text}`;
  if (status >= 300 && status < 400)
    return {
      kind: 'failed',
      message: `it answers ${status}; a redirect is not followed, so its real address has to stand in \`url\``,
      wait: null,
    };
  const message = `it answers ${status}${says}`;
  if (status >= 400 && status < 500 && status !== 429) return { kind: 'refused', message };
  if (status === 500 && neverTaken.test(text)) return { kind: 'refused', message };
  return { kind: 'failed', message, wait: readRetryAfter(retryAfter, now) };
}

/** `Retry-After`, RFC 9110, section 10.2.3: seconds or a date. In milliseconds; null where it says nothing of use. */
export function readRetryAfter(text: string | null, now: number): number | null {
  if (text === null) return null;
  const wait = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  return Number.isFinite(wait) && wait > 0 ? Math.min(wait, longestAsked) : null;
}

/**
 * How long to wait before another try, in milliseconds.
 * @param failures how many tries have failed one after the other, from 1
 * @param random from 0 to 1, so that many agents do not come back at once
 */
export function waitBeforeRetry(failures: number, asked: number | null, random: number): number {
  const most = Math.min(shortestWait * 2 ** Math.min(failures - 1, 30), longestWait);
  return Math.max(Math.round(most * (0.5 + random / 2)), asked ?? 0);
}
