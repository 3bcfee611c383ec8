import assert from 'node:assert/strict';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import type { MetricsConfig } from '../../src/config/metrics.ts';
import type { Measurements, SeriesKey } from '../../src/contract/series.ts';
import { type Aggregate, aggregates } from '../../src/contract/stats.ts';
import { CarefulClock } from '../../src/metrics/history/careful_clock.ts';
import { History } from '../../src/metrics/history/history.ts';
import type { Point } from '../../src/metrics/history/step_values.ts';
import { HistoryModel } from './history_model.ts';

type Settings = Pick<MetricsConfig, 'interval' | 'history'>;

const kept = { fine: '2d', minutes: '14d', hours: '400d', max_size: '1GB' };
const begin = Date.parse('2026-03-01T00:00:00Z');
const keys: SeriesKey[] = ['host.cpu', 'service.cpu:web', 'service.memory:web'];
const minute = 60_000;
const hour = 3_600_000;
const day = 24 * hour;

let folder: string;
let file: string;
let now: number;
let settings: Settings;
let problems: string[];
const open: History[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-history-'));
  file = join(folder, 'metrics.db');
  now = begin;
  settings = { interval: '10s', history: kept };
  problems = [];
});
afterEach(() => {
  for (const history of open.splice(0)) history.close();
  rmSync(folder, { recursive: true });
});

function openHistory(): History {
  const onProblem = (message: string) => problems.push(message);
  const history = new History({ file, settings: () => settings, onProblem, now: () => now });
  open.push(history);
  history.reload();
  return history;
}

/** What an agent leaves that is killed now: its files as they are, without any end. */
function killed(): History {
  const copy = mkdtempSync(join(folder, 'killed-'));
  for (const suffix of ['', '-wal'])
    if (existsSync(file + suffix)) copyFileSync(file + suffix, join(copy, `metrics.db${suffix}`));
  file = join(copy, 'metrics.db');
  return openHistory();
}

function tick(at: number, values: Partial<Record<SeriesKey, number>>): Measurements {
  return { at, values: new Map(Object.entries(values) as [SeriesKey, number][]) };
}

/** Records one value every interval, until `to`, waiting each hour for what is made of it. */
async function fill(
  history: History,
  to: number,
  step: number,
  value: (at: number) => number,
): Promise<void> {
  for (; now < to; now += step) {
    history.record(tick(now, { 'host.cpu': value(now) }));
    if (now % hour < step) await history.idle;
  }
  await history.idle;
}

interface Asked {
  readonly from: number;
  readonly to: number;
  readonly step: number | null;
  readonly agg: Aggregate;
}

async function points(history: History, key: SeriesKey, { agg, ...asked }: Asked): Promise<Point[]> {
  const [values] = await history.read([key], history.plan(asked));
  return values?.points(agg) ?? [];
}

function assertAlike(found: readonly Point[], expected: readonly Point[], what: string): void {
  assert.equal(found.length, expected.length, what);
  for (const [index, [at, value]] of found.entries()) {
    const [wantedAt, wanted] = expected[index] ?? [0, null];
    const isAlike =
      at === wantedAt &&
      (value === null || wanted === null
        ? value === wanted
        : Math.abs(value - wanted) <= 1e-6 * Math.max(1, Math.abs(wanted)));
    assert.ok(isAlike, `${what}: ${value} instead of ${wanted} at ${new Date(at).toISOString()}`);
  }
}

