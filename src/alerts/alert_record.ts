import { randomInt } from 'node:crypto';
import type { Alert, AlertInFull, Severity } from '../contract/alerts.ts';
import type { Finding } from './finding.ts';
import type { AlertState } from './lifecycle.ts';

/** What led to an alert, when it began to fire. Secrets are taken out. */
export interface Circumstances {
  /** Newest first; `service`: what the sentence is about, null for the agent. */
  readonly why: readonly { readonly service: string | null; readonly sentence: string }[];
  /** Oldest first. */
  readonly last_lines: readonly string[];
}

/** An alert as it is kept. Times in milliseconds since the epoch. */
export interface AlertRecord {
  readonly id: string;
  readonly rule: string;
  readonly severity: Severity;
  readonly service: string | null;
  readonly instance: number | null;
  readonly subject: string | null;
  readonly summary: string;
  readonly value: number | null;
  /** The event that led to it. */
  readonly event: number | null;
  readonly trace_id: string | null;
  readonly state: Exclude<AlertState, 'inactive'>;
  /** Of the state, as its lifecycle has it. */
  readonly since: number;
  readonly started_at: number;
  readonly fired_at: number | null;
  readonly resolved_at: number | null;
  /** The event that says that it fires. */
  readonly firing_event: number | null;
  /** When somebody was told last that it fires. */
  readonly notified_at: number | null;
  /** The notifiers that were told that it fires, and have to be told yet that it is over. */
  readonly told: readonly string[];
  readonly circumstances: Circumstances | null;
}

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
  const { id, rule, severity, state, service, instance, subject, summary, value, event, trace_id } = record;
  return {
    id,
    rule,
    severity,
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
