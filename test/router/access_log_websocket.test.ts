import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:http2';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Destination } from '../../src/router/target.ts';
import { acceptOf } from '../../src/router/websocket_handshake.ts';
import { closedPort } from '../helpers/http_front.ts';
import { until } from '../helpers/system.ts';
import { listen, startUpgradeRouter, TestInstance, TestService } from '../helpers/upgrades.ts';
import { closePayload, frame, opcodes, RawClient, upgradeHead } from '../helpers/websocket_frames.ts';
import { everything, failuresOnly, type ReadLine, readLine } from './access_lines.ts';

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const served = { masked: false };

function accept(socket: Socket, key: string): void {
  const fields = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(key)}`;
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\n`);
}

/** A router that writes everything down, and an instance that answers requests for an upgrade in this way. */
async function setUp(
  context: TestContext,
  answer: (socket: Socket, key: string) => void = accept,
  direct?: (service: TestService) => Destination,
) {
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
  const service = new TestService([new TestInstance(port)]);
  const router = await startUpgradeRouter(context, service, direct && (() => direct(service)));
  router.access.apply(everything);
  const ask = (fields: readonly string[] = []) => {
    const client = new RawClient(router.port);
    context.after(() => client.socket.destroy());
    client.write(upgradeHead('/socket?token=secret', fields));
    return client;
  };
  const line = async (): Promise<ReadLine> => {
    await until('a line is written', () => router.lines.length > 0);
    assert.equal(router.lines.length, 1);
    return readLine(router.lines[0] as string);
  };
  return { service, router, sockets, ask, line };
}

const isOpen = ({ bytes }: RawClient) => bytes.includes('\r\n\r\n');

test('a WebSocket connection is written down when it has ended, with what went over it and how it ended', async (context) => {
  const { sockets, ask, line, router } = await setUp(context);
  const client = ask([`traceparent: ${traceparent}`, 'User-Agent: x/1']);
  await client.until(isOpen);
  assert.equal(router.lines.length, 0);
  client.write(frame(opcodes.text, 'hello'));
  const [socket] = sockets as [Socket];
  const sent = [
    frame(opcodes.text, 'a', { ...served, fin: false }),
    frame(opcodes.continuation, 'b', served),
    frame(opcodes.ping, '', served),
    frame(opcodes.binary, 'c', served),
    frame(opcodes.close, closePayload(4_001, 'enough'), served),
  ];
  // The code comes in two pieces.
  const bytes = Buffer.concat(sent);
  const cut = bytes.length - 7;
  socket.write(bytes.subarray(0, cut));
  await client.until(({ body }) => body.length === cut);
  socket.end(bytes.subarray(cut));
  await client.until(({ ending }) => ending !== null);
  client.socket.end();
  const { time, duration_ms, upstream_ms, ...rest } = await line();
  assert.deepEqual(rest, {
    level: 'info',
    method: 'GET',
    host: 'example.org',
    path: '/socket',
    protocol: 'websocket',
    status: 101,
    service: 'chat',
    instance: 1,
    release: 1,
    rule: 'chat/1',
    client: '127.0.0.1',
    bytes_in: 11,
    bytes_out: bytes.length,
    retries: 0,
    failure: null,
    close_code: 4_001,
    messages_out: 2,
    trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
    parent_id: '00f067aa0ba902b7',
    request_id: null,
    user_agent: 'x/1',
  });
  assert.ok(upstream_ms !== null && duration_ms >= upstream_ms && Date.parse(time) > 0);
});

test('a WebSocket connection over HTTP/2 is written down alike', async (context) => {
  const { router, sockets, line } = await setUp(context);
  const session = connect(`http://127.0.0.1:${router.http2Port}`);
  context.after(() => session.destroy());
  await once(session, 'remoteSettings');
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/socket',
      ':authority': 'example.org',
      'sec-websocket-version': '13',
    },
    { endStream: false },
  );
  await once(stream, 'response');
  stream.resume();
  sockets[0]?.end(frame(opcodes.close, closePayload(1_000), served));
  await once(stream, 'end');
  stream.end();
  const { protocol, method, status, close_code, failure } = await line();
  assert.deepEqual(
    { protocol, method, status, close_code, failure },
    { protocol: 'websocket', method: 'GET', status: 101, close_code: 1_000, failure: null },
  );
});