/** Ticks of which some are missing, at an interval that changes, with values that some series lack. */
const ticks = fc.array(
  fc.record({
    pause: fc.oneof(
      { weight: 40, arbitrary: fc.constant(10_000) },
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 400_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: hour, max: 30 * hour }) },
    ),
    values: fc.tuple(
      ...keys.map(() =>
        fc.option(fc.oneof(fc.double({ min: 0, max: 4, noNaN: true }), fc.integer({ min: 0, max: 1e6 })), {
          nil: undefined,
          freq: 8,
        }),
      ),
    ),
    after: fc.oneof(
      { weight: 60, arbitrary: fc.constant('nothing' as const) },
      { weight: 2, arbitrary: fc.constant('wait' as const) },
      { weight: 1, arbitrary: fc.constant('restart' as const) },
      { weight: 1, arbitrary: fc.constant('kill' as const) },
    ),
    times: fc.oneof(
      { weight: 5, arbitrary: fc.constant(1) },
      { weight: 1, arbitrary: fc.integer({ min: 2, max: 400 }) },
    ),
  }),
  { minLength: 1, maxLength: 40 },
);
const question = fc.record({
  back: fc.integer({ min: 1, max: 3 * day }),
  length: fc.integer({ min: 1, max: 2 * day }),
  step: fc.constantFrom(null, 1_000, 7_000, 10_000, minute, 90_000, 5 * minute, hour, 5 * hour),
  agg: fc.constantFrom(...aggregates),
  key: fc.constantFrom(...keys),
});

test('every question is answered as by a list of all measurements, over gaps, restarts and kills', async () => {
  await fc.assert(
    fc.asyncProperty(ticks, fc.array(question, { minLength: 8, maxLength: 8 }), async (all, questions) => {
      file = join(mkdtempSync(join(folder, 'run-')), 'metrics.db');
      now = begin;
      settings = { interval: '1s', history: { ...kept, fine: '100d', minutes: '200d' } };
      const model = new HistoryModel();
      let history = openHistory();
      for (const { pause, values, after, times } of all) {
        // Each pause of hours has what was before it written.
        for (let time = 0; time < (pause > minute ? Math.min(times, 5) : times); time++) {
          now += pause;
          const known = keys.flatMap((key, index): [SeriesKey, number][] => {
            const value = values[index];
            return value === undefined ? [] : [[key, value + (time % 7)]];
          });
          const measurements = { at: now, values: new Map(known) };
          history.record(measurements);
          model.record(measurements);
          // As it would be, had that time passed.
          if (pause > minute || now % hour < pause) await history.idle;
        }
        if (after === 'wait') await history.idle;
        if (after === 'restart') history.close();
        if (after === 'restart') history = openHistory();
        if (after === 'kill') history = killed();
      }
      for (const { back, length, agg, key, step } of questions) {
        const asked = { from: now - back, to: Math.min(now + 1, now - back + length), step };
        const steps = history.plan(asked);
        const what = `${agg} of ${key} in steps of ${steps.step} ms made of those of ${steps.resolution} ms`;
        assertAlike(await points(history, key, { ...asked, agg }), model.points(key, steps, agg), what);
      }
      for (const each of open.splice(0)) each.close();
    }),
    { numRuns: 30 },
  );
});

test('retention is by resolution, and what is asked of before is answered in coarser steps', async () => {
  settings = { interval: '10s', history: { ...kept, fine: '2h', minutes: '1d', hours: '30d' } };
  const history = openHistory();
  await fill(history, begin + 3 * day, 5 * minute, (at) => (at - begin) / hour);
  const asked = (from: number) => history.plan({ from, to: now, step: 10_000 });
  assert.equal(asked(now - hour).step, 10_000);
  assert.equal(asked(now - 3 * hour).step, minute);
  assert.equal(asked(now - 2 * day).step, hour);
  const [first] = await points(history, 'host.cpu', { from: begin, to: now, step: hour, agg: 'max' });
  assert.deepEqual(first, [begin, Number((11 / 12).toPrecision(7))]);
  const database = new DatabaseSync(file, { readOnly: true });
  const oldest = (resolution: number) =>
    Number(
      database.prepare('SELECT min(start) AS at FROM chunks WHERE resolution = ?').get(resolution)?.['at'],
    );
  assert.ok(oldest(0) >= now - 4 * hour, 'measurements of earlier are gone');
  assert.ok(oldest(minute) >= now - 3 * day && oldest(hour) === begin);
  database.close();
});

