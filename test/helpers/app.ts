import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import express, { type Express } from 'express';
import { pino } from 'pino';
import { answerErrors } from '../../src/http/errors.ts';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects
  readonly body: any;
}

/** A real server with some middleware on it, answering errors as the agent does. */
export interface RunningApp extends AsyncDisposable {
  readonly port: number;
  /** Sends one request on a connection of its own, with exactly these headers. */
  send(method: string, path: string, headers?: Record<string, string | string[]>): Promise<Reply>;
}

export async function startApp(setUp: (app: Express) => void): Promise<RunningApp> {
  const app = express();
  setUp(app);
  app.use((_request, response) => void response.json({ locals: response.locals }));
  app.use(answerErrors(pino({ level: 'silent' })));
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    send: (method, path, headers = {}) => send(port, method, path, headers),
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function send(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string | string[]>,
): Promise<Reply> {
  const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }).end();
  const [response] = await once(request, 'response');
  const body = await text(response);
  const isJson = response.headers['content-type']?.includes('json');
  return {
    status: response.statusCode,
    headers: response.headers,
    text: body,
    body: isJson && body !== '' ? JSON.parse(body) : null,
  };
}
