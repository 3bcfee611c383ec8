import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { longestCompositeCursor, mostMergedServices } from '../../src/contract/merged_logs.ts';
import { beginPlace, formatCompositeCursor, parseCompositeCursor } from '../../src/logs/composite_cursor.ts';
import type { Place } from '../../src/logs/cursor.ts';

const service = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,62}$/);
const offset = fc.nat({ max: 1e15 });
const place: fc.Arbitrary<Place> = fc
  .uniqueArray(fc.record({ run: fc.integer({ min: 1, max: 1e12 }), stdout: offset, stderr: offset }), {
    selector: ({ run }) => run,
    minLength: 1,
    maxLength: 8,
  })
  .map((runs) => runs.map((each) => ({ ...each })).sort((a, b) => a.run - b.run));
const places = fc
  .uniqueArray(fc.tuple(service, place), { selector: ([id]) => id, maxLength: 12 })
  .map((entries) => new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1))));

const refused = { code: 'invalid_request' };

test('what a cursor was made of comes out of it again, in whatever order it was', () => {
  fc.assert(
    fc.property(places, (given) => {
      const text = formatCompositeCursor(new Map([...given].reverse()));
      assert.match(text, /^[\w-]+$/);
      assert.deepEqual([...parseCompositeCursor(text)], [...given]);
    }),
  );
});

test('a service of which nothing lies before the place is not named', () => {
  const text = formatCompositeCursor(new Map([['web', beginPlace]]));
  assert.equal(text, formatCompositeCursor(new Map()));
  assert.equal(parseCompositeCursor(text).size, 0);
});

test('a usual cursor over fifty services is short', () => {
  const usual = Array.from(
    { length: mostMergedServices },
    (_, n) => [`shop-${n}`, [{ run: 7, stdout: 1_048_576 + n, stderr: 2_048 }]] as const,
  );
  assert.ok(formatCompositeCursor(new Map(usual)).length < 1_200);
});

test('a cursor never gets too long: of too many runs, the last ones of each service are named', () => {
  const runs = Array.from({ length: 256 }, (_, n) => ({ run: 1e6 + n, stdout: 1e15, stderr: 1e15 }));
  const given = new Map(
    Array.from({ length: mostMergedServices }, (_, n) => [`${n}-`.padEnd(63, 'x'), runs] as const),
  );
  const text = formatCompositeCursor(given);
  assert.ok(text.length <= longestCompositeCursor);
  const parsed = parseCompositeCursor(text);
  assert.equal(parsed.size, mostMergedServices);
  for (const [, found] of parsed) assert.deepEqual(found.at(-1), runs.at(-1));
});

test('whatever is no cursor is refused, and nothing that is read could be written otherwise', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64url')),
      ),
      (text) => {
        try {
          assert.equal(formatCompositeCursor(parseCompositeCursor(text)), text);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'invalid_request');
        }
      },
    ),
  );
  fc.assert(
    fc.property(places, fc.nat(), fc.nat({ max: 255 }), (given, at, change) => {
      const bytes = Buffer.from(formatCompositeCursor(given), 'base64url');
      bytes[at % bytes.length] = change;
      const text = bytes.toString('base64url');
      try {
        assert.equal(formatCompositeCursor(parseCompositeCursor(text)), text);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'invalid_request');
      }
    }),
  );
});

test('a cursor of one service, a truncated one and one with too many services are refused', () => {
  const text = formatCompositeCursor(new Map([['web', [{ run: 300, stdout: 5_000, stderr: 1 }]]]));
  for (let length = 0; length < text.length; length++)
    if (length !== 2) assert.throws(() => parseCompositeCursor(text.slice(0, length)), refused);
  for (const wrong of ['12.1024.0', '', `${text}A`, `${text}=`, `A${text}`, text.repeat(2)])
    assert.throws(() => parseCompositeCursor(wrong), refused, wrong);
  const many = Array.from(
    { length: mostMergedServices + 1 },
    (_, n) => [`s${n}`, [{ run: 1, stdout: 1, stderr: 1 }]] as const,
  );
  assert.throws(() => parseCompositeCursor(formatCompositeCursor(new Map(many))), refused);
});
