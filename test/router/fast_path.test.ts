import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect } from 'node:tls';
import { makeCertificates } from '../cli/certificates.ts';
import { until } from '../helpers/system.ts';
import { FakeDirector } from './fake_director.ts';
import { Paths } from './paths.ts';
import { answerWith, Wire, WireServer } from './wire.ts';

const get = (path = '/', lines = '') => `GET ${path} HTTP/1.1\r\nHost: shop.test\r\n${lines}\r\n`;
const origin =
  'Host: shop.test\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: PORT\r\nX-Forwarded-Host: shop.test\r\nForwarded: for=127.0.0.1;host=shop.test;proto=http\r\n';

/** A router in front of so many servers, and what is needed to talk to both. */
async function start(
  t: TestContext,
  options: ConstructorParameters<typeof Paths>[1] & { servers?: number } = {},
) {
  const { servers: count = 1, ...rest } = options;
  const servers = await Promise.all(Array.from({ length: count }, () => WireServer.listen(t)));
  const director = new FakeDirector(...servers.map(({ port }) => port));
  const paths = new Paths(director, rest);
  const port = await paths.listen();
  t.after(() => paths.close());
  const open = () => Wire.open(t, port);
  return { server: servers[0] as WireServer, servers, director, paths, port, open };
}

/** Everything that was taken was given back. */
async function settled(director: FakeDirector): Promise<void> {
  await until('every place was given back', () => director.open === 0);
}

test('a plain request reaches the instance with its lines as they came, and the answer comes back', async (t) => {
  const { server, director, paths, port, open } = await start(t);
  const client = await open();
  client.write(get('/a?b=c', 'User-Agent: x\r\nConnection: keep-alive\r\nAccept: */*\r\n'));
  const backend = await server.wire(0);
  assert.equal(
    await backend.take('\r\n\r\n'),
    `GET /a?b=c HTTP/1.1\r\nUser-Agent: x\r\nAccept: */*\r\n${origin.replace('PORT', String(port))}\r\n`,
  );
  backend.write(
    'HTTP/1.1 200 Fine\r\nA: b\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 5\r\n\r\nhello',
  );
  assert.equal(await client.take('hello'), 'HTTP/1.1 200 Fine\r\nA: b\r\nContent-Length: 5\r\n\r\nhello');
  await settled(director);
  assert.deepEqual(director.said, ['1 answered 200']);
  assert.deepEqual(director.ended, [{ bytes_in: 0, bytes_out: 5 }]);
  assert.deepEqual(paths.handed, []);
});

test('those who decide see of a request what it says', async (t) => {
  const { server, director, open } = await start(t);
  server.answer(() => answerWith('x'));
  const client = await open();
  client.write('HEAD /a?b HTTP/1.1\r\nHost: SHOP.test.:80\r\nCookie: a=1\r\nX-Two: 1\r\nx-two: 2\r\n\r\n');
  await until('it is asked', () => director.requests.length === 1);
  const request = director.requests[0];
  const { method, host, path, query, client: from, is_tls } = request ?? {};
  assert.deepEqual(
    [method, host, path, query, from, is_tls],
    ['HEAD', 'shop.test', '/a', 'b', '127.0.0.1', false],
  );
  const values = ['host', 'cookie', 'x-two', 'accept'].map((name) => request?.header(name));
  assert.deepEqual(values, ['SHOP.test.:80', 'a=1', '1, 2', undefined]);
});

test('one connection to the instance serves one request after the other', async (t) => {
  const { server, open } = await start(t);
  server.answer((request) => answerWith(request.split(' ')[1] ?? ''));
  for (const client of [await open(), await open()])
    for (const path of ['/one', '/two']) {
      client.write(get(path));
      await client.take(`\r\n\r\n${path}`);
    }
  assert.equal(server.wires.length, 1);
});

test('requests that come together are answered in order, and each goes out once', async (t) => {
  const { server, paths, open } = await start(t);
  const seen: string[] = [];
  server.answer((request) => {
    const path = request.split(' ')[1] ?? '';
    seen.push(path);
    return answerWith(path);
  });
  const paths_asked = Array.from({ length: 200 }, (_, index) => `/p${index}.`);
  const client = await open();
  client.write(paths_asked.map((path) => get(path)).join(''));
  for (const path of paths_asked) assert.ok((await client.take(path)).endsWith(`\r\n\r\n${path}`));
  assert.deepEqual(seen, paths_asked);
  assert.deepEqual(paths.handed, []);
});

