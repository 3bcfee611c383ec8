import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionOptions,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { RouterSettings } from '../../src/contract/routing_table.ts';
import type { HttpFrontOptions } from '../../src/router/http_front.ts';
import {
  bodyOf,
  type Front,
  openBackend,
  openFront,
  openRawBackend,
  settings,
  until,
} from '../helpers/http_front.ts';
import { openRecordingBackend } from '../helpers/recording_backend.ts';
import { type CertificateFiles, makeCertificate } from '../helpers/server_certificates.ts';

let folder: string;
let certificate: CertificateFiles;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-router-h2-'));
  certificate = makeCertificate(folder, 'first', ['first.example']);
});
after(() => rmSync(folder, { recursive: true }));

function openTlsFront(
  t: TestContext,
  ports: readonly number[],
  limits: Partial<RouterSettings['limits']> = {},
  options: Partial<HttpFrontOptions> = {},
): Promise<Front> {
  const listeners = [{ address: '127.0.0.1:0', tls: true, proxy_protocol: false }];
  return openFront(t, ports, settings({ listeners, certificates: [certificate] }, limits), options);
}

async function openSession(
  t: TestContext,
  port: number,
  options: ClientSessionOptions | SecureClientSessionOptions = {},
): Promise<ClientHttp2Session> {
  const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, ...options });
  t.after(() => session.destroy());
  session.on('error', () => {});
  await once(session, 'connect');
  return session;
}

interface Answer {
  readonly headers: IncomingHttpHeaders & { ':status'?: number };
  readonly text: string;
  readonly trailers: IncomingHttpHeaders;
}

async function answerTo(stream: ClientHttp2Stream): Promise<Answer> {
  let trailers: IncomingHttpHeaders = {};
  stream.on('trailers', (given) => {
    trailers = given;
  });
  const [headers] = (await once(stream, 'response')) as [Answer['headers']];
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) text += String(chunk);
  return { headers, text, trailers };
}

function send(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string): Promise<Answer> {
  const stream = session.request({ ':authority': 'a', ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return answerTo(stream);
}

test('requests over HTTP/2 reach the instance as HTTP/1.1, many at a time on one connection', async (t) => {
  const backend = await openBackend(t, async (request, response) => {
    const text = await bodyOf(request);
    response.writeHead(201, { 'Set-Cookie': ['one=1', 'two=2'], Connection: 'close, X-Hop', 'X-Hop': '1' });
    response.end(
      `${request.method} ${request.url} ${request.headers.host} ${request.headers.cookie} ${text}`,
    );
  });
  const { port, service, open } = await openTlsFront(t, [backend.port]);
  const session = await openSession(t, port);
  const headers = { ':path': '/a?b=c', ':authority': 'shop.example:443', cookie: ['x=1', 'y=2'] };
  const [got, posted] = await Promise.all([
    send(session, headers),
    send(session, { ...headers, ':method': 'POST' }, 'hello'),
  ]);
  assert.equal(got?.headers[':status'], 201);
  assert.deepEqual(got?.headers['set-cookie'], ['one=1', 'two=2']);
  assert.equal(got?.headers.connection, undefined);
  assert.equal(got?.headers['x-hop'], undefined);
  assert.equal(got?.text, 'GET /a?b=c shop.example:443 x=1; y=2 ');
  assert.equal(posted?.text, 'POST /a?b=c shop.example:443 x=1; y=2 hello');
  assert.equal(service.open_leases, 0);
  const [listed] = open.list({}, 10).connections;
  assert.equal(listed?.protocol, 'http/2');
  assert.deepEqual(
    [listed?.service, listed?.host, listed?.path, listed?.active],
    ['web', 'shop.example', '/a', false],
  );
});

test('a client that speaks no HTTP/2 is served by HTTP/1.1 on the same port', async (t) => {
  const backend = await openBackend(t, (request, response) => response.end(request.httpVersion));
  const { port } = await openTlsFront(t, [backend.port]);
  for (const ALPNProtocols of [['http/1.1'], undefined]) {
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ...(ALPNProtocols && { ALPNProtocols }),
    });
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    assert.match(await text(socket), /^HTTP\/1\.1 200 OK\r\n/);
  }
});

