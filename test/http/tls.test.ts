import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { TlsSettings } from '../../src/config/access.ts';
import { createListener } from '../../src/http/listener.ts';
import { readCertificate, watchCertificate } from '../../src/http/tls.ts';
import { type Certificates, contents, makeCertificates } from '../cli/certificates.ts';
import { until } from '../helpers/system.ts';

let folder: string;
let first: Certificates;
let second: Certificates;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-tls-'));
  [first, second] = ['first', 'second'].map((name) => {
    mkdirSync(join(folder, name));
    return makeCertificates(join(folder, name));
  }) as [Certificates, Certificates];
});
after(() => rmSync(folder, { recursive: true }));

let tls: TlsSettings;
beforeEach(() => {
  const own = mkdtempSync(join(folder, 'own-'));
  tls = {
    cert_file: join(own, 'cert.pem'),
    key_file: join(own, 'key.pem'),
    client_ca_file: null,
    min_version: 'TLSv1.2',
  };
  install(first);
});

function install({ server }: Certificates): void {
  copyFileSync(server.cert, tls.cert_file);
  copyFileSync(server.key, tls.key_file);
  chmodSync(tls.key_file, 0o600);
}

async function start() {
  const told: (string | null)[] = [];
  const problems: string[] = [];
  const listener = createListener({
    listen: '127.0.0.1:0',
    tls,
    onRequest: (_request, response) => void response.end('hello'),
    onCertificate: (problem) => told.push(problem),
    onProblem: (message) => problems.push(message),
  });
  const url = new URL(await listener.open());
  const stop = async () => {
    const closed = listener.close();
    listener.cut();
    await closed;
  };
  return { ...listener, told, problems, url, [Symbol.asyncDispose]: stop };
}

/** What a server says to one request; '' when it does not let this client in. */
async function ask(url: URL, options: ConnectionOptions = {}): Promise<string> {
  const socket: TLSSocket = connect({
    host: '127.0.0.1',
    port: Number(url.port),
    ca: readFileSync(first.ca),
    ...options,
  });
  let text = '';
  try {
    await once(socket, 'secureConnect');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    for await (const chunk of socket) text += chunk;
  } catch {
    return '';
  }
  return text.split('\r\n').at(-1) ?? '';
}

const byFirst = () => ({ ca: readFileSync(first.ca) });
const bySecond = () => ({ ca: readFileSync(second.ca) });

test('the API is served over TLS, and not without it', async () => {
  await using server = await start();
  assert.equal(server.url.protocol, 'https:');
  assert.equal(await ask(server.url), 'hello');
  assert.equal(await ask(server.url, bySecond()), '');
  assert.deepEqual(server.problems, []);
});

test('a client that is too old is not served', async () => {
  tls = { ...tls, min_version: 'TLSv1.3' };
  await using server = await start();
  assert.equal(await ask(server.url, { maxVersion: 'TLSv1.2' }), '');
  assert.equal(await ask(server.url), 'hello');
});

test('with client_ca_file, only clients with a certificate of that authority are served', async () => {
  tls = { ...tls, client_ca_file: first.ca };
  await using server = await start();
  assert.equal(await ask(server.url), '');
  assert.equal(await ask(server.url, contents(second.client)), '');
  assert.equal(await ask(server.url, contents(first.client)), 'hello');
});

test('an authority that is replaced lets nobody in any more, also not by an earlier session', async () => {
  tls = { ...tls, client_ca_file: join(folder, 'authority.pem') };
  copyFileSync(first.ca, tls.client_ca_file ?? '');
  await using server = await start();
  const socket = connect({
    host: '127.0.0.1',
    port: Number(server.url.port),
    ...byFirst(),
    ...contents(first.client),
  });
  const [session] = await once(socket, 'session');
  socket.destroy();
  assert.equal(await ask(server.url, { ...contents(first.client), session }), 'hello');
  copyFileSync(second.ca, tls.client_ca_file ?? '');
  server.reload();
  assert.equal(await ask(server.url, { ...contents(first.client), session }), '');
  assert.equal(await ask(server.url, contents(second.client)), 'hello');
});

test('a new certificate is taken over without a restart', async () => {
  await using server = await start();
  install(second);
  server.reload();
  assert.deepEqual(server.told, [null]);
  assert.equal(await ask(server.url, bySecond()), 'hello');
});

test('a certificate that is of no use is told of, and the one before stays', async () => {
  await using server = await start();
  copyFileSync(second.server.cert, tls.cert_file);
  server.reload();
  writeFileSync(tls.cert_file, 'nonsense');
  server.reload();
  unlinkSync(tls.cert_file);
  server.reload();
  assert.equal(server.told.length, 3);
  assert.match(server.told[0] ?? '', /cert\.pem and .*key\.pem are no certificate and its key: .*mismatch/);
  assert.match(server.told[1] ?? '', /are no certificate and its key/);
  assert.match(server.told[2] ?? '', /tls\.cert_file: cannot read .*cert\.pem: ENOENT/);
  assert.equal(await ask(server.url), 'hello');
});

test('a start with files that are of no use names the setting and the file', () => {
  const wrong = (changes: Partial<TlsSettings>, message: RegExp) =>
    assert.throws(() => readCertificate({ ...tls, ...changes }), { code: 'invalid_request', message });
  wrong({ key_file: join(folder, 'missing') }, /tls\.key_file: cannot read .*missing: ENOENT/);
  wrong({ key_file: first.server.cert }, /are no certificate and its key/);
  wrong({ key_file: second.server.key }, /are no certificate and its key: .*mismatch/);
  writeFileSync(join(folder, 'empty.pem'), '');
  wrong(
    { client_ca_file: join(folder, 'empty.pem') },
    /tls\.client_ca_file: .*empty\.pem holds no certificate/,
  );
});

test('a certificate that has expired, and a key that everyone may read, are warned of', () => {
  chmodSync(tls.key_file, 0o644);
  assert.match(readCertificate(tls).warnings[0] ?? '', /tls\.key_file: every user of this host may read/);
  const request = join(folder, 'expired.csr');
  const openssl = (...words: string[]) => assert.equal(spawnSync('openssl', words).status, 0);
  openssl('req', '-new', '-key', tls.key_file, '-out', request, '-subj', '/CN=x');
  openssl('x509', '-req', '-in', request, '-signkey', tls.key_file, '-days', '-1', '-out', tls.cert_file);
  assert.match(readCertificate(tls).warnings[0] ?? '', /cert\.pem expired on [A-Z]/);
});

test('files that change are noticed once they rest, also behind a link', async () => {
  const [current, next] = ['current', 'next'].map((name) => join(folder, name)) as [string, string];
  for (const [name, { server }] of [
    [current, first],
    [next, second],
  ] as const) {
    mkdirSync(name);
    copyFileSync(server.cert, join(name, 'cert.pem'));
    copyFileSync(server.key, join(name, 'key.pem'));
  }
  const link = join(folder, 'live');
  symlinkSync(current, link);
  let changes = 0;
  const live = { ...tls, cert_file: join(link, 'cert.pem'), key_file: join(link, 'key.pem') };
  const end = watchCertificate(live, 20, () => changes++);
  try {
    symlinkSync(next, `${link}.new`);
    renameSync(`${link}.new`, link);
    await until('the new link is noticed', () => changes === 1);
    writeFileSync(join(next, 'key.pem'), readFileSync(second.server.key));
    await until('the written file is noticed', () => changes === 2);
    unlinkSync(join(next, 'key.pem'));
    await until('the missing file is noticed', () => changes === 3);
  } finally {
    end();
  }
});
