import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { RemoteWriteConfig } from '../../config/metrics.ts';
import { ReceiverClient } from '../../lib/receiver_client.ts';
import { bytes, milliseconds } from '../../lib/units.ts';
import { Complaints } from './complaints.ts';
import { noTotals, type ReceiverView, type Totals } from './own_metrics.ts';
import { type DropReason, type QueueLimits, RequestQueue } from './queue.ts';
import { Sender } from './sender.ts';
import { type Label, sentLabels, type TargetLabels, targetLabels } from './series.ts';
import { mostSamples, type Sample, type WriteRequests } from './write_request.ts';

export interface ReceiverOptions {
  readonly config: RemoteWriteConfig;
  /** Of its queue. */
  readonly folder: string;
  /** The name of this host. */
  readonly host: string;
  readonly requests: WriteRequests;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Why nothing arrives; null: it does again. */
  readonly onFailing: (message: string | null) => void;
  readonly onProblem: (message: string) => void;
}

/** A series and what it is now, or that it has ended. */
export interface SentValue {
  readonly labels: readonly Label[];
  readonly value: Sample['value'];
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
  readonly #totals: Totals = noTotals();
  #config: RemoteWriteConfig;
  #labels: TargetLabels;
  #sender: Sender;
  #failing: string | null = null;
  #wasTold = false;
  #isClosed = false;

  constructor(options: ReceiverOptions) {
    const { config, folder, host, now } = options;
    this.#options = options;
    this.#config = config;
    this.#labels = targetLabels(config.labels, host);
    this.#complaints = new Complaints((message) => this.#say(message));
    this.#queue = new RequestQueue({
      folder,
      now,
      limits: limitsOf(config),
      onDrop: (reason, samples) => this.#onDrop(reason, samples),
      complaints: this.#complaints,
    });
    this.#sender = this.#startSender();
  }

  get view(): ReceiverView {
    return { name: this.#config.name, totals: this.#totals, waiting: this.#queue.waiting };
  }

  /** The time of the newest samples that wait, in milliseconds since the epoch; 0 without any. */
  get newest(): number {
    return this.#queue.newest;
  }

  /** What somebody should know, in sentences. */
  get warnings(): string[] {
    const { refusal } = this.#queue;
    return [
      ...(tellsSecrets(this.#config)
        ? ['its secret crosses the network readable; have `url` begin with https']
        : []),
      ...(this.#failing === null ? [] : [this.#failing]),
      ...(refusal === null ? [] : [`what waits cannot be written to the disk: ${refusal}`]),
    ].map((message) => this.#named(message));
  }

  /** Has these sent. Resolves when they wait; others get their turn in between. */
  async push(values: readonly SentValue[], at: number): Promise<void> {
    for (let from = 0; from < values.length && !this.#isClosed; from += mostSamples) {
      const samples = values
        .slice(from, from + mostSamples)
        .map(({ labels, value }): Sample => ({ labels: sentLabels(labels, this.#labels), value }));
      for (const request of this.#options.requests.encode(samples, at)) this.#queue.push(request, at);
      this.#sender.wake();
      await nextTurn();
    }
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
    this.#isClosed = true;
    await this.#sender.close(patience);
    await this.#queue.settle();
  }

  /** Ends it for good; what waits for it stays on the disk. */
  async forget(): Promise<void> {
    await this.close(0);
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
    const { now, onFailing } = this.#options;
    this.#totals.sent += samples;
    this.#totals.last_success = now();
    if (this.#failing === null) return;
    this.#failing = null;
    onFailing(null);
    if (this.#wasTold) this.#say(`samples are taken again; ${this.#queue.waiting.samples} wait`);
    this.#wasTold = false;
  }

  #onRefused(samples: number, message: string): void {
    this.#totals.refused += samples;
    this.#fails('refused', 'samples are lost, for the receiver does not want them', message);
  }

  #onFailed(message: string, failures: number): void {
    this.#totals.failed_tries += 1;
    if (failures >= failuresToTell) this.#fails('failed', 'samples cannot be sent and wait', message);
  }

  #fails(kind: string, what: string, why: string): void {
    const message = `${what}: ${why}`;
    if (this.#complaints.tell(kind, message)) this.#wasTold = true;
    if (this.#failing === message) return;
    this.#failing = message;
    this.#options.onFailing(why);
  }

  #onDrop(reason: DropReason, samples: number): void {
    this.#totals.dropped[reason] += samples;
    this.#complaints.tell(`drop ${reason}`, `samples are lost: ${dropped[reason]}`);
  }

  #say(message: string): void {
    this.#options.onProblem(this.#named(message));
  }

  #named(message: string): string {
    return `remote_write ${this.#config.name}: ${message}`;
  }
}

/** Whether others on the way can read what the receiver knows the agent by. */
function tellsSecrets({ url, token_file, password_file }: RemoteWriteConfig): boolean {
  const { protocol, hostname } = new URL(url);
  const isOnThisHost = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  return protocol === 'http:' && !isOnThisHost && (token_file ?? password_file) !== undefined;
}

function limitsOf({ queue_size, queue_age }: RemoteWriteConfig): QueueLimits {
  return { size: bytes(queue_size), age: milliseconds(queue_age) };
}
