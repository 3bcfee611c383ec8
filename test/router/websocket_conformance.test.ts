import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { before, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { constants, deflateRawSync } from 'node:zlib';
import { type WebSocket, WebSocketServer } from 'ws';
import { listen, startUpgradeRouter, TestInstance, TestService } from '../helpers/upgrades.ts';
import { closePayload, frame, opcodes, RawClient, upgradeHead } from '../helpers/websocket_frames.ts';

/** What a client does, and with whom. */
interface Case {
  readonly name: string;
  /** Says to the server what it shall do. */
  readonly path?: string;
  readonly fields?: readonly string[];
  /** Written one after the other. */
  readonly sends: readonly Buffer[];
  /** Sends the head of the request and everything else in one go. */
  readonly atOnce?: boolean;
  /** Ends its direction after what it sends, without waiting. */
  readonly halfClose?: boolean;
}

const { continuation, text, binary, close, ping, pong } = opcodes;
const closing = frame(close, closePayload(1000, 'done'));
const bytewise = (bytes: Buffer) => Array.from(bytes, (byte) => Buffer.of(byte));
const filled = (length: number) => Buffer.alloc(length, 'abcdefghij');

const sizes = [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537].flatMap((size): Case[] => [
  { name: `a text message of ${size} bytes`, sends: [frame(text, filled(size)), closing] },
  { name: `a binary message of ${size} bytes`, sends: [frame(binary, filled(size)), closing] },
]);

const controls: Case[] = [
  { name: 'a ping', sends: [frame(ping, ''), closing] },
  { name: 'a ping with a payload', sends: [frame(ping, Buffer.from([0, 255, 254, 253])), closing] },
  { name: 'a ping of 125 bytes', sends: [frame(ping, filled(125)), closing] },
  { name: 'a ping that is too long', sends: [frame(ping, filled(126))] },
  { name: 'a pong that nobody asked for', sends: [frame(pong, 'hi'), frame(text, 'x'), closing] },
  { name: 'ten pings', sends: [...Array.from({ length: 10 }, (_, at) => frame(ping, `${at}`)), closing] },
  { name: 'a fragmented ping', sends: [frame(ping, 'a', { fin: false }), frame(continuation, 'b')] },
];

const fragments: Case[] = [
  {
    name: 'a message in two fragments',
    sends: [frame(text, 'one', { fin: false }), frame(continuation, 'two'), closing],
  },
  {
    name: 'a message in many fragments with pings between them',
    sends: [
      frame(text, 'a', { fin: false }),
      ...Array.from({ length: 20 }, (_, at) => [
        frame(ping, `${at}`),
        frame(continuation, `${at}`, { fin: false }),
      ]).flat(),
      frame(continuation, ''),
      closing,
    ],
  },
  { name: 'a continuation of nothing', sends: [frame(continuation, 'x')] },
  { name: 'a new message within another one', sends: [frame(text, 'a', { fin: false }), frame(text, 'b')] },
  {
    name: 'fragments without content',
    sends: [
      frame(text, '', { fin: false }),
      frame(continuation, '', { fin: false }),
      frame(continuation, ''),
      closing,
    ],
  },
];

const violations: Case[] = [
  ...[1, 2, 3, 4, 5, 6, 7].map((reserved) => ({
    name: `reserved bits ${reserved}`,
    sends: [frame(text, 'before'), frame(text, 'x', { reserved })],
  })),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => ({
    name: `opcode ${opcode}`,
    sends: [frame(opcode, 'x')],
  })),
  { name: 'a frame without a mask', sends: [frame(text, 'x', { masked: false })] },
  { name: 'a length of 2^63', sends: [Buffer.from('82ffffffffffffffffff', 'hex')] },
  { name: 'bytes that are no frame', sends: [Buffer.from('GET / HTTP/1.1\r\nHost: other\r\n\r\n')] },
];

