import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { until } from '../helpers/system.ts';

let agent: RunningAgent;
before(async () => {
  agent = await startAgent();
});
after(() => agent[Symbol.asyncDispose]());

interface ServerSentEvent {
  readonly event: string;
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects
  readonly data: any;
}

/** A stream of logs as a client sees it, which may pause. */
class Stream implements Disposable {
  readonly events: ServerSentEvent[] = [];
  readonly response: IncomingMessage;
  #rest = '';

  constructor(response: IncomingMessage) {
    this.response = response.setEncoding('utf8');
    response.on('data', (chunk: string) => this.#read(chunk));
  }

  static async open(path: string, headers: Record<string, string> = {}): Promise<Stream> {
    const authorization = `Bearer ${agent.key}`;
    const asked = request(agent.url + path, { headers: { authorization, ...headers }, agent: false }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    assert.equal(response.statusCode, 200);
    return new Stream(response);
  }

  get lines(): string[] {
    return this.events.filter(({ event }) => event === 'line').map(({ data }) => data.line);
  }

  [Symbol.dispose](): void {
    this.response.destroy();
  }

  #read(chunk: string): void {
    const blocks = (this.#rest + chunk).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const [event, id, data] = [field('event'), field('id'), field('data')];
      if (event !== undefined && data !== undefined)
        this.events.push({ event, id: id ?? '', data: JSON.parse(data) });
    }
  }
}

async function deploy(service: string, command: string, more: object = {}): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${service}/deploy`, {
    command,
    min_uptime: '0s',
    ...more,
  });
  assert.equal(status, 200, JSON.stringify(body));
}

test('a log is read in pages, in both directions, by release and instance', async () => {
  await deploy('paged', 'seq 1 50; exec sleep 1000');
  await agent.until('GET', '/service/paged/logs', ({ lines }) => lines.length === 50);
  await deploy('paged', 'seq 51 100; exec sleep 1000');
  await agent.until('GET', '/service/paged/logs', ({ lines }) => lines.length === 100);
  const path = '/api/v1/services/paged/logs?lines=30';
  const numbers = (body: { lines: { line: string }[] }) => body.lines.map(({ line }) => Number(line));
  const last = (await agent.call('GET', path)).body;
  const earlier = (await agent.call('GET', `${path}&before=${last.before}`)).body;
  assert.deepEqual(
    [...numbers(earlier), ...numbers(last)],
    Array.from({ length: 60 }, (_, n) => n + 41),
  );
  assert.equal(earlier.truncated, true);
  const again = (await agent.call('GET', `${path}&after=${earlier.after}`)).body;
  assert.deepEqual(numbers(again), numbers(last));
  assert.deepEqual(numbers((await agent.call('GET', `${path}&after=${last.after}`)).body), []);
  assert.deepEqual(
    numbers((await agent.call('GET', '/service/paged/logs?release=1&instance=1')).body),
    Array.from({ length: 50 }, (_, n) => n + 1),
  );
  assert.deepEqual((await agent.call('GET', '/service/paged/logs?instance=2')).body.lines, []);
  assert.deepEqual(
    last.lines.map(
      ({ release, instance }: { release: number; instance: number }) => `${release} ${instance}`,
    )[0],
    '2 1',
  );
  const files = readdirSync(join(agent.data, 'logs', 'paged'));
  assert.ok(files.includes('1.r1.i1.stdout') && files.includes('2.r2.i1.stdout'), files.join());
});

for (const [query, path] of [
  ['after=x', 'after'],
  ['after=1.2', undefined],
  ['after=1.0.0&before=1.0.0', 'before'],
  ['before=1.0.0&follow=true', 'before'],
  ['until=1h&follow=true', 'until'],
  ['release=0', 'release'],
] as const) {
  test(`what cannot be asked is refused: ${query}`, async () => {
    await deploy('asked', 'exec sleep 1000');
    const { status, body } = await agent.call('GET', `/service/asked/logs?${query}`);
    assert.equal(status, 400);
    assert.equal(body.code, 'invalid_request');
    if (path !== undefined) assert.equal(body.details[0].path, path);
  });
}

test('a reader that stops is told what it missed, and neither the service nor another reader waits for it', async () => {
  const script =
    'i=0; while [ $i -lt 60 ]; do head -c 1000000 /dev/zero | tr "\\\\0" x | fold -w 1000; i=$((i+1)); sleep 0.05; done; echo; echo the end; exec sleep 1000';
  await deploy('torrent', 'read line < /dev/zero; exec sleep 1000', { logs: { max_size: '5MB' } });
  using slow = await Stream.open('/service/torrent/logs?follow=true');
  slow.response.pause();
  await deploy('torrent', script);
  using quick = await Stream.open('/service/torrent/logs?follow=true&grep=^the%20end$');
  await until('the service has written all, and a quick reader has seen it', () =>
    quick.lines.includes('the end'),
  );
  slow.response.resume();
  await until('the slow reader is at the end, too', () => slow.lines.includes('the end'));
  const skipped = slow.events.filter(({ event }) => event === 'skipped');
  assert.ok(skipped.length > 0);
  for (const { id, data } of skipped) assert.equal(id, data.cursor);
  const missed = skipped.reduce((sum, { data }) => sum + data.bytes, 0);
  assert.ok(missed > 20e6, `${missed} bytes were skipped`);
  assert.ok(slow.lines.length < 40_000);
});

test('a stream is taken up by Last-Event-ID, or by a cursor in the query', async () => {
  await deploy('counted', 'seq 1 20; exec sleep 1000');
  await agent.until('GET', '/service/counted/logs', ({ lines }) => lines.length === 20);
  using first = await Stream.open('/service/counted/logs?follow=true');
  await until('all have come', () => first.lines.length === 20);
  const id = first.events[9]?.id ?? '';
  using second = await Stream.open('/service/counted/logs?follow=true', { 'last-event-id': id });
  using third = await Stream.open(`/service/counted/logs?follow=true&after=${id}`);
  await until('the rest has come', () => second.lines.length === 10 && third.lines.length === 10);
  assert.deepEqual(second.lines, first.lines.slice(10));
  assert.deepEqual(third.lines, second.lines);
});

test('a stream of logs ends when the service is deleted, after its last lines', async () => {
  const command = 'trap "echo good bye; exit 0" TERM; echo hello; sleep 1000 & wait';
  await agent.call('POST', '/service/leaving/deploy', { command });
  using stream = await Stream.open('/service/leaving/logs?follow=true');
  const ended = once(stream.response, 'end');
  await until('it is followed', () => stream.lines.includes('hello'));
  assert.equal((await agent.call('DELETE', '/api/v1/services/leaving')).status, 200);
  await ended;
  assert.deepEqual(stream.lines, ['hello', 'good bye']);
});
