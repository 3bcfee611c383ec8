import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Destination } from '../../src/router/target.ts';
import { until } from '../helpers/system.ts';
import { listen, startUpgradeRouter, TestInstance, TestService } from '../helpers/upgrades.ts';
import { frame, opcodes, RawClient, upgradeHead } from '../helpers/websocket_frames.ts';

const accepted = [
  'HTTP/1.1 101 Switching Protocols',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
];
const headOf = (lines: readonly string[]) => `${lines.join('\r\n')}\r\n\r\n`;
const message = frame(opcodes.text, 'hello', { masked: false });

interface Backend {
  readonly port: number;
  /** The heads of the requests that have come. */
  readonly heads: string[];
  /** What has come on the last connection after its head. */
  readonly received: () => string;
  readonly sockets: Socket[];
}

/** A server that answers an upgrade with these bytes. */
async function startBackend(context: TestContext, answer: (socket: Socket) => void): Promise<Backend> {
  const heads: string[] = [];
  const sockets: Socket[] = [];
  let received = '';
  const server: Server = createServer();
  server.on('upgrade', (request, socket: Socket) => {
    const { method, url, rawHeaders } = request;
    const pairs = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
    heads.push([`${method} ${url}`, ...pairs].join('\n'));
    sockets.push(socket);
    received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    answer(socket);
  });
  const port = await listen(server);
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port, heads, received: () => received, sockets };
}

const accepts = (socket: Socket) => void socket.write(headOf(accepted));

async function setUp(
  context: TestContext,
  answer: (socket: Socket) => void = accepts,
  direct?: (service: TestService) => Destination,
) {
  const backend = await startBackend(context, answer);
  const instance = new TestInstance(backend.port);
  const service = new TestService([instance]);
  const destination = direct === undefined ? undefined : () => direct(service);
  const router = await startUpgradeRouter(context, service, destination);
  const connect = (bytes: string | Buffer = upgradeHead('/socket')) => {
    const client = new RawClient(router.port);
    context.after(() => client.socket.destroy());
    client.write(bytes);
    return client;
  };
  return { backend, instance, service, router, connect };
}

const hasHead = ({ bytes }: RawClient) => bytes.includes('\r\n\r\n');
const hasEnded = ({ ending }: RawClient) => ending !== null;
const statusOf = ({ head }: RawClient) => Number(head.split(' ')[1]);

/** The close code of the Close frame at the end of what a client has received. */
function closeOf({ body }: RawClient): { code: number; reason: string } {
  const at = body.lastIndexOf(0x88);
  assert.ok(at >= 0, `no Close frame in ${body.toString('hex')}`);
  return { code: body.readUInt16BE(at + 2), reason: body.toString('utf8', at + 4) };
}

const closeAnswer = frame(opcodes.close, Buffer.from([0x03, 0xf4]));

test('the instance sees who asks, and what was asked for', async (context) => {
  const { backend, connect } = await setUp(context);
  const fields = [
    'Sec-WebSocket-Protocol: chat, mqtt',
    'Cookie: a=b',
    'X-Forwarded-For: 1.2.3.4',
    'Keep-Alive: 5',
  ];
  const client = connect(upgradeHead('/a/b?c=%20d', fields));
  await client.until(hasHead);
  const lines = backend.heads[0]?.split('\n') ?? [];
  assert.equal(lines[0], 'GET /a/b?c=%20d');
  assert.ok(lines.includes('Host: example.org'));
  assert.ok(lines.includes('Sec-WebSocket-Protocol: chat, mqtt'));
  assert.ok(lines.includes('Cookie: a=b'));
  assert.ok(lines.includes('X-Forwarded-For: 127.0.0.1'));
  assert.ok(lines.includes('X-Forwarded-Proto: http'));
  assert.ok(lines.includes('Connection: Upgrade'));
  assert.ok(lines.includes('Upgrade: websocket'));
  assert.ok(!lines.some((line) => line.includes('1.2.3.4') || line.startsWith('Keep-Alive')));
});

test('the path of the destination replaces that of the request, and the query stays', async (context) => {
  const { backend, connect } = await setUp(context, accepts, (service) => ({
    kind: 'service',
    rule: 'r',
    service,
    path: '/inner',
  }));
  await connect(upgradeHead('/outer?x=1')).until(hasHead);
  assert.equal(backend.heads[0]?.split('\n')[0], 'GET /inner?x=1');
});

