import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { type TestContext, test } from 'node:test';
import type { Connection } from '../../src/contract/connections.ts';
import {
  bodyOf,
  closedPort,
  FakeDirector,
  FakeService,
  openBackend,
  openFront,
  openRawBackend,
  RawClient,
  settings,
  until,
} from '../helpers/http_front.ts';
import { openRecordingBackend } from '../helpers/recording_backend.ts';

function begin(t: TestContext, port: number, options: RequestOptions = {}): ClientRequest {
  const agent = new Agent();
  t.after(() => agent.destroy());
  return httpRequest({ port, host: '127.0.0.1', agent, ...options }).on('error', () => {});
}

type Answer = IncomingMessage & { text: string };

/** One request on a connection of its own. */
async function send(
  t: TestContext,
  port: number,
  options: RequestOptions = {},
  body: string | null = null,
): Promise<Answer> {
  const request = begin(t, port, options);
  request.end(body ?? undefined);
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  return Object.assign(answer, { text: await bodyOf(answer) });
}

function factsOf(service: FakeService): string[] {
  return service.facts.map(
    ({ instance, fact, how }) => `${instance} ${fact}${how === undefined ? '' : ` ${how}`}`,
  );
}

/** A backend that hears a request and then ends the connection without a word. */
function deadBackend(t: TestContext, seen: string[] = []): Promise<number> {
  return openRawBackend(t, (socket) => {
    socket.once('data', (bytes) => {
      seen.push(String(bytes));
      socket.destroy();
    });
  });
}

test('a request reaches the instance, and its answer the client', async (t) => {
  const backend = await openBackend(t, async (request, response) => {
    const text = await bodyOf(request);
    response.writeHead(201, 'Made', {
      'X-Answer': 'a',
      'Set-Cookie': ['one=1', 'two=2'],
      'Keep-Alive': 'timeout=9',
    });
    response.end(`${request.method} ${request.url} ${text}`);
  });
  const { port, service } = await openFront(t, [backend.port]);
  const answer = await send(t, port, { method: 'POST', path: '/a/b?c=d&e' }, 'hello');
  assert.equal(answer.statusCode, 201);
  assert.equal(answer.statusMessage, 'Made');
  assert.equal(answer.headers['x-answer'], 'a');
  assert.deepEqual(answer.headers['set-cookie'], ['one=1', 'two=2']);
  assert.notEqual(answer.headers['keep-alive'], 'timeout=9');
  assert.equal(answer.text, 'POST /a/b?c=d&e hello');
  assert.deepEqual(factsOf(service), ['1 answered 201', '1 end']);
});

test('the instance sees the path that the rule puts in place, with the query', async (t) => {
  const backend = await openBackend(t, (request, response) => response.end(request.url));
  const service = new FakeService([backend.port]);
  const director = new FakeDirector(() => ({ kind: 'service', rule: 'r', service, path: '/other' }));
  const { port } = await openFront(t, [], settings(), { director });
  assert.equal((await send(t, port, { path: '/api/x?y=1' })).text, '/other?y=1');
});

