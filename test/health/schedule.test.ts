import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Phases } from '../../src/health/phases.ts';
import { earlyDelay, steadyDelay, timesOf } from '../../src/health/schedule.ts';

/** The gaps between phases that follow each other, around the interval. */
function gaps(phases: readonly number[], interval: number): number[] {
  const sorted = phases.toSorted((a, b) => a - b);
  return sorted.map((phase, at) => (sorted[at + 1] ?? (sorted[0] ?? 0) + interval) - phase);
}

test('any number of probes of an interval is spread evenly over it', () => {
  for (const count of [2, 3, 10, 200, 333, 1_000]) {
    const phases = new Phases();
    const given = gaps(
      Array.from({ length: count }, () => phases.take(10_000).phase),
      10_000,
    );
    assert.ok(Math.max(...given) <= (10_000 / count) * 2, `${count}: ${Math.max(...given)}`);
    assert.ok(Math.min(...given) >= 10_000 / count / 2.7, `${count}: ${Math.min(...given)}`);
  }
});

test('the turn of a probe that has ended is given to the next one', () => {
  const phases = new Phases();
  const taken = Array.from({ length: 5 }, () => phases.take(1_000));
  taken[2]?.release();
  assert.equal(phases.take(1_000).phase, taken[2]?.phase);
  assert.notEqual(phases.take(1_000).phase, taken[2]?.phase);
  assert.equal(phases.take(2_000).phase, 0);
});

test('200 services that are probed every ten seconds are never more than 15 in half a second', () => {
  const phases = new Phases();
  const due = Array.from({ length: 200 }, () => phases.take(10_000).phase);
  for (let begin = 0; begin < 10_000; begin += 50) {
    const count = due.filter((phase) => phase >= begin && phase < begin + 500).length;
    assert.ok(count <= 15, `${count} from ${begin} ms on`);
  }
});

test('a probe is made in its turn and never twice within half an interval', () => {
  const time = fc.double({ min: 0, max: 1e7, noNaN: true });
  const part = fc.double({ min: 0, max: 0.999, noNaN: true });
  fc.assert(
    fc.property(time, part, fc.integer({ min: 100, max: 60_000 }), time, (began, share, interval, took) => {
      const now = began + (took % (interval * 3));
      const delay = steadyDelay(now, began, share * interval, interval);
      const next = now + delay;
      const offTurn = Math.abs(((next - share * interval) / interval) % 1);
      assert.ok(Math.min(offTurn, 1 - offTurn) < 1e-6);
      assert.ok(delay > 0 && delay <= interval * 1.5 + 1e-6);
      assert.ok(next - began >= interval / 2 - 1e-6);
    }),
  );
});

test('a probe that takes long is followed by the next turn, not by those that it missed', () => {
  assert.equal(steadyDelay(10_500, 10_000, 0, 10_000), 9_500);
  assert.equal(steadyDelay(19_000, 10_000, 0, 10_000), 1_000);
  assert.equal(steadyDelay(34_000, 10_000, 0, 10_000), 6_000);
});

test('a new instance is looked at often at first, and ever less', () => {
  const times = timesOf({ type: 'http', interval: '10s' });
  assert.deepEqual(
    [0, 40, 400, 2_000, 4_000, 60_000].map((waited) => earlyDelay(waited, times)),
    [20, 20, 100, 500, 1_000, 1_000],
  );
  let [waited, looks] = [0, 0];
  for (; waited < 10_000; looks++) waited += earlyDelay(waited, times);
  assert.ok(looks <= 32, `${looks} looks`);
});

test('a command is run less often for it, and nothing more often than its interval', () => {
  assert.equal(earlyDelay(0, timesOf({ type: 'exec', interval: '10s' })), 250);
  assert.equal(earlyDelay(60_000, timesOf({ type: 'exec', interval: '10s' })), 5_000);
  assert.equal(earlyDelay(60_000, timesOf({ type: 'http', interval: '200ms' })), 200);
});

test('an interval is at least 100 ms, and no longer than a timer can be', () => {
  assert.equal(timesOf({ type: 'tcp', interval: '0s' }).interval_ms, 100);
  assert.equal(timesOf({ type: 'tcp', interval: '999999999d' }).interval_ms, 2 ** 31 - 1);
});