test('a head may come in pieces, but not in many', async (t) => {
  const { server, director, paths, open } = await start(t);
  server.answer(() => answerWith('ok.'));
  const client = await open();
  client.write('GET / HTTP/1.1\r\nHo');
  await until('it was read', () => client.socket.bytesWritten > 0 && paths.open.count === 1);
  client.write('st: shop.test\r\n\r\n');
  await client.take('ok.');
  assert.deepEqual(paths.handed, []);
  const text = get('/', 'A: b\r\n');
  for (let index = 0; index < text.length && paths.handed.length === 0; index++) {
    const [connection] = [...paths.open.values()];
    const before = connection?.describe().bytes_in ?? 0;
    client.write(text.charAt(index));
    await until('it was read', () => ([...paths.open.values()][0]?.describe().bytes_in ?? 0) > before);
  }
  const [handed = ''] = paths.handed;
  assert.ok(text.startsWith(handed) && handed.length < 20);
  client.write(text.slice(handed.length));
  await client.take('ok.');
  assert.equal(director.requests.length, 2);
});

test('what is not plain goes to the full path with all its bytes, and the connection with it', async (t) => {
  const { server, paths, open } = await start(t);
  server.answer((request) => answerWith(`${request.slice(0, 5)}.`));
  const client = await open();
  const post = `POST /x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0\r\n\r\n`;
  client.write(`${get('/one')}${post}${get('/two')}`);
  for (const start of ['GET /.', 'POST .', 'GET /.']) await client.take(`\r\n\r\n${start}`);
  assert.deepEqual(paths.handed, [`${post}${get('/two')}`]);
  assert.equal(paths.open.count, 1);
});

test('answers without a body end at once', async (t) => {
  const { server, open } = await start(t);
  const client = await open();
  const cases: [string, string][] = [
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ];
  for (const [method, answer] of cases) {
    client.write(get().replace('GET', method));
    const backend = await server.wire(0);
    await backend.take('\r\n\r\n');
    backend.write(answer);
    assert.equal(await client.take('\r\n\r\n'), answer);
  }
});

test('an answer in chunks flows as it comes, event for event', async (t) => {
  const { server, director, open } = await start(t);
  const client = await open();
  client.write(get());
  const backend = await server.wire(0);
  await backend.take('\r\n\r\n');
  backend.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
  assert.equal(
    await client.take('\r\n\r\n'),
    'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  for (const event of ['data: 1', 'data: 2', 'data: 3']) {
    backend.write(`7;x=y\r\n${event}\r\n`);
    assert.equal(await client.take(`${event}\r\n`), `7\r\n${event}\r\n`);
  }
  backend.write('0\r\nDigest:  x\r\nContent-Length: 5\r\nConnection: x\r\n\r\n');
  assert.equal(await client.take('\r\n\r\n'), '0\r\nDigest: x\r\n\r\n');
  await settled(director);
  server.answer(() => answerWith('again'));
  client.write(get());
  await client.take('again');
  assert.equal(server.wires.length, 1);
});

test('an answer that ends with its connection goes out in chunks', async (t) => {
  const { server, director, open } = await start(t);
  const client = await open();
  client.write(get());
  const backend = await server.wire(0);
  await backend.take('\r\n\r\n');
  backend.write('HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello');
  assert.equal(
    await client.take('hello\r\n'),
    'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
  );
  backend.socket.end(' world');
  assert.equal(await client.take('0\r\n\r\n'), '6\r\n world\r\n0\r\n\r\n');
  server.answer(() => answerWith('again'));
  client.write(get());
  await client.take('again');
  await settled(director);
  assert.deepEqual(director.said, ['1 answered 200', '1 answered 200']);
});

