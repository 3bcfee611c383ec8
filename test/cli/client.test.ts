import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { AgentClient } from '../../src/cli/client.ts';
import { resolveTarget, type TargetFlags } from '../../src/cli/target.ts';
import { contents, makeCertificates } from './certificates.ts';
import { Person } from './davit.ts';
import { FakeAgent, fakeAgent } from './fake_agent.ts';

function clientOf(flags: TargetFlags, timeout: number | null = null, signal = new AbortController().signal) {
  const target = resolveTarget(
    flags,
    { HOME: '/nowhere', DAVIT_DATA: '/nowhere', DAVIT_KEY: 'a-key' },
    false,
  );
  const client = new AgentClient(target, timeout, signal);
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

test('a request carries the key, the query and the body as JSON', async () => {
  await using agent = await fakeAgent(() => ({ done: true }));
  using client = clientOf({ url: agent.url });
  assert.deepEqual(await client.post('/api/v1/batch', { operations: [] }), { done: true });
  await client.get('/services', { a: 'x y&z', b: 2, c: undefined });
  const [post, get] = agent.requests;
  assert.equal(post?.headers.authorization, 'Bearer a-key');
  assert.deepEqual(post?.body, { operations: [] });
  assert.match(String(post?.headers['idempotency-key']), /^[0-9a-f-]{36}$/);
  assert.deepEqual(get?.query, { a: 'x y&z', b: '2' });
  assert.equal(get?.headers['idempotency-key'], undefined);
});

test('an address may have a path of its own, as behind a reverse proxy', async () => {
  await using agent = await fakeAgent(() => ({}));
  using client = clientOf({ url: `${agent.url}/davit/` });
  await client.get('/api/v1/agent');
  assert.equal(agent.requests[0]?.path, '/davit/api/v1/agent');
});

test('several requests go over one connection', async () => {
  const ports = new Set<number | undefined>();
  await using agent = await fakeAgent((_request, response) => {
    ports.add(response.socket?.remotePort);
    return {};
  });
  using client = clientOf({ url: agent.url });
  for (let count = 0; count < 5; count++) await client.get('/');
  assert.equal(ports.size, 1);
});

test('an error of the agent keeps its code, its sentence and its fields', async () => {
  const answer = {
    error: 'no',
    code: 'exited_early',
    return_code: 7,
    details: [{ path: 'a', message: 'b' }],
  };
  await using agent = await fakeAgent(() => ({ http_status: 422, ...answer }));
  using client = clientOf({ url: agent.url });
  await assert.rejects(client.get('/'), {
    code: 'exited_early',
    message: 'no',
    details: answer.details,
    fields: { return_code: 7 },
  });
});

test('what is not an answer of an agent is told from one', async () => {
  await using agent = await fakeAgent((_request, response) => {
    response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>');
  });
  using client = clientOf({ url: agent.url });
  await assert.rejects(client.get('/'), {
    code: 'agent_unreachable',
    message: /not a davit agent: status 502, text\/html/,
  });
});

test('a redirect is not followed: the key would go elsewhere', async () => {
  await using other = await fakeAgent(() => ({}));
  await using agent = await fakeAgent(
    (_request, response) => void response.writeHead(302, { location: other.url }).end(),
  );
  using client = clientOf({ url: agent.url });
  await assert.rejects(client.get('/'), { code: 'agent_unreachable' });
  assert.equal(other.requests.length, 0);
});

test('a POST during which the agent hangs up is sent again, with the same idempotency key', async () => {
  let count = 0;
  await using agent = await fakeAgent((_request, response) => {
    if (count++ < 2) response.socket?.resetAndDestroy();
    else return { status: 'deployed' };
  });
  using client = clientOf({ url: agent.url });
  assert.deepEqual(await client.post('/deploy', {}), { status: 'deployed' });
  assert.equal(new Set(agent.requests.map(({ headers }) => headers['idempotency-key'])).size, 1);
  assert.equal(agent.requests.length, 3);
});

test('an answer that breaks off in the middle is asked for again', async () => {
  let count = 0;
  await using agent = await fakeAgent((_request, response) => {
    if (count++ > 0) return { whole: true };
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 }).write('{"wh');
    response.socket?.resetAndDestroy();
  });
  using client = clientOf({ url: agent.url });
  assert.deepEqual(await client.get('/'), { whole: true });
});

