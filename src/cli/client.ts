import { randomUUID } from 'node:crypto';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { DavitError } from '../lib/errors.ts';
import { version } from '../lib/version.ts';
import { errorOf, isType, parseAnswer, textOf } from './answer.ts';
import { isHangUp, isRefusal, unreachable } from './connection_failure.ts';
import type { Target } from './target.ts';

export type Query = Readonly<Record<string, string | number | undefined>>;

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  readonly upload?: Upload;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A body that is sent as it is read. */
export interface Upload {
  readonly type: string;
  /** In bytes. */
  readonly length: number;
  /** Reads it from its beginning, for each attempt. */
  readonly open: () => Readable;
}

/** The slowest line that an upload is given time for, in bytes a millisecond. */
const slowestUpload = 50;
/** Milliseconds that an attempt to connect may take. */
const connectTimeout = 10_000;
/** Milliseconds that an answer may take when nobody says: a read, and a change, which may wait for a slow stop. */
const readTimeout = 30_000;
const changeTimeout = 600_000;
/** Milliseconds before each further attempt of a call during which the agent hung up; about what its restart takes. */
const waits = [100, 500, 1_000, 2_000, 3_000, 3_000];

/** Speaks to one agent. Errors that it answers are thrown as DavitError with its own code, message and fields. */
export class AgentClient {
  readonly target: Target;
  readonly #timeout: number | null;
  readonly #signal: AbortSignal;
  readonly #traceparent: string | null;
  readonly #connections: http.Agent | https.Agent;

  /**
   * @param timeout milliseconds that each answer may take; null: the defaults
   * @param traceparent of the W3C trace to which its calls belong; null: to none
   */
  constructor(
    target: Target,
    timeout: number | null,
    signal: AbortSignal,
    traceparent: string | null = null,
  ) {
    this.target = target;
    this.#timeout = timeout;
    this.#signal = signal;
    this.#traceparent = traceparent;
    const options = { keepAlive: true, ...(target.url.protocol === 'https:' && target.tls) };
    this.#connections = target.url.protocol === 'https:' ? new https.Agent(options) : new http.Agent(options);
  }

  get<Answer>(path: string, query: Query = {}): Promise<Answer> {
    return this.#ask({ method: 'GET', path, query }, this.#timeout ?? readTimeout);
  }

  /** Sent again when the agent hangs up: it carries a key by which the agent knows it and acts once. */
  post<Answer>(path: string, body: unknown = {}, query: Query = {}): Promise<Answer> {
    const headers = { 'idempotency-key': randomUUID() };
    return this.#ask({ method: 'POST', path, query, body, headers }, this.#timeout ?? changeTimeout);
  }

  /** As `post`, with a body that does not fit into memory. */
  upload<Answer>(path: string, query: Query, upload: Upload): Promise<Answer> {
    const headers = { 'idempotency-key': randomUUID() };
    const timeout = this.#timeout ?? changeTimeout + upload.length / slowestUpload;
    return this.#ask({ method: 'POST', path, query, upload, headers }, Math.ceil(timeout));
  }

  put<Answer>(path: string, body: unknown): Promise<Answer> {
    return this.#ask({ method: 'PUT', path, body }, this.#timeout ?? changeTimeout);
  }

  delete<Answer>(path: string, query: Query = {}): Promise<Answer> {
    return this.#ask({ method: 'DELETE', path, query }, this.#timeout ?? changeTimeout);
  }

