import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age, commandText } from '../../src/cli/format.ts';

test('an age has its two greatest units', () => {
  const second = 1_000;
  const ages = [-5, 0, 59.9, 60, 3_600, 3_661, 86_399, 86_400, 90_061, 1e7].map((seconds) =>
    age(seconds * second),
  );
  assert.deepEqual(ages, ['0s', '0s', '59s', '1m', '1h', '1h 1m', '23h 59m', '1d', '1d 1h', '115d 17h']);
});

test('a command list is shown as it would be typed', () => {
  assert.equal(commandText('cd /x && run'), 'cd /x && run');
  assert.equal(
    commandText(['node', '--a=b', "it's", 'two words', '']),
    `node --a=b 'it'\\''s' 'two words' ''`,
  );
});
