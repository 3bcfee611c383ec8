import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Connection } from '../../src/contract/connections.ts';
import { noTraffic } from '../../src/traffic/traffic_counts.ts';
import { ended, Person, written } from './davit.ts';
import { fakeAgent } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const ago = (milliseconds: number) => new Date(Date.now() - milliseconds).toISOString();

function connection(change: Partial<Connection> = {}): Connection {
  return {
    id: 'a1b2-17',
    protocol: 'websocket',
    client: '10.1.2.3',
    host: 'web.test',
    path: '/chat',
    service: 'web',
    instance: 2,
    release: 3,
    rule: 'web/1',
    active: true,
    started_at: ago(3_725_000),
    last_activity_at: ago(5_500),
    bytes_in: 999,
    bytes_out: 12_345_678,
    ...change,
  };
}

test('connections are listed, each with where it leads and what went over it', async () => {
  const idle = connection({
    id: 'a1b2-18',
    active: false,
    protocol: 'http/1.1',
    service: null,
    instance: null,
    rule: null,
  });
  await using agent = await fakeAgent(() => ({ connections: [connection(), idle], total: 7 }));
  agent.describeIn(person.path('data'));
  const { code, out, err } = await person.davit(['connections', 'list', '--service', 'web', '-n', '2']);
  assert.equal(code, 0, err);
  const lines = out.trimEnd().split('\n');
  assert.match(
    lines[0] ?? '',
    /^ID +CLIENT +SERVICE +INSTANCE +PROTOCOL +AGE +IDLE +IN +OUT +RULE +REQUEST$/,
  );
  assert.match(
    lines[1] ?? '',
    /^a1b2-17 +10\.1\.2\.3 +web +2 \(r3\) +websocket +1h 2m +active +999B +12MB +web\/1 +web\.test\/chat$/,
  );
  assert.match(lines[2] ?? '', /^a1b2-18 +10\.1\.2\.3 +- +- +http\/1\.1 +1h 2m +5s /);
  assert.match(err, /… and 5 more/);
  assert.deepEqual(agent.requests[0]?.query, { service: 'web', limit: '2' });
});

test('on a narrow terminal, what tells most stays', async () => {
  await using agent = await fakeAgent(() => ({ connections: [connection()], total: 1 }));
  agent.describeIn(person.path('data'));
  const { out } = await person.onTerminal(['connections'], 50);
  assert.match(out, /^ID +CLIENT +SERVICE/m);
  assert.ok(!out.includes('REQUEST'));
  assert.deepEqual(
    out.split(/\r?\n/).filter((line) => line.length > 50),
    [],
  );
});

test('where none is open, that is said', async () => {
  await using agent = await fakeAgent(() => ({ connections: [], total: 0 }));
  agent.describeIn(person.path('data'));
  assert.equal((await person.davit(['connections'])).out, 'No such connection is open.\n');
});

test('what opens, changes and closes is shown as it comes', async () => {
  await using agent = await fakeAgent((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const event of ['opened', 'changed', 'closed'])
      response.write(
        `event: ${event}\nid: a1b2-17\ndata: ${JSON.stringify(connection({ path: '/\u0007' }))}\n\n`,
      );
  });
  agent.describeIn(person.path('data'));
  const child = person.start(['connections', 'list', '--follow', '--protocol', 'websocket']);
  const out = await written(child, 'stdout', /closed/);
  assert.match(out, /^opened +a1b2-17 10\.1\.2\.3 websocket web\/2 in 999B out 12MB web\.test\/\\x07$/m);
  assert.deepEqual(agent.requests[0]?.query, { protocol: 'websocket', follow: 'true' });
  child.kill('SIGINT');
  assert.equal((await ended(child)).code, 130);
});

test('connections are closed by id, by several, by what they have in common, or all', async () => {
  await using agent = await fakeAgent(() => ({ closed: 1, gone: [] }));
  agent.describeIn(person.path('data'));
  assert.equal(
    (await person.davit(['connections', 'close', 'a1b2-17'])).out,
    '1 connection is being closed\n',
  );
  await person.davit(['connections', 'close', 'a1b2-17', 'a1b2-18']);
  await person.davit(['connections', 'close', '--service', 'web', '--client', '10.1.2.3']);
  await person.davit(['connections', 'close', '--all']);
  assert.deepEqual(
    agent.requests.map(({ method, path, query }) => [method, path, query]),
    [
      ['DELETE', '/api/v1/connections/a1b2-17', {}],
      ['DELETE', '/api/v1/connections', { ids: 'a1b2-17,a1b2-18' }],
      ['DELETE', '/api/v1/connections', { service: 'web', client: '10.1.2.3' }],
      ['DELETE', '/api/v1/connections', { all: 'true' }],
    ],
  );
});

test('of connections that are closed by their ids, it is said how many were gone already', async () => {
  await using agent = await fakeAgent(() => ({ closed: 2, gone: ['a1b2-18'] }));
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['connections', 'close', 'a1b2-17', 'a1b2-18', 'a1b2-19']);
  assert.equal(out, '2 connections are being closed; 1 was gone already\n');
});

for (const words of [
  [],
  ['a1b2-17', '--all'],
  ['../keys'],
  ['a1b2-17', '--service', 'web'],
  ['a1b2-17', 'x'],
])
  test(`davit connections close ${words.join(' ')} is wrong usage`, async () => {
    await using agent = await fakeAgent(() => ({ closed: 1, gone: [] }));
    agent.describeIn(person.path('data'));
    assert.equal((await person.davit(['connections', 'close', ...words])).code, 2);
    assert.equal(agent.requests.length, 0);
  });

test('what went through is shown by service, and by instance of one', async () => {
  const latency = noTraffic().latency.with(2, 98).with(7, 2);
  const total = { ...noTraffic(), requests: 100, by_status: [0, 98, 0, 1, 1], latency, bytes_out: 1_234 };
  const instance = { ...total, service: 'web', instance: 1, release: 3, instance_id: 'x', ejected: true };
  await using agent = await fakeAgent(({ path }) =>
    path === '/api/v1/traffic'
      ? { total, services: [{ service: 'web', total, instances: [] }] }
      : { service: 'web', total, instances: [instance] },
  );
  agent.describeIn(person.path('data'));
  const all = (await person.davit(['traffic'])).out.split('\n');
  assert.match(
    all[0] ?? '',
    /^SERVICE +OPEN +WEBSOCKETS +REQUESTS +4XX +5XX +FAILED +RETRIES +P50 +P99 +IN +OUT$/,
  );
  assert.match(all[1] ?? '', /^web +0 +0 +100 +1 +1 +0 +0 +≤2ms +≤100ms +0B +1\.2KB$/);
  assert.match(all[2] ?? '', /^total /);
  const one = (await person.davit(['traffic', 'web'])).out.split('\n');
  assert.match(one[1] ?? '', /^1 \(r3\) ejected +0 /);
  assert.equal(agent.requests[1]?.path, '/api/v1/services/web/traffic');
});
