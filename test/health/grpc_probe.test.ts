import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { Server, ServerCredentials, type ServiceDefinition, type sendUnaryData, status } from '@grpc/grpc-js';
import { decodeResponse, encodeRequest } from '../../src/health/grpc_message.ts';
import { contents, makeCertificates } from '../cli/certificates.ts';
import { until } from '../helpers/system.ts';
import { ask, closedPort, listen } from './asking.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-grpc-probe-'));
after(() => rmSync(folder, { recursive: true }));

const health: ServiceDefinition = {
  Check: {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: (name: Buffer) => name,
    // A tag and, for a name of this length, a length of one or two bytes stand before it.
    requestDeserialize: (bytes: Buffer) => ({
      name: bytes.subarray(bytes.length > 129 ? 3 : 2).toString('utf8'),
    }),
    responseSerialize: (serving: number) => (serving === 0 ? Buffer.alloc(0) : Buffer.of(8, serving)),
    responseDeserialize: (bytes: Buffer) => bytes,
  },
};

/** The serving status of services by their names, at a real gRPC server. */
async function serve(
  t: TestContext,
  statuses: Readonly<Record<string, number>>,
  credentials = ServerCredentials.createInsecure(),
): Promise<number> {
  const server = new Server();
  server.addService(health, {
    Check: ({ request }: { request: { name: string } }, answer: sendUnaryData<number>) => {
      const serving = statuses[request.name];
      if (serving === undefined) answer({ code: status.NOT_FOUND, details: `no ${request.name}` });
      else answer(null, serving);
    },
  });
  t.after(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

test('a gRPC server is asked for what it serves', async (t) => {
  const long = 'a.very.long.Name'.repeat(16);
  const port = await serve(t, { '': 1, ready: 1, draining: 2, unknown: 0, [long]: 1 });
  const results = await Promise.all(
    ['', 'ready', 'draining', 'unknown', long, 'other'].map((service) =>
      ask({ type: 'grpc', service }, port),
    ),
  );
  assert.deepEqual(
    results.map(({ success }) => success),
    [true, true, false, false, true, false],
  );
  assert.equal(results[0]?.message, `The gRPC health check of 127.0.0.1:${port} was answered SERVING`);
  assert.match(results[2]?.message ?? '', /for draining was answered NOT_SERVING$/);
  assert.match(results[5]?.message ?? '', /with gRPC status 5 \(the service is not known\): no other$/);
});

test('a gRPC server without a health check is a failure that says so', async (t) => {
  const server = new Server();
  t.after(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = ServerCredentials.createInsecure();
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
  const { success, message } = await ask({ type: 'grpc' }, port);
  assert.equal(success, false);
  assert.match(message, /with gRPC status 12 \(there is no such health check\)/);
});

test('with TLS the certificate matters only where that is asked for', async (t) => {
  const certificates = makeCertificates(folder);
  const { cert, key } = contents(certificates.server);
  const credentials = ServerCredentials.createSsl(null, [{ cert_chain: cert, private_key: key }]);
  const port = await serve(t, { '': 1 }, credentials);
  const asking = async (tls: Record<string, unknown>) => (await ask({ type: 'grpc', tls }, port)).success;
  assert.equal(await asking({}), true);
  assert.equal(await asking({ verify: true }), false);
  assert.equal(await asking({ verify: true, ca_file: certificates.ca }), true);
});

/** A server of HTTP/2 that answers each request in its own way. */
async function answering(t: TestContext, answer: (stream: ServerHttp2Stream) => void): Promise<number> {
  const server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session.on('error', () => {})));
  server.on('stream', (stream) => answer(stream.on('error', () => {})));
  t.after(() => {
    for (const session of sessions) session.destroy();
  });
  return listen(t, server);
}

for (const [what, answer, message] of [
  [
    'another HTTP status',
    (stream: ServerHttp2Stream) => stream.respond({ ':status': 503 }, { endStream: true }),
    /with HTTP status 503, expected 200$/,
  ],
  [
    'no gRPC status',
    (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200 });
      stream.end('hello');
    },
    /was not answered to the end$/,
  ],
  ['a reset', (stream: ServerHttp2Stream) => stream.close(2), /failed: /],
  ['a lost connection', (stream: ServerHttp2Stream) => stream.session?.socket.destroy(), /failed: /],
  [
    'too much',
    (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200 });
      stream.end(Buffer.alloc(10_000));
    },
    /by more than a health check$/,
  ],
  [
    'a message that is none',
    (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end('what?');
    },
    /was answered with an unreadable message$/,
  ],
  ['nothing', () => {}, /took longer than 300 ms: it waited for an answer$/],
] as const) {
  test(`${what} in place of an answer is a failure`, async (t) => {
    const port = await answering(t, answer);
    const result = await ask({ type: 'grpc', timeout: '300ms' }, port);
    assert.equal(result.success, false);
    assert.match(result.message, message);
  });
}

test('a server that speaks HTTP/1 only, or hangs, or is not there, is a failure', async (t) => {
  let open = 0;
  const hanging = createTcpServer((socket) => {
    open++;
    socket.resume().on('error', () => {});
    socket.on('close', () => open--);
  });
  const plain = createHttpServer((_request, response) => void response.end());
  const ports = [await listen(t, plain), await listen(t, hanging), await closedPort(createTcpServer())];
  const results = await Promise.all(ports.map((port) => ask({ type: 'grpc', timeout: '300ms' }, port)));
  assert.deepEqual(
    results.map(({ success }) => success),
    [false, false, false],
  );
  assert.match(results[2]?.message ?? '', /was refused: nobody listens there$/);
  await until('no connection is left', () => open === 0);
});

const inFrame = (...bytes: number[]) => Buffer.from([0, 0, 0, 0, bytes.length, ...bytes]);

test('requests are encoded as protocol buffers do it', () => {
  assert.deepEqual(encodeRequest(''), inFrame());
  assert.deepEqual(encodeRequest('ab'), inFrame(0x0a, 2, 0x61, 0x62));
  assert.deepEqual(encodeRequest('ä'.repeat(100)).subarray(5, 8), Buffer.of(0x0a, 0xc8, 0x01));
});

test('answers are decoded, with fields passed over that are not known, and nothing else is taken for one', () => {
  for (const [bytes, serving] of [
    [inFrame(), 'UNKNOWN'],
    [inFrame(8, 1), 'SERVING'],
    [inFrame(8, 2), 'NOT_SERVING'],
    [inFrame(8, 9), 'status 9'],
    [inFrame(0x12, 2, 8, 2, 8, 1), 'SERVING'],
    [inFrame(0x1d, 1, 2, 3, 4, 8, 1), 'SERVING'],
    [inFrame(0x19, 1, 2, 3, 4, 5, 6, 7, 8, 8, 1), 'SERVING'],
    [inFrame(8, 2, 8, 1), 'SERVING'],
    [inFrame(8), null],
    [inFrame(8, 0x80), null],
    [inFrame(0x12, 50, 1), null],
    [inFrame(0x0b), null],
    [Buffer.of(1, 0, 0, 0, 2, 8, 1), null],
    [Buffer.of(0, 0, 0, 0, 9, 8, 1), null],
    [Buffer.of(0, 0), null],
  ] as const) {
    assert.equal(decodeResponse(bytes), serving, bytes.toString('hex'));
  }
});