test('chunks of a day that is over become one', async () => {
  const history = openHistory();
  await fill(history, begin + 2 * day + 2 * hour, 5 * minute, () => 1);
  const database = new DatabaseSync(file, { readOnly: true });
  const count = (resolution: number) =>
    database.prepare('SELECT count(*) AS count FROM chunks WHERE resolution = ?').get(resolution)?.['count'];
  assert.equal(count(minute), 2 + 1);
  assert.equal(count(hour), 2 + 1);
  database.close();
});

test('a file that is too large loses the oldest of each resolution, and shrinks', async () => {
  settings = { interval: '10s', history: { ...kept, max_size: '300KB' } };
  const history = openHistory();
  const many = Array.from({ length: 30 }, (_, index): SeriesKey => `service.cpu:s${index}`);
  for (; now < begin + 20 * hour; now += 30_000) {
    history.record({ at: now, values: new Map(many.map((key) => [key, Math.random()])) });
    if (now % hour === 0) await history.idle;
  }
  await history.idle;
  const database = new DatabaseSync(file, { readOnly: true });
  const size = (name: string) => Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
  assert.ok(size('page_count') * size('page_size') < 450_000, `${size('page_count')} pages`);
  database.close();
  const newest = await points(history, 'service.cpu:s7', {
    from: now - hour,
    to: now,
    step: minute,
    agg: 'count',
  });
  assert.ok(newest.every(([, value]) => value === 2));
  assert.deepEqual(problems, []);
});

test('what is known of a service that is gone stays for its time, and then nothing of it does', async () => {
  settings = { interval: '10s', history: { fine: '1h', minutes: '2h', hours: '3h', max_size: '1GB' } };
  const history = openHistory();
  history.record(tick(now, { 'service.cpu:gone': 1 }));
  now += 10_000;
  await fill(history, begin + 5 * hour, minute, () => 1);
  assert.ok(history.keys.includes('service.cpu:gone'));
  await fill(history, begin + 34 * day, 10 * minute, () => 1);
  assert.deepEqual(history.keys, ['host.cpu']);
});

test('a file that is damaged is put aside, and the history begins anew', async () => {
  writeFileSync(file, 'this is no database, and it is long enough to be looked at as one');
  const history = openHistory();
  assert.match(problems.join(), /is damaged .* kept as .*damaged-/);
  history.record(tick(now, { 'host.cpu': 1 }));
  assert.deepEqual(
    (await points(history, 'host.cpu', { from: now, to: now + 1, step: 1_000, agg: 'sum' }))[0],
    [now, 1],
  );
  assert.deepEqual(history.warnings, []);
  history.close();
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
  writeFileSync(file, 'it happened again, and what was put aside may have been large');
  openHistory();
  assert.equal(readdirSync(folder).filter((name) => name.includes('.damaged-')).length, 1);
});

test('a file that turns out to be damaged while it is used is put aside too, in place of the one before', async () => {
  const history = openHistory();
  await fill(history, begin + 3 * hour, 10_000, Math.random);
  history.close();
  for (let round = 0; round < 2; round++) {
    const descriptor = openSync(file, 'r+');
    writeSync(descriptor, Buffer.alloc(60_000, 7), 0, 60_000, 4_096);
    closeSync(descriptor);
    const next = openHistory();
    for (let count = 0; count < 3; count++, now += 10_000) next.record(tick(now, { 'host.load': 1 }));
    await next.idle;
    assert.deepEqual(next.warnings, []);
    assert.deepEqual(next.keys, ['host.load']);
    next.close();
  }
  assert.equal(
    readdirSync(folder).filter((name) => name.includes('.damaged-') && name.endsWith('Z')).length,
    1,
  );
});

