import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { pino } from 'pino';
import { configSchema } from '../../src/config/schema.ts';
import { MetricsListener } from '../../src/http/metrics_listener.ts';
import { freePort } from '../helpers/free_port.ts';
import { until } from '../helpers/system.ts';

let config: Record<string, unknown>;
let problems: string[];
let listener: MetricsListener;
let port: number;

beforeEach(async () => {
  port = await freePort();
  config = { metrics: { listener: { address: `127.0.0.1:${port}` } } };
  problems = [];
  listener = new MetricsListener({
    settings: () => configSchema.parse({ data: '/var/lib/davit', ...config }),
    ownNames: ['app-1'],
    source: {
      page: async () => ({ text: Buffer.from('davit 1\n'), compressed: async () => Buffer.from('gz') }),
    },
    log: pino({ level: 'silent' }),
    onProblem: (message) => problems.push(message),
    retryDelay: 20,
  });
});
afterEach(() => listener.close());

async function listens(): Promise<void> {
  listener.look();
  await until('it listens', () => listener.address !== null);
}

async function ask(path: string, method = 'GET', headers: Record<string, string> = {}, at = port) {
  const sent = request({ host: '127.0.0.1', port: at, path, method, headers, agent: false }).end();
  const [response] = await once(sent, 'response');
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

test('it answers GET and HEAD of /metrics without a key, and nothing else', async () => {
  await listens();
  const got = await ask('/metrics');
  assert.deepEqual([got.status, got.body], [200, 'davit 1\n']);
  assert.equal(got.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  const head = await ask('/metrics', 'HEAD');
  assert.deepEqual([head.status, head.body, head.headers['content-length']], [200, '', '8']);
  assert.equal((await ask('/metrics', 'POST')).status, 405);
  for (const path of [
    '/',
    '/metrics/',
    '/METRICS',
    '/health',
    '/services',
    '/api/v1/services',
    '/openapi.json',
  ])
    assert.equal((await ask(path)).status, 404, path);
});

test('it sends gzip only to whoever takes it', async () => {
  await listens();
  const compressed = await ask('/metrics', 'GET', { 'accept-encoding': 'gzip' });
  assert.deepEqual([compressed.headers['content-encoding'], compressed.body], ['gzip', 'gz']);
  for (const accepted of ['identity', 'br', 'gzip;q=0']) {
    const plain = await ask('/metrics', 'GET', { 'accept-encoding': accepted });
    assert.deepEqual([plain.headers['content-encoding'], plain.body], [undefined, 'davit 1\n'], accepted);
  }
});

test('whoever is not in an allowed network is refused, whatever he says of himself', async () => {
  config = { metrics: { listener: { address: `127.0.0.1:${port}`, allowed_networks: ['10.0.0.0/8'] } } };
  await listens();
  assert.equal((await ask('/metrics')).status, 403);
  assert.equal((await ask('/metrics', 'GET', { 'x-forwarded-for': '10.0.0.1' })).status, 403);
});

test('a page cannot reach it through a name of its own', async () => {
  config = { ...config, allowed_hosts: ['metrics.example.com'] };
  await listens();
  for (const host of ['evil.example', 'evil.example:80', 'no name'])
    assert.equal((await ask('/metrics', 'GET', { host })).status, 403, host);
  for (const host of ['app-1', 'localhost:9100', '10.0.0.5', '[::1]:9100', 'metrics.example.com'])
    assert.equal((await ask('/metrics', 'GET', { host })).status, 200, host);
});

test('a page from elsewhere cannot use the browser of somebody who may', async () => {
  await listens();
  assert.equal((await ask('/metrics', 'GET', { 'sec-fetch-site': 'cross-site' })).status, 403);
});

test('it moves with its settings, and away without them', async () => {
  await listens();
  const before = port;
  port = await freePort();
  config = { metrics: { listener: { address: `127.0.0.1:${port}` } } };
  await listens();
  assert.equal((await ask('/metrics')).status, 200);
  await assert.rejects(ask('/metrics', 'GET', {}, before), { code: 'ECONNREFUSED' });
  config = {};
  listener.look();
  assert.equal(listener.address, null);
  await assert.rejects(ask('/metrics'), { code: 'ECONNREFUSED' });
});

test('an address that is taken is told once, and taken over when it is free', async (t) => {
  const other = createServer().listen(port, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  listener.look();
  await until('it is told', () => problems.length > 0);
  assert.match(listener.warnings[0] ?? '', /is taken by another program; it is tried again/);
  other.close();
  await until('it listens', () => listener.address !== null);
  assert.equal((await ask('/metrics')).status, 200);
  assert.deepEqual(listener.warnings, []);
  assert.equal(problems.length, 1);
});
