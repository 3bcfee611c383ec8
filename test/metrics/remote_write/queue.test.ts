import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Complaints } from '../../../src/metrics/remote_write/complaints.ts';
import { type QueueLimits, RequestQueue } from '../../../src/metrics/remote_write/queue.ts';
import { fileName, readFileName } from '../../../src/metrics/remote_write/queued_request.ts';

const roomy: QueueLimits = { size: 1e9, age: 1e9 };

/** A queue in a folder that goes with the test, and what it tells. */
class Bench implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'davit-queue-'));
  readonly folder = join(this.root, 'queue');
  readonly problems: string[] = [];
  readonly dropped: string[] = [];
  now = 1_000_000;
  readonly #queues: RequestQueue[] = [];

  open(limits: QueueLimits = roomy): RequestQueue {
    const queue = new RequestQueue({
      folder: this.folder,
      limits,
      now: () => this.now,
      onDrop: (reason, samples) => this.dropped.push(`${reason} ${samples}`),
      complaints: new Complaints((message) => this.problems.push(message)),
    });
    this.#queues.push(queue);
    return queue;
  }

  files(): string[] {
    return readdirSync(this.folder).sort();
  }

  /** What is on its way to the disk is awaited, as it would come into the folder while that is removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const queue of this.#queues) await queue.settle();
    rmSync(this.root, { recursive: true, force: true });
  }
}

function body(text: string) {
  return { samples: text.length, body: Buffer.from(text) };
}

/** What is in a queue, in the order in which it is sent. Empties it. */
async function drained(queue: RequestQueue): Promise<string[]> {
  const texts: string[] = [];
  for (let next = await queue.next(); next !== null; next = await queue.next()) {
    texts.push(Buffer.from(next.body).toString());
    queue.remove(next.request);
  }
  return texts;
}

test('what is pushed comes out in its order, and leaves no file', async () => {
  await using bench = new Bench();
  const queue = bench.open();
  for (const text of ['one', 'two', 'three']) queue.push(body(text), bench.now);
  assert.deepEqual(queue.waiting, { requests: 3, samples: 11, bytes: 3 * 4_096 });
  await queue.settle();
  assert.equal(bench.files().length, 3);
  assert.deepEqual(await drained(queue), ['one', 'two', 'three']);
  await queue.settle();
  assert.deepEqual(bench.files(), []);
  assert.deepEqual(queue.waiting, { requests: 0, samples: 0, bytes: 0 });
  assert.deepEqual([bench.problems, bench.dropped], [[], []]);
});

test('the next agent goes on with what is on the disk, and with numbers that rise', async () => {
  await using bench = new Bench();
  const first = bench.open();
  first.push(body('one'), 5);
  first.push(body('two'), 6);
  await first.settle();
  // As after kill -9 within a write.
  writeFileSync(join(bench.folder, `${bench.files()[0]}.tmp`), 'half of');
  bench.now = 10;
  const second = bench.open();
  assert.equal(second.newest, 6);
  second.push(body('three'), 7);
  await second.settle();
  assert.equal(bench.files().length, 3);
  assert.deepEqual(await drained(second), ['one', 'two', 'three']);
});

test('what was sent while it was written does not come back', async () => {
  await using bench = new Bench();
  const queue = bench.open();
  queue.push(body('one'), bench.now);
  const next = await queue.next();
  assert.ok(next);
  queue.remove(next.request);
  await queue.settle();
  assert.deepEqual(bench.files(), []);
  assert.equal(await bench.open().next(), null);
});

test('damaged, cut, missing and strange files are not sent, and hold nothing up', async () => {
  await using bench = new Bench();
  const first = bench.open();
  for (const text of ['one', 'two', 'three', 'four', 'five']) first.push(body(text), bench.now);
  await first.settle();
  const [one = '', two = '', three = '', four = ''] = bench.files().map((name) => join(bench.folder, name));
  writeFileSync(one, 'ONE');
  truncateSync(two, 0);
  rmSync(four);
  mkdirSync(four);
  writeFileSync(join(bench.folder, 'notes.txt'), 'somebody left this');
  const second = bench.open();
  rmSync(three);
  assert.deepEqual(await drained(second), ['five']);
  assert.deepEqual(bench.dropped, ['unreadable 3', 'unreadable 3', 'unreadable 5', 'unreadable 4']);
  assert.equal(bench.problems.length > 0, true);
  assert.match(bench.problems[0] ?? '', /is damaged/);
  assert.ok(bench.files().includes('notes.txt'));
});

