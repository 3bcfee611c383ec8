import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LogLine } from '../../src/contract/logs.ts';
import { type Place, parseCursor } from '../../src/logs/cursor.ts';
import type { LogQuery } from '../../src/logs/log_query.ts';
import { LogStore } from '../../src/logs/log_store.ts';
import type { Retention } from '../../src/logs/retention.ts';
import { encodeStamp } from '../../src/logs/time_index.ts';

const endless: Retention = { max_bytes: 1e9, max_age_ms: null, max_releases: null, compress: true };

type Live = ReturnType<LogStore['open']>;
type Stream = 'stdout' | 'stderr';

function labelOf(run: number) {
  return { release: Math.ceil(run / 2), instance: 1 + (run % 3) };
}

/** A service whose runs write, and what each of them wrote, beside the store that should know the same. */
class Model implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'davit-paging-'));
  /** By run and stream. */
  readonly written = new Map<string, string>();
  readonly #live = new Map<number, Live>();
  retention = endless;
  store = this.#newStore();
  #runs = 0;
  #lines = 0;

  start(): void {
    this.#runs += 1;
    const run = this.store.open('web', this.#runs, labelOf(this.#runs));
    this.#live.set(this.#runs, run);
  }

  async end(which: number): Promise<void> {
    const run = this.#pick(which);
    if (run === undefined) return;
    await this.#live.get(run)?.close();
    this.#live.delete(run);
  }

  write(which: number, stream: Stream, length: number, count: number): void {
    const run = this.#pick(which);
    if (run === undefined) return;
    const { release, instance } = labelOf(run);
    let text = '';
    for (let n = 0; n < count; n++) text += `${this.#lines++} ${'é'.repeat(length)}\n`;
    appendFileSync(join(this.folder, 'web', `${run}.r${release}.i${instance}.${stream}`), text);
    const key = `${run} ${stream}`;
    this.written.set(key, (this.written.get(key) ?? '') + text);
  }

  /** As when the agent is started again: what runs is taken up. */
  restart(): void {
    this.store.close();
    this.store = this.#newStore();
    for (const run of this.#live.keys()) this.#live.set(run, this.store.adopt('web', run, labelOf(run)));
  }

  async endAll(): Promise<void> {
    while (this.#live.size > 0) await this.end(0);
  }

  #newStore(): LogStore {
    return new LogStore({
      directory: this.folder,
      retentionOf: () => this.retention,
      maxBytes: () => 1e12,
      onProblem: (message) => assert.fail(message),
      quietTime: 0,
    });
  }

  #pick(which: number): number | undefined {
    return [...this.#live.keys()][which % Math.max(1, this.#live.size)];
  }

  [Symbol.dispose](): void {
    this.store.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const which = fc.nat(9);
const step = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ kind: 'start' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const), which }) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: 'restart' as const }, { kind: 'sweep' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      which,
      stream: fc.constantFrom<Stream>('stdout', 'stderr'),
      length: fc.oneof({ weight: 5, arbitrary: fc.nat(100) }, { weight: 1, arbitrary: fc.nat(80_000) }),
      count: fc.oneof({ weight: 5, arbitrary: fc.nat(20) }, { weight: 1, arbitrary: fc.constant(3_000) }),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

async function play(model: Model, steps: readonly Step[]): Promise<void> {
  model.start();
  for (const next of steps) {
    if (next.kind === 'start') model.start();
    else if (next.kind === 'end') await model.end(next.which);
    else if (next.kind === 'restart') model.restart();
    else if (next.kind === 'sweep') await model.store.sweep();
    else
      model.write(next.which, next.stream, next.length, Math.min(next.count, Math.ceil(3e5 / next.length)));
  }
}

/** All lines by pages of these sizes in turn, from the beginning or from the end; between pages the agent may start again. */
async function readPages(model: Model, sizes: readonly number[], direction: 'after' | 'before') {
  const pages: LogLine[][] = [];
  let place: Place | undefined = direction === 'after' ? [{ run: 0, stdout: 0, stderr: 0 }] : undefined;
  for (let n = 0; ; n++) {
    const query: LogQuery = { lines: sizes[n % sizes.length] ?? 1 };
    const page = await model.store.query('web', query, place && { [direction]: place });
    assert.equal(page.skipped, undefined);
    assert.ok(page.lines.length <= query.lines);
    pages.push([...page.lines]);
    if (!page.truncated) return (direction === 'after' ? pages : pages.reverse()).flat();
    place = parseCursor(page[direction]);
    if (n % 7 === 3) model.restart();
  }
}

/** What the lines say, by run (as told by their cursors) and stream. */
function textBySource(lines: readonly LogLine[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { release, instance, stream, line, continues } of lines) {
    const key = `${release} ${instance} ${stream}`;
    texts.set(key, `${texts.get(key) ?? ''}${line}${continues ? '' : '\n'}`);
  }
  return texts;
}

function expected(model: Model): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [key, text] of model.written) {
    const [run, stream] = key.split(' ');
    const { release, instance } = labelOf(Number(run));
    const name = `${release} ${instance} ${stream}`;
    if (text !== '') texts.set(name, (texts.get(name) ?? '') + text);
  }
  return texts;
}

