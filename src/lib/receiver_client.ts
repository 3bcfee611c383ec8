import { Agent, request } from 'undici';
import { readAuthorities } from './authorities.ts';
import { errorMessage } from './errors.ts';
import { redact, secretsOfAddress } from './redaction.ts';
import { readRetryAfter } from './retry_after.ts';
import { readSecret } from './secret_file.ts';
import { milliseconds } from './units.ts';
import { version } from './version.ts';

/** Where something is sent to, and what opens it. */
export interface ReceiverSettings {
  readonly url: string;
  /** Its content is sent as `Authorization: Bearer`. */
  readonly token_file?: string | undefined;
  /** With `password_file`, in place of a token. */
  readonly username?: string | undefined;
  readonly password_file?: string | undefined;
  /** Those of the request itself count more. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whom to believe besides the usual authorities. */
  readonly ca_file?: string | undefined;
  /** Of one try, as a duration such as `30s`. */
  readonly timeout: string;
}

export interface ReceiverAnswer {
  readonly status: number;
  /** How long it asks to be left alone, in milliseconds; null where it does not. */
  readonly retry_after: number | null;
  /** The beginning of what it says, as one line and without secrets. */
  readonly text: string;
}

/** How much of an answer is read, in bytes. */
const mostRead = 4_096;
/** How much of it is told, in characters. */
const mostTold = 200;
/** How long it may take to connect at most, in milliseconds. A host that was down is asked anew, rather than at the times at which the system asks again. */
const longestConnect = 10_000;
/** How long a connection that nothing is sent on is kept, in milliseconds; most receivers keep theirs longer. */
const idleConnection = 4_000;
/** After so long a connection is made anew, so that a name that leads elsewhere is noticed. In milliseconds. */
const oldestConnection = 300_000;

/** Posts to one receiver, one request at a time. Files of secrets are read at each try, so that a new secret counts at once. Redirects are not followed. */
export class ReceiverClient {
  readonly #settings: ReceiverSettings;
  #connections: { readonly ca: string | undefined; readonly agent: Agent } | null = null;

  constructor(settings: ReceiverSettings) {
    this.#settings = settings;
  }

  /** One try. Throws an Error that says why there is no answer, and tells no secret. */
  async post(
    body: string | Uint8Array,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ReceiverAnswer> {
    const { url, headers: configured } = this.#settings;
    let secrets: readonly string[] = [...Object.values(configured), ...secretsOfAddress(url)];
    try {
      const credentials = await this.#credentials();
      secrets = [...secrets, ...credentials.secrets];
      const answer = await this.#send(body, { ...headers, ...credentials.headers }, signal);
      return { ...answer, text: without(secrets, answer.text).slice(0, mostTold).toWellFormed() };
    } catch (cause) {
      throw new Error(without(secrets, this.#describe(cause)), { cause });
    }
  }

  async close(): Promise<void> {
    await this.#connections?.agent.destroy();
    this.#connections = null;
  }

  async #credentials(): Promise<{ headers: Record<string, string>; secrets: readonly string[] }> {
    const { token_file, username, password_file } = this.#settings;
    if (token_file !== undefined) {
      const token = await readSecret(token_file);
      return { headers: { authorization: `Bearer ${token}` }, secrets: [token] };
    }
    if (username === undefined || password_file === undefined) return { headers: {}, secrets: [] };
    const password = await readSecret(password_file);
    const pair = Buffer.from(`${username}:${password}`).toString('base64');
    return { headers: { authorization: `Basic ${pair}` }, secrets: [password, pair] };
  }

  async #send(body: string | Uint8Array, own: Readonly<Record<string, string>>, signal: AbortSignal) {
    const { url, headers, timeout } = this.#settings;
    const within = AbortSignal.timeout(milliseconds(timeout));
    const answer = await request(url, {
      method: 'POST',
      dispatcher: await this.#dispatcher(),
      signal: AbortSignal.any([signal, within]),
      headersTimeout: 0,
      bodyTimeout: 0,
      headers: { ...lowerCased(headers), ...own, 'user-agent': `davit/${version}` },
      body,
    });
    return {
      status: answer.statusCode,
      retry_after: readRetryAfter(answer.headers['retry-after'], Date.now()),
      text: await beginning(answer.body),
    };
  }

  /** Other authorities need other connections. */
  async #dispatcher(): Promise<Agent> {
    const { ca_file, timeout } = this.#settings;
    const authorities = await readAuthorities(ca_file);
    const ca = authorities?.at(-1);
    if (this.#connections !== null && this.#connections.ca === ca) return this.#connections.agent;
    await this.close();
    const agent = new Agent({
      connections: 1,
      pipelining: 1,
      keepAliveTimeout: idleConnection,
      clientTtl: oldestConnection,
      connect: {
        timeout: Math.min(milliseconds(timeout), longestConnect),
        ...(authorities && { ca: authorities }),
      },
    });
    this.#connections = { ca, agent };
    return agent;
  }

  #describe(error: unknown): string {
    if (error instanceof Error && error.name === 'TimeoutError')
      return `it does not answer within ${this.#settings.timeout}`;
    // Of several addresses that were tried, each has its own.
    if (error instanceof AggregateError && error.message === '')
      return error.errors.map(errorMessage).join('; ');
    return errorMessage(error);
  }
}

/** What an answer says, as one line. The status counts, so an answer that breaks off is none the less one. */
async function beginning(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= mostRead) break;
    }
  } catch {}
  const text = Buffer.concat(chunks).subarray(0, mostRead).toString('utf8');
  return text.replace(/[\p{C}\s]+/gu, ' ').trim();
}

/** A receiver may say again what it was sent. */
function without(secrets: readonly string[], text: string): string {
  return redact([text], secrets).join();
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