test('a POST survives that the agent is restarted', async () => {
  let port = 0;
  const next = new FakeAgent(() => ({ status: 'deployed' }));
  await using _next = next;
  await using agent = await fakeAgent(async (_request, response) => {
    await agent[Symbol.asyncDispose]();
    response.socket?.destroy();
    setTimeout(() => void next.listen(port), 300);
  });
  port = Number(new URL(agent.url).port);
  using client = clientOf({ url: agent.url });
  assert.deepEqual(await client.post('/deploy', {}), { status: 'deployed' });
});

test('a DELETE is sent once', async () => {
  await using agent = await fakeAgent((_request, response) => void response.socket?.resetAndDestroy());
  using client = clientOf({ url: agent.url });
  await assert.rejects(client.delete('/'), { code: 'agent_unreachable', message: /it hung up/ });
  assert.equal(agent.requests.length, 1);
});

test('a port where nothing listens is an error at once', async () => {
  const agent = await fakeAgent(() => ({}));
  await agent[Symbol.asyncDispose]();
  using client = clientOf({ url: agent.url });
  await assert.rejects(client.post('/', {}), { code: 'agent_unreachable', message: /nothing listens there/ });
});

test('an agent that does not answer in time is given up', async () => {
  await using agent = await fakeAgent(() => undefined);
  using client = clientOf({ url: agent.url }, 50);
  await assert.rejects(client.get('/'), { message: /did not answer within 0.05 s/ });
  await assert.rejects(client.stream('/', {}, null), { message: /did not answer within 0.05 s/ });
});

test('an interruption ends a request with its reason', async () => {
  const interruption = new AbortController();
  await using agent = await fakeAgent(() => interruption.abort(new Error('stop')));
  using client = clientOf({ url: agent.url }, null, interruption.signal);
  await assert.rejects(client.get('/'), { message: 'stop' });
});

test('the certificate of the agent is checked against the authority that is named', async () => {
  using person = new Person();
  const certificates = makeCertificates(person.home);
  await using agent = await fakeAgent(() => ({ secure: true }), contents(certificates.server));
  using trusting = clientOf({ url: agent.url, caFile: certificates.ca });
  assert.deepEqual(await trusting.get('/'), { secure: true });
  using doubting = clientOf({ url: agent.url });
  await assert.rejects(doubting.get('/'), {
    message: /its certificate is signed by nobody that this host trusts/,
  });
  const elsewhere = agent.url.replace('127.0.0.1', 'localhost');
  using misled = clientOf({ url: elsewhere, caFile: certificates.ca });
  await assert.rejects(misled.get('/'), { message: /its certificate is for another name/ });
  assert.equal(agent.requests.length, 1);
});

test('a client certificate opens an agent that asks for one', async () => {
  using person = new Person();
  const { ca, server, client } = makeCertificates(person.home);
  const { cert } = contents({ cert: ca, key: server.key });
  const options = { ...contents(server), ca: cert, requestCert: true, rejectUnauthorized: true };
  await using agent = await fakeAgent(() => ({ mutual: true }), options);
  using known = clientOf({ url: agent.url, caFile: ca, certFile: client.cert, certKeyFile: client.key });
  assert.deepEqual(await known.get('/'), { mutual: true });
  using unknown = clientOf({ url: agent.url, caFile: ca }, 5_000);
  await assert.rejects(unknown.get('/'), { code: 'agent_unreachable' });
});

test('https where http is spoken, and the other way round, is an error that says so', async () => {
  using person = new Person();
  await using plain = await fakeAgent(() => ({}));
  using encrypted = clientOf({ url: plain.url.replace('http:', 'https:') });
  await assert.rejects(encrypted.get('/'), { message: /does not speak TLS as expected/ });
  await using secure = await fakeAgent(() => ({}), contents(makeCertificates(person.home).server));
  using bare = clientOf({ url: secure.url.replace('https:', 'http:') }, 5_000);
  await assert.rejects(bare.delete('/'), { code: 'agent_unreachable' });
});

test('what listens but speaks no HTTP is no agent', async () => {
  const server: Server = createServer((socket: Socket) => socket.end('SSH-2.0-OpenSSH\r\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  using client = clientOf({ url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}` });
  await assert.rejects(client.get('/'), { code: 'agent_unreachable', message: /does not speak HTTP/ });
  server.close();
});