test('dot segments are gone before anything is decided or passed on', async (t) => {
  const backend = await openBackend(t, (request, response) => response.end(request.url));
  const { port, director } = await openFront(t, [backend.port]);
  const client = await RawClient.open(t, port);
  client.write('GET /a/../b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  assert.match(await client.closed(), /\r\n\r\n\/b$/);
  assert.equal(director.seen[0]?.path, '/b');
});

test('an instance says where its answer is not to be HTTP/1.1 any more than the client can take', async (t) => {
  const backend = await openBackend(t, (_request, response) => {
    response.write('one');
    response.end('two');
  });
  const { port } = await openFront(t, [backend.port]);
  const client = await RawClient.open(t, port);
  const text = await client.write('GET / HTTP/1.0\r\n\r\n').closed();
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
  assert.doesNotMatch(text, /transfer-encoding/i);
  assert.match(text, /\r\n\r\nonetwo$/);
});

test('HEAD, 204 and 304 have no body, and keep what the instance says of it', async (t) => {
  const backend = await openBackend(t, (request, response) => {
    if (request.method === 'HEAD') response.writeHead(200, { 'Content-Length': '5' }).end();
    else response.writeHead(Number(request.url?.slice(1)), { ETag: '"e"' }).end();
  });
  const { port } = await openFront(t, [backend.port]);
  const client = await RawClient.open(t, port);
  client.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /204 HTTP/1.1\r\nHost: a\r\n\r\n');
  client.write('GET /304 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const answers = (await client.closed()).split(/(?=HTTP\/1\.1 )/);
  assert.deepEqual(
    answers.map((answer) => answer.slice(9, 12)),
    ['200', '204', '304'],
  );
  assert.match(answers[0] ?? '', /\r\ncontent-length: 5\r\n/i);
  for (const answer of answers) {
    assert.match(answer, /\r\n\r\n$/);
    assert.doesNotMatch(answer, /transfer-encoding/i);
  }
});

test('the answers to requests that came at once are in their order, and no request begins before the one before it is answered', async (t) => {
  const log: string[] = [];
  const backend = await openBackend(t, (request, response) => {
    log.push(`begin ${request.url}`);
    setImmediate(() => {
      log.push(`end ${request.url}`);
      response.end(request.url);
    });
  });
  const { port } = await openFront(t, [backend.port]);
  const client = await RawClient.open(t, port);
  client.write(
    ['/1', '/2', '/3']
      .map((path) => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx`)
      .join(''),
  );
  await client.until((text) => text.includes('/3'));
  assert.deepEqual(log, ['begin /1', 'end /1', 'begin /2', 'end /2', 'begin /3', 'end /3']);
  assert.deepEqual(client.text.match(/\/\d$|\/\d(?=HTTP)/g), ['/1', '/2', '/3']);
});

test('events of a stream reach the client as they come, and its end reaches the instance', async (t) => {
  let send_next = () => {};
  let ended: () => void = () => {};
  const over = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const backend = await openBackend(t, (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.flushHeaders();
    let count = 0;
    send_next = () => response.write(`data: ${++count}\n\n`);
    response.on('close', ended);
  });
  const { port, service } = await openFront(t, [backend.port]);
  const client = await RawClient.open(t, port);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until((text) => text.includes('text/event-stream') && text.includes('\r\n\r\n'));
  for (const event of ['data: 1\n', 'data: 2\n', 'data: 3\n']) {
    send_next();
    await client.until((text) => text.includes(event));
  }
  client.socket.destroy();
  await over;
  await until(() => service.open_leases === 0);
  assert.deepEqual(factsOf(service), ['1 answered 200', '1 end'], 'a client that goes away is no failure');
});

test('trailers of an answer reach the client', async (t) => {
  const backend = await openBackend(t, (_request, response) => {
    response.writeHead(200, { Trailer: 'X-Sum' });
    response.write('body');
    response.addTrailers({ 'X-Sum': '42', 'Content-Type': 'text/evil' });
    response.end();
  });
  const { port } = await openFront(t, [backend.port]);
  const answer = await send(t, port);
  assert.equal(answer.text, 'body');
  assert.equal(answer.headers.trailer, 'X-Sum');
  assert.deepEqual({ ...answer.trailers }, { 'x-sum': '42' });
});

test('early hints reach the client before the answer', async (t) => {
  const backend = await openBackend(t, (_request, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => response.end('done'));
  });
  const { port } = await openFront(t, [backend.port]);
  const client = await RawClient.open(t, port);
  const text = await client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n').closed();
  assert.match(
    text,
    /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
  );
});

test('hints that are none do not cost the answer', async (t) => {
  const odd = await openRawBackend(t, (socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 103 Early Hints\r\nLink: what?\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n');
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  const { port } = await openFront(t, [odd]);
  assert.equal((await send(t, port)).text, 'ok');
});

test('bytes beyond ASCII in a header come as they were sent, also when the body comes later', async (t) => {
  const { promise: headCame, resolve: onHead } = Promise.withResolvers<void>();
  const slow = await openRawBackend(t, (socket) => {
    socket.once('data', async () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name: caf\xe9\r\n\r\n', 'latin1');
      await headCame;
      socket.end('ok');
    });
  });
  const { port } = await openFront(t, [slow]);
  const client = await RawClient.open(t, port);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
  await until(() => client.text.includes('\r\n\r\n'));
  assert.match(client.text, /\r\nX-Name: caf\xe9\r\n/);
  onHead();
  await until(() => client.text.endsWith('\r\n\r\nok'));
});

test('a client that waits to be told to go on is told when an instance is there, and not before', async (t) => {
  const backend = await openBackend(t, async (request, response) => response.end(await bodyOf(request)));
  const { port, service } = await openFront(t, [backend.port]);
  const client = await RawClient.open(t, port);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
  await client.until((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
  client.write('hello');
  assert.match(await client.until((text) => text.includes('hello')), /\r\n\r\nHTTP\/1\.1 200 OK\r\n/);

  service.setPorts([]);
  const other = await RawClient.open(t, port);
  other.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
  const text = await other.closed();
  assert.match(text, /^HTTP\/1\.1 503 /);
  assert.match(text, /\r\nConnection: close\r\n/);
});

test('what stands in the way of an answer is told as a page to who takes one, and as JSON to all others', async (t) => {
  const { port, service } = await openFront(t, []);
  const page = await send(t, port, { headers: { Accept: 'text/html,*/*' } });
  assert.equal(page.statusCode, 503);
  assert.equal(page.headers['retry-after'], '2');
  assert.match(page.headers['content-type'] ?? '', /^text\/html/);
  assert.match(page.text, /^<!doctype html>.*<h1>503 Service Unavailable<\/h1>/s);
  const json = await send(t, port);
  assert.deepEqual(JSON.parse(json.text), {
    error: 'the service takes no requests right now',
    code: 'service_unavailable',
  });
  assert.equal(json.headers['cache-control'], 'no-store');
  assert.deepEqual(service.facts, []);
});

test('what no rule takes is answered with 404, and a rule that answers by itself is obeyed', async (t) => {
  const director = new FakeDirector(({ path }) =>
    path === '/moved'
      ? { kind: 'answer', rule: 'r', status: 301, headers: { Location: '/there' }, body: 'gone' }
      : { kind: 'nowhere' },
  );
  const { port, front } = await openFront(t, [], settings(), { director });
  assert.equal((await send(t, port, { path: '/x' })).statusCode, 404);
  assert.equal(front.facts().unroutable, 1);
  const moved = await send(t, port, { path: '/moved' });
  assert.deepEqual([moved.statusCode, moved.headers.location, moved.text], [301, '/there', 'gone']);
  const head = await send(t, port, { path: '/moved', method: 'HEAD' });
  assert.deepEqual([head.headers['content-length'], head.text], ['4', '']);
});

test('the cookie that keeps the client with the instance is set beside those of the instance', async (t) => {
  const backend = await openBackend(t, (_request, response) =>
    response.writeHead(200, { 'Set-Cookie': 'own=1' }).end(),
  );
  const { port, service } = await openFront(t, [backend.port]);
  service.cookie = 'davit_instance=1; Path=/';
  assert.deepEqual((await send(t, port)).headers['set-cookie'], ['own=1', 'davit_instance=1; Path=/']);
});

test('a request goes to another instance when the first one cannot be reached, whatever its method', async (t) => {
  const backend = await openBackend(t, async (request, response) => response.end(await bodyOf(request)));
  const { port, service } = await openFront(t, [await closedPort(), backend.port]);
  const answer = await send(t, port, { method: 'POST' }, 'sent once');
  assert.equal(answer.text, 'sent once');
  assert.deepEqual(factsOf(service), [
    '1 failed unreachable',
    '1 retried',
    '1 end',
    '2 answered 200',
    '2 end',
  ]);
});

test('a GET goes to another instance when the first one breaks off before it answers', async (t) => {
  const backend = await openBackend(t, (_request, response) => response.end('second'));
  const { port, service } = await openFront(t, [await deadBackend(t), backend.port]);
  assert.equal((await send(t, port)).text, 'second');
  assert.deepEqual(factsOf(service), ['1 failed broken', '1 retried', '1 end', '2 answered 200', '2 end']);
});

test('a GET goes once more to the only instance when that has ended the connection', async (t) => {
  let connections = 0;
  const restless = await openRawBackend(t, (socket) => {
    connections += 1;
    const isFirst = connections === 1;
    socket.once('data', () => {
      if (isFirst) socket.destroy();
      else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain');
    });
  });
  const { port } = await openFront(t, [restless]);
  assert.equal((await send(t, port)).text, 'again');
  assert.equal(connections, 2);
});

test('an answer without length that breaks off does not look whole to an HTTP/1.0 client', async (t) => {
  const broken = await openRawBackend(t, (socket) => {
    socket.once('data', () =>
      socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'),
    );
  });
  const { port } = await openFront(t, [broken]);
  const client = await RawClient.open(t, port);
  const failure = once(client.socket, 'error');
  client.write('GET / HTTP/1.0\r\n\r\n');
  assert.equal((await failure)[0].code, 'ECONNRESET');
});

test('a connection that is closed by hand ends after the answer that is under way', async (t) => {
  const answering = Promise.withResolvers<() => void>();
  const backend = await openBackend(t, (_request, response) => {
    response.write('some');
    answering.resolve(() => response.end('more'));
  });
  const { port, open } = await openFront(t, [backend.port]);
  const client = await RawClient.open(t, port);
  await client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n').until((text) => text.includes('some'));
  assert.equal(open.close({ service: 'web' }), 1);
  (await answering.promise)();
  assert.match(await client.closed(), /more\r\n0\r\n\r\n$/);
});

test('a POST that an instance may have seen is sent nowhere else', async (t) => {
  const backend = await openRecordingBackend(t);
  for (const body of ['with a body', null]) {
    const { port, service } = await openFront(t, [await deadBackend(t), backend.port]);
    const answer = await send(t, port, { method: 'POST' }, body);
    assert.equal(answer.statusCode, 502);
    assert.deepEqual(factsOf(service), ['1 failed broken', '1 end']);
  }
  assert.deepEqual(backend.requests(), []);
});

test('a PUT whose body has begun to be sent is sent nowhere else', async (t) => {
  const backend = await openRecordingBackend(t);
  const { port } = await openFront(t, [await deadBackend(t), backend.port]);
  const answer = await send(t, port, { method: 'PUT' }, 'a body');
  assert.equal(answer.statusCode, 502);
  assert.deepEqual(backend.requests(), []);
});

test('it is tried no more often than the service says, and not beyond its budget', async (t) => {
  const ports = await Promise.all([deadBackend(t), deadBackend(t), deadBackend(t), deadBackend(t)]);
  const { port, service } = await openFront(t, ports);
  const answer = await send(t, port);
  assert.equal(answer.statusCode, 502);
  assert.equal(service.facts.filter(({ fact }) => fact === 'failed').length, 3);
  service.facts.length = 0;
  service.mayRetry = () => false;
  assert.equal((await send(t, port)).statusCode, 502);
  assert.deepEqual(factsOf(service), ['1 failed broken', '1 end']);
});

test('instances that refuse a connection are passed over, however many these are', async (t) => {
  const backend = await openBackend(t, async (request, response) => response.end(await bodyOf(request)));
  const closed = await Promise.all(Array.from({ length: 5 }, closedPort));
  const { port, service } = await openFront(t, [...closed, backend.port]);
  service.mayRetry = () => false;
  assert.equal((await send(t, port, { method: 'POST' }, 'sent once')).text, 'sent once');
  service.facts.length = 0;
  service.retries = { ...service.retries, attempts: 0 };
  assert.equal((await send(t, port)).statusCode, 502);
  assert.deepEqual(factsOf(service), ['1 failed unreachable', '1 end']);
});

test('an instance that does not answer in time is given up with 504', async (t) => {
  const silent = await openRawBackend(t, () => {});
  const { port, service } = await openFront(t, [silent]);
  service.timeouts = { connect: 1_000, response: 100, idle: null };
  service.retries = { ...service.retries, attempts: 0 };
  const answer = await send(t, port);
  assert.equal(answer.statusCode, 504);
  assert.deepEqual(factsOf(service), ['1 failed timed_out', '1 end']);
});

test('an answer that the instance breaks off is broken off for the client', async (t) => {
  for (const head of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
    const broken = await openRawBackend(t, (socket) => {
      socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n5\r\nhello\r\n`));
    });
    const { port, service } = await openFront(t, [broken]);
    const request = begin(t, port).end();
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    await assert.rejects(bodyOf(answer), { code: 'ECONNRESET' });
    assert.deepEqual(factsOf(service), ['1 answered 200', '1 failed broken', '1 end']);
  }
});

