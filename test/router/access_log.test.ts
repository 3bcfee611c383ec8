import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { AccessLog } from '../../src/router/access_log.ts';
import { closedPort } from '../helpers/http_front.ts';
import { until } from '../helpers/system.ts';
import { everything, failuresOnly, lasting, readLine } from './access_lines.ts';
import { FakeDirector } from './fake_director.ts';
import { Paths } from './paths.ts';
import { RecordingBackend } from './recording_backend.ts';
import { answerWith, Wire, WireServer } from './wire.ts';

const trace_id = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${trace_id}-00f067aa0ba902b7-01`;
const get = (path = '/', lines = '', method = 'GET') =>
  `${method} ${path} HTTP/1.1\r\nHost: Shop.test:80\r\n${lines}\r\n`;

type Options = ConstructorParameters<typeof Paths>[1] & { servers?: number };

/** A router that writes everything down, in front of so many servers. */
async function start(t: TestContext, options: Options = {}) {
  const { servers: count = 1, ...rest } = options;
  const servers = await Promise.all(Array.from({ length: count }, () => WireServer.listen(t)));
  const director = new FakeDirector(...servers.map(({ port }) => port));
  const paths = new Paths(director, { access_log: everything, ...rest });
  const port = await paths.listen();
  t.after(() => paths.close());
  const line = async (index = 0) => {
    await until(`line ${index} is written`, () => paths.lines.length > index);
    return readLine(paths.lines[index] as string);
  };
  return { server: servers[0] as WireServer, servers, director, paths, line, open: () => Wire.open(t, port) };
}

const bothPaths = [
  ['fast', true],
  ['full', false],
] as const;

for (const [name, isFast] of bothPaths) {
  test(`the ${name} path writes a request down with all that is known of it`, async (t) => {
    const { server, line, open } = await start(t, { isFast });
    server.answer(() => answerWith('hello'));
    const client = await open();
    const before = Date.now();
    client.write(
      get('/a%20b?token=secret', `traceparent: ${traceparent}\r\nX-Request-Id: r-1\r\nUser-Agent: x/1\r\n`),
    );
    await client.take('hello');
    const { time, duration_ms, upstream_ms, ...rest } = await line();
    assert.deepEqual(rest, {
      level: 'info',
      method: 'GET',
      host: 'shop.test',
      path: '/a%20b',
      protocol: 'http/1.1',
      status: 200,
      service: 'shop',
      instance: 1,
      release: 1,
      rule: 'all',
      client: '127.0.0.1',
      bytes_in: 0,
      bytes_out: 5,
      retries: 0,
      failure: null,
      trace_id,
      parent_id: '00f067aa0ba902b7',
      request_id: 'r-1',
      user_agent: 'x/1',
    });
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Math.abs(Date.parse(time) - before) < 60_000);
    assert.ok(upstream_ms !== null && upstream_ms >= 0 && duration_ms >= upstream_ms);
  });

  test(`the ${name} path writes nothing where it is off, and begins when it is switched on`, async (t) => {
    const { server, paths, line, open } = await start(t, { isFast, access_log: null });
    server.answer(() => answerWith('x'));
    const client = await open();
    client.write(get('/one'));
    await client.take('\r\n\r\nx');
    assert.equal(paths.lines.length, 0);
    paths.access.apply(everything);
    client.write(get('/two'));
    await client.take('\r\n\r\nx');
    assert.equal((await line()).path, '/two');
    paths.access.apply(null);
    client.write(get('/three'));
    await client.take('\r\n\r\nx');
    paths.access.apply(everything);
    client.write(get('/four'));
    await client.take('\r\n\r\nx');
    assert.equal((await line(1)).path, '/four');
    assert.equal(paths.lines.length, 2);
  });

  test(`the ${name} path tells how often a request was tried`, async (t) => {
    const { servers, director, line, open } = await start(t, { isFast, servers: 2 });
    director.instances = [await refusing(1), instanceAt(servers[0] as WireServer)];
    servers[0]?.answer(() => answerWith('x'));
    const client = await open();
    client.write(get());
    await client.take('\r\n\r\nx');
    const { retries, instance, status, failure } = await line();
    assert.deepEqual(
      { retries, instance, status, failure },
      { retries: 1, instance: 2, status: 200, failure: null },
    );
  });

  test(`the ${name} path writes failures down that are not in the sample`, async (t) => {
    const { server, director, paths, line, open } = await start(t, { isFast, access_log: failuresOnly });
    director.retries = { attempts: 0, budget_percent: 0 };
    server.answer((request, { socket }) => {
      if (request.includes('/broken')) socket.destroy();
      return answerWith('x').replace('200', request.includes('/500') ? '500' : '200');
    });
    const client = await open();
    client.write(get('/fine'));
    await client.take('\r\n\r\nx');
    client.write(get('/500'));
    await client.take('\r\n\r\nx');
    const { path, status, failure, level } = await line();
    assert.deepEqual(
      { path, status, failure, level },
      { path: '/500', status: 500, failure: null, level: 'error' },
    );
    client.write(get('/broken'));
    await client.take('}\n');
    const broken = await line(1);
    assert.equal(broken.path, '/broken');
    assert.equal(broken.status, 502);
    assert.equal(broken['failure'], 'broken');
    director.instances = [];
    client.write(get('/none'));
    await client.take('}\n');
    const none = await line(2);
    assert.deepEqual(
      [none.path, none.status, none.failure, none.service, none.rule, none.instance, none.level],
      ['/none', 503, 'none_ready', 'shop', 'all', null, 'error'],
    );
    assert.equal(paths.lines.length, 3);
  });

  test(`the ${name} path tells of a client that goes before its answer`, async (t) => {
    const { server, line, open } = await start(t, { isFast });
    const client = await open();
    client.write(get('/slow'));
    await (await server.wire(0)).take('\r\n\r\n');
    client.socket.destroy();
    const { path, status, failure, level } = await line();
    assert.deepEqual(
      { path, status, failure, level },
      { path: '/slow', status: null, failure: 'client_gone', level: 'warn' },
    );
  });

  test(`the ${name} path tells of an answer that breaks off, with what came of it`, async (t) => {
    const { server, line, open } = await start(t, { isFast });
    const client = await open();
    client.write(get());
    const backend = await server.wire(0);
    await backend.take('\r\n\r\n');
    backend.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
    await client.take('hello');
    backend.socket.resetAndDestroy();
    await client.closed();
    const { status, failure, bytes_out, level } = await line();
    assert.deepEqual(
      { status, failure, bytes_out, level },
      { status: 200, failure: 'broken', bytes_out: 5, level: 'error' },
    );
  });

  test(`the ${name} path does not blame clients for what the end of the router cuts off`, async (t) => {
    const { server, paths, line, open } = await start(t, { isFast });
    const client = await open();
    client.write(get());
    await (await server.wire(0)).take('\r\n\r\n');
    paths.access.cuts_off = true;
    await paths.close();
    assert.equal((await line()).failure, 'cut_off');
    await client.closed();
  });

  test(`the ${name} path writes a slow request down that is not in the sample`, async (t) => {
    const access_log = { ...failuresOnly, errors: false, slow: 1 };
    const { server, line, open } = await start(t, { isFast, access_log });
    const client = await open();
    client.write(get('/slow'));
    const backend = await server.wire(0);
    await backend.take('\r\n\r\n');
    const begun = performance.now();
    while (performance.now() - begun < 2);
    backend.write(answerWith('x'));
    await client.take('\r\n\r\nx');
    const { path, level } = await line();
    assert.deepEqual({ path, level }, { path: '/slow', level: 'warn' });
  });

  test(`the ${name} path lets nothing that a client sends stand in a line but as text`, async (t) => {
    const { server, paths, line, open } = await start(t, { isFast });
    server.answer(() => answerWith('x'));
    const client = await open();
    const agent = '"}\\n{"level":"fatal","msg":"routing"\t\x9b31m\xe4';
    client.write(get(`/${'p'.repeat(2_000)}`, `User-Agent: ${agent}\r\n`));
    await client.take('\r\n\r\nx');
    const { path, user_agent, level } = await line();
    assert.equal(String(path).length, 1_024);
    assert.equal(user_agent, agent);
    assert.equal(level, 'info');
    assert.match(paths.lines[0] as string, /^[ -~]+\n$/);
    assert.doesNotMatch(paths.lines[0] as string, /"msg":"routing/);
  });

  test(`the ${name} path writes a request down that could not be read`, async (t) => {
    const { line, open } = await start(t, { isFast });
    const client = await open();
    client.write('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
    await client.closed();
    const { method, path, status, service } = await line();
    assert.deepEqual(
      { method, path, status, service },
      { method: 'GET', path: null, status: 400, service: null },
    );
  });
}

test('a request whose body cannot be read is one line, with what the client was told', async (t) => {
  const { director, paths, line, open } = await start(t);
  const client = await open();
  client.write('POST /form HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n');
  await until('it is on its way', () => director.open === 1);
  client.write('no size\r\n');
  await client.closed();
  assert.match(client.text, /^HTTP\/1\.1 400 /);
  const { path, status, failure, level } = await line();
  assert.deepEqual(
    { path, status, failure, level },
    { path: '/form', status: 400, failure: 'body_broken', level: 'warn' },
  );
  assert.equal(paths.lines.length, 1);
});

for (const client_address of ['truncated', 'none'] as const)
  test(`the address of a client can be ${client_address}`, async (t) => {
    const { server, line, open } = await start(t, { access_log: { ...everything, client_address } });
    server.answer(() => answerWith('x'));
    const client = await open();
    client.write(get());
    await client.take('\r\n\r\nx');
    assert.equal((await line()).client, client_address === 'none' ? null : '127.0.0.0');
  });

test('both paths write the same of the same requests', async (t) => {
  const backend = await RecordingBackend.listen();
  t.after(() => backend.close());
  const down = await closedPort();
  const sides = await Promise.all(
    [true, false].map(async (isFast) => {
      const director = new FakeDirector(backend.port);
      director.retries = { attempts: 0, budget_percent: 0 };
      director.elsewhere.set('/answer', { kind: 'answer', rule: 'a', status: 404, headers: {}, body: 'no' });
      director.elsewhere.set('/redirect', { kind: 'answer', rule: 'r', status: 301, headers: {}, body: '' });
      director.elsewhere.set('/nowhere', { kind: 'nowhere' });
      const unreachable = new FakeDirector(down);
      unreachable.retries = { attempts: 0, budget_percent: 0 };
      director.elsewhere.set('/down', { kind: 'service', rule: 'd', service: unreachable, path: null });
      const paths = new Paths(director, { isFast, access_log: everything });
      const port = await paths.listen();
      t.after(() => paths.close());
      return { paths, port };
    }),
  );
  const targets = [
    ...Array.from({ length: 10 }, (_, form) => `/${form}?q`),
    '/answer',
    '/redirect',
    '/nowhere',
    '/down',
  ];
  for (const target of targets)
    for (const method of ['GET', 'HEAD']) {
      const [fast, full] = await Promise.all(
        sides.map(async ({ paths, port }) => {
          paths.lines.length = 0;
          const socket = connect(port, '127.0.0.1');
          socket.on('error', () => {}).resume();
          socket.write(get(target, `traceparent: ${traceparent}\r\nConnection: close\r\n`, method), 'latin1');
          await once(socket, 'close');
          await until('a line is written', () => paths.lines.length === 1);
          return lasting(paths.lines[0] as string);
        }),
      );
      assert.deepEqual(fast, full, `${method} ${target}`);
    }
});

test('a request is in the sample or not from its beginning on', () => {
  const lines: string[] = [];
  const draws = [0.05, 0.5, 0.099, 0.1];
  const access = new AccessLog({ write: (line) => lines.push(line), random: () => draws.shift() as number });
  assert.equal(access.begin(), null);
  access.apply({ ...everything, sample: 0.1, errors: false });
  assert.deepEqual(
    [1, 2, 3, 4].map(() => access.begin()?.is_sampled ?? null),
    [true, null, true, null],
  );
});

test('about as many requests as the sample says are written down, whatever the load', () => {
  let count = 0;
  const access = new AccessLog({ write: () => count++ });
  access.apply({ ...everything, sample: 0.25 });
  const request = { method: 'GET', host: 'a', path: '/', client: '192.0.2.1', header: () => undefined };
  for (let each = 0; each < 8_000; each++) {
    const record = access.begin();
    assert.ok(record !== null);
    record.given(200);
    access.end(record, request, 'http/1.1');
  }
  // Eight times the standard deviation, about.
  assert.ok(Math.abs(count - 2_000) < 310, `${count}`);
});

async function refusing(number: number) {
  return new FakeDirector(await closedPort()).instances.map((each) =>
    Object.assign(each, { number }),
  )[0] as never;
}

function instanceAt({ port }: WireServer) {
  return new FakeDirector(1, port).instances[1] as never;
}
