import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders as Http1Headers } from 'node:http';
import {
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { acceptOf } from '../../src/router/websocket_handshake.ts';
import { until } from '../helpers/system.ts';
import { listen, startUpgradeRouter, TestInstance, TestService } from '../helpers/upgrades.ts';
import { closePayload, frame, opcodes } from '../helpers/websocket_frames.ts';

/** A client of HTTP/2 that opens WebSocket connections, each on a stream of its own. */
async function setUp(context: TestContext, port: number) {
  const instance = new TestInstance(port);
  const service = new TestService([instance]);
  const router = await startUpgradeRouter(context, service);
  const session = connect(`http://127.0.0.1:${router.http2Port}`);
  context.after(() => session.destroy());
  session.on('error', () => {});
  await once(session, 'remoteSettings');
  assert.equal(session.remoteSettings.enableConnectProtocol, true);
  const open = (headers: OutgoingHttpHeaders = {}) =>
    session.request(
      {
        ':method': 'CONNECT',
        ':protocol': 'websocket',
        ':path': '/socket?x=1',
        ':authority': 'example.org',
        'sec-websocket-version': '13',
        ...headers,
      },
      { endStream: false },
    );
  return { instance, service, router, session, open };
}

async function answerOf(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> {
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  return headers;
}

/** Everything that comes on a stream until its end. */
async function bodyOf(stream: ClientHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function startEcho(context: TestContext) {
  const requests: { url: string | undefined; headers: Http1Headers }[] = [];
  const closes: number[] = [];
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    perMessageDeflate: { threshold: 0 },
    handleProtocols: () => 'mqtt',
  });
  server.on('connection', (socket: WebSocket, { url, headers }) => {
    requests.push({ url, headers });
    socket.on('message', (data, binary) => socket.send(data, { binary }));
    socket.on('close', (code) => closes.push(code));
    socket.on('error', () => {});
  });
  await once(server, 'listening');
  context.after(() => server.close());
  const { port } = server.address() as { port: number };
  return { port, requests, closes };
}

/** A server that answers a request for an upgrade by these bytes, after its accept where it takes it. */
async function startRaw(context: TestContext, answer: (socket: Socket, key: string) => void) {
  const sockets: Socket[] = [];
  const server = createServer();
  server.on('upgrade', (request, socket: Socket) => {
    sockets.push(socket);
    socket.on('error', () => {}).resume();
    answer(socket, request.headers['sec-websocket-key'] ?? '');
  });
  const port = await listen(server);
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port, sockets };
}

function accept(socket: Socket, key: string): void {
  const fields = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(key)}`;
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\n`);
}

test('an extended CONNECT opens a WebSocket connection to the instance', async (context) => {
  const echo = await startEcho(context);
  const { service, open } = await setUp(context, echo.port);
  service.cookie = 'a=b';
  const stream = open({
    'sec-websocket-protocol': 'mqtt',
    'sec-websocket-extensions': 'permessage-deflate; server_no_context_takeover',
    origin: 'https://example.org',
    cookie: 'c=d',
  });
  const headers = await answerOf(stream);
  assert.equal(headers[':status'], 200);
  assert.equal(headers['sec-websocket-protocol'], 'mqtt');
  assert.match(String(headers['sec-websocket-extensions']), /^permessage-deflate/);
  assert.deepEqual(headers['set-cookie'], ['a=b']);
  assert.equal(headers['sec-websocket-accept'], undefined);
  assert.equal(headers.connection, undefined);
  const [request] = echo.requests;
  assert.equal(request?.url, '/socket?x=1');
  assert.equal(request?.headers.host, 'example.org');
  assert.equal(request?.headers.origin, 'https://example.org');
  assert.equal(request?.headers.cookie, 'c=d');
  assert.equal(request?.headers['x-forwarded-for'], '127.0.0.1');
  stream.destroy();
});

test('frames go through it as they are, and a close ends both sides', async (context) => {
  const echo = await startEcho(context);
  const { service, router, open } = await setUp(context, echo.port);
  const stream = open();
  await answerOf(stream);
  const sizes = [0, 1, 125, 126, 65_535, 65_536, 1_000_000];
  for (const size of sizes) stream.write(frame(opcodes.binary, Buffer.alloc(size, 'x')));
  stream.write(frame(opcodes.ping, 'p'));
  stream.write(frame(opcodes.close, closePayload(4_000)));
  const received = await bodyOf(stream);
  const echoed = sizes.map((size) => frame(opcodes.binary, Buffer.alloc(size, 'x'), { masked: false }));
  const expected = [
    ...echoed,
    frame(opcodes.pong, 'p', { masked: false }),
    frame(opcodes.close, closePayload(4_000), { masked: false }),
  ];
  assert.ok(received.equals(Buffer.concat(expected)));
  stream.end();
  await until('it is over', () => router.upgrades.size === 0);
  await until('the instance knows', () => echo.closes[0] === 4_000);
  assert.deepEqual(service.told, ['instance-1 answered 101', 'instance-1 ended']);
});

