import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Gauge, Registry } from 'prom-client';
import snappy from 'snappyjs';
import { metricsField, type RemoteWriteConfig } from '../../../src/config/metrics.ts';
import { MetricSet } from '../../../src/metrics/exposition/metric_set.ts';
import { RemoteWrite } from '../../../src/metrics/remote_write/remote_write.ts';
import { steadyPort } from '../../helpers/free_port.ts';
import { until } from '../../helpers/system.ts';
import { startReceiver } from './recording_receiver.ts';

type Given = { readonly name: string; readonly url: string } & Partial<RemoteWriteConfig>;

/** Remote write with a registry of one gauge, whose clock the test moves. */
class Bench {
  readonly registry = new Registry();
  readonly gauge = new Gauge({
    name: 'number',
    help: 'number',
    labelNames: ['of'],
    registers: [this.registry],
  });
  readonly problems: string[] = [];
  readonly failing = new Map<string, string>();
  receivers: readonly RemoteWriteConfig[] = [];
  now = Date.parse('2026-01-31T12:00:00Z');
  readonly data: string;

  constructor(context: TestContext) {
    this.data = mkdtempSync(join(tmpdir(), 'davit-remote-'));
    context.after(async () => {
      await this.#running?.close();
      rmSync(this.data, { recursive: true, force: true });
    });
  }
  #running: RemoteWrite | null = null;

  get folder(): string {
    return join(this.data, 'remote_write');
  }

  configure(...given: readonly Given[]): void {
    this.receivers = metricsField.parse({ remote_write: given }).remote_write;
  }

  async begin(): Promise<RemoteWrite> {
    await this.#running?.close();
    this.registry.clear();
    this.registry.registerMetric(this.gauge);
    const remoteWrite = new RemoteWrite({
      exposition: { registry: this.registry, metrics: new MetricSet(this.registry) },
      folder: this.folder,
      host: 'host-1',
      receivers: () => this.receivers,
      onFailing: (name, message) => {
        if (message === null) this.failing.delete(name);
        else this.failing.set(name, message);
      },
      onProblem: (message) => this.problems.push(message),
      now: () => this.now,
    });
    this.#running = remoteWrite;
    remoteWrite.begin();
    await this.value('davit_remote_write_pending_samples', this.receivers.at(-1)?.name ?? '');
    return remoteWrite;
  }