test('a file that cannot be opened is told once, tried again, and keeps nobody from anything', async () => {
  mkdirSync(file);
  const history = openHistory();
  history.record(tick(now, { 'host.cpu': 1 }));
  history.record(tick(now + 1, { 'host.cpu': 1 }));
  assert.equal(problems.length, 1);
  assert.match(history.warnings.join(), /there is no history of metrics: cannot open/);
  await assert.rejects(points(history, 'host.cpu', { from: 0, to: now, step: null, agg: 'avg' }), {
    code: 'storage_unavailable',
  });
});

test('values that cannot be written wait in memory and are answered, and the problem is told once', async () => {
  const history = openHistory();
  const other = new DatabaseSync(file);
  other.exec('BEGIN IMMEDIATE');
  for (let count = 0; count < 5; count++, now += 10_000) history.record(tick(now, { 'host.cpu': count }));
  assert.equal(problems.length, 1);
  assert.match(problems.join(), /cannot be written: database is locked; it is tried again/);
  const sum = await points(history, 'host.cpu', { from: begin, to: now, step: minute, agg: 'sum' });
  assert.deepEqual(sum, [[begin, 10]]);
  other.exec('ROLLBACK');
  other.close();
  history.record(tick(now, { 'host.cpu': 5 }));
  assert.deepEqual(history.warnings, []);
  assert.match(problems.at(-1) ?? '', /can be written again/);
});

test('a clock that is set back a little waits until it has caught up; one that stays back is believed', async () => {
  const history = openHistory();
  await fill(history, begin + 10 * minute, 10_000, () => 1);
  const latest = now;
  now -= 5 * minute;
  for (let count = 0; count < 20; count++, now += 10_000) history.record(tick(now, { 'host.cpu': 100 }));
  const range = { from: begin, to: latest, step: hour };
  assert.equal((await points(history, 'host.cpu', { ...range, agg: 'max' }))[0]?.[1], 1);
  now = begin - 3 * day;
  await fill(history, now + 20 * minute, 10_000, () => 7);
  const back = { from: now - 20 * minute, to: now, step: hour };
  assert.equal((await points(history, 'host.cpu', { ...back, agg: 'max' }))[0]?.[1], 7);
});

test('a clock that jumps at every tick keeps nothing from going on', async () => {
  const history = openHistory();
  for (let count = 0; count < 300; count++) {
    now = begin + ((count * 7_919) % 100) * day;
    history.record(tick(now, { 'host.cpu': count }));
    await history.idle;
  }
  assert.ok(
    (await points(history, 'host.cpu', { from: begin, to: begin + 200 * day, step: day, agg: 'avg' }))
      .length > 100,
  );
  assert.deepEqual(problems, []);
});

test('without the setting nothing is kept, and it can be switched on and off', async () => {
  settings = { interval: '10s', history: null };
  const history = openHistory();
  history.record(tick(now, { 'host.cpu': 1 }));
  assert.equal(existsSync(file), false);
  const asked = { from: now - hour, to: now, step: null, agg: 'avg' } as const;
  await assert.rejects(points(history, 'host.cpu', asked), { code: 'not_supported' });
  settings = { interval: '10s', history: kept };
  history.reload();
  history.record(tick(now, { 'host.cpu': 1 }));
  assert.deepEqual(history.keys, ['host.cpu']);
  settings = { interval: '10s', history: null };
  history.reload();
  await assert.rejects(points(history, 'host.cpu', asked), { code: 'not_supported' });
});

test('steps are such that there are at most 300, and none takes part of a coarser value', () => {
  const history = openHistory();
  const step = (length: number, asked: number | null = null) =>
    history.plan({ from: now - length, to: now, step: asked }).step;
  assert.equal(step(hour), 20_000);
  assert.equal(step(30 * minute), 10_000);
  assert.equal(step(2 * day), 10 * minute);
  assert.equal(step(7 * day), hour);
  assert.equal(step(400 * day), 48 * hour);
  assert.equal(step(hour, 1_000), 10_000);
  assert.equal(step(hour, 90_000), 2 * minute);
  assert.equal(step(hour, 5_000_000), 2 * hour);
  assert.equal(step(3 * day, 10_000), minute);
  assert.equal(step(20 * day, 10_000), hour);
  const end = (asked: number, step: number) => history.plan({ from: now - 2 * hour, to: asked, step }).to;
  assert.equal(end(now - hour - 1, 2 * minute), now - hour);
  assert.equal(end(now - hour - 1, 90_000), now - hour);
  assert.equal(end(now - hour - 1, 50_000), now - hour - 1);
  now += 5_000;
  assert.equal(end(now - 1, minute), now + 1);
  assert.equal(end(now + hour, minute), now + hour);
  assert.throws(() => history.plan({ from: now, to: now, step: null }), { code: 'invalid_request' });
});

