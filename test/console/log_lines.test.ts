import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ansiParts, luminance } from '../../src/console/pages/logs/ansi.ts';
import { jsonRowParts, jsonTreeParts, readJsonLine } from '../../src/console/pages/logs/json_line.ts';
import {
  escapeExpression,
  type LinePart,
  markFound,
  textFinder,
  visible,
} from '../../src/console/pages/logs/line_parts.ts';
import { compilePattern } from '../../src/lib/pattern.ts';

const esc = '\u001b';
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
const invisible = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202e]/;
const textOf = (parts: readonly LinePart[]) => parts.map(({ text }) => text).join('');
const row = (line: string) => textOf(jsonRowParts(readJsonLine(line) ?? {}));

test('colours and looks of escape sequences are kept, by class', () => {
  assert.deepEqual(ansiParts(`a ${esc}[31mred${esc}[0m ${esc}[1;4;92mloud${esc}[m b`, false), [
    { text: 'a ', look: '' },
    { text: 'red', look: 'ansi-red' },
    { text: ' ', look: '' },
    { text: 'loud', look: 'bold underline ansi-bright-green' },
    { text: ' b', look: '' },
  ]);
  assert.equal(ansiParts(`${esc}[41;97malarm`, true)[0]?.look, 'ansi-bright-white on ansi-red');
  assert.equal(ansiParts(`${esc}[7mturned`, true)[0]?.look, 'ansi-black on ansi-white');
  assert.equal(ansiParts(`${esc}[38;5;9mnine`, true)[0]?.look, 'ansi-bright-red');
});

test('what an escape sequence asks for besides looks is not done: no link, no title, no cursor', () => {
  const link = `${esc}]8;;https://example.org${esc}\\click${esc}]8;;${esc}\\`;
  assert.deepEqual(ansiParts(link, false), [{ text: 'click', look: '' }]);
  assert.equal(
    textOf(ansiParts(`${esc}]0;title\u0007a${esc}[2K${esc}[10;3Hb${esc}[?25lc${esc}7d`, false)),
    'abcd',
  );
  assert.equal(textOf(ansiParts(`${esc}[38:2::1:2:3mx${esc}[8mhidden`, false)), 'xhidden');
  assert.equal(textOf(ansiParts(`cut off ${esc}[38;5`, false)), 'cut off ');
});

test('a colour of 256 or of 16 million is shown so that it can be read, in both themes', () => {
  fc.assert(
    fc.property(fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)), fc.boolean(), (color, isDark) => {
      const [part] = ansiParts(`${esc}[38;2;${color.join(';')}mx`, isDark);
      const shown = (part?.color ?? '').match(/\d+/g)?.map(Number) ?? [];
      const light = luminance(shown as unknown as [number, number, number]);
      assert.ok(isDark ? light > 0.28 : light < 0.15, `${color} is shown as ${part?.color}`);
    }),
  );
  assert.equal(ansiParts(`${esc}[38;5;196mx`, false)[0]?.color?.startsWith('rgb('), true);
  assert.deepEqual(ansiParts(`${esc}[48;2;255;255;0mx`, true)[0], {
    text: 'x',
    look: '',
    background: 'rgb(255 255 0)',
    color: '#000',
  });
});

test('what cannot be seen, or turns the order of text, is shown as a sign of its own', () => {
  assert.equal(visible('a\u061cb\u2028c\u200bd'), 'a\ufffdb\ufffdc\ufffdd');
  assert.equal(visible('a\u0000b\u001bc\rd\u007fe\u009bf\u202eg\th'), 'a␀b␛c␍d␡e\ufffdf\ufffdg\th');
});

test('whatever a line holds, its parts hold no control characters', () => {
  const texts = fc.array(
    fc.oneof(
      fc.string({ unit: fc.nat(0x2100).map((code) => String.fromCharCode(code)) }),
      fc.constantFrom(esc, `${esc}[`, `${esc}]`, '\u0007', ';', 'm', '1', '38;5;'),
    ),
  );
  fc.assert(
    fc.property(texts, (pieces) => {
      assert.doesNotMatch(textOf(ansiParts(pieces.join(''), true)), invisible);
    }),
  );
});

test('a line of JSON tells what happened first, and then the rest without what stands in its row already', () => {
  assert.equal(
    row(
      '{"level":"warn","time":"2026-11-22T00:00:00Z","msg":"slow query","ms":12,"user":{"id":7},"q":"a b"}',
    ),
    'slow query ms=12 user={"id":7} q="a b"',
  );
  assert.equal(row('{"time":12,"level":"custom","message":"x"}'), 'x time=12 level=custom');
  assert.equal(
    row('{"level":30,"time":1764000000000,"msg":"pino","ok":true,"no":null,"list":[1,"two"]}'),
    'pino ok=true no=null list=[1,"two"]',
  );
  assert.equal(row('{"a":1,"b":"x"}'), 'a=1 b=x');
});

test('only an object is folded; everything else is shown as it stands', () => {
  for (const line of ['[1]', '"x"', '12', '{"a":1', 'x {"a":1}', '{a:1}', '', '{}x'])
    assert.equal(readJsonLine(line), null);
  assert.deepEqual(readJsonLine('  {"__proto__":{"a":1}} '), JSON.parse('{"__proto__":{"a":1}}'));
});

test('unfolded, JSON is what it was, with every digit', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const tree = textOf(jsonTreeParts(readJsonLine(JSON.stringify(value)) ?? {}));
      assert.deepEqual(JSON.parse(tree), JSON.parse(JSON.stringify(value)));
    }),
  );
  assert.equal(
    textOf(jsonTreeParts(readJsonLine('{"id":12345678901234567890}') ?? {})),
    '{\n  "id": 12345678901234567890\n}',
  );
  const deep = `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`;
  assert.doesNotThrow(() => jsonTreeParts(readJsonLine(deep) ?? {}));
});

test('what is searched for is marked, across parts and in all of them', () => {
  const parts = [
    { text: 'GET /or', look: 'a' },
    { text: 'ders ORDERS', look: 'b' },
  ];
  assert.deepEqual(markFound(parts, textFinder('orders', false)), [
    { text: 'GET /', look: 'a' },
    { text: 'or', look: 'a', isFound: true },
    { text: 'ders', look: 'b', isFound: true },
    { text: ' ', look: 'b' },
    { text: 'ORDERS', look: 'b', isFound: true },
  ]);
  assert.equal(markFound(parts, textFinder('orders', true)).filter(({ isFound }) => isFound).length, 2);
  assert.deepEqual(
    markFound(parts, () => []),
    parts,
  );
});

test('marking changes no text, and finds a text as the agent does', () => {
  const words = fc.array(fc.constantFrom('a', 'A', 'b', '.', '*', '(', '\\', ' ', 'ab'), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(words), words, (texts, wanted) => {
      const parts = texts.map((text) => ({ text: text.join(''), look: '' }));
      const search = `${wanted.join('')}a`;
      const marked = markFound(parts, textFinder(search, false));
      assert.equal(textOf(marked), textOf(parts));
      const isFound = marked.some((part) => part.isFound);
      assert.equal(isFound, compilePattern(`(?i)${escapeExpression(search)}`)(textOf(parts)));
    }),
  );
});