  /** One tick, ten seconds after the one before. Resolves when all receivers have it in their queues. */
  async tick(value = this.now): Promise<number> {
    const remoteWrite = this.#running ?? assert.fail('not begun');
    this.now += 10_000;
    this.gauge.set({ of: 'a' }, value);
    const before = await this.#handed();
    remoteWrite.observe(this.now);
    await until('the tick is handed on', async () => (await this.#handed()) > before);
    return this.now;
  }

  /** What a metric of remote write says of a receiver; waits until it says something. */
  async value(name: string, receiver: string, reason?: string): Promise<number> {
    let found: number | undefined;
    await until(`${name} is there for ${receiver}`, async () => {
      const { values } = (await this.registry.getSingleMetric(name)?.get()) ?? { values: [] };
      found = values.find(
        ({ labels }) =>
          labels['receiver'] === receiver && (reason === undefined || labels['reason'] === reason),
      )?.value;
      return found !== undefined;
    });
    return found ?? assert.fail();
  }

  async #handed(): Promise<number> {
    const names = ['samples_sent_total', 'samples_refused_total', 'samples_dropped_total', 'pending_samples'];
    const last = this.receivers.at(-1)?.name;
    const all = await Promise.all(
      names.map((name) => this.registry.getSingleMetric(`davit_remote_write_${name}`)?.get()),
    );
    return all
      .flatMap((metric) => metric?.values ?? [])
      .filter(({ labels }) => labels['receiver'] === last)
      .reduce((sum, { value }) => sum + value, 0);
  }
}

function answerWith(status: number, headers: Record<string, string> = {}, text = '') {
  return (_request: unknown, response: ServerResponse) => void response.writeHead(status, headers).end(text);
}

test('every tick arrives, in order, with labels of its receiver', async (context) => {
  const bench = new Bench(context);
  await using receiver = await startReceiver();
  bench.configure({ name: 'main', url: receiver.url, labels: { zone: 'b' } });
  await bench.begin();
  const ticks: number[] = [];
  for (let count = 0; count < 5; count += 1) ticks.push(await bench.tick());
  await receiver.until('all have arrived', () => receiver.times('number').length === 5);
  assert.deepEqual(receiver.times('number'), ticks);
  const [sample] = receiver.taken[0]?.samples ?? [];
  assert.deepEqual(sample?.labels, { instance: 'host-1', job: 'davit', of: 'a', zone: 'b' });
  for (const { samples } of receiver.taken)
    for (const { label_names } of samples) assert.deepEqual(label_names, [...label_names].sort());
  await until(
    'nothing waits',
    async () => (await bench.value('davit_remote_write_pending_samples', 'main')) === 0,
  );
  const sent = receiver.taken.reduce((sum, { samples }) => sum + samples.length, 0);
  assert.equal(await bench.value('davit_remote_write_samples_sent_total', 'main'), sent);
  assert.equal(
    await bench.value('davit_remote_write_last_success_timestamp_seconds', 'main'),
    bench.now / 1_000,
  );
  assert.deepEqual(bench.problems, []);
});

test('a series that ends gets one stale marker', async (context) => {
  const bench = new Bench(context);
  await using receiver = await startReceiver();
  bench.configure({ name: 'main', url: receiver.url });
  await bench.begin();
  bench.gauge.set({ of: 'b' }, 5);
  await bench.tick();
  bench.gauge.remove({ of: 'b' });
  const ended = await bench.tick();
  await bench.tick();
  await receiver.until('all have arrived', () => receiver.times('number').length === 5);
  const ofB = receiver.taken.flatMap(({ samples }) => samples.filter(({ labels }) => labels['of'] === 'b'));
  assert.deepEqual(
    ofB.map(({ value, at }) => [value, at]),
    [
      [5, ended - 10_000],
      [Number.NaN, ended],
    ],
  );
  const marker = Buffer.from('020000000000f07f', 'hex');
  const withMarker = receiver.taken.filter(({ body }) => snappy.uncompress(body).includes(marker));
  assert.equal(withMarker.length, 1);
});

test('what a receiver did not get while it was down arrives when it is back, in order and without a gap', async (context) => {
  const bench = new Bench(context);
  const port = await steadyPort();
  bench.configure({ name: 'main', url: `http://127.0.0.1:${port}/` });
  const remoteWrite = await bench.begin();
  const ticks: number[] = [];
  for (let count = 0; count < 12; count += 1) ticks.push(await bench.tick());
  await until('it is told', () => bench.failing.has('main'));
  assert.match(bench.failing.get('main') ?? '', /^connect ECONNREFUSED/);
  assert.match(remoteWrite.warnings[0] ?? '', /^remote_write main: samples cannot be sent/);
  assert.equal(bench.problems.length, 1, 'told once');
  await until('all wait on the disk', () => readdirSync(join(bench.folder, 'main')).length === 12);
  await using receiver = await startReceiver(port);
  await receiver.until('all have arrived', () => receiver.times('number').length === 12);
  assert.deepEqual(receiver.times('number'), ticks);
  await until('it is told', () => !bench.failing.has('main'));
  assert.match(bench.problems[1] ?? '', /samples are taken again/);
  assert.deepEqual(remoteWrite.warnings, []);
  await until('no file is left', () => readdirSync(join(bench.folder, 'main')).length === 0);
});

test('the next agent sends what the one before could not', async (context) => {
  const bench = new Bench(context);
  const port = await steadyPort();
  bench.configure({ name: 'main', url: `http://127.0.0.1:${port}/` });
  await bench.begin();
  const ticks = [await bench.tick(), await bench.tick()];
  await bench.begin();
  ticks.push(await bench.tick());
  await using receiver = await startReceiver(port);
  await receiver.until('all have arrived', () => receiver.times('number').length === 3);
  assert.deepEqual(receiver.times('number'), ticks);
});

test('at the end the last samples are sent, also those that are just being read', async (context) => {
  const bench = new Bench(context);
  await using receiver = await startReceiver();
  bench.configure({ name: 'main', url: receiver.url });
  const remoteWrite = await bench.begin();
  const tick = await bench.tick();
  remoteWrite.observe(tick + 10_000);
  await remoteWrite.close();
  assert.deepEqual(receiver.times('number'), [tick, tick + 10_000]);
});

test('a receiver that hangs holds neither another up nor the end of the agent', async (context) => {
  const bench = new Bench(context);
  await using slow = await startReceiver();
  await using quick = await startReceiver();
  slow.answer = () => {};
  bench.configure({ name: 'slow', url: slow.url }, { name: 'quick', url: quick.url });
  const remoteWrite = await bench.begin();
  const ticks: number[] = [];
  for (let count = 0; count < 5; count += 1) ticks.push(await bench.tick());
  await quick.until('all have arrived', () => quick.times('number').length === 5);
  assert.equal(slow.tries, 1, 'one request at a time');
  await remoteWrite.close();
  slow.answer = null;
  await bench.begin();
  await slow.until('all have arrived', () => slow.times('number').length === 5);
  assert.deepEqual(slow.times('number'), ticks);
});

test('what is refused is given up and told, and what follows is sent', async (context) => {
  const bench = new Bench(context);
  await using receiver = await startReceiver();
  bench.configure({ name: 'main', url: receiver.url });
  await bench.begin();
  receiver.answer = answerWith(400, {}, 'out of order sample');
  await bench.tick();
  await until('it is told', () => bench.failing.has('main'));
  assert.match(bench.failing.get('main') ?? '', /^it answers 400: out of order sample/);
  const refused = await bench.value('davit_remote_write_samples_refused_total', 'main');
  assert.ok(refused > 0);
  receiver.answer = null;
  const tick = await bench.tick();
  await receiver.until('it has arrived', () => receiver.times('number').length === 1);
  assert.deepEqual(receiver.times('number'), [tick]);
  await until('it is over', () => !bench.failing.has('main'));
  assert.equal(await bench.value('davit_remote_write_samples_refused_total', 'main'), refused);
});

for (const [what, answer] of [
  ['answers 500', answerWith(500)],
  ['answers 429 and when to come back', answerWith(429, { 'retry-after': '1' })],
  ['redirects', answerWith(302, { location: '/elsewhere' })],
  ['closes', (_request: unknown, response: ServerResponse) => void response.destroy()],
] as const)
  test(`nothing is lost while a receiver ${what}`, async (context) => {
    const bench = new Bench(context);
    await using receiver = await startReceiver();
    receiver.answer = answer;
    bench.configure({ name: 'main', url: receiver.url });
    await bench.begin();
    const ticks = [await bench.tick(), await bench.tick()];
    await receiver.until('it was tried twice', () => receiver.tries >= 2);
    receiver.answer = null;
    await receiver.until('all have arrived', () => receiver.times('number').length === 2);
    assert.deepEqual(receiver.times('number'), ticks);
    assert.ok((await bench.value('davit_remote_write_failed_tries_total', 'main')) >= 2);
  });

test('what is older than queue_age is not sent any more', async (context) => {
  const bench = new Bench(context);
  const port = await steadyPort();
  bench.configure({ name: 'main', url: `http://127.0.0.1:${port}/`, queue_age: '25s' });
  await bench.begin();
  const ticks: number[] = [];
  for (let count = 0; count < 6; count += 1) ticks.push(await bench.tick());
  await using receiver = await startReceiver(port);
  await receiver.until('the rest has arrived', () => receiver.times('number').length === 3);
  assert.deepEqual(receiver.times('number'), ticks.slice(-3));
  assert.ok((await bench.value('davit_remote_write_samples_dropped_total', 'main', 'too_old')) > 0);
  assert.equal(bench.problems.filter((problem) => /older than `queue_age`/.test(problem)).length, 1);
});

test('what waits is never more than queue_size', async (context) => {
  const bench = new Bench(context);
  const port = await steadyPort();
  bench.configure({ name: 'main', url: `http://127.0.0.1:${port}/`, queue_size: '10KiB' });
  await bench.begin();
  const ticks: number[] = [];
  for (let count = 0; count < 6; count += 1) ticks.push(await bench.tick());
  assert.equal(await bench.value('davit_remote_write_pending_bytes', 'main'), 8_192);
  await using receiver = await startReceiver(port);
  await receiver.until('the rest has arrived', () => receiver.times('number').length === 2);
  assert.deepEqual(receiver.times('number'), ticks.slice(-2));
});

test('after the clock was set back nothing is sent until it has passed that time again', async (context) => {
  const bench = new Bench(context);
  await using receiver = await startReceiver();
  bench.configure({ name: 'main', url: receiver.url });
  const remoteWrite = await bench.begin();
  const first = await bench.tick();
  for (const back of [0, 1, 60_000, 3_600_000]) remoteWrite.observe(first - back);
  assert.match(
    remoteWrite.warnings[0] ?? '',
    /the clock was set back: no samples are sent before 2026-01-31T12:00:10/,
  );
  const second = await bench.tick();
  assert.deepEqual(remoteWrite.warnings, []);
  await receiver.until('both have arrived', () => receiver.times('number').length === 2);
  assert.deepEqual(receiver.times('number'), [first, second]);
  // Nobody would wait for a clock that was years ahead.
  bench.now -= 86_400_000;
  const third = await bench.tick();
  await receiver.until('it has arrived', () => receiver.times('number').length === 3);
  assert.equal(receiver.times('number').at(-1), third);
});

test('a clock that was set back while no agent ran makes no difference to what waits', async (context) => {
  const bench = new Bench(context);
  bench.configure({ name: 'main', url: `http://127.0.0.1:${await steadyPort()}/` });
  await bench.begin();
  const tick = await bench.tick();
  const remoteWrite = await bench.begin();
  remoteWrite.observe(tick - 5_000);
  assert.match(remoteWrite.warnings.join(), /the clock was set back/);
});

test('receivers come and go with the configuration, and what waits for one that went is removed with a word', async (context) => {
  const bench = new Bench(context);
  await using receiver = await startReceiver();
  const absent = `http://127.0.0.1:${await steadyPort()}/`;
  bench.configure({ name: 'gone', url: absent }, { name: 'main', url: receiver.url });
  const remoteWrite = await bench.begin();
  await bench.tick();
  await until('it is told', () => bench.failing.has('gone'));
  await until('it waits on the disk', () => readdirSync(join(bench.folder, 'gone')).length === 1);
  bench.configure({ name: 'main', url: receiver.url }, { name: 'new', url: receiver.url });
  remoteWrite.reload();
  await until('it is removed', () => !existsSync(join(bench.folder, 'gone')));
  await until('it is told', () =>
    bench.problems.some((problem) => /gone: it is not configured any more/.test(problem)),
  );
  assert.equal(bench.failing.has('gone'), false);
  const tick = await bench.tick();
  await receiver.until(
    'both have it',
    () => receiver.times('number').filter((at) => at === tick).length === 2,
  );
  const text = await bench.registry.metrics();
  assert.doesNotMatch(text, /receiver="gone"/);
  assert.match(text, /davit_remote_write_pending_samples\{receiver="new"\}/);
});

test('another address of a receiver gets what waited for the one before', async (context) => {
  const bench = new Bench(context);
  await using receiver = await startReceiver();
  bench.configure({ name: 'main', url: `http://127.0.0.1:${await steadyPort()}/` });
  const remoteWrite = await bench.begin();
  const ticks = [await bench.tick()];
  bench.configure({ name: 'main', url: receiver.url });
  remoteWrite.reload();
  ticks.push(await bench.tick());
  await receiver.until('both have arrived', () => receiver.times('number').length === 2);
  assert.deepEqual(receiver.times('number'), ticks);
});

test('at a start, what waits for receivers that are not configured is removed, and nothing else', async (context) => {
  const bench = new Bench(context);
  for (const name of ['old', 'photos']) mkdirSync(join(bench.folder, name), { recursive: true });
  const request = '0000000000000001-1763758000123-1-3-00000000.snappy';
  for (const name of [request, `${request}.tmp`]) writeFileSync(join(bench.folder, 'old', name), '');
  const others = [join(bench.folder, 'photos', 'cat.tmp'), join(bench.folder, 'notes.txt')];
  for (const other of others) writeFileSync(other, '');
  bench.configure({ name: 'main', url: `http://127.0.0.1:${await steadyPort()}/` });
  await bench.begin();
  await until('it is told', () => bench.problems.length > 0);
  assert.equal(existsSync(join(bench.folder, 'old')), false);
  assert.deepEqual(bench.problems, [
    'remote_write old: it is not configured any more; what waited for it is removed',
  ]);
  for (const other of others) assert.ok(existsSync(other));
  await bench.tick();
  await bench.begin();
  assert.equal(readdirSync(join(bench.folder, 'main')).length, 1);
});

test('a disk that takes nothing loses nothing while the receiver takes it', async (context) => {
  const bench = new Bench(context);
  await using receiver = await startReceiver();
  writeFileSync(bench.folder, 'in the way');
  bench.configure({ name: 'main', url: receiver.url });
  const remoteWrite = await bench.begin();
  const ticks = [await bench.tick(), await bench.tick()];
  await receiver.until('both have arrived', () => receiver.times('number').length === 2);
  assert.deepEqual(receiver.times('number'), ticks);
  assert.match(remoteWrite.warnings.join(), /cannot be written to the disk/);
});

test('who cannot be told of a failing receiver keeps it from nothing', async (context) => {
  const bench = new Bench(context);
  await using receiver = await startReceiver();
  receiver.answer = answerWith(500);
  bench.failing.set = () => {
    throw new Error('the disk is full');
  };
  bench.configure({ name: 'main', url: receiver.url });
  await bench.begin();
  const tick = await bench.tick();
  await until('it is told', () => bench.problems.some((problem) => /no alert.*disk is full/.test(problem)));
  receiver.answer = null;
  await receiver.until('it has arrived', () => receiver.times('number').length === 1);
  assert.deepEqual(receiver.times('number'), [tick]);
});

test('a secret that would cross the network readable is warned of', async (context) => {
  const bench = new Bench(context);
  const given = (name: string, url: string) => ({ name, url, token_file: '/nowhere/token' });
  bench.configure(
    given('open', 'http://metrics.invalid/'),
    given('sealed', 'https://metrics.invalid/'),
    given('near', 'http://127.0.0.1:9/'),
    { name: 'plain', url: 'http://metrics.invalid/' },
  );
  const { warnings } = await bench.begin();
  assert.deepEqual(warnings, [
    'remote_write open: its secret crosses the network readable; have `url` begin with https',
  ]);
});

test('a metric that cannot be read keeps no other from being sent', async (context) => {
  const bench = new Bench(context);
  await using receiver = await startReceiver();
  bench.configure({ name: 'main', url: receiver.url });
  await bench.begin();
  new Gauge({
    name: 'broken',
    help: 'broken',
    registers: [bench.registry],
    collect() {
      throw new Error('no value');
    },
  });
  const tick = await bench.tick();
  await receiver.until('it has arrived', () => receiver.times('number').length === 1);
  assert.deepEqual(receiver.times('number'), [tick]);
  assert.deepEqual(bench.problems, ['remote_write: broken cannot be read: no value']);
});

test('thousands of series are sent in several requests, and others get their turn in between', async (context) => {
  const bench = new Bench(context);
  await using receiver = await startReceiver();
  bench.configure({ name: 'main', url: receiver.url });
  await bench.begin();
  for (let number = 0; number < 5_000; number += 1) bench.gauge.set({ of: `s${number}` }, number);
  await bench.tick();
  await receiver.until('all have arrived', () => receiver.times('number').length === 5_001);
  assert.equal(receiver.taken.length, 3);
  assert.equal(new Set(receiver.times('number')).size, 1);
});
