import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SpecPatch } from '../../src/contract/spec.ts';
import { noRestarts, type Restarts } from '../../src/services/instance.ts';
import { applyPatch } from '../../src/services/spec.ts';
import { afterExit, isOver, type NextStep, waitBefore } from '../../src/supervision/restart.ts';

const now = Date.parse('2026-01-31T12:00:00Z');

function step(
  patch: SpecPatch,
  exit: { reason?: 'exited' | 'unhealthy' | 'out_of_memory' | 'start_failed'; return_code?: number | null },
  others: { uptime?: number | null; restarts?: Restarts; random?: number } = {},
): NextStep {
  return afterExit({
    spec: applyPatch(null, { command: 'x', ...patch }),
    exit: { reason: 'exited', return_code: 0, ...exit },
    uptime: 10,
    restarts: noRestarts,
    now,
    random: 0.5,
    ...others,
  });
}

for (const [what, patch, exit, next] of [
  ['a service that ended well is started again', {}, {}, 'restarts'],
  ['a service that failed is started again', {}, { return_code: 1 }, 'restarts'],
  ['on_failure lets a service rest that ended well', { restart: { policy: 'on_failure' } }, {}, 'rests'],
  [
    'on_failure starts a service again that failed',
    { restart: { policy: 'on_failure' } },
    { return_code: 3 },
    'restarts',
  ],
  [
    'an end whose code nobody knows is a failure',
    { restart: { policy: 'on_failure' } },
    { return_code: null },
    'restarts',
  ],
  [
    'another exit code can be named that is no failure',
    { restart: { policy: 'on_failure' }, success_exit_codes: [0, 143] },
    { return_code: 143 },
    'rests',
  ],
  [
    'a code that is not among those named is a failure, also 0',
    { restart: { policy: 'on_failure' }, success_exit_codes: [7] },
    { return_code: 0 },
    'restarts',
  ],
  [
    'a service that was ended because it is unhealthy has failed, whatever its code',
    { restart: { policy: 'on_failure' } },
    { reason: 'unhealthy', return_code: 0 },
    'restarts',
  ],
  [
    'never lets a service rest however it ended',
    { restart: { policy: 'never' } },
    { return_code: 1 },
    'rests',
  ],
  ['a task that ended well has completed', { type: 'task' }, {}, 'has_completed'],
  ['a task that failed has failed', { type: 'task' }, { return_code: 1 }, 'fails'],
  [
    'a task may be tried again',
    { type: 'task', restart: { policy: 'on_failure' } },
    { return_code: 1 },
    'restarts',
  ],
  [
    'a task that may be tried again and ended well has completed',
    { type: 'task', restart: { policy: 'on_failure' } },
    {},
    'has_completed',
  ],
] as const) {
  test(what, () => assert.equal(step(patch as SpecPatch, exit).next, next));
}

test('waits grow by the factor up to the longest, and begin anew after reset_after', () => {
  const restart = {
    backoff: { initial: '1s', factor: 3, max: '20s', jitter: 0 },
    limit: { count: 'unlimited' },
  } as const;
  const waits: number[] = [];
  let restarts = noRestarts;
  for (const uptime of [10, 10, 10, 10, 10, 59_999, 60_000, 10]) {
    const after = step({ restart }, { return_code: 1 }, { uptime, restarts });
    assert.equal(after.next, 'restarts');
    if (after.next !== 'restarts') return;
    waits.push(after.retry_at - now);
    restarts = after.restarts;
  }
  assert.deepEqual(waits, [1_000, 3_000, 9_000, 20_000, 20_000, 20_000, 1_000, 3_000]);
});

test('a limit is reached by so many restarts within its time, and older ones do not count', () => {
  const restart = { limit: { count: 3, within: '10s' } } as const;
  const at = (...ages: number[]): Restarts => ({ count: 9, streak: 2, recent: ages.map((age) => now - age) });
  assert.equal(step({ restart }, {}, { restarts: at(9_999, 5_000, 1) }).next, 'fails');
  const again = step({ restart }, {}, { restarts: at(10_000, 5_000, 1) });
  assert.equal(again.next, 'restarts');
  assert.deepEqual(again.next === 'restarts' && again.restarts.recent, [now - 5_000, now - 1, now]);
});

test('a failed instance is tried again when retry_after has passed, with all its restarts before it', () => {
  const restart = { limit: { count: 1, retry_after: '5m' } } as const;
  const restarts = { count: 4, streak: 4, recent: [now - 1] };
  assert.deepEqual(step({ restart }, {}, { restarts }), {
    next: 'fails',
    retry_at: now + 300_000,
    restarts: { count: 4, streak: 0, recent: [] },
  });
});

const backoff = fc.record({
  initial: fc.constantFrom('0ms', '1ms', '500ms', '10s', '1h'),
  max: fc.constantFrom('0ms', '1s', '30s', '1h'),
  factor: fc.double({ min: 1, max: 100, noNaN: true }),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
});

test('no setting makes a loop of restarts faster than one each two seconds', () => {
  fc.assert(
    fc.property(
      backoff,
      fc.integer({ min: 6, max: 10_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (given, streak, random) => {
        assert.ok(waitBefore(given, streak, random) >= 2_000);
      },
    ),
  );
});

test('a wait is never longer than the longest with its jitter, and the first may be none at all', () => {
  fc.assert(
    fc.property(
      backoff,
      fc.nat(1_000),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (given, streak, random) => {
        const longest = Math.max(
          { '0ms': 0, '1s': 1_000, '30s': 30_000, '1h': 3_600_000 }[given.max] ?? 0,
          2_000,
        );
        assert.ok(waitBefore(given, streak, random) <= longest * (1 + given.jitter) + 1);
      },
    ),
  );
  assert.equal(waitBefore({ initial: '0ms', max: '1s', factor: 2, jitter: 1 }, 0, 1), 0);
});

test('a wait is over when its time has come, and when a clock that was set back puts it out of reach', () => {
  const { restart } = applyPatch(null, { command: 'x', restart: { limit: { retry_after: '2m' } } });
  assert.equal(isOver(now, restart, now), true);
  assert.equal(isOver(now + 1, restart, now), false);
  assert.equal(isOver(now + 120_000, restart, now), false);
  assert.equal(isOver(now + 120_002, restart, now), true);
  const { restart: usual } = applyPatch(null, { command: 'x' });
  assert.equal(isOver(now + 36_000, usual, now), false);
  assert.equal(isOver(now + 36_002, usual, now), true);
});

test('restarts of a time that has not come yet, by a clock that was set back, count for no limit', () => {
  const restart = { limit: { count: 1, within: '1h' } } as const;
  const restarts = { count: 1, streak: 1, recent: [now + 1_000_000] };
  assert.equal(step({ restart }, {}, { restarts }).next, 'restarts');
});