const closes: Case[] = [
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map(
    (code) => ({
      name: `close code ${code}`,
      sends: [frame(close, closePayload(code, 'why'))],
    }),
  ),
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code) => ({
    name: `invalid close code ${code}`,
    sends: [frame(close, closePayload(code, 'why'))],
  })),
  { name: 'a close without a code', sends: [frame(close, '')] },
  { name: 'a close with half a code', sends: [frame(close, Buffer.of(3))] },
  { name: 'a close with the longest reason', sends: [frame(close, closePayload(1000, filled(123)))] },
  { name: 'a close with too long a reason', sends: [frame(close, closePayload(1000, filled(124)))] },
  {
    name: 'a close whose reason is no UTF-8',
    sends: [frame(close, closePayload(1000, Buffer.from([0xce, 0xba, 0xe1, 0xbd])))],
  },
  { name: 'data after a close', sends: [Buffer.concat([closing, frame(text, 'late'), frame(ping, 'late')])] },
  { name: 'two closes', sends: [Buffer.concat([closing, closing])] },
  ...[1000, 1001, 1011, 1012, 3000, 4999].map((code) => ({
    name: `close code ${code} of the server`,
    path: `/close/${code}`,
    sends: [frame(close, closePayload(code))],
  })),
];

const texts: Case[] = [
  { name: 'UTF-8 of all lengths', sends: [frame(text, 'κόσμε €𝄞 \u{10ffff}'), closing] },
  {
    name: 'a character cut in two by a fragment',
    sends: [
      frame(text, Buffer.from([0xce]), { fin: false }),
      frame(continuation, Buffer.from([0xba])),
      closing,
    ],
  },
  ...['ff', 'c0af', 'eda080', 'f4908080', 'ceba80', 'e282', 'f0808080'].map((bytes) => ({
    name: `text ${bytes}, which is no UTF-8`,
    sends: [frame(text, Buffer.from(bytes, 'hex'))],
  })),
];

const deflates = [
  'permessage-deflate',
  'permessage-deflate; client_max_window_bits',
  'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
  ...[9, 10, 12, 15].map((bits) => `permessage-deflate; server_max_window_bits=${bits}`),
  'permessage-deflate; server_max_window_bits=8',
  'x-unknown, permessage-deflate; client_max_window_bits=10',
];
const compressed: Case[] = deflates.flatMap((offer): Case[] => {
  const fields = [`Sec-WebSocket-Extensions: ${offer}`];
  return [
    {
      name: `compressed messages after the offer "${offer}"`,
      fields,
      sends: [
        ...[16, 256, 4_096, 65_536, 131_072].map((size) =>
          frame(binary, deflated(filled(size)), { reserved: 4 }),
        ),
        frame(text, 'plain'),
        closing,
      ],
    },
    {
      name: `a compressed message in fragments after the offer "${offer}"`,
      fields,
      sends: [
        frame(text, deflated(filled(5_000)).subarray(0, 7), { fin: false, reserved: 4 }),
        frame(ping, 'between'),
        frame(continuation, deflated(filled(5_000)).subarray(7)),
        closing,
      ],
    },
    {
      name: `broken compressed data after the offer "${offer}"`,
      fields,
      sends: [frame(text, Buffer.from('ffffffff', 'hex'), { reserved: 4 })],
    },
  ];
});

const handshakes: Case[] = [
  {
    name: 'an extension with a parameter that the server refuses',
    fields: ['Sec-WebSocket-Extensions: permessage-deflate; unknown=1'],
    sends: [],
  },
  { name: 'a version that the server refuses', fields: ['Sec-WebSocket-Version: 12'], sends: [] },
  { name: 'the one sub-protocol that is known', fields: ['Sec-WebSocket-Protocol: mqtt'], sends: [closing] },
  {
    name: 'the first of several sub-protocols that is known',
    fields: ['Sec-WebSocket-Protocol: graphql-ws, chat.v2, mqtt'],
    sends: [closing],
  },
  { name: 'a sub-protocol that is not known', fields: ['Sec-WebSocket-Protocol: none'], sends: [closing] },
  {
    name: 'sub-protocols in two fields',
    fields: ['Sec-WebSocket-Protocol: chat.v2', 'Sec-WebSocket-Protocol: mqtt'],
    sends: [closing],
  },
  {
    name: 'what else stands in a request',
    path: '/echo?token=a%20b&x=%00#no',
    fields: ['Origin: https://example.org', 'Cookie: a=b; c=d', 'User-Agent: Test/1.0', 'X-Ümlaut: no'].slice(
      0,
      3,
    ),
    sends: [closing],
  },
].map((each) => ({ ...each, path: each.path?.replace('#no', '') ?? '/echo' }));

