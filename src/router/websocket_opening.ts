import type { IncomingMessage } from 'node:http';
import type { RoutedRequest } from '../routing/request.ts';
import type { AccessRecord } from './access_record.ts';
import { answerPage, type PageText } from './answer_page.ts';
import type { Fields } from './fields.ts';
import type { HeldRequests } from './held_requests.ts';
import type { Lease, TargetService } from './target.ts';
import { awaitAnswer, frameAnswer } from './websocket_answer.ts';
import type { WebSocketBackend } from './websocket_backend.ts';
import type { WebSocketClient } from './websocket_client.ts';
import { readAcceptance } from './websocket_handshake.ts';
import { givenUp, reachInstance } from './websocket_reach.ts';

export interface OpeningOptions {
  readonly client: WebSocketClient;
  readonly service: TargetService;
  readonly request: RoutedRequest;
  /** The request as the instance gets it. */
  readonly head: Buffer;
  readonly held: Pick<HeldRequests, 'wait'>;
  /** What is read of instances is read into it. */
  readonly buffer: Buffer;
  /** Ends it: the client went away, or the connection was closed by whoever may. */
  readonly signal: AbortSignal;
  /** There was no instance to try. */
  readonly onUnroutable: () => void;
  /** Told in a sentence of an instance that answers as no WebSocket server may. */
  readonly onProblem: (message: string) => void;
}

/** An instance has taken the connection, and the client has been told so. */
export interface Opened {
  readonly lease: Lease;
  readonly backend: WebSocketBackend;
  /** What the instance has sent behind its answer. It is read no further before its socket is resumed. */
  readonly rest: Buffer;
}

const badAnswer: PageText = {
  status: 502,
  message: 'the service did not answer as a WebSocket server must',
};
const failures: Readonly<Record<'broken' | 'timed_out', PageText>> = {
  broken: { status: 502, message: 'the service broke off before it answered' },
  timed_out: { status: 504, message: 'the service did not answer in time' },
};

/** Takes a request for a WebSocket connection to an instance. null: that does not take it, and the client has its answer. */
export async function openWebSocket(options: OpeningOptions): Promise<Opened | null> {
  const { record } = options.client;
  const reached = await reachInstance({ ...options, record });
  if ('why' in reached) {
    if (reached.why === 'none') options.onUnroutable();
    refuse(options.client, reached);
    return null;
  }
  const { lease, backend } = reached;
  let rest: Buffer | null = null;
  try {
    rest = await shakeHands(options, lease, backend);
  } finally {
    if (rest === null) giveBack(lease, backend);
  }
  return rest === null ? null : { lease, backend, rest };
}

function giveBack(lease: Lease, { socket }: WebSocketBackend): void {
  const { bytesRead } = socket;
  socket.destroy();
  lease.end(0, bytesRead);
}

/** Gives the client an answer of the router, if it is still there. */
export function refuse(client: WebSocketClient, text: PageText): void {
  if (!client.isGone) client.answer(answerPage(text, client.accepts));
}

/** Returns what came behind the acceptance. */
async function shakeHands(
  options: OpeningOptions,
  lease: Lease,
  backend: WebSocketBackend,
): Promise<Buffer | null> {
  const { client, service, head, signal } = options;
  const { response } = service.timeouts;
  const start = performance.now();
  backend.socket.write(head);
  const answer = await awaitAnswer(backend, response, signal);
  const duration = performance.now() - start;
  if (answer.kind === 'given_up') refuse(client, givenUp);
  else if (answer.kind === 'failed') {
    lease.failed(answer.how);
    client.record?.failed(answer.how);
    refuse(client, failures[answer.how]);
  } else if (answer.kind === 'other') await relay(options, lease, backend, answer.bytes, start);
  else if (accept(options, lease, answer.head)) {
    lease.answered(101, duration);
    client.record?.answered(101, duration);
    return answer.rest;
  }
  return null;
}

/** Tells the client that the connection is there, if the answer of the instance says just that. */
function accept(options: OpeningOptions, lease: Lease, head: string): boolean {
  const { client, service, signal, onProblem } = options;
  const acceptance = readAcceptance(head, client.key);
  if (acceptance !== null && client.accept(acceptance, cookieOf(lease))) return true;
  if (signal.aborted) return false;
  lease.failed('broken');
  client.record?.failed('broken');
  onProblem(`an instance of ${service.id} answers WebSocket handshakes as no server may`);
  refuse(client, badAnswer);
  return false;
}

/** Passes on an answer by which the instance does not take the connection. Nothing more of the client reaches it. */
async function relay(
  { client, service, signal }: OpeningOptions,
  lease: Lease,
  backend: WebSocketBackend,
  bytes: Buffer,
  start: number,
): Promise<void> {
  const end = () => backend.socket.destroy();
  signal.addEventListener('abort', end);
  const answer = await frameAnswer(backend, bytes, service.timeouts.response);
  if (answer === null) {
    if (!signal.aborted) {
      lease.failed('broken');
      client.record?.failed('broken');
    }
    refuse(client, badAnswer);
  } else {
    const duration = performance.now() - start;
    lease.answered(answer.statusCode ?? 502, duration);
    client.record?.answered(answer.statusCode ?? 502, duration);
    countBody(answer, client.record);
    await client.relay(answer, cookieOf(lease));
  }
  signal.removeEventListener('abort', end);
}

function countBody(answer: IncomingMessage, record: AccessRecord | null): void {
  if (record === null) return;
  answer.on('data', (chunk: Buffer) => {
    record.bytes_out += chunk.length;
  });
}

function cookieOf({ cookie }: Lease): Fields {
  return cookie === null ? [] : ['Set-Cookie', cookie];
}
