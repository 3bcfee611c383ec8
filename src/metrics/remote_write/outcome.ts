import { errorMessage } from '../../lib/errors.ts';
import type { ReceiverAnswer, ReceiverClient } from '../../lib/receiver_client.ts';

/** What one try to send came to. */
export type Outcome =
  | { readonly kind: 'taken' }
  /** Another try would come to the same. */
  | { readonly kind: 'refused'; readonly message: string }
  /** Another try may help; `wait` is what the receiver asked for, in milliseconds. */
  | { readonly kind: 'failed'; readonly message: string; readonly wait: number | null };

const headers = {
  'content-type': 'application/x-protobuf',
  'content-encoding': 'snappy',
  'x-prometheus-remote-write-version': '0.1.0',
};

/**
 * What Prometheus says of samples whose time it does not take, older versions with 500 where they are older than its
 * `out_of_order_time_window`. It will never take them, and all that waits behind them would wait in vain.
 */
const neverTaken = /too old sample|out of order sample|out of bounds|duplicate sample/i;

/** One try to send a request. Never rejects, and never tells a secret. */
export async function trySending(
  client: ReceiverClient,
  body: Uint8Array,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    return readAnswer(await client.post(body, headers, signal));
  } catch (error) {
    return { kind: 'failed', message: errorMessage(error), wait: null };
  }
}

/** What an answer means, as the specification of remote write 1.0 has it: of those with 4xx only 429 is worth another try. */
export function readAnswer({ status, retry_after, text }: ReceiverAnswer): Outcome {
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
  return { kind: 'failed', message, wait: retry_after };
}