test('a client that ends its direction still gets what the instance sends', async (context) => {
  const raw = await startRaw(context, (socket, key) => {
    accept(socket, key);
    socket.once('end', () => socket.end('after your end'));
  });
  const { router, open } = await setUp(context, raw.port);
  const stream = open();
  await answerOf(stream);
  stream.end();
  assert.equal((await bodyOf(stream)).toString(), 'after your end');
  await until('it is over', () => router.upgrades.size === 0);
});

test('a stream that the client resets ends the connection to the instance', async (context) => {
  const raw = await startRaw(context, accept);
  const { router, open } = await setUp(context, raw.port);
  const stream = open();
  await answerOf(stream);
  stream.close(8);
  await until('it is over', () => router.upgrades.size === 0);
  await until(
    'the instance sees it',
    () => raw.sockets[0]?.readableEnded || raw.sockets[0]?.destroyed || false,
  );
});

test('an instance that breaks off resets the stream, and the session goes on', async (context) => {
  const raw = await startRaw(context, accept);
  const { router, open } = await setUp(context, raw.port);
  const stream = open();
  await answerOf(stream);
  const failed = once(stream, 'error');
  stream.resume();
  raw.sockets[0]?.resetAndDestroy();
  await failed;
  assert.notEqual(stream.rstCode, 0);
  await until('it is over', () => router.upgrades.size === 0);
  assert.equal((await answerOf(open()))[':status'], 200);
});

test('a connection on a stream gets 1012 when its instance drains', async (context) => {
  const echo = await startEcho(context);
  const { instance, router, open } = await setUp(context, echo.port);
  const stream = open();
  await answerOf(stream);
  await until('it is established', () => router.open.list({ instance: 1 }, 1).total === 1);
  instance.drain({ until: Date.now(), spread: 0 });
  const [first] = (await once(stream, 'data')) as [Buffer];
  assert.deepEqual(first, frame(opcodes.close, closePayload(1012, 'service restart'), { masked: false }));
  stream.write(frame(opcodes.close, closePayload(1012)));
  await once(stream, 'end');
  stream.end();
  await until('it is over', () => router.upgrades.size === 0);
  await until('the instance knows', () => echo.closes[0] === 1012);
});

const declined: readonly { what: string; answer: string; status: number; body: string }[] = [
  {
    what: 'another status',
    answer:
      'HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\nX-Own: yes\r\n\r\n4\r\nnot!\r\n0\r\n\r\n',
    status: 403,
    body: 'not!',
  },
  {
    what: '200, which would say that the connection is there',
    answer: 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Own: yes\r\n\r\nwhat',
    status: 502,
    body: 'what',
  },
];

for (const { what, answer, status, body } of declined)
  test(`an answer with ${what} is passed on with ${status}`, async (context) => {
    const raw = await startRaw(context, (socket) => void socket.write(answer));
    const { router, open } = await setUp(context, raw.port);
    const stream = open();
    const headers = await answerOf(stream);
    assert.equal(headers[':status'], status);
    assert.equal(headers['x-own'], 'yes');
    assert.equal((await bodyOf(stream)).toString(), body);
    stream.end();
    await until('it is over', () => router.upgrades.size === 0);
  });

test('an acceptance for another key is refused', async (context) => {
  const raw = await startRaw(context, (socket) => accept(socket, 'another'));
  const { router, open } = await setUp(context, raw.port);
  const stream = open();
  assert.equal((await answerOf(stream))[':status'], 502);
  stream.destroy();
  assert.equal(router.problems.length, 1);
});

test('another protocol than websocket is refused', async (context) => {
  const echo = await startEcho(context);
  const { open } = await setUp(context, echo.port);
  const stream = open({ ':protocol': 'connect-udp' });
  assert.equal((await answerOf(stream))[':status'], 501);
  stream.destroy();
  assert.equal(echo.requests.length, 0);
});

test('a client that goes away while it waits is no failure of the instance', async (context) => {
  const raw = await startRaw(context, () => {});
  const { router, service, session, open } = await setUp(context, raw.port);
  open().on('error', () => {});
  await until('the instance is asked', () => raw.sockets.length === 1);
  session.destroy();
  await until('it is over', () => router.upgrades.size === 0);
  assert.deepEqual(service.told, ['instance-1 ended']);
});
