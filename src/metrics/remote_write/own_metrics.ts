import { Counter, Gauge, type Registry } from 'prom-client';
import { type DropReason, dropReasons } from './queue.ts';

/** What waits for one receiver. */
export interface Backlog {
  readonly receiver: string;
  readonly samples: number;
  readonly bytes: number;
}

/** What remote write tells of itself, for each receiver by its name. */
export class OwnMetrics {
  readonly #sent;
  readonly #refused;
  readonly #dropped;
  readonly #retries;
  readonly #lastSuccess;

  constructor(registry: Registry, backlogs: () => readonly Backlog[]) {
    const labelNames = ['receiver'] as const;
    const common = { labelNames, registers: [registry] };
    this.#sent = new Counter({
      ...common,
      name: 'davit_remote_write_samples_sent_total',
      help: 'Samples that the receiver has taken.',
    });
    this.#refused = new Counter({
      ...common,
      name: 'davit_remote_write_samples_refused_total',
      help: 'Samples of requests that the receiver answered with 4xx, which are not sent again.',
    });
    this.#dropped = new Counter({
      registers: [registry],
      labelNames: ['receiver', 'reason'] as const,
      name: 'davit_remote_write_samples_dropped_total',
      help: 'Samples that were given up before they could be sent.',
    });
    this.#retries = new Counter({
      ...common,
      name: 'davit_remote_write_failed_tries_total',
      help: 'Requests that could not be sent and are tried again.',
    });
    this.#lastSuccess = new Gauge({
      ...common,
      name: 'davit_remote_write_last_success_timestamp_seconds',
      help: 'When the receiver took a request last.',
    });
    const count = (name: string, help: string, value: (backlog: Backlog) => number) => {
      new Gauge({
        ...common,
        name,
        help,
        collect() {
          this.reset();
          for (const backlog of backlogs()) this.set({ receiver: backlog.receiver }, value(backlog));
        },
      });
    };
    count('davit_remote_write_pending_samples', 'Samples that wait.', ({ samples }) => samples);
    count('davit_remote_write_pending_bytes', 'What they take on the disk.', ({ bytes }) => bytes);
  }

  /** Its counters begin with 0. */
  add(receiver: string): void {
    for (const counter of [this.#sent, this.#refused, this.#retries]) counter.inc({ receiver }, 0);
    for (const reason of dropReasons) this.#dropped.inc({ receiver, reason }, 0);
  }

  sent(receiver: string, samples: number, at: number): void {
    this.#sent.inc({ receiver }, samples);
    this.#lastSuccess.set({ receiver }, at / 1_000);
  }

  refused(receiver: string, samples: number): void {
    this.#refused.inc({ receiver }, samples);
  }

  dropped(receiver: string, reason: DropReason, samples: number): void {
    this.#dropped.inc({ receiver, reason }, samples);
  }

  failed(receiver: string): void {
    this.#retries.inc({ receiver });
  }

  /** Nothing is sent there any more. */
  remove(receiver: string): void {
    for (const metric of [this.#sent, this.#refused, this.#retries, this.#lastSuccess])
      metric.remove({ receiver });
    for (const reason of dropReasons) this.#dropped.remove({ receiver, reason });
  }
}
