import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ipKeyGenerator } from 'express-rate-limit';
import { canonicalAddress } from '../lib/addresses.ts';
import { systemErrorCode } from '../lib/errors.ts';

/** What a stranger can hold open, and for how long, before anything is known of him. Times in milliseconds. */
export const connectionLimits: ServerOptions & { readonly handshakeTimeout: number } = {
  maxHeaderSize: 16_384,
  headersTimeout: 10_000,
  handshakeTimeout: 10_000,
  // It would hold for every request alike, also for one that uploads; `boundConnections` looks after them one by one.
  requestTimeout: 0,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5_000,
  // Without it, a stream to a host that is gone would be open for ever.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
};
/** How long a body may take to come, unless `allowLongBody` was called for it. */
const longestBody = 60_000;
const mostConnections = 10_000;
/** Of one address, or of one /64 of IPv6. */
const mostConnectionsOfOne = 1_000;

/** Bounds the connections that are open at a time, and answers what is no HTTP in the form of every error. */
export function boundConnections(server: Server, bodyTimeout = longestBody): void {
  const open = new Map<string, number>();
  server.maxConnections = mostConnections;
  server.on('connection', (socket: Socket) => {
    const network = ipKeyGenerator(canonicalAddress(socket.remoteAddress ?? '') ?? '', 64);
    const count = (open.get(network) ?? 0) + 1;
    open.set(network, count);
    socket.once('close', () => {
      const left = (open.get(network) ?? 1) - 1;
      if (left === 0) open.delete(network);
      else open.set(network, left);
    });
    if (count > mostConnectionsOfOne) socket.destroy();
  });
  server.on('clientError', answerBadRequest);
  server.on('request', (request: PatientRequest, response) => {
    if (request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined)
      return;
    const timer = setTimeout(() => {
      if (request.complete || request[isPatient] === true) return;
      if (response.headersSent) request.destroy();
      else answerBadRequest(lateRequest, request.socket);
    }, bodyTimeout).unref();
    request.once('close', () => clearTimeout(timer));
  });
}

const isPatient = Symbol('isPatient');
type PatientRequest = IncomingMessage & { [isPatient]?: true };
const lateRequest = Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });

/** Lets the body of a request take its time: whoever reads it sees to it that it does not stand still. */
export function allowLongBody(request: IncomingMessage): void {
  (request as PatientRequest)[isPatient] = true;
}

/** By what Node's parser says. */
const badRequests: Readonly<Record<string, readonly [string, string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers are longer than 16 KiB'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request did not come in time'],
};

function answerBadRequest(error: Error, socket: Duplex): void {
  if (!socket.writable || systemErrorCode(error) === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, message] = badRequests[systemErrorCode(error)] ?? [
    '400 Bad Request',
    'this is not well-formed HTTP',
  ];
  const body = JSON.stringify({ error: message, code: 'invalid_request', request_id: randomUUID() });
  const head = [
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`HTTP/1.1 ${status}\r\n${head.join('\r\n')}\r\n\r\n${body}`);
}
