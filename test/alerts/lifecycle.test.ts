import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Course, dueAt, nextCourse } from '../../src/alerts/lifecycle.ts';

const notBegun: Course = { state: 'inactive', since: 0 };
const begin = 1_000_000;

/** Where an alert is after looks at these times, from `begin` on. */
function walk(
  looks: readonly (readonly [after: number, isSo: boolean])[],
  patience: { hold_ms: number; keep_ms: number },
): Course {
  return looks.reduce((course, [after, isSo]) => nextCourse(course, isSo, patience, begin + after), notBegun);
}

test('without any patience it fires at once and is resolved at once', () => {
  const patience = { hold_ms: 0, keep_ms: 0 };
  assert.equal(walk([[0, true]], patience).state, 'firing');
  assert.equal(
    walk(
      [
        [0, true],
        [1, false],
      ],
      patience,
    ).state,
    'resolved',
  );
});

test('it is pending until it has been so for long enough, and a break begins the wait anew', () => {
  const patience = { hold_ms: 100, keep_ms: 0 };
  const short = [
    [0, true],
    [99, true],
  ] as const;
  assert.deepEqual(walk(short, patience), { state: 'pending', since: begin });
  assert.equal(walk([...short, [100, true]], patience).state, 'firing');
  const broken = [...short, [99.5, false], [100, true]] as const;
  assert.deepEqual(walk(broken, patience), { state: 'pending', since: begin + 100 });
});

test('it is resolved only when it has been over for long enough, and comes back without a wait', () => {
  const patience = { hold_ms: 0, keep_ms: 100 };
  const over = [
    [0, true],
    [10, false],
    [109, false],
  ] as const;
  assert.deepEqual(walk(over, patience), { state: 'clearing', since: begin + 10 });
  assert.equal(walk([...over, [109.5, true]], patience).state, 'firing');
  assert.equal(walk([...over, [110, false]], patience).state, 'resolved');
});

test('what is resolved stays so', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.nat(), fc.nat(), fc.nat(), (isSo, hold_ms, keep_ms, now) => {
      const course: Course = { state: 'resolved', since: 5 };
      assert.deepEqual(nextCourse(course, isSo, { hold_ms, keep_ms }, now), course);
    }),
  );
});

/** Looks at times that rise, as the pauses between them and what each found. */
const anyLooks = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.boolean()), {
  maxLength: 40,
  size: 'max',
});
const anyPatience = fc.record({
  hold_ms: fc.integer({ min: 0, max: 100 }),
  keep_ms: fc.integer({ min: 0, max: 100 }),
});

test('it fires exactly when it was so at every look for long enough, whatever the looks are', () => {
  fc.assert(
    fc.property(anyLooks, anyPatience, (looks, patience) => {
      let course = notBegun;
      let now = begin;
      let soSince: number | null = null;
      let overSince: number | null = null;
      let fires = false;
      for (const [pause, isSo] of looks) {
        now += pause;
        soSince = isSo ? (soSince ?? now) : null;
        overSince = isSo ? null : (overSince ?? now);
        if (course.state === 'resolved') course = notBegun;
        course = nextCourse(course, isSo, patience, now);
        if (!fires) fires = soSince !== null && now - soSince >= patience.hold_ms;
        else if (overSince !== null && now - overSince >= patience.keep_ms) fires = false;
        assert.equal(course.state === 'firing' || course.state === 'clearing', fires);
        // Whoever waits for `dueAt` misses nothing: before it, looks that find the same change nothing.
        const due = dueAt(course, patience);
        assert.equal(due === null, course.state !== 'pending' && course.state !== 'clearing');
        if (due === null) continue;
        assert.equal(nextCourse(course, isSo, patience, due - 1).state, course.state);
        assert.notEqual(nextCourse(course, isSo, patience, due).state, course.state);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a clock that is set back makes it wait anew, and neither fire nor hang', () => {
  const patience = { hold_ms: 100, keep_ms: 100 };
  fc.assert(
    fc.property(fc.constantFrom('pending', 'clearing'), fc.integer({ min: 1, max: 1e9 }), (state, back) => {
      const course: Course = { state, since: begin };
      const now = begin - back;
      const moved = nextCourse(course, state === 'pending', patience, now);
      assert.deepEqual(moved, { state, since: now });
      assert.equal(dueAt(moved, patience), now + 100);
    }),
  );
});
