import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { contents, makeCertificates } from '../cli/certificates.ts';
import { until } from '../helpers/system.ts';
import { ask, closedPort, listen } from './asking.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-websocket-probe-'));
after(() => rmSync(folder, { recursive: true }));

/** Lets a WebSocket server listen that does something with each that connects. */
async function serve(
  t: TestContext,
  onSocket: (socket: WebSocket) => void,
  server: Server = createServer((_request, response) => void response.writeHead(404).end()),
) {
  const sockets = new WebSocketServer({ server, path: '/live' });
  sockets.on('connection', onSocket);
  t.after(() => {
    for (const client of sockets.clients) client.terminate();
  });
  return { port: await listen(t, server), sockets };
}

const echo = (socket: WebSocket) => void socket.on('message', (data) => socket.send(`got ${data}`));

test('a handshake is a success, and the server is told goodbye', async (t) => {
  const codes: number[] = [];
  const { port } = await serve(t, (socket) => socket.on('close', (code) => codes.push(code)));
  const { success, message } = await ask({ type: 'websocket', path: '/live' }, port);
  assert.deepEqual([success, message], [true, `ws://127.0.0.1:${port}/live was opened`]);
  await until('it is closed', () => codes.length === 1);
  assert.deepEqual(codes, [1000]);
});

test('a message is sent, and the answer must match', async (t) => {
  const { port } = await serve(t, echo);
  const probe = { type: 'websocket', path: '/live', send: 'ping' };
  assert.equal((await ask({ ...probe, expect: '^got ping$' }, port)).success, true);
  const { success, message } = await ask({ ...probe, expect: 'pong' }, port);
  assert.equal(success, false);
  assert.match(message, /sent "got ping", which does not match pong$/);
});

test('a message is sent also where no answer is waited for', async (t) => {
  const got: string[] = [];
  const { port } = await serve(t, (socket) => socket.on('message', (data) => got.push(String(data))));
  assert.equal((await ask({ type: 'websocket', path: '/live', send: 'hello' }, port)).success, true);
  await until('it has come', () => got.length === 1);
  assert.deepEqual(got, ['hello']);
});

test('headers are sent with the handshake', async (t) => {
  const { port, sockets } = await serve(t, () => {});
  const seen: unknown[] = [];
  sockets.on('connection', (_socket, request) => seen.push(request.headers['x-probe'], request.headers.host));
  await ask({ type: 'websocket', path: '/live', headers: { 'X-Probe': 'davit', Host: 'live.test' } }, port);
  assert.deepEqual(seen, ['davit', 'live.test']);
});

test('whoever does not upgrade is no WebSocket', async (t) => {
  const { port } = await serve(t, echo);
  const { success, message } = await ask({ type: 'websocket', path: '/other' }, port);
  assert.equal(success, false);
  assert.match(message, /failed: Unexpected server response: 400$/);
});

test('an answer that does not come, or comes too large, and a close before it are failures', async (t) => {
  const { port } = await serve(t, (socket) => {
    socket.on('message', (data) => {
      if (String(data) === 'close') socket.close(1011);
      if (String(data) === 'large') socket.send('x'.repeat(100_000));
    });
  });
  const asking = (send: string) =>
    ask({ type: 'websocket', path: '/live', send, expect: 'x', timeout: '300ms' }, port);
  assert.match((await asking('nothing')).message, /took longer than 300 ms: it waited for a message$/);
  assert.match((await asking('close')).message, /was closed \(1011\) before a message came$/);
  assert.match((await asking('large')).message, /failed: Max payload size exceeded$/);
  assert.deepEqual(
    (await Promise.all(['nothing', 'close', 'large'].map(asking))).map(({ success }) => success),
    [false, false, false],
  );
});

test('a server that hangs in the handshake keeps no connection', async (t) => {
  let open = 0;
  const server = createTcpServer((socket) => {
    open++;
    socket.resume().on('error', () => {});
    socket.on('close', () => open--);
  });
  const port = await listen(t, server);
  const { message } = await ask({ type: 'websocket', timeout: '100ms' }, port);
  assert.match(message, /took longer than 100 ms: it waited for the handshake$/);
  await until('no connection is left', () => open === 0);
});

test('a server that does not answer a goodbye keeps no connection', async (t) => {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (_socket, request) => request.socket.pause());
  const port = await listen(t, server);
  assert.equal((await ask({ type: 'websocket' }, port)).success, true);
  for (const { _socket } of sockets.clients as never as Set<{ _socket: import('node:net').Socket }>)
    setTimeout(() => _socket.resume(), 700);
  await until('it is gone', () => sockets.clients.size === 0);
});

test('where nobody listens the message says so', async () => {
  const { message } = await ask({ type: 'websocket' }, await closedPort(createTcpServer()));
  assert.match(message, /was refused: nobody listens there$/);
});

test('with TLS the certificate matters only where that is asked for', async (t) => {
  const certificates = makeCertificates(folder);
  const { port } = await serve(t, echo, createSecureServer(contents(certificates.server)));
  const asking = async (tls: Record<string, unknown>) =>
    (await ask({ type: 'websocket', path: '/live', tls }, port)).success;
  assert.equal(await asking({}), true);
  assert.equal(await asking({ verify: true }), false);
  assert.equal(await asking({ verify: true, ca_file: certificates.ca }), true);
});
