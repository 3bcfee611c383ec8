import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { judge, newStanding, type Observation, type Standing } from '../../src/health/verdict.ts';

const limits = { healthy_threshold: 2, unhealthy_threshold: 3, start_period_ms: 1_000 };

/** What the verdicts are one after another: `+` success, `-` failure, `e` early failure, `s` failure within the start period. */
function verdicts(outcomes: string, thresholds = limits): string[] {
  let standing: Standing = newStanding;
  return [...outcomes].map((sign) => {
    const observation = { success: sign === '+', age_ms: sign === 's' ? 999 : 1_000, is_early: sign === 'e' };
    standing = judge(standing, observation, thresholds);
    return standing.verdict;
  });
}

for (const [outcomes, last] of [
  ['', undefined],
  ['+', 'unknown'],
  ['++', 'healthy'],
  ['+-+', 'unknown'],
  ['-', 'unknown'],
  ['--', 'unknown'],
  ['---', 'unhealthy'],
  ['--+-', 'unknown'],
  ['--+--', 'unknown'],
  ['--+---', 'unhealthy'],
  ['++--', 'healthy'],
  ['++---', 'unhealthy'],
  ['++--+--', 'healthy'],
  ['++---+', 'unhealthy'],
  ['++---++', 'healthy'],
  ['---+-+', 'unhealthy'],
  ['ssssss', 'unknown'],
  ['ssssss--', 'unknown'],
  ['ssssss---', 'unhealthy'],
  ['+sss', 'unhealthy'],
  ['eeeeee', 'unknown'],
  ['+e+', 'unknown'],
  ['eeee---', 'unhealthy'],
  ['-e-e-', 'unhealthy'],
] as const) {
  test(`after "${outcomes}" an instance is ${last ?? 'not judged'}`, () => {
    assert.equal(verdicts(outcomes).at(-1), last);
  });
}

test('for every run of up to ten outcomes the verdict is that of its last run of equal ones that was long enough', () => {
  for (let length = 1; length <= 10; length++) {
    for (let bits = 0; bits < 2 ** length; bits++) {
      const outcomes = Array.from({ length }, (_, at) => ((bits >> at) & 1 ? '+' : '-')).join('');
      const runs = [...outcomes.matchAll(/\+{2,}|-{3,}/g)].at(-1)?.[0];
      const expected = runs === undefined ? 'unknown' : runs.startsWith('+') ? 'healthy' : 'unhealthy';
      assert.equal(verdicts(outcomes).at(-1), expected, outcomes);
    }
  }
});

const observation: fc.Arbitrary<Observation> = fc.record({
  success: fc.boolean(),
  age_ms: fc.integer({ min: 0, max: 2_000 }),
  is_early: fc.boolean(),
});
const thresholds = fc.record({
  healthy_threshold: fc.integer({ min: 1, max: 5 }),
  unhealthy_threshold: fc.integer({ min: 1, max: 5 }),
  start_period_ms: fc.integer({ min: 0, max: 2_000 }),
});

test('whatever comes, a verdict is never taken back, and changes only by what it says', () => {
  fc.assert(
    fc.property(fc.array(observation, { maxLength: 50 }), thresholds, (observations, given) => {
      let before: Standing = newStanding;
      for (const each of observations) {
        const after = judge(before, each, given);
        if (after.verdict !== before.verdict) {
          assert.equal(after.verdict, each.success ? 'healthy' : 'unhealthy');
          assert.ok(each.success || !each.is_early);
        }
        if (before.verdict !== 'unknown') assert.notEqual(after.verdict, 'unknown');
        assert.equal(Math.min(after.successes, after.failures), 0);
        before = after;
      }
    }),
  );
});

test('within the start period nothing that has not succeeded yet is unhealthy', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 50 }), thresholds, (earlies, given) => {
      let standing: Standing = newStanding;
      for (const is_early of earlies)
        standing = judge(standing, { success: false, age_ms: given.start_period_ms - 1, is_early }, given);
      assert.equal(standing.verdict, 'unknown');
    }),
  );
});

test('enough successes in a row make it healthy, enough failures in their turn unhealthy, whatever was before', () => {
  fc.assert(
    fc.property(
      fc.array(observation, { maxLength: 30 }),
      thresholds,
      fc.boolean(),
      (before, given, success) => {
        let standing: Standing = newStanding;
        for (const each of before) standing = judge(standing, each, given);
        const count = success ? given.healthy_threshold : given.unhealthy_threshold;
        const each = { success, age_ms: given.start_period_ms, is_early: false };
        for (let times = 0; times < count; times++) standing = judge(standing, each, given);
        assert.equal(standing.verdict, success ? 'healthy' : 'unhealthy');
      },
    ),
  );
});
