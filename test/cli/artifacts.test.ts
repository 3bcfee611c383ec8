import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { deployBody } from '../../src/cli/deploy.ts';
import { Person } from './davit.ts';
import { fakeAgent } from './fake_agent.ts';

const result = { status: 'deployed', pid: 7, message: 'Service deployed', service: 'web', release: 2 };

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

interface Sent {
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly form: FormData;
}

/** A server that keeps what is uploaded, and hangs up on the first so many. */
async function taker(hangUps = 0) {
  const sent: Sent[] = [];
  let calls = 0;
  const server = createServer(async (request, response) => {
    if (calls++ < hangUps) return void request.socket.destroy();
    const body = await buffer(request);
    const { url = '', headers } = request;
    const form = await new Response(body, {
      headers: { 'content-type': headers['content-type'] ?? '' },
    }).formData();
    sent.push({ url, headers, form });
    response.setHeader('content-type', 'application/json').end(JSON.stringify(result));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    sent,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

test('an archive is sent as a form, with the spec, its SHA-256 and its length', async () => {
  await using agent = await taker();
  const bytes = randomBytes(700_000);
  writeFileSync(person.path('build.tar'), bytes);
  const words = [
    'deploy',
    'web',
    '--url',
    agent.url,
    '--artifact',
    'build.tar',
    '--user',
    'www',
    '--argument',
    'v=a=b',
  ];
  const { code, out, err } = await person.davit([...words, '--', 'node', 'x.js'], '', { DAVIT_KEY: 'key' });
  assert.deepEqual([code, err], [0, '']);
  assert.match(out, /web: deployed, release 2 as pid 7/);
  const [{ url, headers, form } = assert.fail()] = agent.sent;
  assert.equal(url, `/api/v1/services/web/deploy?sha256=${createHash('sha256').update(bytes).digest('hex')}`);
  assert.ok(Number(headers['content-length']) > bytes.length);
  assert.deepEqual(JSON.parse(String(form.get('spec'))), {
    command: ['node', 'x.js'],
    user: 'www',
    arguments: { v: 'a=b' },
  });
  const file = form.get('artifact');
  assert.ok(file instanceof File);
  assert.deepEqual(Buffer.from(await file.arrayBuffer()), bytes);
});

test('an agent that hangs up is sent the same once more, under the same key', async () => {
  await using agent = await taker(1);
  writeFileSync(person.path('empty.tar'), '');
  const words = ['deploy', 'web', '--url', agent.url, '--artifact', 'empty.tar'];
  const { code } = await person.davit(words, '', { DAVIT_KEY: 'key' });
  assert.equal(code, 0);
  assert.equal(agent.sent.length, 1);
  assert.match(String(agent.sent[0]?.headers['idempotency-key']), /^[0-9a-f-]{36}$/);
});

test('an answer before all is sent is the answer', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(413, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: 'too large', code: 'body_too_large', request_id: '1' }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    writeFileSync(person.path('big.tar'), randomBytes(20_000_000));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const words = ['deploy', 'web', '--url', url, '--artifact', 'big.tar'];
    const { code, err } = await person.davit(words, '', { DAVIT_KEY: 'key' });
    assert.equal(code, 2);
    assert.match(err, /too large/);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('what is no file, or no value, is refused before anything is sent', async () => {
  await using agent = await taker();
  const deploy = (...words: string[]) =>
    person.davit(['deploy', 'web', '--url', agent.url, ...words], '', { DAVIT_KEY: 'key' });
  assert.match(
    (await deploy('--artifact', '.')).err,
    /is a directory; pack it: tar czf build\.tar\.gz -C \. \./,
  );
  assert.match((await deploy('--artifact', 'none')).err, /none cannot be read/);
  assert.match((await deploy('--argument', 'novalue')).err, /must be NAME=VALUE/);
  assert.deepEqual(agent.sent, []);
});

test('a directory within the artifact is not one of this host', () => {
  const cwd = ['$', '{ARTIFACT}/app'].join('');
  assert.deepEqual(deployBody({ cwd }, [], {}, true), { cwd });
});

test('on a terminal it is shown how far the upload has come, and nothing of that stays', async () => {
  await using agent = await taker();
  writeFileSync(person.path('build.tar'), randomBytes(600_000));
  const words = ['deploy', 'web', '--url', agent.url, '--artifact', 'build.tar'];
  const { code, out } = await person.onTerminal(words, 80, { DAVIT_KEY: 'key' });
  assert.equal(code, 0);
  assert.match(out, /build\.tar: \d+ % of 600KB/);
  const [, last = ''] = /([^\r]*)\r?\n[^\n]*$/.exec(out.trimEnd().concat('\n')) ?? [];
  assert.ok(last.startsWith('\u001b[K'), JSON.stringify(out));
  assert.match(last, /web.*deployed/);
});

test('the archives of a service are listed', async () => {
  const artifact = { sha256: 'ab'.repeat(32), size: 1_500_000, uploaded_at: '2026-01-31T12:00:00.000Z' };
  const artifacts = [
    { ...artifact, releases: [4, 3], current: true },
    { ...artifact, sha256: 'cd'.repeat(32), releases: [], current: false },
  ];
  await using agent = await fakeAgent(({ path }) => {
    assert.equal(path, '/api/v1/services/web/artifacts');
    return { service: 'web', artifacts };
  });
  agent.describeIn(person.path('data'));
  const { code, out } = await person.davit(['artifacts', 'web']);
  assert.equal(code, 0);
  assert.match(
    out,
    /^SHA256 +SIZE +UPLOADED +RELEASES *\nabababababab \* +1\.5MB +2026-01-31T12:00:00Z +4, 3 *\ncdcdcdcdcdcd +1\.5MB +\S+ +- *\n$/,
  );
});