const transports: Case[] = [
  { name: 'a large message', sends: [frame(binary, filled(4 << 20)), closing] },
  {
    name: 'many small messages at once',
    sends: [Buffer.concat(Array(2_000).fill(frame(text, filled(64)))), closing],
  },
  {
    name: 'everything byte by byte',
    sends: bytewise(Buffer.concat([frame(text, filled(300)), frame(ping, 'p'), closing])),
  },
  { name: 'a large message of the server', path: '/large', sends: [closing] },
  { name: 'fragments and pings of the server', path: '/fragments', sends: [closing] },
  { name: 'frames that no server may send', path: '/violations', sends: [closing] },
  { name: 'frames of the server byte by byte', path: '/bytewise', sends: [closing] },
  { name: 'a message right behind the request', sends: [frame(text, 'early'), closing], atOnce: true },
  {
    name: 'a large message right behind the request',
    sends: [frame(text, filled(300_000)), closing],
    atOnce: true,
  },
  { name: 'a message right behind the answer', path: '/greeting', sends: [frame(text, 'x'), closing] },
  { name: 'messages right behind both', path: '/greeting', sends: [frame(text, 'x'), closing], atOnce: true },
  {
    name: 'a client that ends its direction first',
    path: '/after-end',
    sends: [frame(text, 'x')],
    halfClose: true,
  },
  {
    name: 'a client that ends its direction at once',
    path: '/after-end',
    sends: [],
    atOnce: true,
    halfClose: true,
  },
  { name: 'a server that ends without a close', path: '/end', sends: [] },
  { name: 'a server that ends within a frame', path: '/end-within', sends: [] },
  { name: 'a server that breaks off', path: '/reset', sends: [] },
];

const cases = [
  ...sizes,
  ...controls,
  ...fragments,
  ...violations,
  ...closes,
  ...texts,
  ...compressed,
  ...handshakes,
  ...transports,
];

interface Transcript {
  readonly head: string[];
  readonly received: string;
  readonly bytes: string;
  readonly ending: string | null;
  readonly server: string[];
}

let backend: { port: number; next: () => Promise<string[]> };
let router: { port: number };

before(async (context) => {
  const ending = { after: (end: () => void) => (context as TestContext).after(end) };
  backend = await startBackend(ending);
  router = await startUpgradeRouter(ending, new TestService([new TestInstance(backend.port)]));
});

for (const each of cases)
  test(`${each.name}: the same outcome directly and through the router`, async () => {
    const direct = await run(each, backend.port);
    assert.deepEqual(await run(each, router.port), direct);
    assert.ok(direct.server.length > 0);
  });

async function run(each: Case, port: number): Promise<Transcript> {
  const seen = backend.next();
  const client = new RawClient(port);
  const head = upgradeHead(each.path ?? '/echo', each.fields);
  if (each.atOnce) client.write(Buffer.concat([Buffer.from(head), ...each.sends]));
  else {
    client.write(head);
    await client.until(({ bytes }) => bytes.includes('\r\n\r\n'));
    for (const bytes of each.sends) {
      client.write(bytes);
      await turn();
    }
  }
  if (each.halfClose) client.socket.end();
  await client.until(({ ending }) => ending !== null);
  client.socket.end();
  return {
    head: client.head.split('\r\n').sort(),
    received: createHash('sha256').update(client.body).digest('hex'),
    bytes: `${client.body.length}: ${client.body.subarray(0, 200).toString('hex')}`,
    ending: client.ending,
    server: await seen,
  };
}

