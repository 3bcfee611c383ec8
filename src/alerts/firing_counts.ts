import type { Severity } from '../contract/alerts.ts';
import { type AlertRecord, isFiring } from './alert_record.ts';
import type { WatchedRule } from './watched_rule.ts';

/** How many alerts of one rule fire. */
export interface FiringCount {
  readonly rule: string;
  readonly severity: Severity;
  readonly count: number;
}

/** How many fire, by service; null: on the host and the agent. */
export function firingByService(alerts: Iterable<AlertRecord>): ReadonlyMap<string | null, number> {
  const counts = new Map<string | null, number>();
  for (const record of alerts)
    if (isFiring(record)) counts.set(record.service, (counts.get(record.service) ?? 0) + 1);
  return counts;
}

/** How many fire, by rule; a rule that finds nothing is there with 0. */
export function firingByRule(alerts: Iterable<AlertRecord>, rules: Iterable<WatchedRule>): FiringCount[] {
  const counts = new Map<string, number>();
  for (const record of alerts)
    if (isFiring(record)) counts.set(record.rule, (counts.get(record.rule) ?? 0) + 1);
  return [...rules].map(({ name, severity }) => ({ rule: name, severity, count: counts.get(name) ?? 0 }));
}
