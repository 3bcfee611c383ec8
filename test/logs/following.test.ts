import assert from 'node:assert/strict';
import { appendFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { type Place, parseCursor } from '../../src/logs/cursor.ts';
import type { LogBatch } from '../../src/logs/follow.ts';
import type { LogQuery } from '../../src/logs/log_query.ts';
import { until } from '../helpers/system.ts';
import { endless, fromBegin, numbered, Stored, texts } from './stored.ts';

const none: LogQuery = { lines: 0 };

/** Follows, and keeps all that comes; what does not read waits in `next`. */
class Reader implements AsyncDisposable {
  readonly batches: LogBatch[] = [];
  readonly #abort = new AbortController();
  readonly #batches: AsyncGenerator<LogBatch>;
  #reading: Promise<void> | undefined;

  constructor({ store }: Stored, query: LogQuery, after: Place | null) {
    this.#batches = store.follow('web', query, after, this.#abort.signal);
  }

  async next(): Promise<LogBatch> {
    const { value } = await this.#batches.next();
    this.batches.push(value);
    return value;
  }

  start(): this {
    this.#reading = (async () => {
      for await (const batch of this.#batches) this.batches.push(batch);
    })();
    return this;
  }

  get lines(): string[] {
    return this.batches.flatMap(({ lines }) => texts(lines));
  }

  get skipped() {
    return this.batches.map(({ skipped }) => skipped).filter((skipped) => skipped !== null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#reading;
    await this.#batches.return(undefined);
  }
}

test('several runs that live at the same time are followed as one, and each line says whose it is', async () => {
  using stored = new Stored();
  await using reader = new Reader(stored, none, null).start();
  const one = stored.begin(1, '');
  const two = stored.begin(2, '', { release: 2, instance: 2 });
  for (let n = 0; n < 5; n++) {
    appendFileSync(stored.file('1.r1.i1.stdout'), `one ${n}\n`);
    await until('it has come', () => reader.lines.length === 2 * n + 1);
    appendFileSync(stored.file('2.r2.i2.stderr'), `two ${n}\n`);
    await until('that has come, too', () => reader.lines.length === 2 * n + 2);
  }
  assert.deepEqual(
    reader.lines,
    [0, 1, 2, 3, 4].flatMap((n) => [`one ${n}`, `two ${n}`]),
  );
  const [first, second] = reader.batches.flatMap(({ lines }) => lines);
  assert.deepEqual([first?.release, first?.instance, second?.release, second?.instance], [1, 1, 2, 2]);
  await one.close();
  await two.close();
  const page = await stored.store.query('web', { lines: 100 });
  // What was written within a tenth of a second has one time.
  assert.deepEqual(texts(page.lines).sort(), reader.lines.sort());
  for (const [selection, count] of [
    [{ release: 2 }, 5],
    [{ instance: 1 }, 5],
    [{ release: 1, instance: 2 }, 0],
  ] as const)
    assert.equal((await stored.store.query('web', { lines: 100, ...selection })).lines.length, count);
});

test('whoever comes back after retention goes on at the oldest that is left, and is told what is gone', async () => {
  using stored = new Stored();
  const live = stored.begin(1, numbered(0, 50_000));
  await until('it has been seen', () => statSync(stored.file('1.r1.i1.index')).size > 24);
  const { lines } = await stored.store.query('web', { lines: 1 }, { after: fromBegin });
  stored.retention = { ...endless, max_bytes: 200_000 };
  await stored.store.sweep();
  await using reader = new Reader(stored, none, parseCursor(lines[0]?.cursor ?? ''));
  const first = await reader.next();
  const number = Number(first.lines[0]?.line.slice(5));
  assert.ok(number > 35_000);
  assert.deepEqual(first.skipped, { bytes: (number - 1) * 20, cursor: `1.${number * 20}.0` });
  assert.equal((await reader.next()).skipped, null);
  await live.close();
});

test('of whole runs that are gone it is told that they are, once', async () => {
  using stored = new Stored();
  await stored.run(1, 'one\n');
  const { after } = await stored.store.query('web', { lines: 1 });
  for (const run of [2, 3, 4]) await stored.run(run, `${run}\n`, { release: run });
  stored.retention = { ...endless, max_releases: 1 };
  await stored.store.sweep();
  const live = stored.begin(5, '', { release: 4 });
  await using reader = new Reader(stored, none, parseCursor(after)).start();
  await until('it has come', () => reader.lines.length === 1);
  appendFileSync(stored.file('5.r4.i1.stdout'), 'five\n');
  await until('that has come, too', () => reader.lines.length === 2);
  assert.deepEqual(
    reader.skipped.map(({ bytes }) => bytes),
    [null],
  );
  await live.close();
});

test('one who was up to date is told of nothing when what was read is removed', async () => {
  using stored = new Stored();
  await stored.run(1, 'one\n');
  await stored.run(2, 'two\n', { release: 2 });
  const { after } = await stored.store.query('web', { lines: 1 });
  const live = stored.begin(3, 'three\n', { release: 3 });
  stored.retention = { ...endless, max_releases: 1 };
  await stored.store.sweep();
  const page = await stored.store.query('web', { lines: 10 }, { after: parseCursor(after) });
  assert.deepEqual(texts(page.lines), ['three']);
  assert.equal(page.skipped, undefined);
  await live.close();
});

test('a reader that falls too far behind is moved forward, and others are not', async () => {
  using stored = new Stored();
  const live = stored.begin(1, 'first\n');
  await using slow = new Reader(stored, none, fromBegin);
  assert.deepEqual(texts((await slow.next()).lines), ['first']);
  const block = `line ${'x'.repeat(994)}\n`.repeat(10_000);
  for (let n = 0; n < 8; n++) appendFileSync(stored.file('1.r1.i1.stdout'), block);
  await until(
    'it has been seen',
    async () =>
      (await stored.store.query('web', { lines: 1, until: Date.now() - 1 })).after === `1.${80e6 + 6}.0`,
  );
  const moved = await slow.next();
  const end = 80e6 + 6;
  const [, at = '0'] = moved.cursor.split('.');
  assert.ok(end - Number(at) <= 2 ** 20 + 1_000 && Number(at) > end - 2 ** 20 - 65_536);
  assert.deepEqual(moved.skipped, { bytes: Number(at) - 6, cursor: moved.cursor });
  assert.match((await slow.next()).lines[0]?.line ?? '', /^line x{994}$/);
  // Who only now begins that far back reads all of it.
  await using patient = new Reader(stored, none, fromBegin);
  let bytes = 0;
  while (bytes < end) for (const { line } of (await patient.next()).lines) bytes += line.length + 1;
  assert.equal(bytes, end);
  assert.deepEqual(patient.skipped, []);
  await live.close();
});

test('readers of the same lines get the same batch, and one who does not read holds up nobody', async () => {
  using stored = new Stored();
  const live = stored.begin(1, '');
  await using idle = new Reader(stored, none, null);
  await idle.next();
  const readers = Array.from({ length: 20 }, () => new Reader(stored, none, null).start());
  const other = new Reader(stored, { ...none, grep: '7$' }, null).start();
  await until('all have begun', () => readers.every(({ batches }) => batches.length > 0));
  appendFileSync(stored.file('1.r1.i1.stdout'), numbered(0, 1_000));
  await until('all have come', () => readers.every(({ lines }) => lines.length === 1_000));
  await until('and what was wanted of them', () => other.lines.length === 100);
  const distinct = new Set(readers.flatMap(({ batches }) => batches.filter(({ lines }) => lines.length > 0)));
  assert.ok(distinct.size <= 4, `${distinct.size} batches were read for 20 readers`);
  for (const reader of [...readers, other]) await reader[Symbol.asyncDispose]();
  await live.close();
});

test('who wants little of much learns where to go on all the same', async () => {
  using stored = new Stored();
  const live = stored.begin(1, '');
  await using reader = new Reader(stored, { ...none, grep: 'never' }, null).start();
  appendFileSync(stored.file('1.r1.i1.stdout'), numbered(0, 1_000));
  await until('it has been read', () => reader.batches.at(-1)?.cursor === '1.20000.0');
  assert.deepEqual(reader.lines, []);
  await live.close();
});

test('a search that was ended by its budget goes on from where it was, in both directions', async () => {
  using stored = new Stored();
  stored.budget = { searched_bytes: 50_000, milliseconds: 60_000, answered_bytes: 1e6 };
  stored.restart();
  await stored.run(1, numbered(0, 20_000));
  for (const direction of ['after', 'before'] as const) {
    const found: string[] = [];
    let place: Place = direction === 'after' ? fromBegin : parseCursor('2.0.0');
    let pages = 0;
    for (let isMore = true; isMore; pages++) {
      const page = await stored.store.query(
        'web',
        { lines: 10, grep: '(0777|9999)$' },
        { [direction]: place },
      );
      found.push(...texts(page.lines));
      isMore = page.truncated;
      place = parseCursor(page[direction]);
    }
    assert.deepEqual(found.sort(), [
      'line 00000000000777',
      'line 00000000009999',
      'line 00000000010777',
      'line 00000000019999',
    ]);
    assert.ok(pages >= 8, `${pages} pages`);
  }
});

test('an answer holds no more than it may, however long the lines are', async () => {
  using stored = new Stored();
  stored.budget = { searched_bytes: 1e9, milliseconds: 60_000, answered_bytes: 1e6 };
  stored.restart();
  await stored.run(1, `${'x'.repeat(60_000)}\n`.repeat(100));
  const page = await stored.store.query('web', { lines: 10_000 });
  assert.ok(page.truncated && page.lines.length < 20, `${page.lines.length} lines`);
});

test('a line of 100 MB, NUL bytes and colours are kept as they are and given in pieces that say so', async () => {
  using stored = new Stored();
  const length = 100 * 2 ** 20;
  const live = stored.begin(1, 'a\u0000b\u001b[31mred\n');
  for (let n = 0; n < 100; n++) appendFileSync(stored.file('1.r1.i1.stdout'), Buffer.alloc(2 ** 20, 'x'));
  appendFileSync(stored.file('1.r1.i1.stdout'), '\nend\n');
  await live.close();
  const memory = process.memoryUsage().rss;
  let [seen, place, peak] = [0, fromBegin as Place, 0];
  for (let isMore = true; isMore; ) {
    const page = await stored.store.query('web', { lines: 100 }, { after: place });
    for (const line of page.lines) {
      seen += line.line.length;
      assert.equal(line.continues, line.line.length === 65_536 && /^x+$/.test(line.line) ? true : undefined);
    }
    peak = Math.max(peak, process.memoryUsage().rss - memory);
    isMore = page.truncated;
    place = parseCursor(page.after);
  }
  assert.equal(seen, length + 'a\u0000b\u001b[31mred'.length + 'end'.length);
  assert.ok(peak < 80 * 2 ** 20, `${peak} bytes more than before`);
  assert.equal((await stored.store.query('web', { lines: 1 })).lines[0]?.line, 'end');
});

test('a line that is not finished yet is shown as far as it is, and its rest when it comes', async () => {
  using stored = new Stored();
  const live = stored.begin(1, 'done\nConnecting');
  const page = await stored.store.query('web', { lines: 10 });
  assert.deepEqual(
    page.lines.map(({ line, continues }) => [line, continues]),
    [
      ['done', undefined],
      ['Connecting', true],
    ],
  );
  appendFileSync(stored.file('1.r1.i1.stdout'), '… done\n');
  const next = await stored.store.query('web', { lines: 10 }, { after: parseCursor(page.after) });
  assert.deepEqual(texts(next.lines), ['… done']);
  await live.close();
});
