import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../helpers/system.ts';
import { World } from './world.ts';

/** Says something to the agent as nobody in particular, and resolves when it hangs up. */
async function isCutOff(file: string, ...texts: (string | Buffer)[]): Promise<void> {
  const socket = connect(file);
  let isClosed = false;
  socket.on('error', () => {});
  socket.on('data', () => {});
  socket.once('close', () => {
    isClosed = true;
  });
  for (const text of texts) socket.write(text);
  await until('the agent hangs up', () => isClosed);
}

const hello = `${JSON.stringify({ type: 'hello', router: 'a', pid: 1, version: '1', table: null })}\n`;

test('the socket can be reached by the account of the agent alone', async () => {
  using world = new World();
  const router = await world.router();
  assert.equal(statSync(world.socket).mode & 0o777, 0o600);
  assert.equal(statSync(world.directory).mode & 0o777, 0o700);
  await router.table(() => true);
});

for (const [what, texts] of Object.entries({
  'is no JSON': ['{nothing\n'],
  'is no message': ['{"type":"surprise"}\n'],
  'says something before who it is': [
    '{"type":"facts","instances":[],"connections":0,"unroutable":0,"refused":0,"problems":[]}\n',
  ],
  'says twice who it is': [hello, hello],
  'tells what is no fact': [hello, '{"type":"facts","instances":[{}],"connections":0}\n'],
  'never ends its line': [hello, Buffer.alloc(33 * 2 ** 20, 'x')],
}))
  test(`who ${what} is cut off, and the others are not`, async () => {
    using world = new World();
    const router = await world.router();
    await router.table(() => true);
    await isCutOff(world.socket, ...texts);
    assert.match(world.problems[0] ?? '', /^a router was cut off: /);
    assert.ok((world.problems[0]?.length ?? 0) < 300);
    assert.equal(router.isClosed, false);
    assert.equal(world.traffic.list().routers.length, 1);
  });

test('a router that only ever says who it is and goes leaves nothing behind', async () => {
  using world = new World();
  for (let count = 0; count < 300; count++) {
    const router = await world.router();
    router.socket.destroy();
  }
  await until('all are gone', () => world.traffic.list().routers.length === 0);
});

test('a socket that a dead agent left is no obstacle', async () => {
  using world = new World();
  world.traffic.close();
  writeFileSync(world.socket, '');
  using next = new World();
  const file = join(next.directory, 'agent.sock');
  assert.equal(file, next.socket);
  const router = await next.router();
  await router.table(() => true);
});

test('connections are asked of every router, and closed by all', async () => {
  using world = new World();
  const routers = [await world.router(), await world.router()];
  await Promise.all(routers.map((router) => router.table(() => true)));
  const shown = (id: string, at: number) => ({
    id,
    protocol: 'http/1.1' as const,
    client: '10.0.0.1',
    host: null,
    path: null,
    service: 'web',
    instance: 1,
    release: 1,
    rule: 'web/1',
    active: false,
    started_at: new Date(at).toISOString(),
    last_activity_at: new Date(at).toISOString(),
    bytes_in: 0,
    bytes_out: 0,
  });
  routers.forEach((router, index) => {
    router.onQuestion = (question) => {
      if (question.type === 'list')
        return {
          type: 'connections',
          query: question.query,
          connections: [shown(`a${index}-1`, 2_000 - index)],
          total: 3,
        };
      return question.type === 'close' ? { type: 'closed', query: question.query, count: 2 } : null;
    };
  });
  const { connections, total } = await world.traffic.connections.list({ service: 'web' });
  assert.deepEqual(
    connections.map(({ id }) => id),
    ['a1-1', 'a0-1'],
  );
  assert.equal(total, 6);
  assert.equal(await world.traffic.connections.close({ service: 'web' }), 4);
  assert.deepEqual(routers[0]?.asked.at(-1), { type: 'close', query: 2, filter: { service: 'web' } });
});

test('a router that is gone while it is asked is not waited for', async () => {
  using world = new World();
  const [one, other] = [await world.router(), await world.router()];
  await Promise.all([one.table(() => true), other.table(() => true)]);
  one.onQuestion = (question) =>
    question.type === 'list'
      ? { type: 'connections', query: question.query, connections: [], total: 0 }
      : null;
  const asked = world.traffic.connections.list({});
  other.socket.destroy();
  assert.deepEqual(await asked, { connections: [], total: 0 });
});

test('without a router, there is nothing to be asked', async () => {
  using world = new World();
  await assert.rejects(world.traffic.connections.list({}), { code: 'router_unavailable' });
});
