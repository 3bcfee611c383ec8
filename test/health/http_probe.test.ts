import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import type { Probe } from '../../src/contract/probe.ts';
import { probeCheck } from '../../src/health/probe_check.ts';
import { contents, makeCertificates } from '../cli/certificates.ts';
import { fixture } from '../helpers/processes.ts';
import { until } from '../helpers/system.ts';
import { ask, closedPort, instanceAt, listen, probeOf } from './asking.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-http-probe-'));
const certificates = makeCertificates(folder);
after(() => rmSync(folder, { recursive: true }));

const answering =
  (status: number, body = ''): RequestListener =>
  (_request, response) => {
    response.writeHead(status).end(body);
  };

for (const [status, wanted, success] of [
  [200, undefined, true],
  [204, undefined, true],
  [302, undefined, true],
  [400, undefined, false],
  [503, undefined, false],
  [200, [200], true],
  [201, [200], false],
  [418, [200, '400-499'], true],
  [302, ['200-299'], false],
] as const) {
  test(`${status} is ${success ? 'a success' : 'a failure'} where ${wanted ?? 'nothing'} is asked for`, async (t) => {
    const port = await listen(t, createServer(answering(status, 'what it says')));
    const result = await ask({ type: 'http', ...(wanted && { status: wanted }) }, port);
    assert.equal(result.success, success);
    assert.match(result.message, new RegExp(`^GET http://127.0.0.1:${port}/ answered ${status}`));
  });
}

test('a failure tells what was asked, what is expected and how the body begins', async (t) => {
  const port = await listen(t, createServer(answering(503, `no  database\n${'x'.repeat(1_000)}`)));
  const { message } = await ask({ type: 'http', path: '/healthz' }, port);
  assert.equal(
    message,
    `GET http://127.0.0.1:${port}/healthz answered 503, expected 200-399: no database ${'x'.repeat(188)}…`,
  );
});

test('method, path, headers and host are sent as they are given', async (t) => {
  const seen: unknown[] = [];
  const server = createServer((request, response) => {
    const { host, 'x-probe': probe } = request.headers;
    seen.push(request.method, request.url, host, probe);
    response.end();
  });
  const headers = { Host: 'www.example.org', 'X-Probe': 'davit' };
  const port = await listen(t, server);
  const probe = { type: 'http', method: 'POST', path: '/a?b=%20c', headers, port };
  assert.equal((await ask(probe, null)).success, true);
  assert.deepEqual(seen, ['POST', '/a?b=%20c', 'www.example.org', 'davit']);
});

test('HEAD is answered without a body', async (t) => {
  const port = await listen(t, createServer(answering(200, 'body')));
  assert.equal((await ask({ type: 'http', method: 'HEAD' }, port)).success, true);
});

test('the body must match where that is asked for', async (t) => {
  const port = await listen(t, createServer(answering(200, '{"status": "ok"}')));
  assert.equal((await ask({ type: 'http', body: '"status":\\s*"ok"' }, port)).success, true);
  const { success, message } = await ask({ type: 'http', body: '^ok$' }, port);
  assert.equal(success, false);
  assert.match(message, /answered 200, but its body does not match \^ok\$: \{"status": "ok"\}$/);
});

test('only the first 64 KiB of a body are read, and it may be without end', async (t) => {
  const server = createServer((_request, response) => {
    const write = () => {
      while (response.write('a'.repeat(10_000)));
    };
    response.on('drain', write);
    write();
  });
  const port = await listen(t, server);
  assert.equal((await ask({ type: 'http', body: '^a+$' }, port)).success, true);
  assert.equal((await ask({ type: 'http', body: 'b' }, port)).success, false);
  await until('no connection is left', () => connectionsOf(server).then((count) => count === 0));
});

test('an answer that comes too late, or whose body does, is a failure that says what was waited for', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/headers') return;
    response.writeHead(200).write('begin');
    const drip = setInterval(() => response.write('.'), 10);
    response.on('close', () => clearInterval(drip));
  });
  const port = await listen(t, server);
  const late = await ask({ type: 'http', path: '/headers', timeout: '100ms' }, port);
  assert.match(late.message, /took longer than 100 ms: it waited for an answer$/);
  const dripping = await ask({ type: 'http', path: '/body', timeout: '100ms' }, port);
  assert.match(
    dripping.message,
    /took longer than 100 ms: it waited for the rest of the body of its answer 200$/,
  );
  assert.deepEqual([late.success, dripping.success], [false, false]);
  await until('no connection is left', () => connectionsOf(server).then((count) => count === 0));
});

test('an answer that came in time is a success, also when the agent itself was held up meanwhile', async (t) => {
  const [node = '', ...args] = fixture('http_server.mjs');
  const child = spawn(node, args, { env: { PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const asked = ask({ type: 'http', timeout: '200ms' }, Number(String(line).replace('port ', '')));
  const until = performance.now() + 500;
  while (performance.now() < until);
  assert.equal((await asked).success, true);
});

test('a redirect is not followed', async (t) => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    response.writeHead(301, { Location: '/other' }).end();
  });
  const port = await listen(t, server);
  assert.match((await ask({ type: 'http' }, port)).message, /answered 301$/);
  assert.equal(asked, 1);
});

test('each probe has a connection of its own, which is closed after it', async (t) => {
  let connections = 0;
  const server = createServer(answering(200)).on('connection', () => connections++);
  const port = await listen(t, server);
  for (let times = 0; times < 3; times++) assert.equal((await ask({ type: 'http' }, port)).success, true);
  assert.equal(connections, 3);
  await until('no connection is left', () => connectionsOf(server).then((count) => count === 0));
});