async function text(socket: TLSSocket): Promise<string> {
  let all = '';
  for await (const chunk of socket.setEncoding('latin1')) all += String(chunk);
  return all;
}

test('trailers of an answer, interim answers, and answers without a body come over HTTP/2 too', async (t) => {
  const backend = await openBackend(t, (request, response) => {
    if (request.url === '/trailers') {
      response.writeHead(200, { Trailer: 'grpc-status' });
      response.write('body');
      response.addTrailers({ 'grpc-status': '0' });
      response.end();
    } else if (request.url === '/hints') {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => response.end('done'));
    } else response.writeHead(request.url === '/none' ? 204 : 200, { 'X-Is': 'here' }).end();
  });
  const { port } = await openTlsFront(t, [backend.port]);
  const session = await openSession(t, port);
  const trailers = await send(session, { ':path': '/trailers' });
  assert.deepEqual([trailers.text, trailers.trailers['grpc-status']], ['body', '0']);
  const hints = session.request({ ':path': '/hints', ':authority': 'a' });
  const [[early], hinted] = await Promise.all([once(hints, 'headers'), answerTo(hints)]);
  assert.deepEqual([early[':status'], early.link, hinted.text], [103, '</a.css>; rel=preload', 'done']);
  assert.equal((await send(session, { ':path': '/none' })).headers[':status'], 204);
  assert.equal((await send(session, { ':path': '/', ':method': 'HEAD' })).headers['x-is'], 'here');
});

test('what is refused over HTTP/1.1 is refused over HTTP/2, and no backend sees anything of it', async (t) => {
  const backend = await openRecordingBackend(t);
  const { port } = await openTlsFront(t, [backend.port]);
  const session = await openSession(t, port);
  const cases: [OutgoingHttpHeaders, number][] = [
    [{ ':path': '/', host: 'b' }, 400],
    [{ ':path': '/', ':authority': 'a/b' }, 400],
    [{ ':path': '/', ':authority': 'x@a' }, 400],
    [{ ':path': '/a b' }, 400],
    [{ ':path': '/a#b' }, 400],
    [{ ':path': 'a' }, 400],
    [{ ':path': 'http://b/' }, 400],
    [{ ':path': '/a%2f..%2fb' }, 400],
    [{ ':method': 'CONNECT', ':authority': 'a:80' }, 405],
  ];
  for (const [headers, status] of cases) {
    // The library refuses some of them by itself.
    const given = await send(session, headers).then(
      (answer) => answer.headers[':status'],
      ({ code }) => code,
    );
    assert.ok(given === status || given === 'ERR_HTTP2_STREAM_ERROR', `${JSON.stringify(headers)}: ${given}`);
  }
  assert.deepEqual(backend.bytes, []);
  assert.equal((await send(session, { ':path': '/', ':authority': 'a', host: 'A' })).headers[':status'], 200);
});

test('fields that would be another request over HTTP/1.1 do not reach the backend', async (t) => {
  const backend = await openRecordingBackend(t);
  const { port } = await openTlsFront(t, [backend.port]);
  const [session, other] = await Promise.all([openSession(t, port), openSession(t, port)]);
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
  const wrongLength = send(other, { ':path': '/', ':method': 'POST', 'content-length': '1' }, smuggled);
  await wrongLength.catch(() => {});
  const chunks = await send(session, { ':path': '/', ':method': 'POST' }, `0\r\n\r\n${smuggled}`);
  assert.equal(chunks.headers[':status'], 200);
  for (const bytes of backend.bytes) assert.ok(!/^transfer-encoding:.*\r\ncontent-length:/im.test(bytes));
  assert.ok(backend.requests().every(({ line }) => !line.includes('/smuggled')));
});

