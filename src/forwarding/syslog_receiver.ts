import type { LogForwardingConfig } from '../config/log_forwarding.ts';
import { readAuthorities } from '../lib/authorities.ts';
import { milliseconds } from '../lib/units.ts';
import type { FeedLine } from '../logs/log_feed.ts';
import { type Marks, marksOf, type Outgoing, type Rendered } from './outgoing.ts';
import type { Receiver, ReceiverEvents } from './receiver.ts';
import { SyslogConnection } from './syslog_connection.ts';
import { framed, syslogMessage } from './syslog_message.ts';

export type SyslogTarget = Extract<LogForwardingConfig, { type: 'syslog' }>;

/** What was written and is not known to have arrived. */
interface Sent {
  readonly marks: Marks;
  /** How much had been written on the connection with it. */
  readonly end: number;
  /** When the system had taken it; a clock that is never set. */
  readonly at: number;
}

/** How often that is looked at, in milliseconds. */
const lookInterval = 1_000;
/** How long the end of a connection is waited for, in milliseconds. */
const longestEnd = 3_000;

/**
 * Sends lines as syslog over TCP, which tells nobody what has arrived. What was written counts as arrived when the other host has
 * acknowledged it (where the system tells) and the connection stayed whole for five seconds, or when the other side ended
 * after we did. When a connection breaks, all else is sent once more.
 */
export class SyslogReceiver implements Receiver {
  readonly batchSize = 262_144;
  readonly #target: SyslogTarget;
  readonly #host: string;
  readonly #events: ReceiverEvents;
  /** How long a connection must have stayed whole after something was written before that counts as arrived, in milliseconds. */
  readonly #settling: number;
  #connection: SyslogConnection | null = null;
  #sent: Sent[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(target: SyslogTarget, host: string, events: ReceiverEvents, settling = 5_000) {
    this.#target = target;
    this.#host = host;
    this.#events = events;
    this.#settling = settling;
  }

  readonly render = (service: string, line: FeedLine): Rendered => {
    const place = { host: this.#host, facility: this.#target.facility };
    const frame = framed(syslogMessage(service, line, place), this.#target.framing);
    return { text: frame.toString('utf8'), stream: '', bytes: frame.length };
  };

  async send(lines: readonly Outgoing[], signal: AbortSignal): Promise<void> {
    const connection = await this.#connected(signal);
    await connection.write(Buffer.from(lines.map(({ text }) => text).join('')), signal);
    if (connection !== this.#connection) throw new Error('it closed the connection');
    this.#sent.push({ marks: marksOf(lines), end: connection.written, at: performance.now() });
    this.#timer ??= setInterval(
      () => void this.#look(connection),
      Math.min(lookInterval, this.#settling),
    ).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    const connection = this.#connection;
    this.#connection = null;
    if (connection !== null && (await connection.end(longestEnd))) this.#arrived(this.#sent.length);
    this.#sent = [];
  }

  async #connected(signal: AbortSignal): Promise<SyslogConnection> {
    if (this.#connection !== null) return this.#connection;
    const { address, tls, ca_file, timeout } = this.#target;
    const colon = address.lastIndexOf(':');
    const connection = await SyslogConnection.open(
      {
        host: address.slice(0, colon).replace(/^\[|\]$/g, ''),
        port: Number(address.slice(colon + 1)),
        tls,
        authorities: tls ? await readAuthorities(ca_file) : undefined,
        timeout: milliseconds(timeout),
        signal,
      },
      (message) => this.#broken(connection, message),
    );
    this.#connection = connection;
    if (!connection.isOpen) this.#broken(connection, 'it closed the connection');
    return connection;
  }

  #broken(connection: SyslogConnection, message: string): void {
    if (connection !== this.#connection) return;
    const isAllThere = this.#sent.length === 0;
    this.#connection = null;
    this.#sent = [];
    clearInterval(this.#timer);
    this.#timer = undefined;
    // Some receivers close what has been quiet for a while.
    if (!isAllThere) this.#events.onBroken(message);
  }

  async #look(connection: SyslogConnection): Promise<void> {
    const settled = performance.now() - this.#settling;
    const count = this.#sent.findLastIndex(({ at }) => at <= settled) + 1;
    if (count === 0) return;
    const acknowledged = await connection.acknowledged();
    if (connection !== this.#connection) return;
    const unacknowledged = this.#sent.findIndex(({ end }) => acknowledged !== null && end > acknowledged);
    this.#arrived(unacknowledged === -1 ? count : Math.min(count, unacknowledged));
    if (this.#sent.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #arrived(count: number): void {
    for (const { marks } of this.#sent.splice(0, count)) this.#events.onArrived(marks);
  }
}
