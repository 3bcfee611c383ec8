import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatCursor, parseCursor, placeOf, type Standing, standingOf } from '../../src/logs/cursor.ts';

const offset = fc.nat(1_000_000);
const offsets = fc.record({ stdout: offset, stderr: offset });
const standing: fc.Arbitrary<Standing> = fc.oneof(
  fc.constant('all' as const),
  fc.constant('none' as const),
  offsets,
);
const standings = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 500 }), standing), { maxLength: 40 })
  .map((list) => [...new Map(list)].sort(([one], [other]) => one - other));

/** As much as matters: offsets before everything are the same as nothing. */
function plain(standing: Standing): string {
  if (typeof standing === 'string') return standing;
  return standing.stdout + standing.stderr === 0 ? 'none' : `${standing.stdout} ${standing.stderr}`;
}

test('a place says of each run what was put into it, also as text', () => {
  fc.assert(
    fc.property(standings, fc.nat(600), (runs, known) => {
      const place = parseCursor(formatCursor(placeOf(runs, known)));
      for (const [run, expected] of runs) assert.equal(plain(standingOf(place, run)), plain(expected));
    }),
  );
});

test('runs that are known and not begun lie before no place, and those after all of them neither', () => {
  const place = placeOf(
    [
      [3, 'all'],
      [5, 'none'],
    ],
    5,
  );
  assert.deepEqual(place, [{ run: 5, stdout: 0, stderr: 0 }]);
  assert.equal(standingOf(place, 6), 'none');
  assert.equal(standingOf(place, 4), 'all');
});

test('where all that is known has been read, the next run is the first that has not', () => {
  assert.deepEqual(placeOf([[7, 'all']], 7), [{ run: 8, stdout: 0, stderr: 0 }]);
  assert.deepEqual(placeOf([], 0), [{ run: 1, stdout: 0, stderr: 0 }]);
});

test('a cursor names few runs however many there were, and only those that are under way', () => {
  const runs = Array.from(
    { length: 1_000 },
    (_, n) => [n + 1, n === 500 ? { stdout: 1, stderr: 2 } : 'all'] as const,
  );
  assert.equal(formatCursor(placeOf(runs, 0)), '501.1.2_1001.0.0');
  const many = runs.map(([run]) => [run, { stdout: 123_456_789, stderr: 0 }] as const);
  assert.ok(formatCursor(placeOf(many, 0)).length < 12_000);
});

test('any text is a cursor or is refused', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[\d._]{0,40}$/), (text) => {
      try {
        assert.ok(parseCursor(text).length > 0);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'invalid_request');
      }
    }),
  );
});

for (const text of [
  '',
  '1',
  '1.2',
  '1.2.3.4',
  'a.b.c',
  '-1.0.0',
  '1.2.99999999999999999',
  '1.0.0_',
  '2.0.0_1.0.0',
  '1.0.0_1.0.0',
  '1.0.0_'.repeat(5000),
]) {
  test(`"${text.slice(0, 30)}" is no cursor`, () => {
    assert.throws(() => parseCursor(text), { code: 'invalid_request' });
  });
}