test('a request that is reset ends at the instance', async (t) => {
  const seen = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const backend = await openBackend(t, (_request, response) => {
    response.on('close', closed.resolve);
    seen.resolve();
  });
  const { port, service } = await openTlsFront(t, [backend.port]);
  const session = await openSession(t, port);
  const stream = session.request({ ':path': '/', ':authority': 'a' });
  await seen.promise;
  stream.close(constants.NGHTTP2_CANCEL);
  await closed.promise;
  await until(() => service.open_leases === 0);
  assert.deepEqual(service.facts, [{ instance: 1, fact: 'end' }]);
});

test('a request whose body the instance does not read ends there too, by whatever code it is reset', async (t) => {
  for (const code of [constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_CANCEL]) {
    const deaf = await openRawBackend(t, (socket) => socket.pause());
    const { port, service } = await openTlsFront(t, [deaf]);
    const session = await openSession(t, port);
    const stream = session.request({ ':path': '/', ':authority': 'a', ':method': 'POST' });
    stream.on('error', () => {}).write(Buffer.alloc(9_000_000));
    await until(() => service.open_leases === 1);
    stream.close(code);
    await until(() => service.open_leases === 0);
    assert.deepEqual(service.facts, [{ instance: 1, fact: 'end' }]);
  }
});

test('an answer that the instance breaks off is reset for the client', async (t) => {
  const broken = await openRawBackend(t, (socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello'));
  });
  const { port } = await openTlsFront(t, [broken]);
  const session = await openSession(t, port);
  await assert.rejects(send(session, { ':path': '/' }), { code: 'ERR_HTTP2_STREAM_ERROR' });
});

test('an instance that answers before it has the whole body is heard', async (t) => {
  const early = await openRawBackend(t, (socket) => {
    socket.once('data', () =>
      socket.write('HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!'),
    );
  });
  const { port, service } = await openTlsFront(t, [early]);
  const session = await openSession(t, port);
  const stream = session.request({ ':path': '/', ':authority': 'a', ':method': 'POST' });
  stream.write('x');
  const { headers, text: body } = await answerTo(stream);
  assert.deepEqual([headers[':status'], body], [413, 'no!']);
  await until(() => service.open_leases === 0);
});

test('a client that waits to be told to go on is told when an instance is there', async (t) => {
  const backend = await openBackend(t, async (request, response) => response.end(await bodyOf(request)));
  const { port } = await openTlsFront(t, [backend.port]);
  const session = await openSession(t, port);
  const headers = { ':path': '/', ':authority': 'a', ':method': 'POST', expect: '100-continue' };
  const stream = session.request(headers);
  const answer = answerTo(stream);
  await once(stream, 'continue');
  stream.end('hello');
  assert.equal((await answer).text, 'hello');
});

test('large bodies go both ways, and one that nobody takes does not hold up the others', async (t) => {
  const size = 20_000_000;
  const backend = await openBackend(t, async (request, response) => {
    // Nothing is read of it, and nothing answered.
    if (request.url === '/stuck') return;
    let got = 0;
    for await (const part of request) got += (part as Buffer).length;
    response.setHeader('X-Got', got);
    response.end(Buffer.alloc(size));
  });
  const { port, service } = await openTlsFront(t, [backend.port]);
  const session = await openSession(t, port, { maxSessionMemory: 1_000 });
  session.setLocalWindowSize(1_000_000);
  const stuck = session.request({ ':path': '/stuck', ':authority': 'a', ':method': 'POST' });
  stuck.on('error', () => {}).write(Buffer.alloc(size));
  const unread = session.request({ ':path': '/', ':authority': 'a' });
  await once(unread, 'response');
  const stream = session.request({ ':path': '/', ':authority': 'a', ':method': 'POST' });
  stream.end(Buffer.alloc(size));
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  assert.equal(Number(headers['x-got']), size);
  let got = 0;
  for await (const part of stream) got += (part as Buffer).length;
  assert.equal(got, size);
  unread.close(constants.NGHTTP2_CANCEL);
  stuck.close(constants.NGHTTP2_CANCEL);
  await until(() => service.open_leases === 0);
});

