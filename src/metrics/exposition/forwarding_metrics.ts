import type { MetricSet } from './metric_set.ts';

/** What was sent to one target of log forwarding since the agent was started. */
interface ForwardedCount {
  readonly target: string;
  readonly lines: number;
  readonly bytes: number;
  readonly dropped_lines: number;
  readonly skipped_bytes: number;
  readonly failures: number;
  readonly lag_bytes: number;
  /** Milliseconds since the epoch; null: never. */
  readonly last_success_at: number | null;
}

const counters: readonly (readonly [string, string, keyof ForwardedCount])[] = [
  ['lines_total', 'Lines that were sent, also those that were sent once more.', 'lines'],
  ['bytes_total', 'The same in bytes, as they are sent before compression.', 'bytes'],
  ['dropped_lines_total', 'Lines that the receiver did not want.', 'dropped_lines'],
  ['skipped_bytes_total', 'Output that was removed before it could be sent.', 'skipped_bytes'],
  ['failures_total', 'Tries that failed.', 'failures'],
];

/** How far the output of services has got, by target. */
export function addForwardingMetrics(metrics: MetricSet, read: () => readonly ForwardedCount[]): void {
  const samples = (pick: (count: ForwardedCount) => number | null) => () =>
    read().flatMap((count) => {
      const value = pick(count);
      return value === null ? [] : [{ labels: { target: count.target }, value }];
    });
  for (const [name, help, field] of counters)
    metrics.counter(
      `davit_log_forwarding_${name}`,
      help,
      samples((count) => Number(count[field])),
    );
  metrics.gauge(
    'davit_log_forwarding_lag_bytes',
    'Output that is kept and has not arrived.',
    samples(({ lag_bytes }) => lag_bytes),
  );
  metrics.gauge(
    'davit_log_forwarding_last_success_timestamp_seconds',
    'When lines arrived last.',
    samples(({ last_success_at }) => last_success_at && last_success_at / 1_000),
  );
}
