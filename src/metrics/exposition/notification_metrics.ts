import type { MetricSet } from './metric_set.ts';

/** What became of what was posted to one notifier since the agent was started. */
interface NotifierCount {
  readonly notifier: string;
  readonly delivered: number;
  /** Tries. */
  readonly failed: number;
  readonly dropped: number;
  readonly waiting: number;
}

const outcomes = ['delivered', 'failed', 'dropped'] as const;

/** What notifiers were told, and what waits for them. */
export function addNotificationMetrics(metrics: MetricSet, read: () => readonly NotifierCount[]): void {
  metrics.counter(
    'davit_notifications_total',
    'Notifications that were delivered or dropped, and tries that failed, by notifier.',
    () =>
      read().flatMap((count) =>
        outcomes.map((outcome) => ({ labels: { notifier: count.notifier, outcome }, value: count[outcome] })),
      ),
  );
  metrics.gauge('davit_notifications_waiting', 'Notifications that wait to be delivered, by notifier.', () =>
    read().map(({ notifier, waiting }) => ({ labels: { notifier }, value: waiting })),
  );
}
