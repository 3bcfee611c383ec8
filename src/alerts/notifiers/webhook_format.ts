import type { Notification } from '../../contract/alerts.ts';

/** Where a message goes and how it is signed. */
export interface WebhookAddress {
  readonly url: string;
  /** null: nothing is signed. */
  readonly secret: string | null;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What is posted. */
export interface WebhookMessage {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a kind of receiver takes. */
export interface WebhookFormat {
  readonly message: (notification: Notification, address: WebhookAddress) => WebhookMessage;
  /** What a body that came with a status of success complains of; null: nothing. */
  readonly complaint: (answer: string) => Complaint | null;
}

export interface Complaint {
  /** The code of the receiver, without what it says to it. */
  readonly message: string;
  readonly retry: boolean;
}

export const jsonHeaders = { 'content-type': 'application/json; charset=utf-8' } as const;

/** Of receivers that tell by the status alone whether they took it. */
export const noComplaint = (): null => null;

/**
 * Reads the code of an answer in JSON: 0 is success, and so is an answer that holds none of the fields.
 * @param fields where it may stand
 * @param passing codes of what may be over later, such as too many messages
 */
export function complaintOf(
  answer: string,
  fields: readonly string[],
  passing: ReadonlySet<number>,
): Complaint | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(answer);
  } catch {
    return { message: 'the answer is not the JSON that this receiver gives', retry: false };
  }
  if (typeof parsed !== 'object' || parsed === null) return null;
  for (const [field, code] of Object.entries(parsed))
    if (fields.includes(field) && Number(code) !== 0)
      return { message: `the answer has ${field} ${Number(code)}`, retry: passing.has(Number(code)) };
  return null;
}
