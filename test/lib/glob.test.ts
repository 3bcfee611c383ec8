import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchesGlob } from '../../src/lib/glob.ts';

test('a star stands for any run of characters, everything else for itself', () => {
  const cases: readonly [string, string, boolean][] = [
    ['web', 'web', true],
    ['web', 'web2', false],
    ['web', 'we', false],
    ['web-*', 'web-', true],
    ['web-*', 'web-eu-1', true],
    ['web-*', 'xweb-1', false],
    ['*', '', true],
    ['*-eu', 'web-eu', true],
    ['a*a', 'a', false],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['w.b', 'web', false],
    ['a**b', 'ab', true],
  ];
  for (const [pattern, text, expected] of cases) {
    assert.equal(matchesGlob(pattern, text), expected, `${pattern} on ${text}`);
  }
});

test('it agrees with a regular expression on whatever is asked', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 12 });
  fc.assert(
    fc.property(letters, letters, (pattern, text) => {
      const expression = pattern
        .split('*')
        .map((part) => part.replaceAll('.', '\\.'))
        .join('.*');
      assert.equal(matchesGlob(pattern, text), new RegExp(`^${expression}$`).test(text));
    }),
    { numRuns: 2000 },
  );
});
