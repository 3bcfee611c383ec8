import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters, styleText } from 'node:util';
import { type Column, facts, fitColumns, table } from '../../src/cli/table.ts';

const columns: Column[] = [
  { title: 'SERVICE' },
  { title: 'STATE', paint: (state) => styleText('green', state, { validateStream: false }) },
  { title: 'PID', dropAt: 1 },
  { title: 'COMMAND', isFlexible: true },
];
const rows = [
  ['web', 'running', '4711', 'node /opt/web/server.js --port 3000 --verbose'],
  ['a-long-name-of-a-service', 'stopped', '-', 'sleep 1'],
];

for (const width of [20, 30, 40, 80, 200, Number.POSITIVE_INFINITY]) {
  test(`a table of ${width} columns never runs over`, () => {
    const lines = stripVTControlCharacters(table(columns, rows, width)).split('\n');
    assert.equal(lines.length, 3);
    for (const line of lines) assert.ok(line.length <= width, line);
  });
}

test('a wide table shows everything, without a space at the end of a line', () => {
  assert.equal(
    stripVTControlCharacters(table(columns, rows, 200)),
    [
      'SERVICE                   STATE    PID   COMMAND',
      'web                       running  4711  node /opt/web/server.js --port 3000 --verbose',
      'a-long-name-of-a-service  stopped  -     sleep 1',
    ].join('\n'),
  );
});

test('where room is scarce, the command is cut first, then columns are left out', () => {
  const shown = (width: number) => stripVTControlCharacters(table(columns, rows, width)).split('\n');
  assert.equal(shown(60)[1], 'web                       running  4711  node /opt/web/serv…');
  assert.equal(shown(50)[1], 'web                       running  node /opt/web/…');
});

test('a column that has no room is left out, and the rest shrinks to what is there', () => {
  assert.deepEqual(fitColumns(columns, [24, 7, 4, 44], 100), [24, 7, 4, 44]);
  assert.deepEqual(fitColumns(columns, [24, 7, 4, 44], 47), [24, 7, null, 12]);
  assert.deepEqual(fitColumns(columns, [24, 7, 4, 44], 40), [17, 7, null, 12]);
});

test('cells cannot drive the terminal or break the row', () => {
  const text = table([{ title: 'NAME' }], [['a\u001b[2J\nb']], 80);
  assert.equal(text, 'NAME\na\\x1b[2J\\nb');
});

test('facts stand one below another, unknown ones left out', () => {
  assert.equal(
    facts([
      ['pid', '1'],
      ['cwd', undefined],
      ['command', 'a\nb'],
    ]),
    'pid:      1\ncommand:  a\\nb',
  );
});
