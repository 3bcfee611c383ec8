import { isDeepStrictEqual } from 'node:util';
import type { RemoteWriteConfig } from '../../config/metrics.ts';
import { bytes, milliseconds } from '../../lib/units.ts';
import { Complaints } from './complaints.ts';
import type { Backlog, OwnMetrics } from './own_metrics.ts';
import { type DropReason, type QueueLimits, RequestQueue } from './queue.ts';
import { ReceiverClient } from './receiver_client.ts';
import { Sender } from './sender.ts';
import { type SeriesValue, sentLabels, type TargetLabels, targetLabels } from './series.ts';
import type { Sample, WriteRequests } from './write_request.ts';

export interface ReceiverOptions {
  readonly config: RemoteWriteConfig;
  /** Of its queue. */
  readonly folder: string;
  /** The name of this host. */
  readonly host: string;
  readonly requests: WriteRequests;
  readonly metrics: OwnMetrics;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Why nothing arrives; null: it does again. */
  readonly onFailing: (message: string | null) => void;
  readonly onProblem: (message: string) => void;
}

/** How often in a row it has to fail before that is more than a connection that broke. */
const failuresToTell = 2;
/** How long a sender may take whose receiver has other settings now, in milliseconds. */
const patienceAtChange = 0;

const dropped: Readonly<Record<DropReason, string>> = {
  too_old: 'they are older than `queue_age`',
  queue_full: 'more wait than `queue_size` allows',
  memory_full: 'the disk takes none and there are too many for the memory',
  unreadable: 'they cannot be read',
};

/** One that samples are sent to: what waits for it and what sends that. No receiver waits for another. */
export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #complaints: Complaints;
  readonly #queue: RequestQueue;
  #config: RemoteWriteConfig;
  #labels: TargetLabels;
  #sender: Sender;
  #failing: string | null = null;
  #wasTold = false;

  constructor(options: ReceiverOptions) {
    const { config, folder, host, metrics, now } = options;
    this.#options = options;
    this.#config = config;
    this.#labels = targetLabels(config.labels, host);
    this.#complaints = new Complaints((message) => this.#say(message));
    metrics.add(config.name);
    this.#queue = new RequestQueue({
      folder,
      now,
      limits: limitsOf(config),
      onDrop: (reason, samples) => this.#onDrop(reason, samples),
      complaints: this.#complaints,
    });
    this.#sender = this.#startSender();
  }

  get backlog(): Backlog {
    const { samples, bytes } = this.#queue.waiting;
    return { receiver: this.#config.name, samples, bytes };
  }

  /** The time of the newest samples that wait, in milliseconds since the epoch; 0 without any. */
  get newest(): number {
    return this.#queue.newest;
  }

  /** What somebody should know, in sentences. */
  get warnings(): string[] {
    const { refusal } = this.#queue;
    return [
      ...(this.#failing === null ? [] : [this.#failing]),
      ...(refusal === null ? [] : [`what waits cannot be written to the disk: ${refusal}`]),
    ].map((message) => this.#named(message));
  }

  /** Has these sent. Returns at once. */
  push(values: readonly SeriesValue[], ends: readonly SeriesValue['labels'][], at: number): void {
    const samples: Sample[] = [
      ...values.map(({ labels, value }) => ({ labels: sentLabels(labels, this.#labels), value })),
      ...ends.map((labels) => ({ labels: sentLabels(labels, this.#labels), value: 'stale' as const })),
    ];
    for (const request of this.#options.requests.encode(samples, at)) this.#queue.push(request, at);
    this.#sender.wake();
  }

  /** Takes other settings over; what waits goes on waiting. */
  async configure(config: RemoteWriteConfig): Promise<void> {
    if (isDeepStrictEqual(config, this.#config)) return;
    this.#config = config;
    this.#labels = targetLabels(config.labels, this.#options.host);
    this.#queue.limit(limitsOf(config));
    await this.#sender.close(patienceAtChange);
    this.#sender = this.#startSender();
  }

  /** Sends what it can within so many milliseconds; the rest is kept on the disk. */
  async close(patience: number): Promise<void> {
    await this.#sender.close(patience);
    await this.#queue.settle();
  }

  /** To be called after its end when nothing is to be sent there any more. */
  forget(): void {
    this.#options.metrics.remove(this.#config.name);
    if (this.#failing !== null) this.#options.onFailing(null);
  }

  #startSender(): Sender {
    return new Sender({
      queue: this.#queue,
      client: new ReceiverClient(this.#config),
      onTaken: (samples) => this.#onTaken(samples),
      onRefused: (samples, message) => this.#onRefused(samples, message),
      onFailed: (message, failures) => this.#onFailed(message, failures),
    });
  }

  #onTaken(samples: number): void {
    const { metrics, now, onFailing } = this.#options;
    metrics.sent(this.#config.name, samples, now());
    if (this.#failing === null) return;
    this.#failing = null;
    onFailing(null);
    if (this.#wasTold) this.#say(`samples are taken again; ${this.#queue.waiting.samples} wait`);
    this.#wasTold = false;
  }

  #onRefused(samples: number, message: string): void {
    this.#options.metrics.refused(this.#config.name, samples);
    this.#fails('refused', `samples are lost, for the receiver does not want them: ${message}`);
  }

  #onFailed(message: string, failures: number): void {
    this.#options.metrics.failed(this.#config.name);
    if (failures >= failuresToTell) this.#fails('failed', `samples cannot be sent and wait: ${message}`);
  }

  #fails(kind: string, message: string): void {
    if (this.#complaints.tell(kind, message)) this.#wasTold = true;
    if (this.#failing === message) return;
    this.#failing = message;
    this.#options.onFailing(message);
  }

  #onDrop(reason: DropReason, samples: number): void {
    this.#options.metrics.dropped(this.#config.name, reason, samples);
    this.#complaints.tell(`drop ${reason}`, `samples are lost: ${dropped[reason]}`);
  }

  #say(message: string): void {
    this.#options.onProblem(this.#named(message));
  }

  #named(message: string): string {
    return `remote_write ${this.#config.name}: ${message}`;
  }
}

function limitsOf({ queue_size, queue_age }: RemoteWriteConfig): QueueLimits {
  return { size: bytes(queue_size), age: milliseconds(queue_age) };
}
