import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Failure } from '../../src/routing/circuit_breaker.ts';
import { mayEject, mostOut, toReadmit } from '../../src/routing/outliers.ts';
import { RetryBudget } from '../../src/routing/retry_budget.ts';
import { rampedShare } from '../../src/routing/slow_start.ts';

test('never more than their share are taken out', () => {
  const anyCensus = fc
    .nat(50)
    .chain((members) => fc.record({ members: fc.constant(members), out: fc.nat(members) }));
  fc.assert(
    fc.property(
      anyCensus,
      fc.nat(100),
      fc.constantFrom<Failure>('error', 'broken', 'timed_out'),
      (census, percent, how) => {
        if (mayEject(how, census, percent)) assert.ok((census.out + 1) * 100 <= percent * census.members);
        else assert.ok((census.out + 1) * 100 > percent * census.members);
      },
    ),
  );
});

test('half of two, one of three and none of one may be out', () => {
  assert.deepEqual(
    [1, 2, 3, 4].map((members) => mostOut(members, 50)),
    [0, 1, 1, 2],
  );
  assert.equal(mostOut(1, 100), 1);
  assert.equal(mostOut(10, 0), 0);
});

test('one that refuses connections is taken out whatever the share, as long as another one is well', () => {
  assert.equal(mayEject('unreachable', { members: 2, out: 0 }, 0), true);
  assert.equal(mayEject('unreachable', { members: 10, out: 8 }, 50), true);
  assert.equal(mayEject('unreachable', { members: 10, out: 9 }, 50), false);
  assert.equal(mayEject('unreachable', { members: 1, out: 0 }, 100), false);
});

test('when fewer may be out, those come back whose time is over first, but none that refused', () => {
  const out = [
    { name: 'a', until: 3, cause: 'error' as const },
    { name: 'b', until: 1, cause: 'broken' as const },
    { name: 'c', until: 2, cause: 'error' as const },
    { name: 'd', until: 0, cause: 'unreachable' as const },
  ];
  const back = (most: number) => toReadmit(out, most).map(({ name }) => name);
  assert.deepEqual(back(4), []);
  assert.deepEqual(back(3), ['b']);
  assert.deepEqual(back(2), ['b', 'c']);
  assert.deepEqual(back(0), ['b', 'c', 'a']);
});

test('the share of an instance that starts slowly rises evenly from a tenth', () => {
  const share = (now: number) => rampedShare(1_000, 10_000, now);
  assert.deepEqual(
    [1_000, 1_500, 2_000, 6_000, 10_999, 11_000, 99_000].map(share),
    [0.1, 0.1, 0.1, 0.5, 0.9999, 1, 1],
  );
});

test('without slow start, or when the clock has been set back, the share is the full one', () => {
  assert.equal(rampedShare(1_000, 0, 1_000), 1);
  assert.equal(rampedShare(1_000, 10_000, 0), 1);
});

/** How many retries there are to be had. */
function available(budget: RetryBudget, percent: number, now: number, most = 10_000): number {
  let count = 0;
  while (count < most && budget.take(percent, now)) count++;
  return count;
}

test('a few retries are free, also when there are no requests', () => {
  assert.equal(available(new RetryBudget(), 20, 0), 100);
  assert.equal(available(new RetryBudget(), 0, 123_456), 100);
});

test('beyond these, retries are a share of the requests of the last ten seconds', () => {
  const budget = new RetryBudget();
  for (let second = 0; second < 10; second++)
    for (let count = 0; count < 500; count++) budget.requested(second * 1_000);
  assert.equal(available(budget, 20, 9_999), 100 + 1_000);
  assert.equal(available(budget, 20, 9_999), 0);
});

test('what is older than ten seconds is forgotten', () => {
  const budget = new RetryBudget();
  for (let count = 0; count < 1_000; count++) budget.requested(0);
  assert.equal(available(budget, 100, 9_999), 1_100);
  assert.equal(available(budget, 100, 10_000), 0);
  assert.equal(available(budget, 100, 19_000), 100);
  assert.equal(available(budget, 100, 1_000_000), 100);
});

test('a clock that is set back neither blocks retries nor lets all through', () => {
  const budget = new RetryBudget();
  available(budget, 20, 1_000_000);
  assert.equal(available(budget, 20, 5), 100);
  assert.equal(available(budget, 20, 5), 0);
});

test('over any ten seconds, retries are within the budget', () => {
  const anyStep = fc.record({
    wait: fc.constantFrom(0, 10, 400, 1_000, 3_000),
    requests: fc.nat(300),
    asks: fc.nat(400),
  });
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40 }), fc.nat(100), (steps, percent) => {
      const budget = new RetryBudget();
      const log: { second: number; requests: number; retries: number }[] = [];
      let now = 0;
      for (const { wait, requests, asks } of steps) {
        now += wait;
        for (let count = 0; count < requests; count++) budget.requested(now);
        const retries = available(budget, percent, now, asks);
        log.push({ second: Math.floor(now / 1_000), requests, retries });
        const recent = log.filter(({ second }) => second > Math.floor(now / 1_000) - 10);
        const sum = (what: 'requests' | 'retries') => recent.reduce((total, each) => total + each[what], 0);
        // What was taken by requests that are forgotten since may be above the budget, but nothing more is given then.
        if (retries > 0) assert.ok(sum('retries') <= 100 + (sum('requests') * percent) / 100);
      }
    }),
  );
});
