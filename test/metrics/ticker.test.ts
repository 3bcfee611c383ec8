import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Tick } from '../../src/metrics/tick.ts';
import { delayUntilNext, Ticker } from '../../src/metrics/ticker.ts';
import { until } from '../helpers/system.ts';

function tickAt(at: number): Tick {
  const event_loop_lag = { max: 0, p99: 0 };
  const agent = { cpu_seconds: 0, resident_bytes: 0, heap_bytes: 0, open_files: 0, event_loop_lag };
  return { at, duration_ms: 1, host: null, agent, instances: [] };
}

/** A ticker whose looks a test lets end, with what it told. */
function tickerWith(look: () => Promise<Tick>, interval = 20) {
  const problems: string[] = [];
  const ticks: Tick[] = [];
  const ticker = new Ticker({
    look,
    interval: () => interval,
    onProblem: (problem) => problems.push(problem),
  });
  ticker.onTick((tick) => ticks.push(tick));
  return { ticker, problems, ticks };
}

test('it looks at once and then again and again, and tells every tick', async () => {
  let at = 0;
  const { ticker, ticks, problems } = tickerWith(async () => tickAt(++at));
  assert.equal(ticker.latest, null);
  ticker.begin();
  await until('there are three ticks', () => ticks.length >= 3);
  await ticker.close();
  assert.deepEqual(
    ticks.map((tick) => tick.at),
    ticks.map((_, index) => index + 1),
  );
  assert.equal(ticker.latest, ticks.at(-1));
  assert.equal(ticker.previous, ticks.at(-2));
  assert.deepEqual(problems, []);
});

test('there are never two looks at a time, however long one takes', async () => {
  let [running, most] = [0, 0];
  const { ticker, ticks } = tickerWith(async () => {
    running += 1;
    most = Math.max(most, running);
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setTimeout(resolve, 1));
    running -= 1;
    return tickAt(0);
  }, 5);
  ticker.begin();
  await until('there are three ticks', () => ticks.length >= 3);
  await ticker.close();
  assert.equal(most, 1);
  assert.equal(running, 0);
});

test('who asks before the first tick gets it, and so does who asks at the same time', async () => {
  let looks = 0;
  const { ticker } = tickerWith(async () => tickAt(++looks));
  ticker.begin();
  const [one, other] = await Promise.all([ticker.present(), ticker.present()]);
  assert.equal(one, other);
  assert.equal(looks, 1);
  await ticker.close();
});

test('who asks when there is none because a look failed has it looked again, or is told why not', async () => {
  let works = false;
  const { ticker } = tickerWith(async () => {
    if (works) return tickAt(1);
    throw new Error('no /proc');
  });
  await assert.rejects(ticker.present(), /no \/proc/);
  works = true;
  assert.equal((await ticker.present()).at, 1);
});

test('what fails is told once, tried again, and told again only after it worked', async () => {
  let looks = 0;
  const { ticker, ticks, problems } = tickerWith(async () => {
    looks += 1;
    if (looks !== 3) throw new Error(`broken ${looks < 3 ? 'first' : 'later'}`);
    return tickAt(looks);
  }, 5);
  ticker.begin();
  await until('it has looked often', () => looks >= 6);
  await ticker.close();
  assert.equal(ticks.length, 1);
  assert.deepEqual(problems, [
    'usage cannot be measured: broken first',
    'usage cannot be measured: broken later',
  ]);
});

test('a listener that fails keeps the others from nothing', async () => {
  const { ticker, problems } = tickerWith(async () => tickAt(7), 10_000);
  const told: number[] = [];
  ticker.onTick(() => {
    throw new Error('no space');
  });
  const end = ticker.onTick(({ at }) => told.push(at));
  ticker.begin();
  await until('there is a tick', () => told.length > 0);
  end();
  await ticker.close();
  assert.deepEqual(told, [7]);
  assert.deepEqual(problems, ['what was measured cannot be used: no space']);
});

test('another interval takes effect at once', async () => {
  let interval = 3_600_000;
  const ticks: Tick[] = [];
  const ticker = new Ticker({
    look: async () => tickAt(1),
    interval: () => interval,
    onProblem: assert.fail,
  });
  ticker.onTick((tick) => ticks.push(tick));
  ticker.begin();
  await until('there is a tick', () => ticks.length === 1);
  interval = 10;
  ticker.reload();
  await until('there are more', () => ticks.length > 3);
  await ticker.close();
});

test('nothing is looked at any more when it is closed', async () => {
  let looks = 0;
  const { ticker } = tickerWith(async () => tickAt(++looks), 5);
  ticker.begin();
  await ticker.close();
  const before = looks;
  ticker.reload();
  ticker.begin();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(looks, before);
});

test('a reload before it has begun begins nothing', async () => {
  let looks = 0;
  const { ticker } = tickerWith(async () => tickAt(++looks), 5);
  ticker.reload();
  await ticker.close();
  assert.equal(looks, 0);
});

test('ticks fall on multiples of the interval, and a timer that fires early causes no second one', () => {
  assert.equal(delayUntilNext(12_000, 10_000), 8_000);
  assert.equal(delayUntilNext(20_000, 10_000), 10_000);
  assert.equal(delayUntilNext(19_999, 10_000), 10_001);
  fc.assert(
    fc.property(fc.nat(2 ** 42), fc.integer({ min: 1_000, max: 300_000 }), (now, interval) => {
      const delay = delayUntilNext(now, interval);
      assert.equal((now + delay) % interval, 0);
      assert.ok(delay >= interval / 20 && delay <= interval * 1.05);
    }),
  );
});
