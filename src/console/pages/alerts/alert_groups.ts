import type { Alert, Severity } from '../../../contract/alerts.ts';

/** From worst to least. */
export const severities: readonly Severity[] = ['critical', 'warning', 'info'];

/** Alerts of one rule. */
interface RuleGroup {
  readonly rule: string;
  readonly alerts: readonly Alert[];
}

/** Alerts that weigh the same, by rule. */
export interface SeverityGroup {
  readonly severity: Severity;
  readonly count: number;
  readonly rules: readonly RuleGroup[];
}

/** Whether people are told of it: nobody silenced it, and nothing else that fires explains it. */
export function isTold({ silenced_by, inhibited_by }: Alert): boolean {
  return silenced_by === null && inhibited_by === null;
}

/** What is firing or about to, the worst first; of a rule what people are told of comes first, and of that the newest. */
export function groupAlerts(alerts: readonly Alert[]): SeverityGroup[] {
  return severities.flatMap((severity) => {
    const those = alerts.filter((alert) => alert.severity === severity);
    if (those.length === 0) return [];
    const rules = [...Map.groupBy(those, ({ rule }) => rule)]
      .map(([rule, all]) => ({ rule, alerts: all.toSorted(compare) }))
      .sort((a, b) => (a.rule < b.rule ? -1 : 1));
    return [{ severity, count: those.length, rules }];
  });
}

function compare(a: Alert, b: Alert): number {
  const weight = (alert: Alert) => (isTold(alert) ? 2 : 0) + (alert.state === 'firing' ? 1 : 0);
  return weight(b) - weight(a) || (a.started_at < b.started_at ? 1 : -1);
}
