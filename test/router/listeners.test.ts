import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { Certificates } from '../../src/router/certificates.ts';
import { Listeners } from '../../src/router/listeners.ts';
import {
  bodyOf,
  closedPort,
  openBackend,
  openFront,
  RawClient,
  settings,
  until,
} from '../helpers/http_front.ts';
import { type CertificateFiles, makeCertificate } from '../helpers/server_certificates.ts';

let folder: string;
let first: CertificateFiles;
let shop: CertificateFiles;
let renewed: CertificateFiles;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-router-tls-'));
  first = makeCertificate(folder, 'first', ['first.example']);
  shop = makeCertificate(folder, 'shop', ['shop.example', '*.shop.example']);
  renewed = makeCertificate(folder, 'renewed', ['first.example']);
});
after(() => rmSync(folder, { recursive: true }));

const tlsListener = { address: '127.0.0.1:0', tls: true, proxy_protocol: false };

/** The common name of the certificate that is shown. */
async function shownTo(port: number, options: ConnectionOptions = {}): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

async function textFrom(port: number, headers: Record<string, string> = {}): Promise<string> {
  const [answer] = (await once(get({ port, host: '127.0.0.1', headers, agent: false }), 'response')) as [
    IncomingMessage,
  ];
  return bodyOf(answer);
}

test('the certificate is the one for the name that the client asks for, the first for everybody else', async (t) => {
  const given = settings({ listeners: [tlsListener], certificates: [first, shop] });
  const { port, problems } = await openFront(t, [], given);
  const shown = await Promise.all(
    ['first.example', 'shop.example', 'SHOP.example', 'a.shop.example', 'a.b.shop.example', 'x.example'].map(
      (servername) => shownTo(port, { servername }),
    ),
  );
  assert.deepEqual(shown, ['first', 'shop', 'shop', 'shop', 'first', 'first']);
  assert.equal(await shownTo(port), 'first', 'a client that asks for no name');
  assert.deepEqual(problems, []);
});

test('a version of TLS that is too old is refused', async (t) => {
  const given = settings({ listeners: [tlsListener], certificates: [first], min_version: 'TLSv1.3' });
  const { port, front } = await openFront(t, [], given);
  const refused = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
  for (const servername of ['first.example', undefined])
    await assert.rejects(shownTo(port, { ...refused, ...(servername && { servername }) }));
  assert.equal(await shownTo(port), 'first');
  await until(() => front.facts().connections === 0);
});

test('a request over TLS reaches the instance with what tells it so', async (t) => {
  const backend = await openBackend(t, (request, response) =>
    response.end(String(request.headers.forwarded)),
  );
  const given = settings({ listeners: [tlsListener], certificates: [first] });
  const { port, director } = await openFront(t, [backend.port], given);
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  });
  await once(socket, 'secureConnect');
  const client = new RawClient(socket);
  client.write('GET / HTTP/1.1\r\nHost: first.example\r\nConnection: close\r\n\r\n');
  assert.match(await client.closed(), /for=127\.0\.0\.1;host=first\.example;proto=https$/);
  assert.equal(director.seen[0]?.is_tls, true);
});

test('certificates are read again when their files have changed, and connections that are open go on', async (t) => {
  const own = { cert_file: join(folder, 'own.pem'), key_file: join(folder, 'own.key') };
  const install = ({ cert_file, key_file }: CertificateFiles) => {
    copyFileSync(cert_file, own.cert_file);
    copyFileSync(key_file, own.key_file);
  };
  install(first);
  const problems: string[] = [];
  const firsts: string[] = [];
  const certificates = new Certificates({
    onProblem: (message) => problems.push(message),
    onFirst: ({ cert }) => firsts.push(String(cert)),
  });
  t.after(() => certificates.close());
  certificates.apply({ certificates: [own], min_version: 'TLSv1.2' });
  const before = certificates.find('first.example');
  assert.ok(before);

  install(renewed);
  certificates.look();
  assert.equal(certificates.find('first.example'), before, 'the key may still be the old one');
  certificates.look();
  const since = certificates.find('first.example');
  assert.notEqual(since, before);
  assert.equal(firsts.length, 2);

  writeFileSync(own.cert_file, 'no certificate');
  certificates.look();
  certificates.look();
  assert.equal(certificates.find('first.example'), since, 'what was read before stays');
  assert.match(problems[0] ?? '', /own\.pem .* no certificate and its key/);
  assert.ok(!problems.join().includes('PRIVATE'));
});

test('a certificate that cannot be read is told, and the others are served', async (t) => {
  const missing = { cert_file: join(folder, 'missing.pem'), key_file: join(folder, 'missing.key') };
  const given = settings({ listeners: [tlsListener], certificates: [missing, shop] });
  const { port, problems } = await openFront(t, [], given);
  assert.equal(await shownTo(port), 'shop');
  assert.match(problems[0] ?? '', /missing\.pem/);
});

test('listeners are opened and closed by the settings, and the connections of those that are closed go on', async (t) => {
  const backend = await openBackend(t, (request, response) => response.end(request.url));
  const { port, front } = await openFront(t, [backend.port]);
  const client = await RawClient.open(t, port);
  await client.write('GET /one HTTP/1.1\r\nHost: a\r\n\r\n').until((text) => text.endsWith('/one'));
  const other = `127.0.0.1:${await closedPort()}`;
  await front.apply(settings({ listeners: [{ address: other, tls: false, proxy_protocol: false }] }));
  assert.deepEqual(front.facts().listening, [other]);
  await until(() => !front.facts().listening.includes(`127.0.0.1:${port}`));
  await client.write('GET /two HTTP/1.1\r\nHost: a\r\n\r\n').until((text) => text.endsWith('/two'));
  assert.equal(await textFrom(Number(other.split(':')[1])), '/');
});

