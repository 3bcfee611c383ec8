import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonText, logText, safeText } from '../../src/cli/text.ts';

const red = '\u001b[31m';

test('control and invisible characters are shown, not obeyed', () => {
  assert.equal(safeText('a\u001b[2Jb\nc\r\t\u0007\u009b1m'), 'a\\x1b[2Jb\\nc\\r\\t\\x07\\x9b1m');
  assert.equal(safeText('pay\u202e\u200bload'), 'pay\\u{202e}\\u{200b}load');
  assert.equal(safeText('Grüße, 世界 🚢'), 'Grüße, 世界 🚢');
});

test('a log line keeps its colours, which end with it', () => {
  assert.equal(logText(`${red}error\u001b[1;4m!`, true), `${red}error\u001b[1;4m!\u001b[0m`);
  assert.equal(logText('plain\ttext\r', true), 'plain\ttext');
});

test('a log line loses its colours where there are none', () => {
  assert.equal(logText(`${red}error\u001b[0m`, false), 'error');
});

test('a log line cannot clear the screen, set the title or reach the clipboard', () => {
  assert.equal(
    logText('\u001b[2J\u001b]0;title\u0007\u001b]52;c;eA==\u001b\\', true).includes('\u001b'),
    false,
  );
});

test('nothing that a service writes reaches the terminal but text, tabs and graphics', () => {
  const pieces = fc.constantFrom(
    '\u001b',
    '[',
    '31',
    'm',
    ';',
    'J',
    '\u009b',
    '\r',
    '\n',
    '\t',
    'x',
    ']0;',
    '\u0007',
  );
  fc.assert(
    fc.property(fc.array(pieces), (parts) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      const left = logText(parts.join(''), true).replace(/\u001b\[[\d;:]*m/g, '');
      assert.doesNotMatch(left, /[^\P{Cc}\t]/u);
    }),
  );
});

test('JSON for a terminal holds no control character and parses to the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
      const both = JSON.parse(JSON.stringify({ value, text }));
      const written = jsonText(both, 2);
      assert.doesNotMatch(written, /[^\P{Cc}\n]|\p{Cf}/u);
      assert.deepEqual(JSON.parse(written), both);
    }),
  );
});