test('an answer that the client does not read is reset after a while', async (t) => {
  const backend = await openBackend(t, (_request, response) => response.end(Buffer.alloc(5_000_000)));
  const { port, service } = await openTlsFront(t, [backend.port], { body_timeout: 300 });
  const session = await openSession(t, port);
  const stream = session.request({ ':path': '/', ':authority': 'a' });
  stream.on('error', () => {});
  await once(stream, 'response');
  await once(stream, 'close');
  assert.equal(stream.rstCode, constants.NGHTTP2_CANCEL);
  await until(() => service.open_leases === 0);
});

test('a connection with a WebSocket on it is not closed because nothing else is asked', async (t) => {
  const opened = Promise.withResolvers<{ end(text: string): void }>();
  const upgrades = {
    take: () => {},
    takeStream: (stream: { respond(headers: OutgoingHttpHeaders): void; end(text: string): void }) => {
      stream.respond({ ':status': 200 });
      opened.resolve(stream);
    },
  };
  const { port } = await openTlsFront(t, [], { idle_timeout: 100 }, { upgrades });
  const session = await openSession(t, port);
  await once(session, 'remoteSettings');
  const headers = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'https',
    ':path': '/',
    ':authority': 'a',
  };
  const answer = answerTo(session.request(headers, { endStream: false }));
  const stream = await opened.promise;
  // A connection that was made later and rests is closed meanwhile.
  const other = await openSession(t, port);
  await send(other, { ':path': '/' });
  await once(other, 'close');
  stream.end('still here');
  assert.equal((await answer).text, 'still here');
});

test('a WebSocket is asked for by extended CONNECT', async (t) => {
  const taken: IncomingHttpHeaders[] = [];
  const upgrades = {
    take: () => {},
    takeStream: (
      stream: { respond(headers: OutgoingHttpHeaders): void; end(): void },
      headers: IncomingHttpHeaders,
    ) => {
      taken.push(headers);
      stream.respond({ ':status': 200 });
      stream.end();
    },
  };
  const { port } = await openTlsFront(t, [], {}, { upgrades });
  const session = await openSession(t, port);
  if (session.remoteSettings?.enableConnectProtocol !== true) await once(session, 'remoteSettings');
  assert.equal(session.remoteSettings.enableConnectProtocol, true);
  const headers = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'https',
    ':path': '/chat',
    ':authority': 'a',
  };
  assert.equal((await send(session, headers, '')).headers[':status'], 200);
  assert.equal(taken[0]?.[':protocol'], 'websocket');
});

test('a router that ends answers what is under way, and tells the client to go elsewhere', async (t) => {
  const answering = Promise.withResolvers<() => void>();
  const backend = await openBackend(t, (_request, response) => answering.resolve(() => response.end('done')));
  const { port, front, ending } = await openTlsFront(t, [backend.port]);
  const session = await openSession(t, port);
  const goaway = once(session, 'goaway');
  const answer = send(session, { ':path': '/' });
  const finish = await answering.promise;
  ending.is_ending = true;
  front.stopListening();
  assert.equal((await goaway)[0], constants.NGHTTP2_NO_ERROR);
  finish();
  assert.equal((await answer).text, 'done');
  await until(() => front.facts().connections === 0);
});

/** A frame of HTTP/2. */
function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

async function rawSession(t: TestContext, port: number): Promise<TLSSocket> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  socket.on('error', () => {}).resume();
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(frame(4, 0, 0, Buffer.alloc(0)));
  return socket;
}

