import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Agent, type Dispatcher, request } from 'undici';
import type { LogForwardingConfig } from '../config/log_forwarding.ts';
import { readSecret } from '../lib/secret_file.ts';
import { bytes, milliseconds } from '../lib/units.ts';
import { version } from '../lib/version.ts';
import { readAuthorities } from './authorities.ts';
import { type BodyFormat, jsonLines } from './json_lines.ts';
import { loki } from './loki.ts';
import { marksOf, type Outgoing } from './outgoing.ts';
import { NotNow, type Receiver, type ReceiverEvents, Refused } from './receiver.ts';

export type HttpTarget = Extract<LogForwardingConfig, { type: 'http' }>;

/** What is wrong with the lines themselves. All else may be another tomorrow: a key, an address, a receiver that is overloaded. */
const refusals: ReadonlySet<number> = new Set([400, 413, 422]);
/** How hard gzip tries: more would take three times as long for a tenth less. */
const fastest = 1;
/** How much of an answer is read, and told, in bytes and characters. */
const answerRead = 4_096;
const answerTold = 200;
/** How long an open connection waits for more, in milliseconds. Most receivers wait longer. */
const keptOpen = 4_000;

/** Sends lines by POST; those of a request have arrived when it was answered by 2xx. Redirects are not followed. */
export class HttpReceiver implements Receiver {
  readonly batchSize: number;
  readonly #target: HttpTarget;
  readonly #events: ReceiverEvents;
  readonly #format: BodyFormat;
  #agent: { readonly authorities: string; readonly dispatcher: Agent } | null = null;

  constructor(target: HttpTarget, host: string, events: ReceiverEvents) {
    this.#target = target;
    this.#events = events;
    this.batchSize = bytes(target.batch_size);
    this.#format = (target.format === 'loki' ? loki : jsonLines)(host, target.labels);
  }

  get render() {
    return this.#format.render;
  }

  async send(lines: readonly Outgoing[], signal: AbortSignal): Promise<void> {
    const { status, retryAfter, text } = await this.#postInTime(this.#format.body(lines), signal);
    if (status >= 200 && status < 300) return this.#events.onArrived(marksOf(lines));
    const message = `it answered ${status}${text === '' ? '' : `: ${text}`}`;
    if (refusals.has(status)) throw new Refused(message, status === 413);
    throw new NotNow(message, retryAfter);
  }

  async close(): Promise<void> {
    await this.#agent?.dispatcher.destroy();
  }

  async #postInTime(body: string, signal: AbortSignal) {
    const { timeout } = this.#target;
    const limit = AbortSignal.timeout(milliseconds(timeout));
    try {
      return await this.#post(body, AbortSignal.any([signal, limit]));
    } catch (error) {
      throw limit.aborted ? new Error(`it did not answer within ${timeout}`) : error;
    }
  }

  async #post(body: string, signal: AbortSignal) {
    const { url, compress } = this.#target;
    const [headers, dispatcher] = await Promise.all([this.#headers(), this.#dispatcher()]);
    const answer = await request(url, {
      method: 'POST',
      headers,
      body: compress ? await promisify(gzip)(body, { level: fastest }) : body,
      dispatcher,
      signal,
    });
    const isTaken = answer.statusCode < 300;
    // What was answered counts, also where the rest of the answer never comes.
    const text = isTaken ? '' : await beginOf(answer.body).catch(() => '');
    if (isTaken) await answer.body.dump({ limit: answerRead, signal }).catch(() => undefined);
    return { status: answer.statusCode, retryAfter: readRetryAfter(answer.headers['retry-after']), text };
  }

  /** Secrets are read anew for each request: somebody may have replaced them. */
  async #headers(): Promise<Record<string, string>> {
    const { headers, token_file, username, password_file, compress } = this.#target;
    const own: Record<string, string> = {
      'content-type': this.#format.contentType,
      'user-agent': `davit/${version}`,
      ...(compress && { 'content-encoding': 'gzip' }),
    };
    if (token_file !== undefined) own['authorization'] = `Bearer ${await readSecret(token_file)}`;
    else if (username !== undefined) {
      const password = password_file === undefined ? '' : await readSecret(password_file);
      own['authorization'] = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    }
    const others = Object.entries(headers).filter(([name]) => !Object.hasOwn(own, name.toLowerCase()));
    return { ...Object.fromEntries(others), ...own };
  }

  /** One connection, which is made anew when other authorities are to be believed. */
  async #dispatcher(): Promise<Dispatcher> {
    const { ca_file, timeout } = this.#target;
    const ca = await readAuthorities(ca_file);
    const authorities = ca?.at(-1) ?? '';
    if (this.#agent?.authorities === authorities) return this.#agent.dispatcher;
    await this.#agent?.dispatcher.destroy();
    const most = milliseconds(timeout);
    const dispatcher = new Agent({
      connections: 1,
      pipelining: 1,
      keepAliveTimeout: keptOpen,
      headersTimeout: most,
      bodyTimeout: most,
      connect: { timeout: most, rejectUnauthorized: true, ...(ca && { ca }) },
    });
    this.#agent = { authorities, dispatcher };
    return dispatcher;
  }
}

/** The begin of what a receiver said, as one line. */
async function beginOf(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= answerRead) break;
  }
  const text = Buffer.concat(chunks).toString('utf8');
  return text
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, answerTold);
}

/** Seconds or a date (RFC 9110, section 10.2.3), in milliseconds from now; null where it is neither. */
export function readRetryAfter(value: string | string[] | undefined, now = Date.now()): number | null {
  if (typeof value !== 'string') return null;
  const time = /^\d{1,9}$/.test(value) ? now + Number(value) * 1_000 : Date.parse(value);
  return Number.isNaN(time) ? null : Math.max(0, time - now);
}
