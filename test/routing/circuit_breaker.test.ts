import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Breaker, type BreakerPolicy, type Failure, isFull } from '../../src/routing/circuit_breaker.ts';

const policy: BreakerPolicy = { consecutive_failures: 3, base_time: 5_000, max_time: 20_000 };

/** One that has just been opened. */
function opened(how: Failure = 'error', now = 1_000): Breaker {
  const breaker = new Breaker();
  breaker.trip(how, now, policy);
  return breaker;
}

test('it wants to be opened by so many failures in a row, and not before', () => {
  for (const how of ['error', 'broken', 'timed_out'] as const) {
    const breaker = new Breaker();
    assert.deepEqual(
      [1, 2, 3, 4].map(() => breaker.failed(how, false, policy)),
      [false, false, true, true],
      how,
    );
  }
});

test('a success in between begins the count anew', () => {
  const breaker = new Breaker();
  breaker.failed('error', false, policy);
  breaker.failed('error', false, policy);
  breaker.succeeded(false);
  assert.equal(breaker.failures, 0);
  assert.equal(breaker.failed('error', false, policy), false);
});

test('a single refused connection is enough', () => {
  assert.equal(new Breaker().failed('unreachable', false, policy), true);
});

test('where it is never to be opened, nothing opens it', () => {
  const never = { ...policy, consecutive_failures: 0 };
  const breaker = new Breaker();
  for (const how of ['error', 'unreachable', 'broken', 'timed_out'] as const)
    assert.equal(breaker.failed(how, false, never), false);
});

test('while it is open nothing goes there; then one request does, until it is known what becomes of it', () => {
  const breaker = opened();
  assert.equal(breaker.admits(1_000), false);
  assert.equal(breaker.admits(5_999), false);
  assert.equal(breaker.admits(6_000), true);
  assert.equal(breaker.state, 'half_open');
  assert.equal(breaker.admits(6_000), true);
  assert.equal(breaker.begin(6_000), true);
  assert.equal(breaker.admits(6_001), false);
});

test('a trial that succeeds closes it', () => {
  const breaker = opened();
  breaker.admits(6_000);
  breaker.succeeded(breaker.begin(6_000));
  assert.equal(breaker.state, 'closed');
  assert.equal(breaker.failures, 0);
  assert.equal(breaker.begin(6_000), false);
});

test('a trial that fails is to open it again, for longer', () => {
  const breaker = opened();
  breaker.admits(6_000);
  assert.equal(breaker.failed('error', breaker.begin(6_000), policy), true);
  breaker.trip('error', 6_000, policy);
  assert.equal(breaker.until, 16_000);
});

test('a trial of which nobody knows how it ended is followed by another one', () => {
  const breaker = opened();
  breaker.admits(6_000);
  breaker.begin(6_000);
  breaker.abandoned();
  assert.equal(breaker.admits(6_001), true);
});

test('a trial of which nothing is heard for long is followed by another one', () => {
  const breaker = opened();
  breaker.admits(6_000);
  breaker.begin(6_000);
  assert.equal(breaker.admits(10_999), false);
  assert.equal(breaker.admits(11_000), true);
  breaker.begin(11_000);
  assert.equal(breaker.admits(11_001), false);
  assert.equal(breaker.admits(5), true);
});

test('what was sent before it was opened neither closes it nor keeps it open', () => {
  const breaker = opened();
  breaker.succeeded(false);
  assert.equal(breaker.state, 'open');
  assert.equal(breaker.failed('error', false, policy), false);
  assert.equal(breaker.until, 6_000);
  breaker.admits(6_000);
  breaker.begin(6_000);
  assert.equal(breaker.failed('error', false, policy), false);
  assert.equal(breaker.state, 'trying');
});

test('one that is asked although it is open is closed by a success', () => {
  const breaker = opened();
  const isTrial = breaker.begin(6_000);
  assert.equal(isTrial, true);
  assert.equal(breaker.failed('error', isTrial, policy), false);
  breaker.succeeded(true);
  assert.equal(breaker.state, 'closed');
});

test('the time grows with each time, up to the longest, and shrinks again with good times', () => {
  const breaker = new Breaker();
  let now = 0;
  const trip = (goodFor: number) => {
    now = breaker.until + goodFor;
    breaker.trip('error', now, policy);
    return breaker.until - now;
  };
  assert.deepEqual([0, 0, 0, 0, 0].map(trip), [5_000, 10_000, 15_000, 20_000, 20_000]);
  assert.equal(trip(15_000), 15_000);
  assert.equal(trip(1_000_000), 5_000);
});

test('for a refused connection the time is short at first', () => {
  const breaker = opened('unreachable', 0);
  assert.equal(breaker.until, 1_000);
  assert.equal(breaker.cause, 'unreachable');
  breaker.trip('unreachable', 1_000, policy);
  assert.equal(breaker.until, 3_000);
});

test('a clock that is set back does not keep it open', () => {
  const breaker = opened('error', 1_000_000);
  assert.equal(breaker.admits(1_000_001), false);
  assert.equal(breaker.admits(5), true);
});

test('a reset closes it in every state', () => {
  const states: ((breaker: Breaker) => void)[] = [
    () => {},
    (breaker) => breaker.trip('error', 0, policy),
    (breaker) => {
      breaker.trip('error', 0, policy);
      breaker.admits(9_999);
    },
    (breaker) => {
      breaker.trip('error', 0, policy);
      breaker.admits(9_999);
      breaker.begin(6_000);
    },
  ];
  for (const reach of states) {
    const breaker = new Breaker();
    reach(breaker);
    breaker.reset();
    assert.equal(breaker.state, 'closed');
    assert.equal(breaker.admits(0), true);
  }
});

test('whatever happens, it admits requests again when enough time has passed', () => {
  const step = fc.constantFrom('fail', 'refuse', 'succeed', 'ask', 'wait');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const breaker = new Breaker();
      let now = 0;
      let trials = 0;
      for (const each of steps) {
        if (each === 'wait') now += 3_000;
        if (each === 'ask' && breaker.admits(now) && breaker.begin(now)) trials++;
        if (each === 'succeed') {
          breaker.succeeded(trials > 0);
          trials = Math.max(0, trials - 1);
        }
        if (each === 'fail' || each === 'refuse') {
          const how = each === 'fail' ? 'error' : 'unreachable';
          if (breaker.failed(how, trials > 0, policy)) breaker.trip(how, now, policy);
          trials = Math.max(0, trials - 1);
        }
      }
      assert.equal(breaker.admits(now + policy.max_time), true);
    }),
  );
});

test('an instance is full when it has as much as it may', () => {
  assert.equal(isFull(1_000_000, null), false);
  assert.equal(isFull(4, 5), false);
  assert.equal(isFull(5, 5), true);
  assert.equal(isFull(6, 5), true);
});
