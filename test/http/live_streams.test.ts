import assert from 'node:assert/strict';
import { EventEmitter, on, once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { LiveStreams, type StreamEvent } from '../../src/http/live_streams.ts';
import { DavitError } from '../../src/lib/errors.ts';
import { startApp } from '../helpers/app.ts';
import { until } from '../helpers/system.ts';

/** Streams what is emitted as `event`, or what `produce` gives; X-Actor says who opens a stream, X-Expires until when. */
async function start(produce?: (signal: AbortSignal) => AsyncIterable<StreamEvent>) {
  const source = new EventEmitter().setMaxListeners(0);
  const streams = new LiveStreams();
  let sources = 0;
  async function* emitted(signal: AbortSignal): AsyncGenerator<StreamEvent> {
    sources++;
    try {
      for await (const [event] of on(source, 'event', { signal })) yield event;
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      sources--;
    }
  }
  const app = await startApp((server) => {
    server.get('/', async (request, response) => {
      const actor = request.get('X-Actor') ?? 'key:a';
      const expires_at = request.get('X-Expires') ? Number(request.get('X-Expires')) : null;
      await streams.send(response, { actor, name: 'x', grants: [], expires_at }, produce ?? emitted);
    });
  });
  return { ...app, streams, source, sources: () => sources };
}

type Running = Awaited<ReturnType<typeof start>>;

async function open(app: Running, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const request = httpRequest({ host: '127.0.0.1', port: app.port, headers, agent: false }).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

const event = (id: string, data: unknown = {}): StreamEvent => ({ event: 'line', id, data });

test('events come as they happen, each on lines of its own', async () => {
  await using app = await start();
  const stream = await open(app);
  assert.equal(stream.statusCode, 200);
  assert.equal(stream.headers['content-type'], 'text/event-stream; charset=utf-8');
  assert.equal(stream.headers['cache-control'], 'no-store');
  app.source.emit('event', event('1:7', { line: 'first\nsecond' }));
  const [chunk] = await once(stream, 'data');
  assert.equal(String(chunk), 'event: line\nid: 1:7\ndata: {"line":"first\\nsecond"}\n\n');
  app.streams.close();
  assert.equal(await text(stream), '');
});

test('a stream ends when what it shows ends', async () => {
  await using app = await start(async function* () {
    for (const id of ['1', '2', '3']) yield event(id);
  });
  const lines = (await text(await open(app))).split('\n').filter((line) => line.startsWith('id'));
  assert.deepEqual(lines, ['id: 1', 'id: 2', 'id: 3']);
});

test('what a stream shows is given free when its client goes', async () => {
  await using app = await start();
  const stream = await open(app);
  await until('the source is open', () => app.sources() === 1);
  stream.destroy();
  await until('the source is free', () => app.sources() === 0);
});

test('streams end with the key that opened them, and no others do', async () => {
  await using app = await start();
  const mine = await open(app, { 'x-actor': 'key:a' });
  const other = await open(app, { 'x-actor': 'key:b' });
  app.streams.endWhere(({ actor }) => actor === 'key:a');
  app.source.emit('event', event('1'));
  assert.equal(await text(mine), '');
  assert.match(String((await once(other, 'data'))[0]), /id: 1/);
  other.destroy();
});

test('a stream ends when the token that opened it expires', async () => {
  await using app = await start();
  const begun = Date.now();
  const stream = await open(app, { 'x-expires': String(begun + 300) });
  const far = await open(app, { 'x-expires': String(begun + 1e12) });
  assert.equal(await text(stream), '');
  assert.ok(Date.now() - begun >= 299);
  assert.equal(app.sources(), 1);
  far.destroy();
});

test('a stream without events shows now and then that it is there', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  await using app = await start();
  const stream = await open(app);
  for (let beat = 0; beat < 3; beat++) {
    t.mock.timers.tick(15_000);
    assert.equal(String((await once(stream, 'data'))[0]), ': still here\n\n');
  }
  stream.destroy();
});

test('there are only so many streams of one credential', async () => {
  await using app = await start();
  const own = await Promise.all(Array.from({ length: 200 }, () => open(app)));
  assert.ok(own.every(({ statusCode }) => statusCode === 200));
  assert.equal((await open(app)).statusCode, 429);
  assert.equal((await open(app, { 'x-actor': 'key:b' })).statusCode, 200);
  own[0]?.destroy();
  await until('one is gone', () => app.sources() === 200);
  assert.equal((await open(app)).statusCode, 200);
  app.streams.close();
});

test('a question that is wrong in itself is answered as any other', async () => {
  await using app = await start(() => ({
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.reject(new DavitError('invalid_request', 'grep is no regular expression')),
    }),
  }));
  const { status, body } = await app.send('GET', '/');
  assert.equal(`${status} ${body.code}`, '400 invalid_request');
});

test('a client that does not read slows down what it is shown, and nothing is kept for it when it goes', async () => {
  let made = 0;
  let isFree = false;
  await using app = await start(async function* (signal) {
    try {
      while (!signal.aborted) yield event(String(++made), 'x'.repeat(100_000));
    } finally {
      isFree = true;
    }
  });
  const stream = await open(app);
  stream.pause();
  let before = -1;
  await until('it rests', async () => {
    before = made;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return before === made;
  });
  assert.ok(made < 1000, `${made} events were made for a client that reads none`);
  stream.destroy();
  await until('it is free', () => isFree);
});

test('once closed, no stream opens', async () => {
  await using app = await start();
  app.streams.close();
  const { status, body } = await app.send('GET', '/');
  assert.equal(`${status} ${body.code}`, '503 shutting_down');
});

test('a HEAD request is answered, and leaves nothing open', async () => {
  await using app = await start();
  const { status, headers } = await app.send('HEAD', '/');
  assert.equal(status, 200);
  assert.match(headers['content-type'] ?? '', /event-stream/);
  await until('nothing is open', () => app.sources() === 0);
});

test('who has hung up before a stream begins leaves nothing open', async () => {
  const streams = new LiveStreams();
  let opened = 0;
  let isOver = false;
  await using app = await startApp((server) => {
    server.get('/', async (_request, response) => {
      opened += 1;
      // As somebody whose token takes a while to be checked.
      if (!response.destroyed) await once(response, 'close');
      await streams.send(
        response,
        { actor: 'key:a', name: 'x', grants: [], expires_at: null },
        async function* (signal) {
          yield event('1');
          if (!signal.aborted) await once(signal, 'abort');
        },
      );
      isOver = true;
    });
  });
  const request = httpRequest({ host: '127.0.0.1', port: app.port, agent: false }).end();
  request.on('error', () => undefined);
  await until('the request has come', () => opened === 1);
  request.destroy();
  await until('the stream is over', () => isOver);
});