test('an answer that is no HTTP is 502', async (t) => {
  const answers = [
    'what?\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\nContent-Length: 2\n\nab',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n',
  ];
  for (const text of answers) {
    const odd = await openRawBackend(t, (socket) => socket.once('data', () => socket.end(text)));
    const { port } = await openFront(t, [odd]);
    assert.equal((await send(t, port, { method: 'POST' })).statusCode, 502, text);
  }
});

test('what an instance sends unasked is no answer to the next request', async (t) => {
  let connections = 0;
  const odd = await openRawBackend(t, (socket) => {
    connections += 1;
    socket.on('data', () => {
      const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n';
      socket.write(`${answer}good${answer}evil`);
    });
  });
  const { port } = await openFront(t, [odd]);
  for (const round of [1, 2, 3]) {
    assert.equal((await send(t, port)).text, 'good');
    assert.equal(connections, round);
  }
});

test('a client that goes away ends its request at the instance', async (t) => {
  const closed = Promise.withResolvers<void>();
  const seen = Promise.withResolvers<void>();
  const backend = await openBackend(t, (_request, response) => {
    response.on('close', closed.resolve);
    seen.resolve();
  });
  const { port, service, front, open } = await openFront(t, [backend.port]);
  const request = begin(t, port).end();
  await seen.promise;
  assert.equal(service.open_leases, 1);
  request.destroy();
  await closed.promise;
  await until(() => service.open_leases === 0 && front.facts().connections === 0);
  assert.deepEqual(factsOf(service), ['1 end']);
  assert.equal(open.count, 0);
});

