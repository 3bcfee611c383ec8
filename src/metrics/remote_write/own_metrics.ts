import type { Sample } from '../exposition/computed_metric.ts';
import type { MetricSet } from '../exposition/metric_set.ts';
import { type DropReason, dropReasons } from './queue.ts';

/** What became of samples since the agent was started, of one receiver. */
export interface Totals {
  sent: number;
  refused: number;
  readonly dropped: Record<DropReason, number>;
  /** Requests, not samples. */
  failed_tries: number;
  /** Milliseconds since the epoch; null: none yet. */
  last_success: number | null;
}

/** What there is to tell of one receiver. */
export interface ReceiverView {
  readonly name: string;
  readonly totals: Readonly<Totals>;
  readonly waiting: { readonly samples: number; readonly bytes: number };
}

export function noTotals(): Totals {
  return {
    sent: 0,
    refused: 0,
    dropped: { too_old: 0, queue_full: 0, memory_full: 0, unreadable: 0 },
    failed_tries: 0,
    last_success: null,
  };
}

/** Adds what remote write tells of itself. */
export function addOwnMetrics(
  metrics: Pick<MetricSet, 'counter' | 'gauge'>,
  receivers: () => readonly ReceiverView[],
): void {
  const each = (read: (view: ReceiverView) => Sample[]) => () => receivers().flatMap(read);
  const one = (read: (view: ReceiverView) => number | null) =>
    each((view) => {
      const value = read(view);
      return value === null ? [] : [{ labels: { receiver: view.name }, value }];
    });

  metrics.counter(
    'davit_remote_write_samples_sent_total',
    'Samples that the receiver has taken.',
    one(({ totals }) => totals.sent),
  );
  metrics.counter(
    'davit_remote_write_samples_refused_total',
    'Samples that the receiver does not want: it answered 4xx, and they are not sent again.',
    one(({ totals }) => totals.refused),
  );
  metrics.counter(
    'davit_remote_write_samples_dropped_total',
    'Samples that were given up before they could be sent.',
    each(({ name, totals }) =>
      dropReasons.map((reason) => ({ labels: { receiver: name, reason }, value: totals.dropped[reason] })),
    ),
  );
  metrics.counter(
    'davit_remote_write_failed_tries_total',
    'Requests that could not be sent, each of which is tried again.',
    one(({ totals }) => totals.failed_tries),
  );
  metrics.gauge(
    'davit_remote_write_last_success_timestamp_seconds',
    'When the receiver took samples last, since 1970.',
    one(({ totals }) => totals.last_success && totals.last_success / 1_000),
  );
  metrics.gauge(
    'davit_remote_write_pending_samples',
    'Samples that wait.',
    one(({ waiting }) => waiting.samples),
  );
  metrics.gauge(
    'davit_remote_write_pending_bytes',
    'What they take on the disk.',
    one(({ waiting }) => waiting.bytes),
  );
}