test('an answer that breaks off breaks off for the client too, and is a failure of the instance', async (t) => {
  for (const [answer, isReset] of [
    ['HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', false],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', false],
    ['HTTP/1.1 200 OK\r\n\r\nhello', true],
  ] as const) {
    const { server, director, open } = await start(t);
    const client = await open();
    client.write(get());
    const backend = await server.wire(0);
    await backend.take('\r\n\r\n');
    backend.write(answer);
    await client.take('hello');
    if (isReset) backend.socket.resetAndDestroy();
    else backend.socket.end();
    await client.closed();
    assert.ok(!client.text.includes('0\r\n\r\n'));
    await settled(director);
    assert.deepEqual(director.said, ['1 answered 200', '1 broken'], answer);
  }
});

test('chunks that are malformed break the answer off', async (t) => {
  const { server, director, open } = await start(t);
  const client = await open();
  client.write(get());
  const backend = await server.wire(0);
  await backend.take('\r\n\r\n');
  backend.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
  await client.take('hello\r\n');
  backend.write('x\r\n');
  await Promise.all([client.closed(), backend.closed()]);
  assert.deepEqual(director.said, ['1 answered 200', '1 broken']);
});

test('a connection over which more comes than the answer is not used again', async (t) => {
  const { server, open } = await start(t);
  const client = await open();
  server.answer(() => `${answerWith('one')}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`);
  client.write(get());
  await client.take('one');
  const backend = await server.wire(0);
  await backend.closed();
  server.answer(() => answerWith('two'));
  client.write(get());
  assert.equal(await client.take('two'), answerWith('two'));
  assert.equal(server.wires.length, 2);
});

test('a resting connection that the instance has closed is no failure: the request goes over a new one', async (t) => {
  const { server, director, open } = await start(t);
  const client = await open();
  server.answer(() => answerWith('one'));
  client.write(get());
  await client.take('one');
  // It reads the second request, and closes without a word.
  server.answer((_request, wire) => {
    if (wire !== server.wires[0]) return answerWith('two');
    wire.socket.destroy();
    return undefined;
  });
  client.write(get());
  await client.take('two');
  await settled(director);
  assert.deepEqual(director.said, ['1 answered 200', '1 answered 200']);
  assert.equal(server.wires.length, 2);
});

test('an instance that cannot be reached, breaks off or answers nonsense is left for the next one', async (t) => {
  for (const [how, ruin] of [
    ['unreachable', (server: WireServer) => server.stop()],
    ['broken', (server: WireServer) => server.answer((_request, wire) => void wire.socket.destroy())],
    ['broken', (server: WireServer) => server.answer(() => 'nonsense\r\n\r\n')],
    ['broken', (server: WireServer) => server.answer(() => `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(70_000)}`)],
  ] as const) {
    const { servers, director, open } = await start(t, { servers: 2 });
    ruin(servers[0] as WireServer);
    servers[1]?.answer(() => answerWith('fine'));
    const client = await open();
    client.write(get());
    await client.take('fine');
    await settled(director);
    assert.deepEqual(director.said, [`1 ${how}`, '1 retried', '2 answered 200']);
  }
});

test('when no instance answers the client is told, and may go on asking', async (t) => {
  const { servers, director, open } = await start(t, { servers: 2 });
  for (const server of servers) server.stop();
  const client = await open();
  client.write(get());
  assert.match(await client.take('"bad_gateway"}\n'), /^HTTP\/1.1 502 Bad Gateway\r\n/);
  director.retries = { attempts: 0, budget_percent: 0 };
  client.write(get('/', 'Accept: text/html\r\n'));
  await client.take('</html>\n');
  await settled(director);
  assert.deepEqual(director.said, [
    '1 unreachable',
    '1 retried',
    '2 unreachable',
    '2 retried',
    '1 unreachable',
  ]);
});