/** A server of `ws`, and one of bytes where that would not do what is wanted. */
async function startBackend(context: { after(end: () => void): void }) {
  const waiting: ((log: string[]) => void)[] = [];
  const known = new Set(['mqtt', 'chat.v2']);
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: { threshold: 0 },
    maxPayload: 16 << 20,
    handleProtocols: (offered) => [...offered].find((name) => known.has(name)) ?? false,
  });
  const http = createServer();
  http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const log = [`${request.url}`, ...fieldsOf(request)];
    const done = waiting.shift();
    const path = request.url ?? '';
    socket.once('close', () => done?.(log));
    const raw = rawServers[path];
    if (raw !== undefined) serveRaw(request, socket, head, log, raw);
    else server.handleUpgrade(request, socket, head, (webSocket) => serve(webSocket, path, log));
  });
  const port = await listen(http);
  context.after(() => http.close());
  return { port, next: () => new Promise<string[]>((resolve) => waiting.push(resolve)) };
}

const compared = /^(sec-websocket-.*|origin|cookie|user-agent|host|upgrade|connection)$/;

function fieldsOf({ headers }: IncomingMessage): string[] {
  return Object.entries(headers)
    .filter(([name]) => compared.test(name))
    .map(([name, value]) => `${name}: ${value}`)
    .sort();
}

function serve(socket: WebSocket, path: string, log: string[]): void {
  const digest = (data: Buffer) => `${data.length} ${createHash('sha256').update(data).digest('hex')}`;
  socket.on('message', (data: Buffer, isBinary) => {
    log.push(`message ${isBinary} ${digest(data)}`);
    socket.send(data, { binary: isBinary });
  });
  socket.on('ping', (data) => log.push(`ping ${data.toString('hex')}`));
  socket.on('pong', (data) => log.push(`pong ${data.toString('hex')}`));
  socket.on('close', (code, reason) => log.push(`close ${code} ${reason.toString('hex')}`));
  socket.on('error', (error) => log.push(`error ${error.message}`));
  if (path === '/greeting') socket.send('welcome');
  if (path === '/large') socket.send(filled(8 << 20));
  if (path.startsWith('/close/')) socket.close(Number(path.slice(7)), 'by the server');
  if (path !== '/fragments') return;
  for (let at = 0; at < 20; at++) {
    socket.send(`part ${at}`, { fin: at === 19 });
    socket.ping(`${at}`);
  }
}

const unmasked = (opcode: number, payload: string, reserved = 0) =>
  frame(opcode, payload, { masked: false, reserved });

/** What servers of bytes do after the handshake. */
const rawServers: Readonly<Record<string, (socket: Socket) => void>> = {
  '/violations': (socket) => {
    socket.write(Buffer.concat([unmasked(3, 'a'), unmasked(text, 'b', 7), frame(text, 'masked')]));
    socket.write(Buffer.concat([frame(ping, filled(200), { masked: false }), Buffer.from('82', 'hex')]));
    socket.end(Buffer.from('7fffffffffffffffff00', 'hex'));
  },
  '/bytewise': async (socket) => {
    const frames = [unmasked(text, filled(300).toString()), unmasked(ping, ''), unmasked(close, '')];
    for (const byte of bytewise(Buffer.concat(frames))) {
      socket.write(byte);
      await turn();
    }
    socket.end();
  },
  '/after-end': (socket) => socket.once('end', () => socket.end(unmasked(text, 'after your end'))),
  '/end': (socket) => socket.end(unmasked(text, 'x')),
  '/end-within': (socket) => socket.end(unmasked(text, 'whole').subarray(0, 4)),
  '/reset': (socket) => socket.resetAndDestroy(),
};

const accepted = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

function serveRaw(
  _request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  log: string[],
  then: (socket: Socket) => void,
): void {
  const received = [head];
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  socket.on('end', () => log.push(`end after ${Buffer.concat(received).toString('hex')}`));
  socket.on('error', () => {});
  const fields = ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accepted}`];
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields.join('\r\n')}\r\n\r\n`);
  then(socket);
}

/** As permessage-deflate has it: without the end of the last block (RFC 7692, section 7.2.1). */
function deflated(data: Buffer): Buffer {
  const bytes = deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH, windowBits: 9 });
  return bytes.subarray(0, -4);
}