for (const [what, send] of [
  ['garbage in place of HTTP', 'SSH-2.0-OpenSSH_9.6\r\n'],
  ['headers that are too large', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(100_000)}\r\n\r\n`],
  ['a body that is cut', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart'],
  ['headers without their end', 'HTTP/1.1 200 OK\r\nContent-Le'],
  ['a chunk that is none', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  ['nothing at all', ''],
] as const) {
  test(`${what} is a failure`, async (t) => {
    const port = await listen(
      t,
      createTcpServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.end(send));
      }),
    );
    const { success, message } = await ask({ type: 'http' }, port);
    assert.equal(success, false);
    assert.match(
      message,
      /^GET http:\/\/127\.0\.0\.1:\d+\/ (failed: |answered 200, but the connection ended)/,
    );
  });
}

test('where nobody listens the message says so', async () => {
  const { success, message } = await ask({ type: 'http' }, await closedPort(createServer()));
  assert.equal(success, false);
  assert.match(message, /was refused: nobody listens there$/);
});

test('whoever switches the protocol has answered 101, and the connection is closed', async (t) => {
  const server = createTcpServer((socket) => {
    socket.once('data', () =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n'),
    );
  });
  const port = await listen(t, server);
  assert.match((await ask({ type: 'http' }, port)).message, /answered 101, expected 200-399$/);
  await until('no connection is left', () => connectionsOf(server).then((count) => count === 0));
});

test('a header that cannot be sent is a failure that says so', async (t) => {
  const port = await listen(t, createServer(answering(200)));
  const headers = { 'X-Probe': '語' };
  assert.throws(() => probeOf({ type: 'http', headers }), /must hold nothing but printable characters/);
  const probe = { ...probeOf({ type: 'http' }), headers } as Probe;
  const { success, message } = await probeCheck(probe, instanceAt(port))(new AbortController().signal);
  assert.equal(success, false);
  assert.match(message, /cannot be asked: Invalid character in header content/);
});

test('a pattern that is none always fails and says so', async (t) => {
  const port = await listen(t, createServer(answering(200)));
  const { success, message } = await ask({ type: 'http', body: '(' }, port);
  assert.equal(success, false);
  assert.match(
    message,
    /^The http probe cannot be made: is not a regular expression in RE2's syntax: .*missing closing \)/,
  );
});

test('an aborted probe ends at once and leaves no connection', async (t) => {
  const server = createServer(() => {});
  const port = await listen(t, server);
  const controller = new AbortController();
  const asked = ask({ type: 'http', timeout: '60s' }, port, {}, controller.signal);
  await until('it is connected', () => connectionsOf(server).then((count) => count === 1));
  controller.abort();
  assert.match((await asked).message, /was called off$/);
  await until('no connection is left', () => connectionsOf(server).then((count) => count === 0));
  assert.match((await ask({ type: 'http' }, port, {}, AbortSignal.abort())).message, /was called off$/);
});

test('with TLS the certificate matters only where that is asked for', async (t) => {
  const port = await listen(t, createSecureServer(contents(certificates.server), answering(200)));
  const asking = async (tls: Record<string, unknown>) => ask({ type: 'http', tls }, port);
  assert.equal((await asking({})).message, `GET https://127.0.0.1:${port}/ answered 200`);
  const unknown = await asking({ verify: true });
  assert.equal(unknown.success, false);
  assert.match(unknown.message, /unable to verify|self-signed|unable to get/);
  assert.equal((await asking({ verify: true, ca_file: certificates.ca })).success, true);
  const otherName = await asking({ verify: true, ca_file: certificates.ca, server_name: 'www.example.org' });
  assert.equal(otherName.success, false);
  assert.match(otherName.message, /does not match certificate's altnames/);
});

test('the name of a server is asked for with TLS', async (t) => {
  const names: unknown[] = [];
  const server = createSecureServer(contents(certificates.server), answering(200));
  server.on('secureConnection', (socket) => names.push(socket.servername));
  const port = await listen(t, server);
  await ask({ type: 'http', tls: { server_name: 'www.example.org' } }, port);
  await ask({ type: 'http', tls: {} }, port);
  assert.deepEqual(names, ['www.example.org', false]);
});

test('a file of authorities that cannot be used is a failure that says so', async (t) => {
  const port = await listen(t, createSecureServer(contents(certificates.server), answering(200)));
  const asking = (ca_file: string) => ask({ type: 'http', tls: { verify: true, ca_file } }, port);
  assert.match((await asking('/no/such.pem')).message, /failed: ENOENT/);
  assert.match((await asking('/dev/zero')).message, /is not a file of at most/);
  const junk = join(folder, 'junk.pem');
  writeFileSync(junk, '-----BEGIN CERTIFICATE-----\njunk\n-----END CERTIFICATE-----\n');
  assert.equal((await asking(junk)).success, false);
});

test('plain HTTP where TLS is spoken, and TLS where it is not, are failures', async (t) => {
  const secure = await listen(t, createSecureServer(contents(certificates.server), answering(200)));
  const plain = await listen(t, createServer(answering(200)));
  assert.equal((await ask({ type: 'http' }, secure)).success, false);
  assert.equal((await ask({ type: 'http', tls: {} }, plain)).success, false);
});

function connectionsOf(server: {
  getConnections(callback: (error: Error | null, count: number) => void): void;
}) {
  return new Promise<number>((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}
