import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { validate } from '../../src/lib/validation.ts';

const read = (console: unknown) => validate(configSchema, { data: '/x', console }, 'davit.yaml').console;

test('one stays signed in for an hour without use and half a day in all, unless somebody says otherwise', () => {
  assert.deepEqual(read(undefined), { idle_timeout: '1h', lifetime: '12h' });
  assert.deepEqual(read({ lifetime: '30d' }), { idle_timeout: '1h', lifetime: '30d' });
  assert.deepEqual(read({ idle_timeout: '1m' }), { idle_timeout: '1m', lifetime: '12h' });
  assert.equal(read(false), false);
});

test('a console that is wrong is refused with what would be right', () => {
  const cases: [unknown, RegExp][] = [
    [true, /console in davit.yaml: must be false or an object/],
    ['off', /console in davit.yaml: must be false or an object/],
    [{ idle_timeout: '59s' }, /console.idle_timeout in davit.yaml: must be from 1m to 30d/],
    [{ lifetime: '31d' }, /console.lifetime in davit.yaml: must be from 1m to 30d/],
    [{ lifetime: 60 }, /console.lifetime in davit.yaml/],
    [{ lifetime: 'long' }, /console.lifetime in davit.yaml: must be a duration/],
    [{ timeout: '1h' }, /timeout/],
  ];
  for (const [wrong, message] of cases) assert.throws(() => read(wrong), message, JSON.stringify(wrong));
});