test('an address that is taken is told and tried again, and the others are opened', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  assert.ok(typeof address === 'object' && address !== null);
  const problems: string[] = [];
  const listeners = new Listeners({
    onConnection: (socket) => socket.destroy(),
    onProblem: (message) => problems.push(message),
    retryInterval: 20,
  });
  t.after(() => listeners.close());
  const plain = { tls: false, proxy_protocol: false };
  const wanted = `127.0.0.1:${address.port}`;
  await listeners.apply([
    { address: wanted, ...plain },
    { address: '127.0.0.1:0', ...plain },
  ]);
  assert.equal(listeners.addresses.length, 1);
  assert.equal(problems[0], `Cannot listen on ${wanted}: another program listens there. It is tried again.`);
  taken.close();
  await until(() => listeners.addresses.includes(wanted));
});

test('several routers listen on one port', async (t) => {
  const backend = await openBackend(t, (_request, response) => response.end('x'));
  const address = `127.0.0.1:${await closedPort()}`;
  const given = settings({ listeners: [{ address, tls: false, proxy_protocol: false }] });
  const one = await openFront(t, [backend.port], given);
  const other = await openFront(t, [backend.port], given);
  assert.deepEqual(one.front.facts().listening, other.front.facts().listening);
  one.front.stopListening();
  await until(() => one.front.facts().listening.length === 0);
  for (let count = 0; count < 8; count += 1) assert.equal(await textFrom(one.port), 'x');
  assert.deepEqual([...one.problems, ...other.problems], []);
});

test('a connection that begins with a PROXY header comes from where that says', async (t) => {
  const backend = await openBackend(t, (request, response) =>
    response.end(String(request.headers['x-forwarded-for'])),
  );
  const listener = { address: '127.0.0.1:0', tls: false, proxy_protocol: true };
  const given = settings({ listeners: [listener], trusted_proxies: ['127.0.0.1'] });
  const { port, director, open } = await openFront(t, [backend.port], given);
  const client = await RawClient.open(t, port);
  client.write('PROXY TCP4 192.0.2.7 ').write('198.51.100.1 4660 443\r\nGET / HTTP/1.1\r\nHo');
  client.write('st: a\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n');
  await client.until((text) => text.endsWith('\r\n\r\n192.0.2.7'));
  assert.equal(director.seen[0]?.client, '192.0.2.7');
  assert.equal(open.list({ client: '192.0.2.7' }, 1).total, 1);

  const check = await RawClient.open(t, port);
  check.write('PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  assert.match(await check.closed(), /\r\n\r\n127\.0\.0\.1$/);
});

test('a PROXY header comes before TLS', async (t) => {
  const backend = await openBackend(t, (request, response) =>
    response.end(String(request.headers.forwarded)),
  );
  const listener = { address: '127.0.0.1:0', tls: true, proxy_protocol: true };
  const given = settings({ listeners: [listener], certificates: [first], trusted_proxies: ['127.0.0.1'] });
  const { port } = await openFront(t, [backend.port], given);
  const below = await RawClient.open(t, port);
  below.socket.removeAllListeners('data');
  below.write('PROXY TCP4 192.0.2.7 198.51.100.1 4660 443\r\n');
  const socket: TLSSocket = connectTls({ socket: below.socket, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const client = new RawClient(socket);
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  assert.match(await client.closed(), /for=192\.0\.2\.7;host=a;proto=https$/);
});

test('whoever is no trusted proxy, or sends no PROXY header where one is expected, is cut off', async (t) => {
  const listener = { address: '127.0.0.1:0', tls: false, proxy_protocol: true };
  const nobody = await openFront(t, [], settings({ listeners: [listener] }));
  assert.match(nobody.problems[0] ?? '', /no proxy is trusted/);
  const stranger = await RawClient.open(t, nobody.port);
  assert.equal(await stranger.write('PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n').closed(), '');

  const { port, front } = await openFront(
    t,
    [],
    settings({ listeners: [listener], trusted_proxies: ['127.0.0.1'] }, { header_timeout: 100 }),
  );
  const wrong = await RawClient.open(t, port);
  assert.equal(await wrong.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n').closed(), '');
  const silent = await RawClient.open(t, port);
  assert.equal(await silent.write('PROXY TCP4 ').closed(), '');
  const half = await RawClient.open(t, port);
  half.socket.end('PROXY ');
  await half.closed();
  await until(() => front.facts().connections === 0);
});

test('connections that break off at any moment of the TLS handshake leave nothing behind', async (t) => {
  const { port, front } = await openFront(
    t,
    [],
    settings({ listeners: [tlsListener], certificates: [first] }),
  );
  const breakOff = (at: number) =>
    new Promise<void>((resolve) => {
      const below = connect(port, '127.0.0.1').on('error', () => {});
      const end = () => {
        if (at % 2 === 0) below.destroy();
        else below.resetAndDestroy();
        resolve();
      };
      const socket = connectTls({ socket: below, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
      socket.on('error', () => {});
      if (at < 8) setTimeout(end, at / 2);
      else
        socket.once(
          'secureConnect',
          () => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') && setImmediate(end),
        );
    });
  for (let round = 0; round < 20; round += 1)
    await Promise.all(Array.from({ length: 10 }, (_, at) => breakOff(at)));
  await until(() => front.facts().connections === 0);
});
