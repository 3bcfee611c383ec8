import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { FrameBoundary } from '../../src/router/frame_boundary.ts';
import { Splice } from '../../src/router/splice.ts';
import { WebSocketBackend } from '../../src/router/websocket_backend.ts';
import { until } from '../helpers/system.ts';
import { listen } from '../helpers/upgrades.ts';
import { closePayload, frame, opcodes, RawClient } from '../helpers/websocket_frames.ts';

const unmasked = (opcode: number, payload: string | Buffer) => frame(opcode, payload, { masked: false });
const restart = unmasked(opcodes.close, closePayload(1012, 'service restart'));
const aMinute = 60_001;

/** The sockets of a client and of an instance, and what joins them. */
interface Joined {
  readonly client: RawClient;
  readonly instance: Socket;
  readonly splice: Splice;
  readonly backend: WebSocketBackend;
  readonly clientSide: Socket;
  /** What has come to the instance. */
  readonly received: () => Buffer;
  readonly hasEnded: () => boolean;
}

async function join(context: TestContext, isRestarting = () => false): Promise<Joined> {
  const [clients, instances] = [createServer({ allowHalfOpen: true }), createServer({ allowHalfOpen: true })];
  const client = new RawClient(await listen(clients));
  const [clientSide] = (await once(clients, 'connection')) as [Socket];
  const address = { host: '127.0.0.1', port: await listen(instances) };
  const backend = new WebSocketBackend(address, Buffer.alloc(65_536));
  const [instance] = (await once(instances, 'connection')) as [Socket];
  instance.on('error', () => {});
  const chunks: Buffer[] = [];
  instance.on('data', (chunk: Buffer) => chunks.push(chunk));
  let ended = false;
  const splice = new Splice({
    client: clientSide,
    backend: backend.socket,
    isRestarting,
    onEnd: () => {
      assert.equal(ended, false, 'it ends once');
      ended = true;
    },
  });
  backend.receiver = (bytes) => splice.receive(bytes);
  splice.begin(Buffer.alloc(0), Buffer.alloc(0));
  context.after(() => {
    splice.cut();
    client.socket.destroy();
    instance.destroy();
    clients.close();
    instances.close();
  });
  const received = () => Buffer.concat(chunks);
  return { client, instance, splice, backend, clientSide, received, hasEnded: () => ended };
}

test('a Close frame goes in at once where no frame is under way', async (context) => {
  const { client, splice } = await join(context);
  splice.close(1012, 'service restart');
  await client.until(({ bytes }) => bytes.length === restart.length);
  assert.deepEqual(client.bytes, restart);
});

test('within a frame it waits for the end of that, and nothing comes after it', async (context) => {
  const { client, instance, splice, clientSide } = await join(context);
  const message = unmasked(opcodes.text, 'x'.repeat(300));
  instance.write(message.subarray(0, 100));
  await client.until(({ bytes }) => bytes.length === 100);
  splice.close(1012, 'service restart');
  assert.equal(clientSide.writableLength, 0);
  instance.write(Buffer.concat([message.subarray(100), unmasked(opcodes.text, 'dropped')]));
  await client.until(({ bytes }) => bytes.length >= message.length + restart.length);
  instance.write(unmasked(opcodes.text, 'dropped too'));
  instance.end();
  await client.until(({ ending }) => ending !== null);
  assert.deepEqual(client.bytes, Buffer.concat([message, restart]));
});

test('wherever it is asked for, a Close frame stands between two frames', async () => {
  const frames = fc.array(fc.nat(400), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(frames, fc.nat(), async (lengths, place) => {
      const bytes = Buffer.concat(
        lengths.map((length) => unmasked(opcodes.binary, Buffer.alloc(length, 0x88))),
      );
      const at = place % (bytes.length + 1);
      const ends: (() => void)[] = [];
      const context = { after: (end: () => void) => void ends.push(end) } as unknown as TestContext;
      const { client, instance, splice } = await join(context);
      instance.write(bytes.subarray(0, at));
      await client.until((each) => each.bytes.length === at);
      splice.close(1012, 'service restart');
      instance.end(bytes.subarray(at));
      await client.until(({ ending }) => ending !== null);
      for (const end of ends) end();
      const before = client.bytes.subarray(0, -restart.length);
      assert.deepEqual(client.bytes.subarray(-restart.length), restart);
      assert.deepEqual(before, bytes.subarray(0, before.length));
      const boundary = new FrameBoundary();
      boundary.advance(before);
      assert.equal(boundary.isBetween, true);
    }),
    { numRuns: 50 },
  );
});

test('what the client answers to it still reaches the instance, whose end ends the client', async (context) => {
  const { client, instance, splice, received, hasEnded } = await join(context);
  splice.close(1012, 'service restart');
  await client.until(({ bytes }) => bytes.length > 0);
  const answer = frame(opcodes.close, closePayload(1012));
  client.write(answer);
  await until('the instance has the answer', () => received().equals(answer));
  instance.end(unmasked(opcodes.close, closePayload(1012)));
  await client.until(({ ending }) => ending === 'end');
  assert.deepEqual(client.bytes, restart);
  client.socket.end();
  await until('it has ended', hasEnded);
});