test('a client that breaks off its body ends its request at the instance, which never sees it as whole', async (t) => {
  const aborted = Promise.withResolvers<boolean>();
  const backend = await openBackend(t, (request) => {
    request.resume().on('close', () => aborted.resolve(request.complete));
  });
  const { port, service } = await openFront(t, [backend.port]);
  for (const framing of ['Content-Length: 10', 'Transfer-Encoding: chunked']) {
    const client = await RawClient.open(t, port);
    client.write(`POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n5\r\nhello\r\n`.slice(0, -4));
    await until(() => service.open_leases === 1);
    client.socket.destroy();
    assert.equal(await aborted.promise, false);
    await until(() => service.open_leases === 0);
  }
  assert.ok(!service.facts.some(({ fact }) => fact === 'failed'));
});

test('an instance that answers before it has the whole body is heard', async (t) => {
  const early = await openRawBackend(t, (socket) => {
    socket.once('data', () =>
      socket.write('HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!'),
    );
  });
  const { port } = await openFront(t, [early]);
  const client = await RawClient.open(t, port);
  client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(1_000)}`);
  await client.until((text) => text.includes('no!'));
  client.write('x'.repeat(199_000));
  client.write('GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  assert.match(await client.until((text) => text.lastIndexOf('HTTP/1.1 ') > 0), /no!HTTP\/1\.1 413/);
});

test('a body that says that it is too large is refused without an instance, and one that turns out to be is ended', async (t) => {
  const backend = await openBackend(t, async (request, response) =>
    response.end(await bodyOf(request).catch(() => '')),
  );
  const { port, service } = await openFront(t, [backend.port], settings({}, { body_size: 1_000 }));
  assert.equal((await send(t, port, { method: 'POST' }, 'x'.repeat(1_000))).statusCode, 200);
  service.facts.length = 0;
  assert.equal((await send(t, port, { method: 'POST' }, 'x'.repeat(1_001))).statusCode, 413);
  assert.deepEqual(service.facts, []);
  const chunked = await send(
    t,
    port,
    { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' } },
    'x'.repeat(2_000),
  );
  assert.equal(chunked.statusCode, 413);
  assert.deepEqual(factsOf(service), ['1 end'], 'the instance has done nothing wrong');
});

test('a request that cannot be served at all ends its connection, is told, and no other one suffers', async (t) => {
  const director = new FakeDirector(() => {
    throw new Error('no table');
  });
  const { port, problems, open } = await openFront(t, [], settings(), { director });
  for (const _ of [1, 2]) {
    const client = await RawClient.open(t, port);
    assert.equal(await client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n').closed(), '');
  }
  assert.equal(problems[0], 'A request could not be served: Error: no table');
  await until(() => open.count === 0);
});

test('a service that holds requests lets them wait until an instance is there, as many as may', async (t) => {
  const backend = await openBackend(t, (_request, response) => response.end('at last'));
  const { port, service } = await openFront(t, [], settings({}, { held_requests: 2 }));
  service.hold = 60_000;
  const waiting = [send(t, port), send(t, port)];
  await until(() => service.waiting === 2);
  assert.equal((await send(t, port)).statusCode, 503);
  service.setPorts([backend.port]);
  assert.deepEqual(
    (await Promise.all(waiting)).map(({ text }) => text),
    ['at last', 'at last'],
  );
  service.setPorts([]);
  service.hold = 50;
  assert.equal((await send(t, port)).statusCode, 503, 'none came in time');
  assert.equal(service.waiting, 0);
});

test('a held request whose client goes away waits no longer', async (t) => {
  const { port, service, open } = await openFront(t, []);
  service.hold = 60_000;
  const request = begin(t, port).end();
  await until(() => service.waiting === 1);
  request.destroy();
  await until(() => service.waiting === 0 && open.count === 0);
  assert.deepEqual(service.facts, []);
});

test('connections are listed with what is under way on them, and can be closed', async (t) => {
  const backend = await openBackend(t, (request, response) => {
    if (request.url !== '/wait') response.end('x');
  });
  const { port, open } = await openFront(t, [backend.port]);
  const resting = await RawClient.open(t, port);
  resting.write('GET /rest?secret=1 HTTP/1.1\r\nHost: One.example\r\n\r\n');
  await resting.until((text) => text.endsWith('x'));
  const busy = await RawClient.open(t, port);
  busy.write('GET /wait HTTP/1.1\r\nHost: two\r\n\r\n');
  await until(() =>
    open.list({}, 10).connections.some(({ host, instance }) => host === 'two' && instance === 1),
  );
  await until(() => open.list({}, 10).connections.some(({ active }) => !active));
  const [first, second] = open.list({}, 10).connections;
  const {
    id,
    started_at: _started,
    last_activity_at: _last,
    bytes_in,
    bytes_out,
    ...facts
  } = first as Connection;
  assert.deepEqual(facts, {
    protocol: 'http/1.1',
    client: '127.0.0.1',
    host: 'one.example',
    path: '/rest',
    service: 'web',
    instance: 1,
    release: 1,
    rule: 'web/1',
    active: false,
  });
  assert.ok(bytes_in > 40 && bytes_out > 40);
  assert.equal(second?.active, true);
  assert.equal(open.close({ ids: [id] }), 1);
  await resting.closed();
  await until(() => open.count === 1);
  assert.equal(open.close({ service: 'web' }), 1);
  busy.socket.destroy();
  await until(() => open.count === 0);
});

test('a router that ends lets what is under way finish, says that the connection ends, and closes those that rest', async (t) => {
  const answering = Promise.withResolvers<() => void>();
  const backend = await openBackend(t, (request, response) => {
    if (request.url === '/slow') answering.resolve(() => response.end('slow'));
    else response.end('quick');
  });
  const { port, front, ending } = await openFront(t, [backend.port]);
  const busy = await RawClient.open(t, port);
  busy.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  const answer = await answering.promise;
  const resting = await RawClient.open(t, port);
  await resting.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n').until((text) => text.includes('quick'));
  const asking = await RawClient.open(t, port);
  await asking.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n').until((text) => text.includes('quick'));

  ending.is_ending = true;
  front.stopListening();
  asking.write('GET /more HTTP/1.1\r\nHost: a\r\n\r\n');
  const more = (await asking.closed()).split(/(?=HTTP\/1\.1 )/);
  assert.match(more[1] ?? '', /^HTTP\/1\.1 200 OK\r\n.*\r\nConnection: close\r\n.*quick$/s);
  answer();
  assert.match(await busy.closed(), /\r\nConnection: close\r\n.*slow$/s);
  await resting.closed();
  await until(() => front.facts().connections === 0);
  assert.deepEqual(front.facts().listening, []);
});
