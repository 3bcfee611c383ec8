import { randomBytes } from 'node:crypto';
import { Agent, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A request from its first byte to the last of its answer. Moments are milliseconds of `performance.now()`. */
interface Exchange {
  readonly what: string;
  readonly began: number;
  /** Of the client's end of the connection; null: there was none yet. */
  port: number | null;
  /** When that connection was there; null: there was none yet. */
  opened: number | null;
}

export interface HttpFailure {
  readonly exchange: Exchange;
  readonly ended: number;
  readonly why: string;
}

interface HttpAnswer {
  readonly exchange: Exchange;
  readonly version: string;
}

interface HttpClientsOptions {
  /** Of the router. */
  readonly port: number;
  readonly count: number;
  /** Milliseconds between two requests of a client. */
  readonly pause: number;
}

interface Kind {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: Buffer;
  /** What its answer must be. */
  expected(version: string): string | Buffer;
}

const bodies = [randomBytes(10), randomBytes(1_000), randomBytes(100_000)];
const kinds: readonly Kind[] = [
  { method: 'GET', path: '/plain', expected: (version) => version },
  ...bodies.map((body): Kind => ({ method: 'POST', path: '/echo', body, expected: () => body })),
  { method: 'GET', path: '/slow', expected: (version) => `${version} begins\n${version} ends\n` },
];
/** Longer than anything takes on a machine that is busy with other things. */
const patience = 20_000;

/**
 * Clients that send one request after another for ever, each over a connection that it keeps, and never try one again: GET
 * and POST with bodies, whose every answer is checked to the last byte.
 */
export class HttpClients {
  /** What went wrong, oldest first: no answer, one that broke off, or one that is not as it must be. */
  failures: HttpFailure[] = [];
  answered = 0;
  readonly #options: HttpClientsOptions;
  readonly #opened = new WeakMap<Socket, number>();
  readonly #observers = new Set<(answer: HttpAnswer) => void>();
  readonly #broken: string;
  readonly #ended: Promise<unknown>;
  #is_over = false;

  /** @param broken the version whose answers with 500 are no failures, but what it is there for */
  constructor(options: HttpClientsOptions, broken: string) {
    this.#options = options;
    this.#broken = broken;
    this.#ended = Promise.all(Array.from({ length: options.count }, (_, at) => this.#run(at)));
  }

  /** The versions that answer from now on, seen by every client at least once. */
  async versions(): Promise<string[]> {
    const from = performance.now();
    const answers: HttpAnswer[] = [];
    await new Promise<void>((resolve) => {
      const observe = (answer: HttpAnswer) => {
        if (answer.exchange.began >= from) answers.push(answer);
        if (answers.length < 4 * this.#options.count) return;
        this.#observers.delete(observe);
        resolve();
      };
      this.#observers.add(observe);
    });
    return [...new Set(answers.map(({ version }) => version))];
  }

  /** The failures so far, which are as if they had not been from now on. */
  takeFailures(): HttpFailure[] {
    const { failures } = this;
    this.failures = [];
    return failures;
  }

  /** Ends them, each after the request that it has under way. */
  async stop(): Promise<void> {
    this.#is_over = true;
    await this.#ended;
  }

  async #run(at: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let round = at; !this.#is_over; round += 1) {
      const kind = kinds[round % kinds.length];
      if (kind !== undefined) await this.#exchange(kind, agent);
      await sleep(this.#options.pause);
    }
    agent.destroy();
  }

  async #exchange(kind: Kind, agent: Agent): Promise<void> {
    const exchange: Exchange = {
      what: `${kind.method} ${kind.path} ${kind.body?.length ?? ''}`,
      began: performance.now(),
      port: null,
      opened: null,
    };
    try {
      const version = await this.#ask(kind, agent, exchange);
      this.answered += 1;
      for (const observe of this.#observers) observe({ exchange, version });
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      this.failures.push({ exchange, ended: performance.now(), why: `${code} ${message}`.trim() });
    }
  }

  /** Resolves with the version that answered. */
  async #ask({ method, path, body, expected }: Kind, agent: Agent, exchange: Exchange): Promise<string> {
    const options = { port: this.#options.port, host: '127.0.0.1', method, path, agent };
    const headers = body === undefined ? {} : { 'content-length': body.length };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request({ ...options, headers, signal: AbortSignal.timeout(patience) }, resolve);
      sent.on('socket', (socket) => this.#noteConnection(socket, exchange)).on('error', reject);
      sent.end(body);
    });
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part);
    const content = Buffer.concat(parts);
    const status = answer.statusCode ?? 0;
    const version = String(answer.headers['x-version']);
    if (status === 500 && version === this.#broken) return version;
    if (status !== 200) throw new Error(`answered with ${status} by ${version}: ${content.subarray(0, 200)}`);
    if (!content.equals(Buffer.from(expected(version))))
      throw new Error('an answer that is not as it must be');
    return version;
  }

  #noteConnection(socket: Socket, exchange: Exchange): void {
    const note = () => {
      exchange.port = socket.localPort ?? null;
      exchange.opened = this.#opened.get(socket) ?? performance.now();
      this.#opened.set(socket, exchange.opened);
    };
    if (socket.connecting) socket.once('connect', note);
    else note();
  }
}