test('what is asked for up to the midst of a minute that was summarised has all of it', async () => {
  const history = openHistory();
  await fill(history, begin + 3 * hour, 10_000, () => 1);
  const asked = { from: begin, to: begin + hour + 25_000, step: minute, agg: 'count' } as const;
  assert.deepEqual((await points(history, 'host.cpu', asked)).slice(-2), [
    [begin + hour - minute, 6],
    [begin + hour, 6],
  ]);
  assert.equal(history.plan(asked).to, begin + hour + minute);
});

test('a clock that is far ahead for a while costs the oldest hours at most', async () => {
  settings = { interval: '10s', history: { fine: '1d', minutes: '2d', hours: '3d', max_size: '1GB' } };
  const history = openHistory();
  await fill(history, begin + 2 * day, minute, () => 1);
  const real = now;
  now += 400 * day;
  await fill(history, now + 2 * hour, minute, () => 1);
  now = real;
  await fill(history, now + 2 * hour, minute, () => 1);
  const hours = await points(history, 'host.cpu', { from: begin, to: now, step: hour, agg: 'count' });
  assert.deepEqual([hours[0]?.[1], hours[24]?.[1]], [60, 60]);
});

test('the time by which it is decided what is too old follows a jump ahead slowly, and one back at once', () => {
  let [now, elapsed] = [begin, 0];
  const clock = new CarefulClock(
    () => now,
    begin - hour,
    () => elapsed,
  );
  assert.equal(clock.look(), begin);
  now += 100 * day;
  elapsed += hour;
  assert.equal(clock.look(), begin + 7 * hour);
  now = begin + 2 * hour;
  elapsed += hour;
  assert.equal(clock.look(), begin + 2 * hour);
});

test('an agent that is killed while it makes chunks leaves each value once', async () => {
  const many = Array.from({ length: 3_000 }, (_, index): SeriesKey => `service.cpu:s${index}`);
  let history = openHistory();
  for (; now < begin + hour + 2 * minute; now += minute)
    history.record({ at: now, values: new Map(many.map((key) => [key, 1])) });
  const chunks = () => {
    const database = new DatabaseSync(file, { readOnly: true });
    const count = Number(database.prepare('SELECT count(*) AS count FROM chunks').get()?.['count']);
    database.close();
    return count;
  };
  for (let kills = 0; kills < 3; kills++) {
    const before = chunks();
    while (chunks() <= before) await nextTurn();
    assert.ok(chunks() < 3 * many.length, 'not all of them are there yet');
    const sums = await Promise.all(
      [0, 1, 1_499, 2_999].map((index) =>
        points(history, many[index] ?? 'host.cpu', { from: begin, to: now, step: hour, agg: 'sum' }),
      ),
    );
    for (const sum of sums)
      assert.deepEqual(sum, [
        [begin, 60],
        [begin + hour, kills + 2],
      ]);
    history = killed();
    history.record({ at: now, values: new Map(many.map((key) => [key, 1])) });
    now += minute;
  }
  await history.idle;
  assert.equal(chunks(), 3 * many.length);
  const last = await points(history, 'service.cpu:s7', { from: begin, to: now, step: hour, agg: 'sum' });
  assert.deepEqual(last, [
    [begin, 60],
    [begin + hour, 5],
  ]);
});
