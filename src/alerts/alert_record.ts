import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { type Alert, type AlertInFull, severity } from '../contract/alerts.ts';
import type { Finding } from './conditions/finding.ts';

/** Of any time that can be written as a date, in milliseconds since the epoch. */
const moment = z.int().min(-8.64e15).max(8.64e15);

const circumstances = z.object({
  /** Newest first; `service`: what the sentence is about, null for the agent. */
  why: z.array(z.object({ service: z.string().nullable(), sentence: z.string() })),
  /** Oldest first. */
  last_lines: z.array(z.string()),
});
/** What led to an alert, when it began to fire. Secrets are taken out. */
export type Circumstances = Readonly<z.infer<typeof circumstances>>;

/** An alert as it is kept. Times in milliseconds since the epoch. */
export const alertRecord = z.object({
  id: z.string(),
  rule: z.string(),
  severity,
  service: z.string().nullable(),
  instance: z.int().nullable(),
  subject: z.string().nullable(),
  summary: z.string(),
  value: z.number().nullable(),
  /** The event that led to it. */
  event: z.int().nullable(),
  trace_id: z.string().nullable(),
  state: z.enum(['pending', 'firing', 'clearing', 'resolved']),
  /** Of the state, as its lifecycle has it. */
  since: moment,
  started_at: moment,
  fired_at: moment.nullable(),
  resolved_at: moment.nullable(),
  /** The event that says that it fires. */
  firing_event: z.int().nullable(),
  /** When somebody was told last that it fires. */
  notified_at: moment.nullable(),
  /** The notifiers that were told that it fires, and have to be told yet that it is over. */
  told: z.array(z.string()),
  circumstances: circumstances.nullable(),
});
export type AlertRecord = Readonly<z.infer<typeof alertRecord>>;

/** What keeps an alert from being told, by their ids. */
export interface Suppression {
  readonly silenced_by: string | null;
  readonly inhibited_by: string | null;
}

/** Letters and digits that are not mistaken for each other. */
const letters = 'abcdefghijkmnpqrstuvwxyz23456789';

export function newId(): string {
  return Array.from({ length: 12 }, () => letters[randomInt(letters.length)]).join('');
}

/** What makes two findings of a rule on a service the same alert. */
export function subjectKey({ instance, subject }: Pick<Finding, 'instance' | 'subject'>): string {
  return `${instance ?? ''} ${subject ?? ''}`;
}

export function isFiring({ state }: Pick<AlertRecord, 'state'>): boolean {
  return state === 'firing' || state === 'clearing';
}

/** An alert as every interface shows it. */
export function shownAlert(record: AlertRecord, suppression: Suppression): Alert {
  const { id, rule, state, service, instance, subject, summary, value, event, trace_id } = record;
  return {
    id,
    rule,
    severity: record.severity,
    state: state === 'clearing' ? 'firing' : state,
    service,
    instance,
    subject,
    summary,
    value,
    started_at: new Date(record.started_at).toISOString(),
    fired_at: timeText(record.fired_at),
    resolved_at: timeText(record.resolved_at),
    event,
    trace_id,
    ...suppression,
    notified_at: timeText(record.notified_at),
  };
}

/** @param maySee whether who is told may read a service; null: what concerns the agent */
export function alertInFull(
  record: AlertRecord,
  suppression: Suppression,
  maySee: (service: string | null) => boolean,
): AlertInFull {
  const { why = [], last_lines = [] } = record.circumstances ?? {};
  // A sentence leads to the next: behind one that may not be seen, none is told.
  const end = why.findIndex(({ service }) => !maySee(service));
  return {
    ...shownAlert(record, suppression),
    why: why.slice(0, end === -1 ? undefined : end).map(({ sentence }) => sentence),
    last_lines: [...last_lines],
  };
}

function timeText(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(milliseconds).toISOString();
}