test('the cookie of affinity stands in the answer', async (context) => {
  const { service, connect } = await setUp(context);
  service.cookie = 'davit_instance=abc; Path=/; HttpOnly';
  const client = connect();
  await client.until(hasHead);
  assert.match(client.head, /^Set-Cookie: davit_instance=abc; Path=\/; HttpOnly$/m);
});

test('a connection is in the table from its request to its end, with its bytes', async (context) => {
  const { backend, router, service, connect } = await setUp(context, () => {});
  const client = connect(Buffer.concat([Buffer.from(upgradeHead('/socket?secret=1')), Buffer.from('early')]));
  await until('the instance is asked', () => backend.heads.length === 1);
  const [waiting] = router.open.list({}, 10).connections;
  assert.equal(waiting?.protocol, 'websocket');
  assert.deepEqual([waiting?.path, waiting?.service, waiting?.instance], ['/socket', 'chat', null]);
  backend.sockets[0]?.write(Buffer.concat([Buffer.from(headOf(accepted)), message]));
  await client.until(({ body }) => body.length === message.length);
  await until('what came early has arrived', () => backend.received() === 'early');
  const [open] = router.open.list({}, 10).connections;
  assert.deepEqual([open?.instance, open?.release, open?.rule, open?.client], [1, 1, 'chat/1', '127.0.0.1']);
  assert.deepEqual([open?.bytes_in, open?.bytes_out], [5, message.length]);
  client.socket.end();
  backend.sockets[0]?.end();
  await until('the table is empty', () => router.open.count === 0 && router.upgrades.size === 0);
  assert.deepEqual(service.told, ['instance-1 answered 101', 'instance-1 ended']);
  assert.deepEqual(service.ended, [{ bytes_in: 5, bytes_out: message.length }]);
});

