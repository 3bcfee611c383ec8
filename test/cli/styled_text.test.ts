import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { clipped, cutToWidth, wrapped } from '../../src/cli/styled_text.ts';

const red = '\u001b[31m';
const bold = '\u001b[1m';
const reset = '\u001b[0m';

function parts(line: string, columns: number): string[] {
  return wrapped(line, columns).toArray();
}

test('a line is wrapped where there is no more room', () => {
  assert.deepEqual(parts('abcdefgh', 3), ['abc', 'def', 'gh']);
  assert.deepEqual(parts('abc', 3), ['abc']);
  assert.deepEqual(parts('', 3), ['']);
});

test('colours take no room; each part begins with those that are on, and ends without', () => {
  assert.deepEqual(parts(`${red}abcd${bold}ef${reset}gh`, 3), [
    `${red}abc${reset}`,
    `${red}d${bold}ef${reset}`,
    'gh',
  ]);
});

test('however many colours a line switches on, no part grows with them', () => {
  const line = Array.from({ length: 1_000 }, (_, index) => `\u001b[38;5;${index % 256}mx`).join('');
  const last = parts(line, 10).at(-1) ?? '';
  assert.ok(last.length < 600, String(last.length));
});

test('wide characters take two columns, combining ones none, and are never cut in two', () => {
  assert.deepEqual(parts('日本語', 4), ['日本', '語']);
  assert.deepEqual(parts('日本語', 3), ['日', '本', '語']);
  assert.deepEqual(parts('e\u0301e\u0301e\u0301', 2), ['e\u0301e\u0301', 'e\u0301']);
  assert.deepEqual(parts('🚀🚀', 2), ['🚀', '🚀']);
});

test('tabs become the spaces up to the next stop', () => {
  assert.deepEqual(parts('a\tb', 80), ['a       b']);
  assert.deepEqual(parts('\t\tb', 12), ['            ', 'b']);
});

test('a line is cut to its room, a plain text with a sign that it is', () => {
  assert.equal(cutToWidth(`${red}abcdef`, 3), `${red}abc${reset}`);
  assert.equal(clipped('abcdef', 4), 'abc…');
  assert.equal(clipped('abcd', 4), 'abcd');
  assert.equal(clipped('abcd', 0), '…');
});

test('whatever a line has, its parts together are the line, and none is too long', () => {
  const piece = fc.oneof(
    fc.constantFrom(red, bold, reset),
    fc.string({ unit: fc.constantFrom('a', ' ', 'é', '日') }),
  );
  fc.assert(
    fc.property(fc.array(piece), fc.integer({ min: 2, max: 20 }), (pieces, columns) => {
      const line = pieces.join('');
      const plain = parts(line, columns).map((part) => stripVTControlCharacters(part));
      assert.equal(plain.join(''), stripVTControlCharacters(line));
      for (const part of plain) assert.ok(part.replaceAll('日', 'xx').length <= columns);
    }),
  );
});
