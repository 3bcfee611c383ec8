import type { MetricSet } from './metric_set.ts';

/** How many alerts of one rule fire. */
interface FiringCount {
  readonly rule: string;
  readonly severity: string;
  readonly count: number;
}

/** What fires, by rule; a rule that finds nothing has 0, so that it can be seen that it is looked at. */
export function addAlertMetrics(metrics: MetricSet, read: () => readonly FiringCount[]): void {
  metrics.gauge('davit_alerts_firing', 'Alerts that fire, by the rule that found them.', () =>
    read().map(({ rule, severity, count }) => ({ labels: { rule, severity }, value: count })),
  );
}