test('when more waits than is allowed, the oldest goes', async () => {
  await using bench = new Bench();
  const queue = bench.open({ size: 3 * 4_096, age: 1e9 });
  for (const text of ['1', '22', '333', '4444', '55555']) queue.push(body(text), bench.now);
  await queue.settle();
  assert.deepEqual(bench.dropped, ['queue_full 1', 'queue_full 2']);
  assert.equal(bench.files().length, 3);
  queue.limit({ size: 4_096, age: 1e9 });
  assert.deepEqual(await drained(queue), ['55555']);
  await queue.settle();
  assert.deepEqual(bench.files(), []);
});

test('the newest is kept even where it alone is more than is allowed', async () => {
  await using bench = new Bench();
  const queue = bench.open({ size: 1, age: 1e9 });
  queue.push(body('one'), bench.now);
  queue.push(body('two'), bench.now);
  assert.deepEqual(await drained(queue), ['two']);
});

test('what is too old is not sent, also where it became so while no agent ran', async () => {
  await using bench = new Bench();
  const queue = bench.open({ size: 1e9, age: 100 });
  queue.push(body('one'), bench.now);
  bench.now += 60;
  queue.push(body('two'), bench.now);
  bench.now += 60;
  assert.deepEqual(Buffer.from((await queue.next())?.body ?? []).toString(), 'two');
  await queue.settle();
  bench.now += 60;
  assert.equal(await bench.open({ size: 1e9, age: 100 }).next(), null);
  assert.deepEqual(bench.dropped, ['too_old 3', 'too_old 3']);
});

test('while the disk takes nothing the newest 64 are kept in memory, and written when it does', async () => {
  await using bench = new Bench();
  // A file in place of the folder takes nothing, also from root.
  writeFileSync(bench.folder, '');
  const queue = bench.open();
  for (let number = 1; number <= 70; number += 1) {
    queue.push(body(String(number)), bench.now);
    await queue.settle();
  }
  assert.match(queue.refusal ?? '', /EEXIST|ENOTDIR/);
  assert.equal(bench.dropped.length, 6);
  assert.equal(bench.dropped[0], 'memory_full 1');
  assert.equal(bench.problems.filter((problem) => /kept in memory/.test(problem)).length, 1, 'told once');
  rmSync(bench.folder);
  queue.push(body('last'), bench.now);
  await queue.settle();
  assert.equal(queue.refusal, null);
  assert.equal(bench.files().length, 64);
  const expected = [...Array.from({ length: 63 }, (_, index) => String(index + 8)), 'last'];
  assert.deepEqual(await drained(bench.open()), expected);
});

test('while the disk takes nothing requests are sent from memory', async () => {
  await using bench = new Bench();
  writeFileSync(bench.folder, '');
  const queue = bench.open();
  queue.push(body('one'), bench.now);
  await queue.settle();
  assert.deepEqual(await drained(queue), ['one']);
  assert.equal(queue.waiting.requests, 0);
});

test('a folder that somebody removed is made anew', async () => {
  await using bench = new Bench();
  const queue = bench.open();
  rmSync(bench.folder, { recursive: true });
  queue.push(body('one'), bench.now);
  await queue.settle();
  assert.equal(readFileSync(join(bench.folder, bench.files()[0] ?? ''), 'utf8'), 'one');
});

test('the name of a file says all of its request, and strange names say nothing', () => {
  const request = { number: 12, at: 1_763_758_000_123, samples: 2_000, size: 45_678, checksum: 0xab };
  const name = fileName(request);
  assert.equal(name, '0000000000000012-1763758000123-2000-45678-000000ab.snappy');
  assert.deepEqual(readFileName(name), request);
  for (const strange of ['', 'x', `${name}.tmp`, `../${name}`, name.replace('12-', '-'), name.toUpperCase()])
    assert.equal(readFileName(strange), null, strange);
});
