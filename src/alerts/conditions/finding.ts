/** One thing that is so now, of which a rule tells. */
export interface Finding {
  readonly instance: number | null;
  /** What else tells it from others of its rule and service: a certificate, a receiver. */
  readonly subject: string | null;
  readonly summary: string;
  readonly value: number | null;
  /** The id of the event that led to it. */
  readonly event: number | null;
  /** Since when it is so, in milliseconds since the epoch; null: since it was found. */
  readonly since: number | null;
}

/** What a look found. */
export interface Look {
  readonly findings: readonly Finding[];
  /** When to look again although nothing has happened, in milliseconds since the epoch; null: never. */
  readonly again_at: number | null;
}

export const nothing: Look = { findings: [], again_at: null };

/** A finding with all that most of them do not have. */
export function finding(facts: Pick<Finding, 'summary'> & Partial<Finding>): Finding {
  return { instance: null, subject: null, value: null, event: null, since: null, ...facts };
}

/** What is so already, by instance and subject: what counts as over may depend on it. */
export type IsKnown = (instance: number | null, subject: string | null) => boolean;
