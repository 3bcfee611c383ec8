import type { IncomingMessage } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { RoutedRequest } from '../routing/request.ts';
import type { AccessLog } from './access_log.ts';
import type { AccessRecord } from './access_record.ts';
import type { AnswerPage } from './answer_page.ts';
import type { ClientConnection } from './client_connection.ts';
import { CloseSchedule } from './close_schedule.ts';
import type { Fields } from './fields.ts';
import { forwardedFields, type Origin, originOf } from './forwarding.ts';
import type { HeldRequests } from './held_requests.ts';
import { InstanceClosings } from './instance_closings.ts';
import type { OpenConnections } from './open_connections.ts';
import { type Refusal, type RequestHead, readHttp1Head, readHttp2Head } from './request_head.ts';
import { viewOf } from './request_view.ts';
import { closeCodes, Splice } from './splice.ts';
import type { Destination, Director } from './target.ts';
import { type Tracing, withTrace } from './tracing.ts';
import type { WebSocketClient } from './websocket_client.ts';
import { WebSocketConnection } from './websocket_connection.ts';
import { faultOfRequest, requestHead } from './websocket_handshake.ts';
import { Http1WebSocketClient } from './websocket_http1.ts';
import { Http2WebSocketClient } from './websocket_http2.ts';
import { type Opened, openWebSocket, refuse } from './websocket_opening.ts';

export interface UpgradesOptions {
  readonly director: Director;
  /** Where every WebSocket connection is entered from its request to its end. */
  readonly open: OpenConnections;
  /** Where requests wait whose service holds them. */
  readonly held: Pick<HeldRequests, 'wait'>;
  /** Whether an address is that of a trusted proxy, whose X-Forwarded-* counts. */
  readonly isTrusted: (address: string) => boolean;
  readonly access: AccessLog;
  readonly tracing: Tracing;
  /** Told in a sentence of an instance that answers as no WebSocket server may. */
  readonly onProblem: (message: string) => void;
}

type ServiceDestination = Extract<Destination, { kind: 'service' }>;
type AnswerDestination = Extract<Destination, { kind: 'answer' }>;

/** A request for a WebSocket connection, and where it goes. */
interface Opening {
  readonly client: WebSocketClient;
  readonly destination: ServiceDestination;
  readonly request: RoutedRequest;
  /** As the instance gets it. */
  readonly head: Buffer;
}

/** How much is read of an instance at a time, in bytes. */
const readSize = 131_072;
/** How often it is looked whether connections have rested for too long, in milliseconds. */
const checkInterval = 1_000;

const unknownProtocol: Refusal = { status: 501, message: 'the only protocol that is supported is websocket' };
const malformed: Refusal = { status: 400, message: 'the request is not well-formed' };

/**
 * The WebSocket connections of clients: takes each to an instance, by the handshake of RFC 6455, and from then on passes on the
 * bytes of both sides as they are, so that sub-protocols, extensions, fragments and close codes are a matter between the two.
 * What it says itself is one Close frame: when the instance drains, when this router ends, when the connection has rested for
 * too long, or when somebody closes it.
 */
export class Upgrades {
  readonly #options: UpgradesOptions;
  readonly #buffer = Buffer.allocUnsafeSlow(readSize);
  readonly #connections = new Set<WebSocketConnection>();
  readonly #closings = new InstanceClosings<WebSocketConnection>(restart);
  #ending: CloseSchedule<WebSocketConnection> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #unroutable = 0;

  constructor(options: UpgradesOptions) {
    this.#options = options;
  }

  /** Connections that are open or about to be. */
  get size(): number {
    return this.#connections.size;
  }

  /** Requests that no rule fitted, or for which no instance was there, since it began. */
  get unroutable(): number {
    return this.#unroutable;
  }

  /**
   * Serves a request of HTTP/1.1 that asks for an upgrade.
   * @param early what came behind the head
   */
  take(request: IncomingMessage, socket: Duplex, early: Buffer, from: ClientConnection): void {
    const read = readHttp1Head(request);
    const refusal = 'message' in read ? read : faultOfRequest(read);
    const { record, head } = this.#note('message' in read ? unread(request.rawHeaders) : read);
    this.#begin(new Http1WebSocketClient(request, head, socket, early, record), refusal, from);
  }

