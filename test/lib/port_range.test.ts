import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { portRange } from '../../src/lib/port_range.ts';

test('a range has its first and its last port', () => {
  assert.deepEqual(portRange('20000-29999'), { first: 20_000, last: 29_999 });
  assert.deepEqual(portRange('1-65535'), { first: 1, last: 65_535 });
  assert.deepEqual(portRange('80-80'), { first: 80, last: 80 });
});

for (const text of [
  '',
  '80',
  '80-',
  '-80',
  '0-80',
  '80-65536',
  '81-80',
  '1-2-3',
  ' 1-2',
  '1 - 2',
  'a-b',
  '1-100000',
]) {
  test(`"${text}" is no range of ports, also not in a configuration`, () => {
    assert.throws(() => portRange(text), RangeError);
    const { error } = configSchema.safeParse({ data: '/x', port_range: text });
    assert.deepEqual(
      error?.issues.map(({ path, message }) => [path, message]),
      [[['port_range'], 'must be the first and the last port, such as 20000-29999']],
    );
  });
}
