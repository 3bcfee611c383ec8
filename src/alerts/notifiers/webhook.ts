import { setTimeout as later } from 'node:timers/promises';
import { Agent, buildConnector, type Dispatcher, request } from 'undici';
import type { Notification } from '../../contract/alerts.ts';
import { DavitError, errorMessage, systemErrorCode } from '../../lib/errors.ts';
import { redactText, secretsOfAddress } from '../../lib/redaction.ts';
import { readRetryAfter } from '../../lib/retry_after.ts';
import { version } from '../../lib/version.ts';
import { oneLine } from './alert_text.ts';
import { DeliveryFailure } from './delivery_failure.ts';
import type { Delivered, Notifier } from './notifier.ts';
import type { TargetGuard } from './target_guard.ts';
import type { WebhookFormat } from './webhook_format.ts';

export interface WebhookOptions {
  readonly name: string;
  /** Asked before each try: files of secrets may change. */
  readonly url: () => Promise<string>;
  /** null: nothing is signed. */
  readonly secret: () => Promise<string | null>;
  /** The authorities to believe; undefined: the usual ones. */
  readonly authorities: () => Promise<string[] | undefined>;
  readonly format: WebhookFormat;
  readonly headers: Readonly<Record<string, string>>;
  /** Of one try, in milliseconds. */
  readonly timeout: number;
  /** null: it may lead anywhere. */
  readonly guard: TargetGuard | null;
  /** Milliseconds since the epoch. Default: the clock of the system. */
  readonly now?: () => number;
}

/** How much of an answer is read, in bytes. */
const mostRead = 2_048;
/** How long the rest of an answer may take when its status is known, in milliseconds. */
const restOfAnswer = 2_000;

/** Whoever asks for a longer wait is asked again all the same after so long, in milliseconds. */
const longestAsked = 3_600_000;

/** What can be over with the next try, though the request was understood (RFC 9110). */
const passingStatuses: ReadonlySet<number> = new Set([408, 425, 429]);

/** Posts a notification to an address over HTTP. Redirects are not followed, and each try has a connection of its own. */
export class Webhook implements Notifier {
  readonly name: string;
  readonly #options: WebhookOptions;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.name = options.name;
  }

  async deliver(notification: Notification, signal: AbortSignal): Promise<Delivered> {
    const { timeout, format, now = Date.now } = this.#options;
    const limit = AbortSignal.timeout(timeout);
    const secrets = Object.values(this.#options.headers);
    try {
      const [url, secret] = await Promise.all([this.#options.url(), this.#options.secret()]);
      secrets.push(...secretsOfAddress(url), ...(secret === null ? [] : [secret]));
      const message = format.message(notification, { url: checkedUrl(url), secret, now: now() });
      secrets.push(...secretsOfAddress(message.url));
      const answer = await this.#post(notification.id, message, AbortSignal.any([signal, limit]));
      return this.#judge(answer, redactText(answer.text, secrets));
    } catch (error) {
      if (error instanceof DeliveryFailure) throw error;
      const isLate = limit.aborted && !signal.aborted;
      throw unreachable(error, isLate ? `it does not answer within ${timeout / 1_000} s` : null, secrets);
    }
  }

  async #post(id: string, message: ReturnType<WebhookFormat['message']>, signal: AbortSignal) {
    const { headers, name } = this.#options;
    const dispatcher = await this.#dispatcher(message.url);
    try {
      const answer = await request(message.url, {
        method: 'POST',
        dispatcher,
        signal,
        headersTimeout: 0,
        bodyTimeout: 0,
        headers: {
          'user-agent': `davit/${version}`,
          ...lowerCased(headers),
          ...message.headers,
          'x-davit-delivery': id,
          'x-davit-notifier': name,
        },
        body: message.body,
      });
      const wait = answer.headers['retry-after'];
      return { status: answer.statusCode, wait, text: await beginning(answer.body) };
    } finally {
      await dispatcher.destroy();
    }
  }

  /** @param shown what was answered, without the secrets that it may repeat */
  #judge({ status, wait, text }: Answer, shown: string): Delivered {
    const { format, now = Date.now } = this.#options;
    const outcome = `status ${status}`;
    if (status >= 200 && status < 300) {
      const complaint = format.complaint(text);
      if (complaint === null) return { outcome, answer: shown, problem: null };
      throw new DeliveryFailure(complaint.message, { retry: complaint.retry, answer: shown });
    }
    if (status >= 300 && status < 400)
      throw new DeliveryFailure(`it answered ${status}, and redirects are not followed`, {
        retry: false,
        answer: shown,
      });
    throw new DeliveryFailure(`it answered ${status}`, {
      retry: status >= 500 || passingStatuses.has(status),
      answer: shown,
      retry_after_ms: Math.min(readRetryAfter(wait, now()) ?? 0, longestAsked),
    });
  }

  /** A new one for each try: other authorities may be there by then, and the name may lead elsewhere. */
  async #dispatcher(url: string): Promise<Agent> {
    const { timeout, guard } = this.#options;
    const ca = await this.#options.authorities();
    const address = new URL(url);
    const port = Number(address.port || (address.protocol === 'https:' ? 443 : 80));
    guard?.checkHost(address.hostname, port);
    const connect = buildConnector({
      timeout,
      allowH2: false,
      ...(ca && { ca }),
      ...(guard && { lookup: guard.lookup(port) }),
    });
    return new Agent({ connections: 1, pipelining: 1, connect });
  }
}

interface Answer {
  readonly status: number;
  readonly wait: string | string[] | undefined;
  readonly text: string;
}

/** An address from a file was not looked at before. */
function checkedUrl(text: string): string {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '')
    return url.href;
  throw new DeliveryFailure(
    'its address is not an http or https address without a user name and a password',
    { retry: true },
  );
}

function unreachable(error: unknown, late: string | null, secrets: readonly string[]): DeliveryFailure {
  const code = systemErrorCode(error);
  const message = late ?? redactText(reasonOf(error), secrets);
  // undici refuses what cannot be a request at all, and the next try would be the same.
  const isHopeless =
    (error instanceof DavitError && code === 'target_not_allowed') || code === 'UND_ERR_INVALID_ARG';
  return new DeliveryFailure(oneLine(message), { retry: !isHopeless, cause: error });
}

/** Of several addresses that were tried, each has its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '')
    return error.errors.map(errorMessage).join('; ');
  return errorMessage(error);
}

/** What an answer says at first. Its status counts, so one that breaks off or goes on forever is none the less one. */
async function beginning(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  const ended = new AbortController();
  const read = async () => {
    let size = 0;
    for await (const chunk of body) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= mostRead) break;
    }
  };
  await Promise.race([
    read().catch(() => undefined),
    later(restOfAnswer, undefined, { ref: false, signal: ended.signal }).catch(() => undefined),
  ]);
  ended.abort();
  body.on('error', () => undefined).destroy();
  return Buffer.concat(chunks).subarray(0, mostRead).toString('utf8');
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