  /** Serves an extended CONNECT of HTTP/2 with the protocol websocket (RFC 8441). */
  takeStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, from: ClientConnection): void {
    const fields = flat(headers);
    const read = readHttp2Head(headers, fields);
    const refusal = 'message' in read ? read : headers[':protocol'] === 'websocket' ? null : unknownProtocol;
    // Rules and instances see the GET that it is over HTTP/1.1.
    const { record, head } = this.#note('message' in read ? unread(fields) : { ...read, method: 'GET' });
    this.#begin(new Http2WebSocketClient(stream, head, record), refusal, from);
  }

  /**
   * The router ends: closes all connections by 1012, spread over so many milliseconds, also those that are still to come. How
   * many are left is to be seen by `size`.
   */
  closeAll(spread: number): void {
    if (this.#ending !== null) return;
    this.#ending = new CloseSchedule<WebSocketConnection>({ close: restart });
    for (const connection of this.#connections) this.#ending.add(connection);
    this.#ending.plan({ until: Date.now(), spread });
  }

  /** Ends every connection at once, without a word. */
  close(): void {
    this.#ending?.plan(null);
    for (const connection of this.#connections) connection.cut();
  }

  /** What is noted of a request, and its head with the trace that is begun for it. */
  #note(head: RequestHead): { record: AccessRecord | null; head: RequestHead } {
    const { access, tracing } = this.#options;
    const trace = tracing.startFor(head.fields);
    const record = access.begin();
    if (record !== null) record.trace = trace;
    return { record, head: trace === null ? head : { ...head, fields: withTrace(head.fields, trace) } };
  }

  #begin(client: WebSocketClient, refusal: Refusal | null, from: ClientConnection): void {
    const origin = originOf(client.head.fields, from, client.head.authority, this.#options.isTrusted);
    const request = viewOf(client.head, origin);
    try {
      if (refusal === null) this.#direct(client, from, origin, request);
      else this.#refuse(client, request, refusal);
    } catch (error) {
      this.#giveUp(client, request, error);
    }
  }

  #direct(client: WebSocketClient, from: ClientConnection, origin: Origin, request: RoutedRequest): void {
    const destination = this.#options.director.direct(request);
    if (destination.kind === 'answer') {
      client.record?.goesTo(destination.rule, null);
      client.answer(pageOf(destination));
      this.#end(client, request);
    } else if (destination.kind === 'nowhere') {
      this.#unroutable++;
      this.#refuse(client, request, { status: 404, message: 'nothing is served here' });
    } else {
      client.record?.goesTo(destination.rule, destination.service.id);
      const bytes = headFor(client, origin, from, destination);
      if (bytes === null) this.#refuse(client, request, malformed);
      else this.#enter({ client, destination, request, head: bytes });
    }
  }

  #refuse(client: WebSocketClient, request: RoutedRequest, refusal: Refusal): void {
    refuse(client, refusal);
    this.#end(client, request);
  }

  /** It is over, and how it went is written down. */
  #end({ record }: WebSocketClient, request: RoutedRequest, splice: Splice | null = null): void {
    if (record === null) return;
    const end = splice && { close_code: splice.closeCode, messages_out: splice.messages };
    this.#options.access.end(record, request, 'websocket', end);
  }

  /** From here on the connection is in the table, until it is over. */
  #enter(opening: Opening): void {
    const { client, request, destination } = opening;
    const { rule, service } = destination;
    const giveUp = new AbortController();
    const connection = new WebSocketConnection(request, { rule, service: service.id }, giveUp);
    const leave = this.#list(connection);
    let isGone = false;
    client.onGone(() => {
      isGone = true;
      giveUp.abort();
    });
    openWebSocket({
      ...opening,
      service,
      signal: giveUp.signal,
      held: this.#options.held,
      buffer: this.#buffer,
      onUnroutable: () => this.#unroutable++,
      onProblem: this.#options.onProblem,
    })
      .then((opened) => {
        if (opened === null) {
          leave();
          if (giveUp.signal.aborted) client.record?.failed(isGone ? 'client_gone' : 'cut_off');
          this.#end(client, request);
        } else this.#join(connection, opening, opened, leave);
      })
      .catch((error: unknown) => {
        leave();
        this.#giveUp(client, request, error);
      });
  }

  /** What nobody has thought of ends one connection, and no more. */
  #giveUp(client: WebSocketClient, request: RoutedRequest, error: unknown): void {
    client.reset();
    client.record?.failed('internal');
    this.#end(client, request);
    this.#options.onProblem(`a WebSocket connection could not be opened: ${String(error)}`);
  }

  /** Returns what takes it out of every list again. */
  #list(connection: WebSocketConnection): () => void {
    const remove = this.#options.open.add(connection);
    this.#connections.add(connection);
    this.#timer ??= setInterval(() => this.#check(), checkInterval).unref();
    return () => {
      remove();
      this.#connections.delete(connection);
      this.#ending?.delete(connection);
      if (this.#connections.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #join(
    connection: WebSocketConnection,
    { client, destination, request }: Opening,
    { lease, backend, rest }: Opened,
    leave: () => void,
  ): void {
    const { socket } = backend;
    const splice = new Splice({
      client: client.stream,
      backend: socket,
      isRestarting: () => lease.instance.draining !== null,
      onEnd: () => {
        forget();
        leave();
        const { bytes_in, bytes_out } = connection;
        lease.end(bytes_in, bytes_out);
        if (client.record === null) return;
        const { failure } = splice;
        Object.assign(client.record, { bytes_in, bytes_out, failure });
        this.#end(client, request, splice);
      },
    });
    connection.establish({ lease, backend, splice, idle: destination.service.timeouts.idle }, rest.length);
    const forget = this.#closings.add(lease.instance, connection);
    backend.receiver = (bytes) => splice.receive(bytes);
    splice.begin(client.early, rest);
    this.#ending?.add(connection);
  }

  #check(): void {
    const now = Date.now();
    for (const connection of this.#connections) connection.check(now);
  }
}

function restart(connection: WebSocketConnection): void {
  connection.close(closeCodes.service_restart, 'service restart');
}

function pageOf({ status, headers, body }: AnswerDestination): AnswerPage {
  const length = ['Content-Length', String(Buffer.byteLength(body))];
  return { status, fields: [...Object.entries(headers).flat(), ...length], body };
}

/** The head of the request as the instance gets it. null: it cannot be written. */
function headFor(
  { head, fields }: WebSocketClient,
  origin: Origin,
  { is_trusted }: ClientConnection,
  { path }: ServiceDestination,
): Buffer | null {
  const target = path ?? head.path;
  const forwarded = forwardedFields(fields, origin, head.authority, is_trusted);
  return requestHead(head.query === '' ? target : `${target}?${head.query}`, forwarded);
}

/** What is known of a request that could not be read. */
function unread(fields: Fields): RequestHead {
  return { version: '1.1', method: '', authority: '', host: '', path: '/', query: '', fields };
}

/** The fields of a request of HTTP/2, name by value. */
function flat(headers: IncomingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap((each) => [name, each]),
  );
}