const refusals: readonly { what: string; head: string; status: number }[] = [
  { what: 'a body', head: upgradeHead('/', ['Content-Length: 5']), status: 400 },
  { what: 'an empty body', head: upgradeHead('/', ['Content-Length: 0']), status: 400 },
  { what: 'chunks', head: upgradeHead('/', ['Transfer-Encoding: chunked']), status: 400 },
  { what: 'an expectation', head: upgradeHead('/', ['Expect: 100-continue']), status: 400 },
  { what: 'two hosts', head: upgradeHead('/', ['Host: other.org']), status: 400 },
  { what: 'two keys', head: upgradeHead('/', ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']), status: 400 },
  { what: 'no key', head: upgradeHead('/').replace(/Sec-WebSocket-Key.*\r\n/, ''), status: 400 },
  {
    what: 'another protocol',
    head: upgradeHead('/').replace('Upgrade: websocket', 'Upgrade: h2c'),
    status: 400,
  },
  { what: 'several protocols', head: upgradeHead('/').replace('Upgrade: w', 'Upgrade: h2c, w'), status: 400 },
  { what: 'POST', head: upgradeHead('/').replace('GET', 'POST'), status: 400 },
];

for (const { what, head, status } of refusals)
  test(`a request with ${what} is refused and reaches no instance`, async (context) => {
    const { backend, connect } = await setUp(context);
    const client = connect(head);
    await client.until(hasEnded);
    assert.equal(statusOf(client), status);
    assert.match(client.head, /^Connection: close$/im);
    assert.equal(backend.heads.length, 0);
  });

test('a field whose value could end the line reaches no instance', async (context) => {
  const { backend, connect } = await setUp(context);
  const client = connect(upgradeHead('/', ['X-A: b\rInjected: yes']));
  await client.until(hasEnded);
  assert.equal(statusOf(client), 400);
  assert.equal(backend.heads.length, 0);
});

test('where no rule fits the answer is 404, and it is counted', async (context) => {
  const { router, connect } = await setUp(context, accepts, () => ({ kind: 'nowhere' }));
  const client = connect();
  await client.until(hasEnded);
  assert.equal(statusOf(client), 404);
  assert.equal(router.upgrades.unroutable, 1);
});

test('an answer of a rule is given', async (context) => {
  const { connect } = await setUp(context, accepts, () => ({
    kind: 'answer',
    rule: 'deny',
    status: 403,
    headers: { 'Content-Type': 'text/plain' },
    body: 'not here',
  }));
  const client = connect();
  await client.until(hasEnded);
  assert.equal(statusOf(client), 403);
  assert.equal(client.body.toString(), 'not here');
});

test('a director that fails costs one connection, and is told as a problem', async (context) => {
  const { router, connect } = await setUp(context, accepts, () => {
    throw new Error('no table');
  });
  const client = connect();
  await client.until(hasEnded);
  assert.equal(client.ending, 'reset');
  assert.match(router.problems[0] ?? '', /no table/);
});

const answers: readonly { what: string; lines: readonly string[]; status: number; failed: boolean }[] = [
  {
    what: 'a wrong accept',
    lines: [...accepted.slice(0, 3), 'Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA='],
    status: 502,
    failed: true,
  },
  { what: 'no accept', lines: accepted.slice(0, 3), status: 502, failed: true },
  { what: 'two accepts', lines: [...accepted, accepted[3] as string], status: 502, failed: true },
  {
    what: 'another protocol',
    lines: accepted.map((line) => line.replace('Upgrade: websocket', 'Upgrade: other')),
    status: 502,
    failed: true,
  },
  { what: 'a folded field', lines: [...accepted, 'X-A: b', ' c'], status: 502, failed: true },
  { what: 'a field without a name', lines: [...accepted, ': b'], status: 502, failed: true },
  { what: 'a bare line feed', lines: [...accepted, 'X-A: b\nX-B: c'], status: 502, failed: true },
  {
    what: 'too large a head',
    lines: [...accepted, `X-A: ${'a'.repeat(20_000)}`],
    status: 502,
    failed: true,
  },
  { what: 'no HTTP', lines: ['SSH-2.0-OpenSSH_9.2', '', ''], status: 502, failed: true },
];

for (const { what, lines, status, failed } of answers)
  test(`an instance that answers with ${what} is refused`, async (context) => {
    const { service, connect } = await setUp(context, (socket) => void socket.write(headOf(lines)));
    const client = connect();
    await client.until(hasEnded);
    assert.equal(statusOf(client), status);
    assert.deepEqual(service.told, [...(failed ? ['instance-1 broken'] : []), 'instance-1 ended']);
  });

test('interim answers before the acceptance are passed over', async (context) => {
  const interim = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n';
  const { connect } = await setUp(context, (socket) => void socket.write(interim + headOf(accepted)));
  const client = connect();
  await client.until(hasHead);
  assert.equal(statusOf(client), 101);
});

test('interim answers without an end are cut off', async (context) => {
  const { service, connect } = await setUp(context, (socket) => {
    const interim = 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(1_000);
    socket.write(interim);
  });
  const client = connect();
  await client.until(hasEnded);
  assert.equal(statusOf(client), 502);
  assert.equal(service.told[0], 'instance-1 broken');
});

const declined: readonly { what: string; answer: string; status: number; body: string }[] = [
  {
    what: 'of known length',
    answer: 'HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nX-Own: yes\r\n\r\nnot!HTTP/1.1 200 OK\r\n\r\n',
    status: 403,
    body: 'not!',
  },
  {
    what: 'in chunks',
    answer:
      'HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\nX-Own: yes\r\n\r\n4\r\nwhat\r\n0\r\n\r\n',
    status: 401,
    body: '4\r\nwhat\r\n0\r\n\r\n',
  },
  {
    what: 'without a body',
    answer:
      'HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nX-Own: yes\r\nContent-Length: 0\r\n\r\n',
    status: 426,
    body: '',
  },
];

for (const { what, answer, status, body } of declined)
  test(`an answer ${what} with another status is passed on, and nothing more of the client`, async (context) => {
    const { backend, service, connect } = await setUp(context, (socket) => void socket.write(answer));
    const client = connect(
      Buffer.concat([Buffer.from(upgradeHead('/')), Buffer.from('GET /admin HTTP/1.1\r\n\r\n')]),
    );
    await client.until(hasEnded);
    assert.equal(statusOf(client), status);
    assert.match(client.head, /^X-Own: yes$/m);
    assert.match(client.head, /^Connection: close$/m);
    assert.equal(client.body.toString(), body);
    await until('the instance is let go', () => backend.sockets[0]?.readableEnded === true);
    assert.equal(backend.received(), '');
    assert.deepEqual(service.told, [`instance-1 answered ${status}`, 'instance-1 ended']);
  });

test('an answer that breaks off reaches the client as one that breaks off', async (context) => {
  const { connect, router } = await setUp(context, (socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\npart');
  });
  const client = connect();
  await client.until(hasEnded);
  assert.ok(client.body.length < 100);
  await until('it is over', () => router.upgrades.size === 0);
});

test('an instance that breaks off before it answers is a bad gateway', async (context) => {
  const { service, connect } = await setUp(context, (socket) => void socket.destroy());
  const client = connect();
  await client.until(hasEnded);
  assert.equal(statusOf(client), 502);
  assert.deepEqual(service.told, ['instance-1 broken', 'instance-1 ended']);
});

test('an instance that does not answer in time is given up', async (context) => {
  const { service, connect } = await setUp(context, () => {});
  service.timeouts.response = 50;
  const client = connect();
  await client.until(hasEnded);
  assert.equal(statusOf(client), 504);
  assert.deepEqual(service.told, ['instance-1 timed_out', 'instance-1 ended']);
});

test('a client that goes away while it waits is no failure of the instance', async (context) => {
  const { backend, service, router, connect } = await setUp(context, () => {});
  const client = connect();
  await until('the instance is asked', () => backend.heads.length === 1);
  client.socket.resetAndDestroy();
  await until('it is over', () => router.upgrades.size === 0);
  assert.deepEqual(service.told, ['instance-1 ended']);
});

test('an instance that cannot be reached is passed over for the next one', async (context) => {
  const { backend, service, instance, connect } = await setUp(context);
  service.instances = [new TestInstance(1, 8), new TestInstance(1, 9), instance];
  const client = connect();
  await client.until(hasHead);
  assert.equal(statusOf(client), 101);
  assert.equal(backend.heads.length, 1);
  const gone = (id: string) => [`${id} unreachable`, `${id} retried`, `${id} ended`];
  assert.deepEqual(service.told, [...gone('instance-8'), ...gone('instance-9'), 'instance-1 answered 101']);
});

test('of a service that wants no retries only one instance is tried', async (context) => {
  const { service, instance, connect } = await setUp(context);
  service.instances = [7, 8, 9].map((number) => new TestInstance(1, number)).concat(instance);
  service.retries = { ...service.retries, attempts: 0 };
  const client = connect();
  await client.until(hasEnded);
  assert.equal(statusOf(client), 502);
  assert.equal(service.told.filter((line) => line.endsWith('unreachable')).length, 1);
});

test('without an instance the answer is 503 with the advice to come back, and it is counted', async (context) => {
  const { service, router, connect } = await setUp(context);
  service.instances = [];
  const client = connect();
  await client.until(hasEnded);
  assert.equal(statusOf(client), 503);
  assert.match(client.head, /^Retry-After: \d+$/m);
  assert.equal(router.upgrades.unroutable, 1);
});

test('where the service holds requests the connection waits for an instance', async (context) => {
  const { service, instance, connect } = await setUp(context);
  service.instances = [];
  service.hold = 10_000;
  const client = connect();
  await until('it waits', () => service.waiting === 1);
  service.becomeAvailable([instance]);
  await client.until(hasHead);
  assert.equal(statusOf(client), 101);
});

test('a held connection is refused when its time is over', async (context) => {
  const { service, connect } = await setUp(context);
  service.instances = [];
  service.hold = 30;
  const client = connect();
  await client.until(hasEnded);
  assert.equal(statusOf(client), 503);
});

test('a connection that is closed by its id while it waits is refused', async (context) => {
  const { service, router, connect } = await setUp(context);
  service.instances = [];
  service.hold = 10_000;
  const client = connect();
  await until('it waits', () => service.waiting === 1);
  assert.equal(router.open.close({ protocol: 'websocket' }), 1);
  await client.until(hasEnded);
  assert.equal(statusOf(client), 503);
});

test('a connection that somebody closes gets 1001', async (context) => {
  const { backend, router, connect } = await setUp(context);
  const client = connect();
  await client.until(hasHead);
  await until('it is established', () => router.open.list({ instance: 1 }, 1).total === 1);
  router.open.close({ ids: ['r-1'] });
  await client.until(({ body }) => body.length > 0);
  assert.deepEqual(closeOf(client), { code: 1001, reason: 'closed by the operator' });
  client.write(closeAnswer);
  await until('the instance has the answer', () => backend.received() === closeAnswer.toString('latin1'));
  backend.sockets[0]?.end();
  await client.until(hasEnded);
  client.socket.end();
  await until('it is over', () => router.upgrades.size === 0);
});

test('a connection that has rested for too long gets 1001', async (context) => {
  const { service, connect } = await setUp(context);
  service.timeouts.idle = 10;
  const client = connect();
  await client.until(({ body }) => body.length > 0);
  assert.deepEqual(closeOf(client), { code: 1001, reason: 'idle timeout' });
});

test('when an instance drains its connections get 1012, from the time on and not before', async (context) => {
  const { backend, instance, router, connect } = await setUp(context);
  const clients = Array.from({ length: 20 }, () => connect());
  await Promise.all(clients.map((client) => client.until(hasHead)));
  await until('all are established', () => router.open.list({ instance: 1 }, 1).total === 20);
  instance.drain({ until: Date.now() + 3_600_000, spread: 0 });
  backend.sockets[0]?.write(message);
  await until('messages still go through', () => clients.some(({ body }) => body.length === message.length));
  instance.drain({ until: Date.now(), spread: 50 });
  await Promise.all(clients.map((client) => client.until(({ body }) => body.includes(0x88))));
  for (const client of clients) assert.deepEqual(closeOf(client), { code: 1012, reason: 'service restart' });
});

test('an instance that no longer drains keeps its connections', async (context) => {
  const { instance, router, connect } = await setUp(context);
  const client = connect();
  await client.until(hasHead);
  await until('it is established', () => router.open.list({ instance: 1 }, 1).total === 1);
  instance.drain({ until: Date.now() + 3_600_000, spread: 0 });
  instance.drain(null);
  assert.equal(client.body.length, 0);
  client.socket.end();
  await until('nobody listens to an instance without connections', () => instance.listeners.size <= 1);
});

test('a connection that is established while its instance drains gets 1012 too', async (context) => {
  const { backend, instance, connect } = await setUp(context, () => {});
  const client = connect();
  await until('the instance is asked', () => backend.heads.length === 1);
  instance.drain({ until: Date.now() - 1_000, spread: 0 });
  backend.sockets[0]?.write(headOf(accepted));
  await client.until(({ body }) => body.length > 0);
  assert.equal(closeOf(client).code, 1012);
});

test('an instance that ends while it drains leaves its clients with 1012', async (context) => {
  const { backend, instance, router, connect } = await setUp(context);
  const clients = [connect(), connect()];
  await Promise.all(clients.map((client) => client.until(hasHead)));
  await until('both are established', () => router.open.list({ instance: 1 }, 1).total === 2);
  instance.drain({ until: Date.now() + 3_600_000, spread: 0 });
  backend.sockets[0]?.end(message);
  backend.sockets[1]?.resetAndDestroy();
  await Promise.all(clients.map((client) => client.until(hasEnded)));
  for (const client of clients) assert.equal(closeOf(client).code, 1012);
});

test('an instance that ends by itself ends its connections without a word of the router', async (context) => {
  const { backend, connect } = await setUp(context);
  const client = connect();
  await client.until(hasHead);
  backend.sockets[0]?.end(message);
  await client.until(hasEnded);
  assert.equal(client.body.equals(message), true);
  assert.equal(client.ending, 'end');
});

test('when the router ends every connection gets 1012', async (context) => {
  const { router, connect } = await setUp(context);
  const clients = Array.from({ length: 10 }, () => connect());
  await Promise.all(clients.map((client) => client.until(hasHead)));
  await until('all are established', () => router.open.list({ instance: 1 }, 1).total === 10);
  router.upgrades.closeAll(50);
  await Promise.all(clients.map((client) => client.until(({ body }) => body.length > 0)));
  for (const client of clients) assert.equal(closeOf(client).code, 1012);
  const late = connect();
  await late.until(({ body }) => body.length > 0);
  assert.equal(closeOf(late).code, 1012);
});

test('closing cuts every connection, whatever it is doing', async (context) => {
  const { backend, router, connect } = await setUp(context, (socket) => {
    if (backend.heads.length === 1) accepts(socket);
  });
  const clients = [connect()];
  await clients[0]?.until(hasHead);
  clients.push(connect());
  await until('the instance is asked', () => backend.heads.length === 2);
  router.upgrades.close();
  await Promise.all(clients.map((client) => client.until(hasEnded)));
  await until('it is over', () => router.upgrades.size === 0);
});
