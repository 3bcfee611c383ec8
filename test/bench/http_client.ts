import { Agent, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  /** From sending the request to the end of the answer. */
  readonly milliseconds: number;
}

interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function readAll(answer: IncomingMessage): Promise<string> {
  answer.setEncoding('utf8');
  let text = '';
  for await (const chunk of answer) text += chunk;
  return text;
}

/** A client that sends one request after another over one kept connection. */
export class HttpClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #origin: string;

  constructor(origin: string) {
    this.#origin = origin;
  }

  async send({ method, path, headers = {}, body }: HttpRequest): Promise<HttpAnswer> {
    const began = performance.now();
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
      request(new URL(path, this.#origin), { agent: this.#agent, method, headers: { ...headers, ...length } })
        .on('response', resolve)
        .on('error', reject)
        .end(body);
    });
    const text = await readAll(answer);
    return { status: answer.statusCode ?? 0, body: text, milliseconds: performance.now() - began };
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** A TCP port of the loopback interface that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Tries again every 5 ms, for at most 30 s, until `attempt` does not throw; throws what it threw last. */
export async function untilAnswered(attempt: () => Promise<void>, alive: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!alive() || performance.now() > deadline) throw error;
      await sleep(5);
    }
  }
}