test('an instance that does not answer in time is left, and one that stops in its answer breaks it off', async (t) => {
  const { server, director, open } = await start(t);
  director.timeouts = { connect: 3_000, response: 50, idle: null };
  director.retries = { attempts: 0, budget_percent: 0 };
  const client = await open();
  client.write(get());
  assert.match(await client.take('"gateway_timeout"}\n'), /^HTTP\/1.1 504 /);
  const silent = await server.wire(0);
  await silent.closed();
  director.timeouts = { ...director.timeouts, response: 1_000 };
  server.answer(() => 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe');
  client.write(get());
  await client.take('\r\n\r\nhe');
  await client.closed();
  await settled(director);
  assert.deepEqual(director.said, ['1 timed_out', '1 answered 200', '1 timed_out']);
});

test('when the client goes away so does the request, and that is no failure', async (t) => {
  for (const answer of ['', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'])
    for (const leave of ['destroy', 'end', 'resetAndDestroy'] as const) {
      const { server, director, paths, open } = await start(t);
      const client = await open();
      client.write(get());
      const backend = await server.wire(0);
      await backend.take('\r\n\r\n');
      backend.write(answer);
      if (answer !== '') await client.take('hello');
      client.socket[leave]();
      await backend.closed();
      await settled(director);
      assert.deepEqual(director.said, answer === '' ? [] : ['1 answered 200']);
      await until('the connection is forgotten', () => paths.open.count === 0);
    }
});

test('an instance is read no faster than the client reads, and nothing is lost by that', async (t) => {
  const { server, director, open } = await start(t);
  const part = Buffer.alloc(65_536, 'x');
  const length = 400 * part.length;
  const client = await open();
  client.socket.pause();
  client.write(get());
  const backend = await server.wire(0);
  await backend.take('\r\n\r\n');
  backend.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
  let sent = 0;
  const pump = () => {
    while (sent < length && backend.socket.write(part)) sent += part.length;
    if (sent < length) sent += part.length;
  };
  backend.socket.on('drain', pump);
  pump();
  let before = -1;
  await until('nothing more is taken', async () => {
    const now = sent;
    const isStill = now === before;
    before = now;
    return isStill && now > 0;
  });
  assert.ok(sent < length, 'all was taken though the client has read nothing');
  let received = 0;
  client.socket.removeAllListeners('data');
  client.socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  client.socket.resume();
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`.length;
  await until('all has come', () => received === head + length);
  await settled(director);
  assert.deepEqual(director.ended, [{ bytes_in: 0, bytes_out: length }]);
});

test('a client that asks and does not read is not served further than it reads, and then to the end', async (t) => {
  const { server, director, open } = await start(t);
  const count = 3_000;
  server.answer(() => answerWith('x'.repeat(10_000)));
  const client = await open();
  client.socket.pause();
  client.write(get().repeat(count));
  let before = -1;
  await until('nothing more is asked', () => {
    const isStill = director.requests.length === before && before > 0;
    before = director.requests.length;
    return isStill;
  });
  assert.ok(director.requests.length < count, 'all were served though the client has read nothing');
  let received = 0;
  client.socket.removeAllListeners('data');
  client.socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  client.socket.resume();
  await until('all has come', () => received === count * answerWith('x'.repeat(10_000)).length);
  assert.equal(director.requests.length, count);
});

test('early hints are passed on, and other interim answers are not', async (t) => {
  const { server, director, open } = await start(t);
  server.answer(
    () =>
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\n\r\n${answerWith('ok.')}`,
  );
  const client = await open();
  client.write(get());
  assert.equal(
    await client.take('ok.'),
    `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${answerWith('ok.')}`,
  );
  assert.deepEqual(director.said, ['1 answered 200']);
});

test('the cookie that keeps a client with its instance is set', async (t) => {
  const { server, director, open } = await start(t);
  director.cookie = 'davit_instance=x; Path=/';
  server.answer(() => answerWith('ok.', 'Set-Cookie: own=1\r\n'));
  const client = await open();
  client.write(get());
  assert.equal(
    await client.take('ok.'),
    'HTTP/1.1 200 OK\r\nSet-Cookie: own=1\r\nContent-Length: 3\r\nSet-Cookie: davit_instance=x; Path=/\r\n\r\nok.',
  );
});

test('a connection ends after its answer when the client, the router or whoever closes it wants that', async (t) => {
  const { server, paths, open } = await start(t);
  server.answer(() => answerWith('ok.'));
  const asked = await open();
  asked.write(get('/', 'Connection: close\r\n') + get('/never'));
  assert.match(await asked.take('ok.'), /\r\nConnection: close\r\n/);
  await asked.closed();
  const resting = await open();
  resting.write(get());
  await resting.take('ok.');
  for (const connection of paths.open.values()) connection.close();
  await resting.closed();
  server.answer(() => undefined);
  const busy = await open();
  busy.write(get());
  const backend = await server.wire(0);
  await until(
    'it is asked',
    () => paths.open.count === 1 && [...paths.open.values()][0]?.describe().active === true,
  );
  for (const connection of paths.open.values()) connection.close();
  backend.write(answerWith('late'));
  assert.match(await busy.take('late'), /\r\nConnection: close\r\n/);
  await busy.closed();
  const rests = await open();
  const asks = await open();
  paths.ending.is_ending = true;
  server.answer(() => answerWith('last'));
  asks.write(get());
  assert.match(await asks.take('last'), /\r\nConnection: close\r\n/);
  await Promise.all([asks.closed(), rests.closed()]);
});

test('a head that does not come in time is answered with 408, and a connection that rests too long is closed', async (t) => {
  const { open } = await start(t, { limits: { header_timeout: 50 } });
  const slow = await open();
  slow.write('GET / HTTP/1.1\r\n');
  assert.match(await slow.take('\r\n'), /^HTTP\/1.1 408 /);
  await slow.closed();
  const silent = await open();
  await silent.closed();
  assert.match(silent.text, /^HTTP\/1.1 408 /);
  const { server, open: openOther } = await start(t, { limits: { idle_timeout: 50 } });
  server.answer(() => answerWith('ok.'));
  const resting = await openOther();
  resting.write(get());
  await resting.take('ok.');
  await resting.closed();
  assert.equal(resting.text, '');
});

test('a head that is too large is left to the full path, which refuses it', async (t) => {
  const { director, open } = await start(t, { limits: { header_size: 1_000 } });
  const whole = await open();
  whole.write(get('/', `A: ${'a'.repeat(2_000)}\r\n`));
  assert.match(await whole.take('\r\n'), /^HTTP\/1.1 431 /);
  const part = await open();
  part.write(`GET / HTTP/1.1\r\nA: ${'a'.repeat(2_000)}`);
  assert.match(await part.take('\r\n'), /^HTTP\/1.1 431 /);
  assert.equal(director.requests.length, 0);
});

test('what a rule answers by itself is given at once', async (t) => {
  const { director, open } = await start(t);
  const rule = { kind: 'answer', rule: 'r', headers: { Location: '/b' }, body: 'moved' } as const;
  director.elsewhere.set('/a', { ...rule, status: 302 });
  director.elsewhere.set('/empty', { ...rule, status: 204 });
  const client = await open();
  client.write(get('/a') + get('/a').replace('GET', 'HEAD') + get('/empty'));
  const date = /Date: [^\r]+\r\n/;
  assert.equal(
    (await client.take('moved')).replace(date, ''),
    'HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 5\r\n\r\nmoved',
  );
  assert.equal(
    (await client.take('\r\n\r\n')).replace(date, ''),
    'HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 5\r\n\r\n',
  );
  assert.equal(
    (await client.take('\r\n\r\n')).replace(date, ''),
    'HTTP/1.1 204 No Content\r\nLocation: /b\r\n\r\n',
  );
});

test('without an instance there is 503, without a rule 404', async (t) => {
  const { director, paths, open } = await start(t);
  director.instances = [];
  director.elsewhere.set('/nowhere', { kind: 'nowhere' });
  const client = await open();
  client.write(get());
  assert.match(await client.take('"service_unavailable"}\n'), /^HTTP\/1.1 503 [\s\S]*\r\nRetry-After: 2\r\n/);
  assert.equal(paths.fast.unroutable, 1);
  client.write(get('/nowhere'));
  assert.match(await client.take('"not_found"}\n'), /^HTTP\/1.1 404 /);
  assert.equal(paths.fast.unroutable, 2);
  assert.deepEqual(paths.handed, []);
});

test('a request that is held until an instance is there is held by the full path', async (t) => {
  const { director, server, paths, open } = await start(t);
  server.answer(() => answerWith('ok.'));
  const { instances } = director;
  director.hold = 5_000;
  director.instances = [];
  director.available = async () => {
    director.instances = instances;
    return true;
  };
  const client = await open();
  client.write(get('/held') + get('/next'));
  await client.take('ok.');
  await client.take('ok.');
  assert.deepEqual(paths.handed, [get('/held') + get('/next')]);
});

test('a path that is rewritten keeps the query of the request', async (t) => {
  const { director, server, open } = await start(t);
  director.path = '/inner/x';
  server.answer((request) => answerWith(`<${request.split(' ')[1]}>`));
  const client = await open();
  client.write(get('/outer/x?a=b') + get('/outer/x'));
  await client.take('</inner/x?a=b>');
  await client.take('</inner/x>');
});

test('what trusted proxies say of the client is believed and passed on', async (t) => {
  const { director, server, open } = await start(t, { trusted_proxies: ['127.0.0.0/8'] });
  let seen = '';
  server.answer((request) => {
    seen = request;
    return answerWith('ok.');
  });
  const client = await open();
  for (const address of ['203.0.113.7', '203.0.113.8']) {
    client.write(
      get(
        '/',
        `X-Forwarded-For: 6.6.6.6, ${address}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /x\r\n`,
      ),
    );
    await client.take('ok.');
    assert.match(
      seen,
      new RegExp(`\r\nX-Forwarded-For: ${address}, 127.0.0.1\r\nX-Forwarded-Proto: https\r\n`),
    );
    assert.match(seen, /\r\nX-Forwarded-Prefix: \/x\r\n/);
  }
  assert.deepEqual(
    director.requests.map(({ client, is_tls }) => [client, is_tls]),
    [
      ['203.0.113.7', true],
      ['203.0.113.8', true],
    ],
  );
});

test('what others than trusted proxies say of the client is dropped', async (t) => {
  const { server, open } = await start(t);
  let seen = '';
  server.answer((request) => {
    seen = request;
    return answerWith('ok.');
  });
  const client = await open();
  client.write(
    get(
      '/',
      'X-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Forwarded-Prefix: /6\r\n',
    ),
  );
  await client.take('ok.');
  assert.doesNotMatch(seen, /6\.6\.6\.6|Prefix/);
});

test('a connection is listed with what was asked last on it', async (t) => {
  const { server, paths, open } = await start(t);
  server.answer(() => answerWith('ok.'));
  const client = await open();
  client.write(get('/a?secret'));
  await client.take('ok.');
  const { connections } = paths.open.list({}, 10);
  const { id, started_at, last_activity_at, bytes_in, bytes_out, ...rest } = connections[0] ?? {};
  assert.deepEqual(rest, {
    protocol: 'http/1.1',
    client: '127.0.0.1',
    host: 'shop.test',
    path: '/a',
    service: 'shop',
    instance: 1,
    release: 1,
    rule: 'all',
    active: false,
  });
  assert.ok(Math.abs(Date.parse(last_activity_at ?? '') - Date.now()) < 60_000);
  assert.deepEqual([bytes_in, bytes_out], [get('/a?secret').length, answerWith('ok.').length]);
});

test('interim answers without end are a failure of the instance', async (t) => {
  const { server, director, open } = await start(t);
  server.answer((_request, { socket }) => {
    const hints = `HTTP/1.1 103 Early Hints\r\nLink: <${'a'.repeat(1_000)}>\r\n\r\n`.repeat(50);
    const pump = () => socket.writable && socket.write(hints, pump);
    pump();
    return undefined;
  });
  director.retries = { attempts: 0, budget_percent: 0 };
  const client = await open();
  client.write(get());
  await client.take('HTTP/1.1 502 ');
  assert.deepEqual(director.said, ['1 broken']);
});

test('connections by TLS are served by the fast path too', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'davit-fast-path-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { cert: cert_file, key: key_file } = makeCertificates(folder).server;
  const options = { listener: { tls: true }, certificates: [{ cert_file, key_file }] };
  const { server, director, paths, port } = await start(t, options);
  const body = 'x'.repeat(1_000_000);
  server.answer(() => answerWith(body));
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  const client = new Wire(socket);
  for (let round = 0; round < 3; round++) {
    client.write(get());
    assert.equal(await client.take(body), answerWith(body));
  }
  assert.deepEqual(paths.handed, []);
  assert.equal(director.requests[0]?.is_tls, true);
  assert.equal(server.wires.length, 1);
});
