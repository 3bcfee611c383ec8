import { createHmac } from 'node:crypto';
import { jsonHeaders, noComplaint, type WebhookFormat } from './webhook_format.ts';

/** The notification itself, as the contract has it. */
export const davit: WebhookFormat = {
  message: (notification, { url, secret, now }) => {
    const body = JSON.stringify(notification);
    return { url, body, headers: { ...jsonHeaders, ...signatureHeaders(body, secret, now) } };
  },
  complaint: noComplaint,
};

/** The time in seconds and the body, with a dot between them, are signed; who checks the time too refuses what is sent again by somebody else. */
export function signatureHeaders(body: string, secret: string | null, now: number): Record<string, string> {
  if (secret === null) return {};
  const timestamp = String(Math.floor(now / 1_000));
  const signature = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
  return { 'x-davit-timestamp': timestamp, 'x-davit-signature': `sha256=${signature}` };
}