function sorted(texts: Map<string, string>): [string, string][] {
  return [...texts].sort(([one], [other]) => (one < other ? -1 : 1));
}

const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constant(5_000)), {
  minLength: 1,
  maxLength: 3,
});

for (const direction of ['after', 'before'] as const) {
  test(`pages by ${direction} give every line once and in order, over runs, restarts and compression`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25 }),
        sizes,
        fc.boolean(),
        async (steps, pages, ended) => {
          using model = new Model();
          await play(model, steps);
          if (ended) await model.endAll();
          const lines = await readPages(
            model,
            pages.map((size) => (size < 50 ? size * 40 : size)),
            direction,
          );
          assert.deepEqual(sorted(textBySource(lines)), sorted(expected(model)));
          const times = lines.map(({ time }) => time);
          if (ended) assert.deepEqual(times, [...times].sort());
        },
      ),
      { numRuns: 60 },
    );
  });
}

test('a run whose files are told to be older than what is in them keeps its place in time', async () => {
  using model = new Model();
  const now = Date.now();
  for (const [run, time, written] of [
    [1, now + 4, now + 1],
    [2, now + 3, now + 6],
  ] as const) {
    const file = join(model.folder, 'web', `${run}.r1.i1`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.stdout`, `${run}\n`);
    writeFileSync(`${file}.stderr`, '');
    writeFileSync(`${file}.index`, encodeStamp({ time, stdout: 2, stderr: 0 }));
    for (const name of ['stdout', 'stderr', 'index'])
      utimesSync(`${file}.${name}`, written / 1_000, written / 1_000);
  }
  model.restart();
  for (const direction of ['after', 'before'] as const)
    assert.deepEqual(
      (await readPages(model, [1], direction)).map(({ line }) => line),
      ['2', '1'],
      direction,
    );
});

test('a small store is read by single lines in both directions alike', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 12 }),
      fc.integer({ min: 1, max: 4 }),
      async (steps, size) => {
        using model = new Model();
        await play(
          model,
          steps.map((next) =>
            next.kind === 'write' ? { ...next, length: 5, count: next.count % 10 } : next,
          ),
        );
        await model.endAll();
        const forward = await readPages(model, [size], 'after');
        const withoutCursors = (lines: readonly LogLine[]) => lines.map(({ cursor: _, ...line }) => line);
        assert.deepEqual(withoutCursors(await readPages(model, [size], 'before')), withoutCursors(forward));
      },
    ),
    { numRuns: 60 },
  );
});

test('each cursor goes on after its line and ends before the next one', async () => {
  using model = new Model();
  await play(model, [
    { kind: 'write', which: 0, stream: 'stdout', length: 3, count: 5 },
    { kind: 'start' },
    { kind: 'write', which: 1, stream: 'stderr', length: 3, count: 5 },
    { kind: 'restart' },
    { kind: 'write', which: 0, stream: 'stderr', length: 3, count: 5 },
    { kind: 'start' },
    { kind: 'end', which: 0 },
    { kind: 'write', which: 1, stream: 'stdout', length: 3, count: 5 },
  ]);
  await model.endAll();
  const { lines } = await model.store.query('web', { lines: 100 });
  assert.equal(lines.length, 20);
  for (const [n, { cursor }] of lines.entries()) {
    const after = await model.store.query('web', { lines: 100 }, { after: parseCursor(cursor) });
    const before = await model.store.query('web', { lines: 100 }, { before: parseCursor(cursor) });
    assert.deepEqual(after.lines, lines.slice(n + 1));
    assert.deepEqual(before.lines, lines.slice(0, n + 1));
  }
});

test('what retention leaves is read as a whole, and what it took is told', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 25 }),
      fc.integer({ min: 2e4, max: 4e5 }),
      async (steps, limit) => {
        using model = new Model();
        await play(model, steps);
        // So that all of it has been seen, and nothing is removed while it is read.
        model.restart();
        model.retention = { ...endless, max_bytes: limit };
        await model.store.sweep();
        const lines: LogLine[] = [];
        let isTold = false;
        let place: Place = [{ run: 0, stdout: 0, stderr: 0 }];
        for (let isMore = true; isMore; ) {
          const page = await model.store.query('web', { lines: 1_000 }, { after: place });
          lines.push(...page.lines);
          isTold ||= page.skipped !== undefined;
          isMore = page.truncated;
          place = parseCursor(page.after);
        }
        const left = textBySource(lines);
        let lost = false;
        for (const [key, text] of expected(model)) {
          const kept = left.get(key) ?? '';
          assert.ok(text.endsWith(kept), key);
          lost ||= kept !== text;
        }
        // A run that wrote nothing and is gone is told of, too: nobody knows any more that it wrote nothing.
        if (lost) assert.ok(isTold);
      },
    ),
    { numRuns: 60 },
  );
});
