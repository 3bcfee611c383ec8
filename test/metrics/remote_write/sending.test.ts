import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ReceiverClient, type ReceiverSettings } from '../../../src/lib/receiver_client.ts';
import { type Outcome, trySending } from '../../../src/metrics/remote_write/outcome.ts';
import { WriteRequests } from '../../../src/metrics/remote_write/write_request.ts';
import { freePort } from '../../helpers/free_port.ts';
import { makeCertificate } from '../../helpers/server_certificates.ts';
import { startReceiver } from './recording_receiver.ts';

const [request] = new WriteRequests().encode([{ labels: [['__name__', 'up']], value: 1 }], 5);
const body = request?.body ?? Buffer.of();
const forever = new AbortController().signal;

function folderOf(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'davit-client-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function clientOf(context: TestContext, settings: Partial<ReceiverSettings> & { url: string }) {
  const client = new ReceiverClient({ headers: {}, timeout: '10s', ...settings });
  context.after(() => client.close());
  return { post: (body: Uint8Array, signal: AbortSignal) => trySending(client, body, signal) };
}

function messageOf(outcome: Outcome): string {
  return outcome.kind === 'taken' ? '' : outcome.message;
}

test('a request is what remote write 1.0 says', async (context) => {
  await using receiver = await startReceiver();
  const client = clientOf(context, {
    url: `${receiver.url}?tenant=a`,
    headers: { 'X-Scope-OrgID': 'team', 'Content-Type': 'text/plain' },
  });
  assert.deepEqual(await client.post(body, forever), { kind: 'taken' });
  const { headers, samples } = receiver.taken[0] ?? assert.fail();
  assert.equal(headers['content-type'], 'application/x-protobuf');
  assert.equal(headers['content-encoding'], 'snappy');
  assert.equal(headers['x-prometheus-remote-write-version'], '0.1.0');
  assert.match(headers['user-agent'] ?? '', /^davit\/\d+\.\d+\.\d+/);
  assert.equal(headers['x-scope-orgid'], 'team');
  assert.equal(headers['authorization'], undefined);
  assert.deepEqual([samples[0]?.name, samples[0]?.at], ['up', 5]);
});

test('one connection serves many requests', async (context) => {
  await using receiver = await startReceiver();
  const ports = new Set<number | undefined>();
  receiver.answer = (incoming, response) => {
    ports.add(incoming.socket.remotePort);
    incoming.resume().on('end', () => response.writeHead(200).end('ok'));
  };
  const client = clientOf(context, { url: receiver.url });
  for (let times = 0; times < 5; times += 1) assert.equal((await client.post(body, forever)).kind, 'taken');
  assert.equal(ports.size, 1);
});

test('a token is read at each try, and one that is missing is told and looked for again', async (context) => {
  const folder = folderOf(context);
  await using receiver = await startReceiver();
  const token_file = join(folder, 'token');
  const client = clientOf(context, { url: receiver.url, token_file });
  assert.match(messageOf(await client.post(body, forever)), /token cannot be read: ENOENT/);
  assert.equal(receiver.tries, 0);
  for (const token of ['first-secret', 'second-secret']) {
    writeFileSync(token_file, `${token}\n`);
    assert.equal((await client.post(body, forever)).kind, 'taken');
    assert.equal(receiver.taken.at(-1)?.headers['authorization'], `Bearer ${token}`);
  }
  writeFileSync(token_file, ' \n');
  assert.match(messageOf(await client.post(body, forever)), /token is empty/);
  writeFileSync(token_file, 'two\nlines');
  const outcome = await client.post(body, forever);
  assert.match(messageOf(outcome), /more than one line/);
  assert.doesNotMatch(messageOf(outcome), /two|lines$/);
});

test('a pipe in place of a secret is waited for by nobody', async (context) => {
  const token_file = join(folderOf(context), 'token');
  assert.equal(spawnSync('mkfifo', [token_file]).status, 0);
  const client = clientOf(context, { url: 'http://127.0.0.1:9/', token_file });
  assert.match(messageOf(await client.post(body, forever)), /it is not a file/);
});

test('a user and a password are sent as RFC 7617 has it', async (context) => {
  const password_file = join(folderOf(context), 'password');
  writeFileSync(password_file, 'pässword:x');
  await using receiver = await startReceiver();
  const client = clientOf(context, { url: receiver.url, username: 'metrics', password_file });
  await client.post(body, forever);
  const expected = Buffer.from('metrics:pässword:x').toString('base64');
  assert.equal(receiver.taken[0]?.headers['authorization'], `Basic ${expected}`);
});

