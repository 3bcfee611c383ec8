import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { z } from 'zod';
import { batch } from '../../src/contract/batch.ts';
import { logsQuery } from '../../src/contract/logs.ts';
import { createService, deployService } from '../../src/contract/services.ts';
import type { DavitError } from '../../src/lib/errors.ts';
import { closestName, validate } from '../../src/lib/validation.ts';

function refusal(schema: z.ZodType, input: unknown): DavitError {
  try {
    validate(schema, input, 'the body');
  } catch (error) {
    return error as DavitError;
  }
  throw new Error('it was accepted');
}

for (const [what, schema, input, sentence] of [
  [
    'a mistyped key names the one that was meant',
    deployService,
    { comand: 'x' },
    'comand in the body: is not known; did you mean "command"?',
  ],
  [
    'a mistyped key inside an object is named with its path',
    deployService,
    { stop: { timout: '1s' } },
    'stop.timout in the body: is not known; did you mean "timeout"?',
  ],
  [
    'a key like none other lists those that are known',
    deployService,
    { stop: { colour: 'red' } },
    'stop.colour in the body: is not known; known are signal, timeout',
  ],
  ['a missing field is named as missing', createService, { id: 'web' }, 'command in the body: is missing'],
  ['a wrong type says what it must be', deployService, { cwd: 5 }, 'cwd in the body: must be a string'],
  [
    'a place that takes several types names them all',
    deployService,
    { command: 5 },
    'command in the body: must be a string or a list',
  ],
  [
    'an element of a list is named by its number',
    deployService,
    { command: ['a', 5] },
    'command[1] in the body: must be a string',
  ],
  [
    'the name of a variable is checked',
    deployService,
    { env: { 'A B': 'x' } },
    'env.A B in the body: its name must be letters, digits and underscores, and not start with a digit',
  ],
  [
    'a place deep in a batch is named',
    batch,
    { operations: [{ operation: 'stop', service: 'A' }] },
    'operations[0].service in the body: must be 1 to 63 characters of a-z, 0-9, dot, underscore and hyphen, and start with a letter or digit',
  ],
  [
    'a bare number is refused where a unit is meant',
    deployService,
    { min_uptime: '5' },
    'min_uptime in the body: must be a duration with a unit, such as 500ms, 5s or 2m',
  ],
  ['what is no object at all is said so', deployService, 'x', 'the body: must be an object'],
] as const) {
  test(what, () => {
    const error = refusal(schema, input);
    assert.equal(error.code, 'invalid_request');
    assert.equal(error.message, sentence);
  });
}

test('every place that is wrong is in the details', () => {
  const error = refusal(deployService, { comand: 'x', cwd: 'relative', stop: { signal: 'SIGNONE' } });
  assert.deepEqual(error.details.map(({ path }) => path).sort(), ['comand', 'cwd', 'stop.signal']);
  assert.match(error.message, /\(and 2 more\)$/);
});

test('what was given in a wrong place is never repeated: it may be a secret', () => {
  for (const input of [
    { env: { A: ['s3cret'] } },
    { env: 's3cret' },
    { cwd: 's3cret' },
    { min_uptime: 's3cret' },
  ]) {
    const error = refusal(deployService, input);
    assert.ok(!JSON.stringify([error.message, error.details]).includes('s3cret'));
  }
});

test('numbers in a query are read as numbers, and only whole ones within bounds', () => {
  assert.deepEqual(validate(logsQuery, { lines: '10' }, 'the query'), { lines: '10' });
  for (const lines of ['-1', '1.5', 'ten', '10001', ''])
    assert.throws(() => validate(logsQuery, { lines }, 'the query'));
});

test('a name that is close is found, one that is not is not', () => {
  const known = ['command', 'cwd', 'env', 'user'];
  assert.equal(closestName('comand', known), 'command');
  assert.equal(closestName('ENV', known), 'env');
  assert.equal(closestName('colour', known), null);
  assert.equal(closestName('x', []), null);
});