  /** The body of a stream of server-sent events, from after the event with that id. */
  async stream(path: string, query: Query, lastEventId: string | null): Promise<IncomingMessage> {
    const headers = {
      accept: 'text/event-stream',
      ...(lastEventId !== null && { 'last-event-id': lastEventId }),
    };
    // The time-out is for the head only: the body goes on for as long as anybody reads it.
    const timeout = this.#timeout ?? readTimeout;
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), timeout);
    try {
      const signal = AbortSignal.any([this.#signal, controller.signal]);
      const response = await this.#request({ method: 'GET', path, query, headers }, signal);
      if (response.statusCode === 200 && isType(response, 'text/event-stream')) return response;
      throw errorOf(response, await textOf(response), this.target.url);
    } catch (error) {
      throw this.#failure(error, controller.signal, timeout);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes every connection. */
  close(): void {
    this.#connections.destroy();
  }

  async #ask<Answer>(call: Call, timeout: number): Promise<Answer> {
    const timer = AbortSignal.timeout(timeout);
    for (let attempt = 0; ; attempt++) {
      try {
        return (await this.#once(call, timer)) as Answer;
      } catch (error) {
        const wait = mayRepeat(call, error, attempt) ? waits[attempt] : undefined;
        if (wait === undefined || timer.aborted) {
          throw call.method === 'GET'
            ? this.#failure(error, timer, timeout)
            : goingOn(this.#failure(error, timer, timeout));
        }
        // Aborted, it goes on at once, and so does the attempt that follows.
        await delay(wait, undefined, { signal: AbortSignal.any([this.#signal, timer]) }).catch(() => {});
      }
    }
  }

  async #once(call: Call, timer: AbortSignal): Promise<unknown> {
    const response = await this.#request(call, AbortSignal.any([this.#signal, timer]));
    return parseAnswer(response, await textOf(response), this.target.url);
  }

  #request(call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const { url, key } = this.target;
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const { upload } = call;
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'https:' ? https : http).request(address(url, call), {
        method: call.method,
        agent: this.#connections,
        signal,
        headers: {
          accept: 'application/json',
          'user-agent': `davit/${version}`,
          ...(key && { authorization: `Bearer ${key.value}` }),
          ...(this.#traceparent !== null && { traceparent: this.#traceparent }),
          ...(body !== undefined && {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          }),
          ...(upload && { 'content-type': upload.type, 'content-length': upload.length }),
          ...call.headers,
        },
      });
      limitConnecting(request);
      request.on('error', reject).on('response', resolve);
      if (upload === undefined) request.end(body);
      else send(upload, request, reject);
    });
  }

  #failure(error: unknown, timer: AbortSignal, timeout: number): unknown {
    if (this.#signal.aborted) return this.#signal.reason;
    if (error instanceof DavitError) return error;
    if (!timer.aborted) return unreachable(this.target.url, error);
    const message = `the agent at ${this.target.url.origin} did not answer within ${timeout / 1_000} s`;
    return new DavitError('agent_unreachable', message, { fields: { reason: 'timeout' } });
  }
}

/** Sends until all is sent, or the agent has answered: it may refuse before it has everything. */
function send({ open }: Upload, request: http.ClientRequest, fail: (error: Error) => void): void {
  const source = open();
  source.on('error', (error) => {
    fail(error);
    request.destroy();
  });
  request.once('response', (response) => {
    if (source.readableEnded) return;
    source.unpipe(request);
    source.destroy();
    // What is missing of the body leaves this connection of no use for anything else.
    response.once('end', () => request.destroy());
  });
  request.once('close', () => source.destroy());
  source.pipe(request);
}

/** Who interrupts a change should know that it goes on without them. */
function goingOn(failure: unknown): unknown {
  if (!(failure instanceof DavitError) || failure.code !== 'interrupted') return failure;
  return new DavitError(failure.code, 'interrupted; the agent goes on with what it was asked to do', {
    fields: failure.fields,
  });
}

/** DELETE is not repeated: a second one would answer that there is nothing to delete. */
function mayRepeat({ method }: Call, error: unknown, attempt: number): boolean {
  return method !== 'DELETE' && (isHangUp(error) || (attempt > 0 && isRefusal(error)));
}

/** The full address of a call; the agent's own may have a path, as behind a reverse proxy. */
function address(base: URL, { path, query }: Call): URL {
  const url = new URL(base);
  url.pathname = url.pathname.replace(/\/+$/, '') + path;
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

function limitConnecting(request: http.ClientRequest): void {
  request.on('socket', (socket) => {
    socket.setKeepAlive(true, 30_000);
    if (!socket.connecting) return;
    const timer = setTimeout(
      () => request.destroy(new Error(`no connection within ${connectTimeout / 1_000} s`)),
      connectTimeout,
    );
    socket.once('connect', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
  });
}
