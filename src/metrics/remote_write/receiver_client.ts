import { getCACertificates } from 'node:tls';
import { Agent, request } from 'undici';
import type { RemoteWriteConfig } from '../../config/metrics.ts';
import { errorMessage } from '../../lib/errors.ts';
import { redact } from '../../lib/redaction.ts';
import { readSecret, readSmallFile } from '../../lib/secret_file.ts';
import { milliseconds } from '../../lib/units.ts';
import { version } from '../../lib/version.ts';
import { type Outcome, readAnswer } from './retry.ts';

type ClientConfig = Pick<
  RemoteWriteConfig,
  'url' | 'token_file' | 'username' | 'password_file' | 'headers' | 'ca_file' | 'timeout'
>;

/** How much of an answer is read, in bytes. */
const mostRead = 4_096;
/** How much of it is told, in characters. */
const mostTold = 200;
/** The largest `ca_file`, in bytes. */
const largestBundle = 4_194_304;
/** How long it may take to connect at most, in milliseconds. A host that was down is asked anew, rather than at the times at which the system asks again. */
const longestConnect = 10_000;
/** How long a connection that nothing is sent on is kept, in milliseconds: longer than the usual time between two requests. */
const idleConnection = 30_000;
/** After so long a connection is made anew, so that a name that leads elsewhere is noticed. In milliseconds. */
const oldestConnection = 300_000;

/** Sends requests to one receiver, one at a time. Files of secrets are read at each try, so that a new secret counts at once. */
export class ReceiverClient {
  readonly #config: ClientConfig;
  #connections: { readonly ca: string | null; readonly agent: Agent } | null = null;

  constructor(config: ClientConfig) {
    this.#config = config;
  }

  /** One try. Never rejects, and never tells a secret. */
  async post(body: Uint8Array, signal: AbortSignal): Promise<Outcome> {
    let secrets: readonly string[] = [];
    try {
      const credentials = await this.#credentials();
      secrets = credentials.secrets;
      const answer = await this.#send(body, credentials.authorization, signal);
      const text = without(secrets, answer.text).slice(0, mostTold).toWellFormed();
      return readAnswer({ ...answer, text, now: Date.now() });
    } catch (error) {
      return { kind: 'failed', message: without(secrets, this.#describe(error)), wait: null };
    }
  }

  async close(): Promise<void> {
    await this.#connections?.agent.destroy();
    this.#connections = null;
  }

  async #credentials(): Promise<{ authorization: string | null; secrets: readonly string[] }> {
    const { token_file, username, password_file, headers } = this.#config;
    const configured = Object.values(headers);
    if (token_file !== undefined) {
      const token = await readSecret(token_file);
      return { authorization: `Bearer ${token}`, secrets: [...configured, token] };
    }
    if (username === undefined || password_file === undefined)
      return { authorization: null, secrets: configured };
    const password = await readSecret(password_file);
    const pair = Buffer.from(`${username}:${password}`).toString('base64');
    return { authorization: `Basic ${pair}`, secrets: [...configured, password, pair] };
  }

  async #send(body: Uint8Array, authorization: string | null, signal: AbortSignal) {
    const { url, headers, timeout } = this.#config;
    const within = AbortSignal.timeout(milliseconds(timeout));
    const answer = await request(url, {
      method: 'POST',
      dispatcher: await this.#dispatcher(),
      signal: AbortSignal.any([signal, within]),
      headersTimeout: 0,
      bodyTimeout: 0,
      headers: {
        ...lowerCased(headers),
        ...(authorization !== null && { authorization }),
        'user-agent': `davit/${version}`,
        'content-type': 'application/x-protobuf',
        'content-encoding': 'snappy',
        'x-prometheus-remote-write-version': '0.1.0',
      },
      body,
    });
    const retryAfter = answer.headers['retry-after'];
    return {
      status: answer.statusCode,
      retryAfter: typeof retryAfter === 'string' ? retryAfter : null,
      text: await beginning(answer.body),
    };
  }

  /** Other authorities need other connections. */
  async #dispatcher(): Promise<Agent> {
    const { ca_file, timeout } = this.#config;
    const ca = ca_file === undefined ? null : await readSmallFile(ca_file, largestBundle);
    if (this.#connections?.ca === ca) return this.#connections.agent;
    await this.close();
    const agent = new Agent({
      connections: 1,
      pipelining: 1,
      keepAliveTimeout: idleConnection,
      clientTtl: oldestConnection,
      connect: {
        timeout: Math.min(milliseconds(timeout), longestConnect),
        ...(ca !== null && { ca: [...getCACertificates('default'), ca] }),
      },
    });
    this.#connections = { ca, agent };
    return agent;
  }

  #describe(error: unknown): string {
    if (error instanceof Error && error.name === 'TimeoutError')
      return `it does not answer within ${this.#config.timeout}`;
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
