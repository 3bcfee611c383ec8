import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { createTransport } from 'nodemailer';
import type { Notification } from '../../contract/alerts.ts';
import { DavitError, errorMessage, systemErrorCode } from '../../lib/errors.ts';
import { redactText } from '../../lib/redaction.ts';
import { clip, oneLine } from './alert_text.ts';
import { DeliveryFailure } from './delivery_failure.ts';
import { emailText } from './email_text.ts';
import type { Delivered, Notifier } from './notifier.ts';
import type { TargetGuard } from './target_guard.ts';

export interface EmailOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly security: 'starttls' | 'tls' | 'none';
  readonly username: string | null;
  /** Asked before each try: its file may change. null: none. */
  readonly password: () => Promise<string | null>;
  /** The authorities to believe; undefined: the usual ones. */
  readonly authorities: () => Promise<string[] | undefined>;
  readonly from: string;
  readonly to: readonly string[];
  /** Of one try, in milliseconds. */
  readonly timeout: number;
  /** null: it may lead anywhere. */
  readonly guard: TargetGuard | null;
}

/** How much of what the server said is told, in characters. */
const mostTold = 500;

/** Sends a notification by SMTP, each over a connection of its own. */
export class Email implements Notifier {
  readonly name: string;
  readonly #options: EmailOptions;

  constructor(options: EmailOptions) {
    this.#options = options;
    this.name = options.name;
  }

  async deliver(notification: Notification, signal: AbortSignal): Promise<Delivered> {
    const { timeout } = this.#options;
    const limit = AbortSignal.timeout(timeout);
    const either = AbortSignal.any([signal, limit]);
    let password: string | null = null;
    try {
      password = await this.#options.password();
      const ca = await this.#options.authorities();
      const socket = await this.#connect(either);
      const end = () => socket.destroy(new Error('it was ended before it was done'));
      either.addEventListener('abort', end);
      try {
        return await this.#send(notification, socket, password, ca);
      } finally {
        either.removeEventListener('abort', end);
        socket.destroy();
      }
    } catch (error) {
      const isLate = limit.aborted && !signal.aborted;
      throw toFailure(error, isLate ? `it takes longer than ${timeout / 1_000} s` : null, password);
    }
  }

  async #send(
    notification: Notification,
    connection: Socket,
    password: string | null,
    ca: string[] | undefined,
  ): Promise<Delivered> {
    const { host, port, security, username, from, to, timeout } = this.#options;
    const transport = createTransport({
      host,
      port,
      secure: security === 'tls',
      requireTLS: security === 'starttls',
      ignoreTLS: security === 'none',
      tls: { minVersion: 'TLSv1.2', ...(ca && { ca }) },
      ...(username !== null && { auth: { user: username, pass: password ?? '' } }),
      getSocket: (_options, callback) => callback(null, { connection }),
      connectionTimeout: timeout,
      greetingTimeout: timeout,
      socketTimeout: timeout,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    const sent = await transport.sendMail({
      from,
      to: [...to],
      ...emailText(notification),
      date: new Date(notification.time),
      ...threadOf(notification, this.name),
      headers: {
        'Auto-Submitted': 'auto-generated',
        'X-Auto-Response-Suppress': 'All',
        'X-Davit-Delivery': oneLine(notification.id),
      },
    });
    return {
      outcome: `accepted for ${sent.accepted.length} of ${to.length}`,
      answer: clip(oneLine(sent.response), mostTold),
      problem: sent.rejected.length === 0 ? null : `not accepted for ${sent.rejected.join(', ')}`,
    };
  }

  /** The connection is made here, so that exactly the address that was checked is connected to. */
  #connect(signal: AbortSignal): Promise<Socket> {
    const { host, port, guard } = this.#options;
    guard?.checkHost(host, port);
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, ...(guard && { lookup: guard.lookup(port) }) });
      const onAbort = () => socket.destroy(new Error('it was ended before it was done'));
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort);
      socket.once('error', reject);
      socket.once('connect', () => {
        signal.removeEventListener('abort', onAbort);
        socket.off('error', reject);
        // Whoever takes it over listens too, but may not yet.
        socket.on('error', () => undefined);
        resolve(socket);
      });
      socket.once('close', () => signal.removeEventListener('abort', onAbort));
    });
  }
}

/** The same message has the same id however often it is sent, and messages of one group are one conversation. */
function threadOf({ id, group, agent }: Notification, notifier: string) {
  const domain = agent.hostname.replaceAll(/[^A-Za-z0-9.-]/g, '-').slice(0, 200) || 'davit';
  const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);
  const conversation = `<davit-${digest(`group ${notifier} ${group.key}`)}@${domain}>`;
  return {
    messageId: `<davit-${digest(`message ${notifier} ${id}`)}@${domain}>`,
    inReplyTo: conversation,
    references: [conversation],
  };
}

/** What nodemailer throws (its codes), as what is to be done about it. */
function toFailure(error: unknown, late: string | null, password: string | null): DeliveryFailure {
  const { responseCode = 0, response = '' } = error as { responseCode?: number; response?: unknown };
  const code = systemErrorCode(error);
  const answer = clip(oneLine(withoutPassword(String(response), password)), mostTold);
  const isRefused = error instanceof DavitError && code === 'target_not_allowed';
  // A password, or the server, may be put right; what the server says of the message itself stays so.
  const isFinal = responseCode >= 500 && (code === 'EENVELOPE' || code === 'EMESSAGE');
  return new DeliveryFailure(late ?? reasonOf(error, code, responseCode, password), {
    retry: !isRefused && !isFinal,
    answer,
    cause: error,
  });
}

/** What the server says stays out of it: that is for administrators. */
function reasonOf(error: unknown, code: string, responseCode: number, password: string | null): string {
  const status = responseCode > 0 ? ` (${responseCode})` : '';
  if (code === 'EAUTH') return `the server does not accept the user name and password${status}`;
  if (code === 'ETLS' && responseCode > 0) return `the server does not offer STARTTLS${status}`;
  if (code === 'EENVELOPE') return `the server does not accept the sender or the recipients${status}`;
  if (code === 'EMESSAGE') return `the server does not accept the message${status}`;
  if (responseCode > 0) return `the server answered ${responseCode}`;
  const message = error instanceof AggregateError ? error.errors.map(errorMessage).join('; ') : '';
  return clip(oneLine(withoutPassword(message || errorMessage(error), password)), mostTold);
}

function withoutPassword(text: string, password: string | null): string {
  return redactText(text, password === null ? [] : [password]);
}