test('an answer that repeats secrets does not get them into the log', async (context) => {
  const token_file = join(folderOf(context), 'token');
  writeFileSync(token_file, 'very-secret-token');
  await using receiver = await startReceiver();
  receiver.answer = ({ headers, url }, response) =>
    response
      .writeHead(400)
      .end(`bad\r\n\u001b[31mrequest ${headers.authorization} ${headers['x-key']} Cannot POST ${url}`);
  const client = clientOf(context, {
    url: `${receiver.url}/secret-path?key=secret-too`,
    token_file,
    headers: { 'X-Key': 'another-secret' },
  });
  const outcome = await client.post(body, forever);
  assert.equal(outcome.kind, 'refused');
  assert.match(messageOf(outcome), /^it answers 400: bad \[31mrequest/);
  assert.doesNotMatch(messageOf(outcome), /secret/);
});

test('a redirect is not followed', async (context) => {
  await using elsewhere = await startReceiver();
  await using receiver = await startReceiver();
  receiver.answer = (_request, response) => response.writeHead(307, { location: elsewhere.url }).end();
  const outcome = await clientOf(context, { url: receiver.url }).post(body, forever);
  assert.equal(outcome.kind, 'failed');
  assert.match(messageOf(outcome), /a redirect is not followed/);
  assert.equal(elsewhere.tries, 0);
});

test('of an endless answer only the beginning is read', async (context) => {
  await using receiver = await startReceiver();
  let sent = 0;
  receiver.answer = (_request, response) => {
    response.writeHead(500);
    const more = () => {
      while (!response.destroyed) {
        sent += 1_000;
        if (!response.write('x'.repeat(1_000))) break;
      }
    };
    response.on('drain', more);
    more();
  };
  const outcome = await clientOf(context, { url: receiver.url, timeout: '60s' }).post(body, forever);
  assert.equal(outcome.kind, 'failed');
  assert.ok(messageOf(outcome).length < 300);
  assert.ok(sent < 50_000_000);
});

test('a receiver that hangs, before or within its answer, costs no more than the timeout', async (context) => {
  await using receiver = await startReceiver();
  receiver.answer = () => {};
  const client = clientOf(context, { url: receiver.url, timeout: '300ms' });
  assert.match(messageOf(await client.post(body, forever)), /it does not answer within 300ms/);
  receiver.answer = (_request, response) => void response.writeHead(500).write('begun');
  assert.equal((await client.post(body, forever)).kind, 'failed');
  receiver.answer = (_request, response) => void response.writeHead(200).write('begun');
  assert.equal((await client.post(body, forever)).kind, 'taken', 'the status says that it is taken');
  receiver.answer = null;
  assert.equal((await client.post(body, forever)).kind, 'taken');
});

test('a receiver that is not there, or closes, or speaks another protocol, is tried again later', async (context) => {
  const port = await freePort();
  const absent = clientOf(context, { url: `http://127.0.0.1:${port}/` });
  assert.match(messageOf(await absent.post(body, forever)), /ECONNREFUSED/);
  assert.equal(
    (await clientOf(context, { url: 'http://nowhere.invalid/' }).post(body, forever)).kind,
    'failed',
  );
  await using receiver = await startReceiver();
  receiver.answer = ({ socket }) => socket.destroy();
  assert.equal((await clientOf(context, { url: receiver.url }).post(body, forever)).kind, 'failed');
  const strange = createTcpServer((socket) => socket.end('220 mail.example.org ESMTP\r\n')).listen(
    0,
    '127.0.0.1',
  );
  context.after(() => strange.close());
  await once(strange, 'listening');
  const { port: strangePort } = strange.address() as AddressInfo;
  const outcome = await clientOf(context, { url: `http://127.0.0.1:${strangePort}/` }).post(body, forever);
  assert.equal(outcome.kind, 'failed');
});

test('a certificate is believed when ca_file says so, from the time on at which it does', async (context) => {
  const folder = folderOf(context);
  const files = makeCertificate(folder, 'server', ['localhost']);
  const other = makeCertificate(folder, 'other', ['localhost']);
  const server = createTlsServer(
    { cert: readFileSync(files.cert_file), key: readFileSync(files.key_file) },
    (incoming, response) => void incoming.resume().on('end', () => response.writeHead(204).end()),
  ).listen(0, 'localhost');
  context.after(() => server.close().closeAllConnections());
  await once(server, 'listening');
  const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
  assert.match(messageOf(await clientOf(context, { url }).post(body, forever)), /self-signed/);
  const ca_file = join(folder, 'ca.pem');
  const client = clientOf(context, { url, ca_file });
  assert.match(messageOf(await client.post(body, forever)), /ca\.pem cannot be read/);
  writeFileSync(ca_file, readFileSync(other.cert_file));
  assert.equal((await client.post(body, forever)).kind, 'failed');
  writeFileSync(ca_file, readFileSync(files.cert_file));
  assert.equal((await client.post(body, forever)).kind, 'taken');
});

test('a try is broken off when it is to end', async (context) => {
  await using receiver = await startReceiver();
  const ending = new AbortController();
  receiver.answer = () => ending.abort();
  const outcome = await clientOf(context, { url: receiver.url, timeout: '60s' }).post(body, ending.signal);
  assert.equal(outcome.kind, 'failed');
});
