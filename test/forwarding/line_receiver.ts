import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { until } from '../helpers/system.ts';

/** A line as it came. */
export interface ReceivedLine {
  readonly message: string;
  readonly service: string;
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects
  readonly [field: string]: any;
}

export interface ReceivedRequest {
  readonly headers: IncomingMessage['headers'];
  readonly url: string;
  readonly body: string;
  readonly lines: ReceivedLine[];
}

/** What is done with a request; by default it is taken and answered by 204. */
export type Behaviour = (request: ReceivedRequest, response: ServerResponse) => void;

export const take: Behaviour = (_, response) => response.writeHead(204).end();

/** An HTTP receiver of lines that does as it is told. Those of a request count as received when it was answered by 2xx. */
export class LineReceiver implements AsyncDisposable {
  behaviour: Behaviour = take;
  readonly requests: ReceivedRequest[] = [];
  readonly lines: ReceivedLine[] = [];
  readonly #tls: { cert: string; key: string } | undefined;
  #server: Server;
  port = 0;

  private constructor(tls?: { cert: string; key: string }) {
    this.#tls = tls;
    this.#server = this.#make();
  }

  static async start(tls?: { cert: string; key: string }): Promise<LineReceiver> {
    const receiver = new LineReceiver(tls);
    await receiver.up();
    return receiver;
  }

  get url(): string {
    return `${this.#tls ? 'https://localhost' : 'http://127.0.0.1'}:${this.port}/`;
  }

  get numbers(): number[] {
    return this.lines.map(({ message }) => Number(message));
  }

  /** Listens again where it did before. */
  async up(): Promise<void> {
    this.#server = this.#make();
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
  }

  /** Ends as a process does that is killed. */
  async down(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async untilReceived(count: number): Promise<void> {
    await until(`${count} lines have come`, () => this.lines.length >= count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  #make(): Server {
    const listener = (request: IncomingMessage, response: ServerResponse) =>
      void this.#take(request, response).catch(() => response.destroy());
    return this.#tls ? createTlsServer(this.#tls, listener) : createServer(listener);
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = Buffer.concat(await request.toArray());
    const isCompressed = request.headers['content-encoding'] === 'gzip';
    const body = (isCompressed ? await promisify(gunzip)(bytes) : bytes).toString();
    const isLines = request.headers['content-type'] === 'application/x-ndjson';
    const lines = isLines
      ? body
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line))
      : [];
    const received = { headers: request.headers, url: request.url ?? '', body, lines };
    this.requests.push(received);
    response.once('finish', () => {
      if (response.statusCode < 300) this.lines.push(...lines);
    });
    this.behaviour(received, response);
  }
}
