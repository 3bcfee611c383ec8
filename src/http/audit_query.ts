import { type AuditOutcome, type AuditRecord, auditOutcome } from '../contract/audit.ts';

/** Which records are wanted; what is left out may be anything. */
export interface AuditQuery {
  /** The newest so many of those that fit. */
  readonly limit: number;
  /** The actor, or the id of its key. */
  readonly actor?: string | undefined;
  readonly actions?: readonly string[] | undefined;
  readonly service?: string | undefined;
  readonly outcome?: AuditOutcome | undefined;
  /** Not earlier, in milliseconds since 1970. */
  readonly since?: number | undefined;
  /** Not later, in milliseconds since 1970. */
  readonly until?: number | undefined;
  /** Only what is before this place, which came as `next`. */
  readonly before?: string | undefined;
}

/**
 * By how much records may stand before one that is earlier, in milliseconds: the number of refusals that were left out
 * comes a minute later, and clocks are set.
 */
const disorder = 600_000;

/** Whether a record is wanted. */
export function fits(
  record: AuditRecord,
  { actor, actions, service, outcome, ...query }: AuditQuery,
): boolean {
  const { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = query;
  const at = Date.parse(record.time);
  return (
    (service === undefined || record.service === service) &&
    (actor === undefined || record.actor === actor || record.actor === `key:${actor}`) &&
    (actions === undefined || actions.includes(record.action)) &&
    (outcome === undefined || auditOutcome(record) === outcome) &&
    at >= since &&
    at <= until
  );
}

/** Whether nothing that stands before this record can be late enough. */
export function isPast({ time }: AuditRecord, { since }: AuditQuery): boolean {
  return since !== undefined && Date.parse(time) < since - disorder;
}

/** Whether nothing that stands after this record can be early enough. */
export function isAhead({ time }: AuditRecord, { until }: AuditQuery): boolean {
  return until !== undefined && Date.parse(time) > until + disorder;
}