test('a client that opens and resets requests without end is cut off (rapid reset)', async (t) => {
  const backend = await openBackend(t, () => {});
  const { port, front, service } = await openTlsFront(t, [backend.port]);
  const socket = await rawSession(t, port);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  // GET https://a/
  const head = Buffer.from([0x82, 0x87, 0x84, 0x41, 0x01, 0x61]);
  const cancel = Buffer.from([0, 0, 0, constants.NGHTTP2_CANCEL]);
  let count = 0;
  const pump = () => {
    if (socket.destroyed || count >= 20_000) return;
    const frames = Array.from({ length: 50 }, () => {
      count += 1;
      const stream = 2 * count - 1;
      return Buffer.concat([frame(1, 5, stream, head), frame(3, 0, stream, cancel)]);
    });
    socket.write(Buffer.concat(frames), () => setImmediate(pump));
  };
  pump();
  await closed;
  assert.ok(count < 20_000, `${count} requests`);
  await until(() => front.facts().connections === 0 && service.open_leases === 0);
  assert.ok(service.facts.length < 1_000, `few of them have come to an instance: ${service.facts.length}`);
});

test('a head that goes on without end is cut off (CONTINUATION flood)', async (t) => {
  const { port, front } = await openTlsFront(t, []);
  const socket = await rawSession(t, port);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  // :method GET, and then literals without end.
  socket.write(frame(1, 0, 1, Buffer.from([0x82])));
  const more = frame(
    9,
    0,
    1,
    Buffer.concat(Array.from({ length: 500 }, () => Buffer.from([0x00, 0x01, 0x61, 0x01, 0x62]))),
  );
  let sent = 0;
  const pump = () => {
    while (!socket.destroyed && sent < 100_000_000) {
      sent += more.length;
      if (!socket.write(more)) break;
    }
    if (!socket.destroyed) socket.once('drain', pump);
  };
  pump();
  await closed;
  assert.ok(sent < 5_000_000, `${sent} bytes`);
  await until(() => front.facts().connections === 0);
});

test('pings, settings and empty frames without end are cut off or ignored, and cost no memory', async (t) => {
  const { port, front } = await openTlsFront(t, []);
  const kinds = [
    frame(6, 0, 0, Buffer.alloc(8)),
    frame(4, 0, 0, Buffer.alloc(0)),
    frame(2, 0, 1, Buffer.alloc(5)),
  ];
  for (const kind of kinds) {
    const socket = await rawSession(t, port);
    // The answers to them are not read.
    socket.pause();
    const many = Buffer.concat(Array.from({ length: 10_000 }, () => kind));
    for (let round = 0; round < 20 && !socket.destroyed; round += 1)
      await new Promise((resolve) => socket.write(many, resolve));
    socket.destroy();
  }
  await until(() => front.facts().connections === 0);
});

test('a head that is larger than may be, or has more fields than any, is refused', async (t) => {
  const backend = await openRecordingBackend(t);
  const { port } = await openTlsFront(t, [backend.port], { header_size: 4_096 });
  const session = await openSession(t, port);
  const large = await send(session, { ':path': '/', 'x-large': 'x'.repeat(8_000) }).catch(({ code }) => code);
  assert.ok(large === 'ERR_HTTP2_STREAM_ERROR' || large.headers[':status'] === 431);
  const many = Object.fromEntries(Array.from({ length: 400 }, (_, at) => [`x-${at}`, '1']));
  await assert.rejects(send(session, { ':path': '/', ...many }));
  assert.deepEqual(backend.bytes, []);
});

test('a connection on which nothing is asked is closed after a while', async (t) => {
  const backend = await openBackend(t, (_request, response) => response.end('x'));
  const { port, front } = await openTlsFront(t, [backend.port], { header_timeout: 100, idle_timeout: 100 });
  const silent = await rawSession(t, port);
  await once(silent, 'close');
  const session = await openSession(t, port);
  assert.equal((await send(session, { ':path': '/' })).text, 'x');
  await once(session, 'close');
  await until(() => front.facts().connections === 0);
});