test('where the instance has closed already no second Close frame is sent', async (context) => {
  const { client, instance, splice } = await join(context);
  const own = unmasked(opcodes.close, closePayload(1000));
  instance.write(own);
  await client.until(({ bytes }) => bytes.length === own.length);
  splice.close(1012, 'service restart');
  instance.end();
  await client.until(({ ending }) => ending !== null);
  assert.deepEqual(client.bytes, own);
});

test('a second close does nothing', async (context) => {
  const { client, instance, splice } = await join(context);
  splice.close(1012, 'service restart');
  splice.close(1001, 'closed by the operator');
  await client.until(({ bytes }) => bytes.length > 0);
  instance.end();
  await client.until(({ ending }) => ending !== null);
  assert.deepEqual(client.bytes, restart);
});

test('a frame that does not end is cut when its time is over', async (context) => {
  const { client, instance, splice, hasEnded } = await join(context);
  const message = unmasked(opcodes.text, 'x'.repeat(300));
  instance.write(message.subarray(0, 100));
  await client.until(({ bytes }) => bytes.length === 100);
  splice.close(1012, 'service restart');
  splice.check(Date.now() + 1_000);
  assert.equal(hasEnded(), false);
  splice.check(Date.now() + 5_001);
  await client.until(({ ending }) => ending === 'reset');
  await until('it has ended', hasEnded);
});

test('a client that does not answer a Close frame is cut when its time is over', async (context) => {
  const { client, splice, hasEnded } = await join(context);
  splice.close(1012, 'service restart');
  await client.until(({ bytes }) => bytes.length > 0);
  splice.check(Date.now() + 5_001);
  await client.until(({ ending }) => ending === 'reset');
  await until('it has ended', hasEnded);
});

test('a client that reads nothing is cut though its end is on its way', async (context) => {
  const { client, instance, splice, clientSide, hasEnded } = await join(context);
  client.socket.pause();
  instance.on('error', () => {});
  instance.write(unmasked(opcodes.binary, Buffer.alloc(32 << 20)));
  await until('it backs up', () => clientSide.writableLength > 0);
  instance.destroy();
  splice.close(1012, 'service restart');
  await until('the instance is gone', () => {
    clientSide.emit('drain');
    return clientSide.writableEnded;
  });
  splice.check(Date.now() + 5_001);
  await until('it has ended', hasEnded);
});

test('an instance that ends while it drains leaves its client with 1012', async (context) => {
  const { client, instance } = await join(context, () => true);
  const message = unmasked(opcodes.text, 'last');
  instance.end(message);
  await client.until(({ ending }) => ending !== null);
  assert.deepEqual(client.bytes, Buffer.concat([message, restart]));
});

test('where such an instance ends within a frame nothing can be said', async (context) => {
  const { client, instance } = await join(context, () => true);
  const part = unmasked(opcodes.text, 'last').subarray(0, 3);
  instance.end(part);
  await client.until(({ ending }) => ending !== null);
  assert.deepEqual(client.bytes, part);
});

test('neither side is read faster than the other one takes it', async (context) => {
  const { client, instance, clientSide, backend } = await join(context);
  const data = Buffer.alloc(64 << 20, 'abc');
  client.socket.pause();
  instance.pause();
  instance.write(data);
  client.write(data);
  const stopped = () => clientSide.writableLength > 0 && backend.socket.writableLength > 0;
  await until('both have stopped', stopped);
  assert.ok(clientSide.writableLength < 1 << 20, `${clientSide.writableLength} bytes wait for the client`);
  assert.ok(backend.socket.writableLength < 1 << 20);
  assert.ok(instance.writableLength > 0 && client.socket.writableLength > 0);
  client.socket.resume();
  instance.resume();
  await until(
    'all of it has come',
    () => client.socket.bytesRead === data.length && instance.bytesRead === data.length,
  );
  assert.ok(client.bytes.equals(data));
});

test('one direction may end before the other', async (context) => {
  const { client, instance, received, hasEnded } = await join(context);
  client.socket.end('last words');
  await once(instance, 'end');
  instance.write('answer');
  await client.until(({ bytes }) => bytes.length === 6);
  assert.equal(hasEnded(), false);
  instance.end();
  await client.until(({ ending }) => ending === 'end');
  await until('it has ended', hasEnded);
  assert.equal(received().toString(), 'last words');
});

test('a side that stays open in silence after the other has ended is cut', async (context) => {
  const { client, instance, splice, hasEnded } = await join(context);
  instance.end();
  await client.until(({ ending }) => ending === 'end');
  splice.check(Date.now() + 1_000);
  assert.equal(hasEnded(), false);
  splice.check(Date.now() + aMinute);
  await until('it has ended', hasEnded);
});

test('a connection at rest is not cut', async (context) => {
  const { client, instance, splice } = await join(context);
  splice.check(Date.now() + 365 * 86_400_000);
  instance.write('still there');
  await client.until(({ bytes }) => bytes.toString() === 'still there');
});

test('a client that breaks off breaks off the instance, and the other way round', async (context) => {
  const one = await join(context);
  const broken = once(one.instance, 'error');
  one.client.socket.resetAndDestroy();
  const [error] = (await broken) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNRESET');
  await until('it has ended', one.hasEnded);
  const other = await join(context);
  other.instance.resetAndDestroy();
  await other.client.until(({ ending }) => ending === 'reset');
  await until('it has ended', other.hasEnded);
});
