import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import type { Service } from '../../src/contract/services.ts';
import { spec } from '../../src/contract/spec.ts';

/** A request as it came. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects
  readonly body: any;
}

/** Answers a request: with a value, or by itself when it returns nothing. */
type Answering = (request: Received, response: ServerResponse) => unknown;

/** A real server that answers what a test wants an agent to answer. */
export class FakeAgent implements AsyncDisposable {
  readonly requests: Received[] = [];
  url = '';
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(answer: Answering, tls?: https.ServerOptions) {
    const listener = (request: IncomingMessage, response: ServerResponse) =>
      void this.#take(request, response, answer);
    this.#server = tls ? https.createServer(tls, listener) : createServer(listener);
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    const scheme = this.#server instanceof https.Server ? 'https' : 'http';
    this.url = `${scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  /** Lets it be found as the agent of the host whose data directory that is. */
  describeIn(data: string, key = 'admin-key'): void {
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, 'agent.json'), JSON.stringify({ url: this.url, pid: process.pid }));
    writeFileSync(join(data, 'admin.key'), `${key}\n`);
  }

  /** Breaks every connection off. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(request: IncomingMessage, response: ServerResponse, answer: Answering): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://host');
    const hasBody = Number(request.headers['content-length'] ?? 0) > 0;
    const received = {
      method: request.method ?? '',
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: hasBody ? await json(request) : undefined,
    };
    this.requests.push(received);
    const value = await answer(received, response);
    if (value === undefined) return;
    const { http_status = 200, ...body } = value as { http_status?: number };
    response.writeHead(http_status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }
}

/** Starts one on a free port. */
export function fakeAgent(answer: Answering, tls?: https.ServerOptions): Promise<FakeAgent> {
  return new FakeAgent(answer, tls).listen();
}

/** A service as an agent shows it. */
export function shownService(
  id: string,
  status: Partial<Service['status']> = {},
  command = 'sleep 1000',
): Service {
  return {
    id,
    spec: { ...spec.parse({ command }), env: {} },
    created_at: '2026-01-31T12:00:00.000Z',
    status: {
      status: 'running',
      pid: 4711,
      start_time: new Date(Date.now() - 3_725_000).toISOString(),
      message: 'Service is running',
      release: 3,
      wanted: 'running',
      restart_required: false,
      instances: { wanted: 1, running: 1, ready: 1 },
      restarts: 0,
      next_run: null,
      ...status,
    },
  };
}