test('a client that breaks off without a Close frame is a failure, and so is an instance', async (context) => {
  for (const [who, failure, level] of [
    ['client', 'client_gone', 'warn'],
    ['instance', 'broken', 'error'],
  ] as const) {
    const { sockets, ask, line, router } = await setUp(context);
    router.access.apply(failuresOnly);
    const client = ask();
    await client.until(isOpen);
    const broken = who === 'client' ? client.socket : (sockets[0] as Socket);
    broken.resetAndDestroy();
    const written = await line();
    assert.deepEqual(
      [written['failure'], written['close_code'], written['level']],
      [failure, null, level],
      who,
    );
  }
});

test('a connection that the router closes has the code of that, and one that it cuts off is said to be', async (context) => {
  const { router, ask, line } = await setUp(context);
  const client = ask();
  await client.until(isOpen);
  router.upgrades.closeAll(0);
  await client.until(({ body }) => body.length > 0);
  client.socket.end(frame(opcodes.close, closePayload(1_012)));
  assert.equal((await line())['close_code'], 1_012);
  const second = await setUp(context);
  const other = second.ask();
  await other.until(isOpen);
  second.router.upgrades.close();
  assert.equal((await second.line())['failure'], 'cut_off');
});

test('a request for a WebSocket connection that the instance refuses is written down with its answer', async (context) => {
  const { ask, line } = await setUp(context, (socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
  });
  await ask().until(({ ending }) => ending !== null);
  const { status, instance, failure, bytes_out, level } = await line();
  assert.deepEqual(
    { status, instance, failure, bytes_out, level },
    { status: 403, instance: 1, failure: null, bytes_out: 2, level: 'info' },
  );
});

test('what keeps a WebSocket connection from being opened is written down', async (context) => {
  const none = await setUp(context);
  none.service.instances = [];
  await none.ask().until(isOpen);
  const noInstance = await none.line();
  assert.deepEqual(
    [noInstance['status'], noInstance['failure'], noInstance['service'], noInstance['instance']],
    [503, 'none_ready', 'chat', null],
  );
  const down = await setUp(context);
  const port = await closedPort();
  down.service.instances = [new TestInstance(port, 1), new TestInstance(port, 2)];
  await down.ask().until(isOpen);
  const unreachable = await down.line();
  assert.deepEqual(
    [unreachable['status'], unreachable['failure'], unreachable['retries'], unreachable['instance']],
    [502, 'unreachable', 1, 2],
  );
  const strange = await setUp(context, (socket) => void socket.end('nonsense\r\n\r\n'));
  await strange.ask().until(isOpen);
  const broken = await strange.line();
  assert.deepEqual([broken['status'], broken['failure']], [502, 'broken']);
  const nowhere = await setUp(context, accept, () => ({ kind: 'nowhere' }));
  await nowhere.ask().until(isOpen);
  const unknown = await nowhere.line();
  assert.deepEqual([unknown['status'], unknown['failure'], unknown['service']], [404, null, null]);
  const bad = await setUp(context);
  const client = new RawClient(bad.router.port);
  context.after(() => client.socket.destroy());
  client.write(upgradeHead('/socket').replace('Sec-WebSocket-Key', 'Sec-WebSocket-Kee'));
  await client.until(isOpen);
  assert.ok(Number((await bad.line())['status']) >= 400);
});

test('a client that goes before its connection is there is written down as gone', async (context) => {
  const { ask, line, sockets } = await setUp(context, () => {});
  const client = ask();
  await until('the instance was asked', () => sockets.length === 1);
  client.socket.resetAndDestroy();
  const { status, failure } = await line();
  assert.deepEqual({ status, failure }, { status: null, failure: 'client_gone' });
});
