import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type RawConnection, RawPool, type RawUser } from '../../src/router/raw_pool.ts';
import { until } from '../helpers/system.ts';
import { FakeInstance, portOf } from './fake_director.ts';

/** Writes down what it is told. */
class Notes implements RawUser {
  readonly said: string[] = [];
  onConnected(): void {
    this.said.push('connected');
  }
  onBytes(bytes: Buffer, length: number): void {
    this.said.push(bytes.toString('latin1', 0, length));
  }
  onClosed(isOrderly: boolean): void {
    this.said.push(isOrderly ? 'closed' : 'broken');
  }
}

/** A server that echoes, the instance that it stands for, and a pool. */
async function start(t: TestContext, limits: ConstructorParameters<typeof RawPool>[0] = {}) {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {}).pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const instance = new FakeInstance(1, portOf(server));
  const pool = new RawPool(limits);
  t.after(() => {
    pool.close();
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const open = async (user = new Notes()) => {
    const connection = pool.open(instance, user);
    await until('it is connected', () => user.said.includes('connected'));
    return connection;
  };
  return { pool, instance, sockets, server, open };
}

test('what rests is lent again, the newest first', async (t) => {
  const { pool, instance, open } = await start(t);
  const [one, other] = [await open(), await open()];
  pool.giveBack(one, null, 0);
  pool.giveBack(other, null, 0);
  assert.equal(pool.resting, 2);
  const user = new Notes();
  assert.equal(pool.take(instance, user, 0), other);
  assert.equal(other.isReused, true);
  other.socket.write('hello');
  await until('it is echoed', () => user.said.length > 0);
  assert.deepEqual(user.said, ['hello']);
  assert.equal(pool.take(instance, user, 0), one);
  assert.equal(pool.take(instance, user, 0), null);
});

test('the user of a connection learns whether it was closed or broke', async (t) => {
  const { sockets, open } = await start(t);
  const [one, other] = [new Notes(), new Notes()];
  await open(one);
  await open(other);
  await until('both have come', () => sockets.length === 2);
  sockets[0]?.end();
  sockets[1]?.resetAndDestroy();
  await until('both are told', () => one.said.length === 2 && other.said.length === 2);
  assert.deepEqual([one.said[1], other.said[1]].sort(), ['broken', 'closed']);
});

test('a connection that cannot be opened is told of', async (t) => {
  const { pool, instance, server } = await start(t);
  server.close();
  const user = new Notes();
  pool.open(instance, user);
  await until('it is told', () => user.said.length > 0);
  assert.deepEqual(user.said, ['broken']);
});

test('what the instance closes while it rests is lent no more', async (t) => {
  const { pool, instance, sockets, open } = await start(t);
  pool.giveBack(await open(), null, performance.now());
  sockets[0]?.end();
  await until('it is gone', () => pool.resting === 0);
  assert.equal(pool.take(instance, new Notes(), 0), null);
});

test('what sends something while it rests is closed', async (t) => {
  const { pool, sockets, open } = await start(t);
  const connection = await open();
  pool.giveBack(connection, null, performance.now());
  sockets[0]?.write('HTTP/1.1 408 Request Timeout\r\n\r\n');
  await until('it is gone', () => pool.resting === 0 && connection.socket.destroyed);
});

test('a connection rests for no longer than the instance keeps it open, less a second', async (t) => {
  const { pool, instance, open } = await start(t);
  const user = new Notes();
  pool.giveBack(await open(), 3_000, 1_000);
  assert.notEqual(pool.take(instance, user, 2_999), null);
  pool.giveBack(await open(), 3_000, 1_000);
  assert.equal(pool.take(instance, user, 3_000), null);
  pool.giveBack(await open(), null, 0);
  assert.equal(pool.take(instance, user, 4_000), null);
  pool.giveBack(await open(), 1_000, 0);
  assert.equal(pool.resting, 0);
  pool.giveBack(await open(), 1e9, 0);
  assert.equal(pool.take(instance, user, 60_000), null);
});

test('what has rested for long enough is closed', async (t) => {
  const { pool, open } = await start(t);
  const connections = [await open(), await open()];
  pool.giveBack(connections[0] as RawConnection, null, 0);
  pool.giveBack(connections[1] as RawConnection, null, 1_000);
  pool.closeRested(4_000);
  assert.deepEqual([pool.resting, connections.map(({ socket }) => socket.destroyed)], [1, [true, false]]);
  pool.closeRested(5_000);
  assert.equal(pool.resting, 0);
});

test('no more rest than may, of one instance and in all', async (t) => {
  const { pool, open } = await start(t, { of_one: 2, in_all: 3 });
  const connections = [await open(), await open(), await open()];
  for (const connection of connections) pool.giveBack(connection, null, 0);
  assert.deepEqual([pool.resting, connections[2]?.socket.destroyed], [2, true]);
  const { pool: small, open: openSmall } = await start(t, { of_one: 2, in_all: 1 });
  const others = [await openSmall(), await openSmall()];
  for (const connection of others) small.giveBack(connection, null, 0);
  assert.equal(small.resting, 1);
});

test('nothing rests of an instance that drains or is gone, and it is listened to once', async (t) => {
  const { pool, instance, open } = await start(t);
  for (let round = 0; round < 3; round++) {
    pool.giveBack(await open(), null, 0);
    pool.closeRested(10_000);
  }
  assert.equal(instance.listeners, 2);
  const [one, other, late] = [await open(), await open(), await open()];
  pool.giveBack(one, null, 0);
  instance.go();
  assert.deepEqual([pool.resting, one.socket.destroyed], [0, true]);
  pool.giveBack(other, null, 0);
  instance.drain();
  assert.deepEqual([pool.resting, other.socket.destroyed], [0, true]);
  pool.giveBack(late, null, 0);
  assert.deepEqual([pool.resting, late.socket.destroyed], [0, true]);
});
