import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { allowLongBody, boundConnections, connectionLimits } from '../../src/http/connections.ts';
import { until } from '../helpers/system.ts';

async function start(changes: { headersTimeout?: number; bodyTimeout?: number } = {}) {
  const limits = { ...connectionLimits, connectionsCheckingInterval: 20, ...changes };
  const server = createServer(limits, (request, response) => {
    if (request.url === '/patient') allowLongBody(request);
    if (request.method === 'GET') response.end('hello');
    else request.resume().once('end', () => response.end('all of it'));
  });
  boundConnections(server, changes.bodyTimeout);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    server,
    async open(): Promise<Socket> {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** The answer to exactly these bytes. */
async function answer(socket: Socket, bytes: string) {
  socket.write(bytes);
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
  return { line: head.split('\r\n')[0], body: body && JSON.parse(body) };
}

test('what is no HTTP is answered in the form of every error', async () => {
  await using server = await start();
  const cases: [string, RegExp][] = [
    ['nonsense\r\n\r\n', /^HTTP\/1\.1 400 /],
    [
      'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    ['GET / HTTP/1.1\r\nHost : x\r\n\r\n', /^HTTP\/1\.1 400 /],
    [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
  ];
  for (const [bytes, line] of cases) {
    const reply = await answer(await server.open(), bytes);
    assert.match(reply.line ?? '', line);
    assert.equal(reply.body.code, 'invalid_request');
    assert.match(reply.body.request_id, /^[0-9a-f-]{36}$/);
    assert.equal(typeof reply.body.error, 'string');
  }
});

test('who sends nothing, or never comes to an end, is cut off', async () => {
  await using server = await start({ headersTimeout: 200 });
  const silent = await server.open();
  const slow = await server.open();
  const drip = setInterval(() => slow.write('X: y\r\n'), 20);
  try {
    const reply = await answer(slow, 'GET / HTTP/1.1\r\n');
    assert.match(reply.line ?? '', /^HTTP\/1\.1 408 /);
    assert.equal(reply.body.error, 'the request did not come in time');
    await text(silent);
  } finally {
    clearInterval(drip);
  }
});

test('a body that does not come to an end is cut off, but for one that may take its time', async () => {
  await using server = await start({ bodyTimeout: 100 });
  const patient = await server.open();
  patient.write('POST /patient HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n1');
  for (const kind of ['Content-Length: 5', 'Transfer-Encoding: chunked']) {
    const reply = await answer(await server.open(), `POST / HTTP/1.1\r\nHost: x\r\n${kind}\r\n\r\n1`);
    assert.match(reply.line ?? '', /^HTTP\/1\.1 408 /);
    assert.equal(reply.body.error, 'the request did not come in time');
  }
  patient.write('2');
  assert.match(await text(patient), /all of it$/);
});

test('one address may hold only so many connections, and gets others when it gives some back', async () => {
  await using server = await start();
  const held: Socket[] = [];
  const accepted = () => promisify(server.server.getConnections.bind(server.server))();
  // As many at a time as the system keeps until they are accepted.
  while (held.length < 1000) {
    held.push(...(await Promise.all(Array.from({ length: 100 }, () => server.open()))));
    await until('they are accepted', async () => (await accepted()) === held.length);
  }
  const one = await server.open();
  assert.equal(await text(one), '');
  for (const socket of held.slice(0, 10)) socket.destroy();
  await until('there is room again', async () => {
    const socket = await server.open();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    return (await text(socket).catch(() => '')).endsWith('hello');
  });
  for (const socket of held) socket.destroy();
});
