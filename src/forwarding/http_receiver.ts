import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { LogForwardingConfig } from '../config/log_forwarding.ts';
import { ReceiverClient } from '../lib/receiver_client.ts';
import { bytes } from '../lib/units.ts';
import { type BodyFormat, jsonLines } from './json_lines.ts';
import { loki } from './loki.ts';
import { marksOf, type Outgoing } from './outgoing.ts';
import { NotNow, type Receiver, type ReceiverEvents, Refused } from './receiver.ts';

export type HttpTarget = Extract<LogForwardingConfig, { type: 'http' }>;

/** What is wrong with the lines themselves. All else may be another tomorrow: a key, an address, a receiver that is overloaded. */
const refusals: ReadonlySet<number> = new Set([400, 413, 422]);
/** How hard gzip tries: more would take three times as long for a tenth less. */
const fastest = 1;

/** Sends lines by POST; those of a request have arrived when it was answered by 2xx. Redirects are not followed. */
export class HttpReceiver implements Receiver {
  readonly batchSize: number;
  readonly #target: HttpTarget;
  readonly #events: ReceiverEvents;
  readonly #format: BodyFormat;
  readonly #client: ReceiverClient;

  constructor(target: HttpTarget, host: string, events: ReceiverEvents) {
    this.#target = target;
    this.#events = events;
    this.#client = new ReceiverClient(target);
    this.batchSize = bytes(target.batch_size);
    this.#format = (target.format === 'loki' ? loki : jsonLines)(host, target.labels);
  }

  get render() {
    return this.#format.render;
  }

  async send(lines: readonly Outgoing[], signal: AbortSignal): Promise<void> {
    const text = this.#format.body(lines);
    const body = this.#target.compress ? await promisify(gzip)(text, { level: fastest }) : text;
    const answer = await this.#client.post(body, this.#headers, signal);
    const { status, retry_after } = answer;
    if (status >= 200 && status < 300) return this.#events.onArrived(marksOf(lines));
    const message = `it answered ${status}${answer.text === '' ? '' : `: ${answer.text}`}`;
    if (refusals.has(status)) throw new Refused(message, status === 413);
    throw new NotNow(message, retry_after);
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  get #headers(): Record<string, string> {
    return {
      'content-type': this.#format.contentType,
      ...(this.#target.compress && { 'content-encoding': 'gzip' }),
    };
  }
}
