import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { probeCheck } from '../../src/health/probe_check.ts';
import { until } from '../helpers/system.ts';
import { closedPort, instanceAt, probeOf } from './asking.ts';

/** A way in which a server behaves, and whether a probe of it must succeed. */
interface Behaviour<Peer> {
  readonly act: (peer: Peer) => void;
  readonly success: boolean;
}

const probes = 10_000;
const atOnce = 250;
/** Of what is well: a busy machine is no fault of anybody. Of the others: short enough for thousands that never come. */
const timeouts = { well: '60s', others: '1s' } as const;
const seed = Number(process.env['DAVIT_TEST_SEED'] ?? 20_261_121);

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall well';
const write = (text: string) => (socket: Socket) => void socket.end(text);
const drip = (socket: Socket) => {
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
  const timer = setInterval(() => socket.write('.'), 50);
  socket.on('close', () => clearInterval(timer));
};

/** What a server of HTTP does once it has been asked. */
const http: Readonly<Record<string, Behaviour<Socket>>> = {
  good: { act: write(ok), success: true },
  'good in pieces': {
    act: (socket) => {
      socket.write(ok.slice(0, 20));
      setTimeout(() => socket.end(ok.slice(20)), 20);
    },
    success: true,
  },
  'good to the end of the connection': { act: write('HTTP/1.1 200 OK\r\n\r\nall well'), success: true },
  'good in chunks': {
    act: write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nall \r\n4\r\nwell\r\n0\r\n\r\n'),
    success: true,
  },
  'no answer': { act: () => {}, success: false },
  reset: { act: (socket) => socket.resetAndDestroy(), success: false },
  'closed without a word': { act: (socket) => socket.end(), success: false },
  'closed after the headers': {
    act: write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n'),
    success: false,
  },
  'a part of the body': { act: write(ok.slice(0, -3)), success: false },
  'a reset within the body': {
    act: (socket) => {
      socket.write(ok.slice(0, -3));
      setTimeout(() => socket.resetAndDestroy(), 20);
    },
    success: false,
  },
  'a slow body': { act: drip, success: false },
  'a body that stops': { act: (socket) => void socket.write(ok.slice(0, -3)), success: false },
  'headers that stop': { act: (socket) => void socket.write(ok.slice(0, 20)), success: false },
  'another status': { act: write(ok.replace('200 OK', '503 No')), success: false },
  'another body': { act: write(ok.replace('well', 'lost')), success: false },
  garbage: { act: write('\0\x01\x02 not HTTP at all\r\n\r\n'), success: false },
  'huge headers': {
    act: write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}\r\n\r\nall well`),
    success: false,
  },
  'another protocol': { act: write('SSH-2.0-OpenSSH\r\n'), success: false },
};

const websocket: Readonly<Record<string, Behaviour<WebSocket>>> = {
  good: { act: (socket) => socket.send('all well'), success: true },
  'good, in pieces': {
    act: (socket) => {
      socket.send('all ', { fin: false });
      socket.send('well', { fin: true });
    },
    success: true,
  },
  'no answer': { act: () => {}, success: false },
  'another answer': { act: (socket) => socket.send('all lost'), success: false },
  'closed in place of an answer': { act: (socket) => socket.close(1011), success: false },
  'lost in place of an answer': { act: (socket) => socket.terminate(), success: false },
  'too large': { act: (socket) => socket.send('x'.repeat(100_000)), success: false },
};

const answered = (status: number) => (stream: ServerHttp2Stream) => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.of(0, 0, 0, 0, 2, 8, status));
};

const grpc: Readonly<Record<string, Behaviour<ServerHttp2Stream>>> = {
  good: { act: answered(1), success: true },
  'not serving': { act: answered(2), success: false },
  'no answer': { act: () => {}, success: false },
  'an error': {
    act: (stream) => stream.respond({ ':status': 200, 'grpc-status': '5' }, { endStream: true }),
    success: false,
  },
  'another status': {
    act: (stream) => stream.respond({ ':status': 404 }, { endStream: true }),
    success: false,
  },
  'a reset': { act: (stream) => stream.close(2), success: false },
  'a lost connection': { act: (stream) => stream.session?.destroy(), success: false },
  'an answer without its end': {
    act: (stream) => {
      stream.respond({ ':status': 200 });
      stream.write(Buffer.of(0, 0, 0, 0, 2, 8, 1));
    },
    success: false,
  },
};

/** What is asked, and what the answer must be. */
interface Question {
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly port: number;
  readonly success: boolean;
}

/** Counts all that is open, so that nothing can be left over unseen. */
const open = new Set<Socket>();
const servers: Server[] = [];
const portOf = new Map<string, number>();

async function listen(name: string, server: Server): Promise<void> {
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => {});
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1_000 });
  await once(server, 'listening');
  servers.push(server);
  portOf.set(name, (server.address() as AddressInfo).port);
}

before(async () => {
  for (const [name, { act }] of Object.entries(http))
    await listen(
      `http ${name}`,
      createServer((socket) => socket.once('data', () => act(socket))),
    );
  for (const [name, { act }] of Object.entries(websocket)) {
    const { createServer } = await import('node:http');
    const server = createServer();
    new WebSocketServer({ server }).on('connection', (socket) => {
      socket.on('error', () => {}).on('message', () => act(socket));
    });
    await listen(`websocket ${name}`, server);
  }
  for (const [name, { act }] of Object.entries(grpc)) {
    const server = createHttp2Server();
    server.on('session', (session) => session.on('error', () => {}));
    server.on('stream', (stream) => act(stream.on('error', () => {})));
    await listen(`grpc ${name}`, server as never);
  }
  await listen(
    'tcp good',
    createServer((socket) => socket.resume()),
  );
  portOf.set('refused', await closedPort(createServer()));
});

after(() => {
  for (const server of servers) server.close();
});

const fieldsOf: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  http: { type: 'http', body: '^all well$' },
  websocket: { type: 'websocket', send: 'how are you', expect: '^all well$' },
  grpc: { type: 'grpc' },
  tcp: { type: 'tcp' },
};

/** Everything that can be asked; what hangs until the timeout is asked less often. */
function questions(): Question[] {
  const behaviours = { http, websocket, grpc, tcp: { good: { success: true } } };
  return Object.entries(behaviours).flatMap(([type, all]) => {
    const fieldsFor = (isWell: boolean) => ({
      ...fieldsOf[type],
      timeout: isWell ? timeouts.well : timeouts.others,
    });
    const port = (name: string) => portOf.get(name) ?? 0;
    return [
      ...Object.entries(all).map(([name, { success }]) => {
        const full = `${type} ${name}`;
        return { name: full, fields: fieldsFor(success), port: port(full), success };
      }),
      { name: `${type} refused`, fields: fieldsFor(false), port: port('refused'), success: false },
    ];
  });
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(`of ${probes} probes with faults put in, every verdict is right (seed ${seed})`, async (t) => {
  const random = randomFrom(seed);
  const all = questions();
  const wrong: string[] = [];
  const asked = new Map<string, number>();
  const { signal } = new AbortController();
  let left = probes;
  const asking = async () => {
    while (left-- > 0) {
      const { name, fields, port, success } = all[Math.floor(random() * all.length)] as Question;
      const result = await probeCheck(probeOf(fields), instanceAt(port))(signal);
      asked.set(name, (asked.get(name) ?? 0) + 1);
      if (result.success !== success) wrong.push(`${name}: ${result.message} (${result.duration_ms} ms)`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, asking));
  assert.deepEqual(wrong, []);
  assert.equal(
    [...asked.values()].reduce((sum, count) => sum + count, 0),
    probes,
  );
  assert.equal(asked.size, all.length);
  await until('no connection is left open', () => open.size === 0);
  t.diagnostic(`${all.length} behaviours, each asked at least ${Math.min(...asked.values())} times`);
});
