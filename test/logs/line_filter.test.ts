import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineFilter } from '../../src/logs/line_filter.ts';

test('plain text is looked for as it stands', () => {
  const fits = lineFilter('cannot connect', undefined);
  assert.equal(fits('it cannot connect', null), true);
  assert.equal(fits('it connects', null), false);
});

test('a regular expression is matched anywhere in the line', () => {
  const fits = lineFilter('^GET /\\w+ 5\\d\\d$', undefined);
  assert.equal(fits('GET /health 503', null), true);
  assert.equal(fits('GET /health 200', null), false);
});

test('text and level both have to fit', () => {
  const fits = lineFilter('disk', 'warn');
  assert.equal(fits('disk full', 'error'), true);
  assert.equal(fits('disk full', 'info'), false);
  assert.equal(fits('memory full', 'error'), false);
});

test('an expression that is none is refused with its place', () => {
  assert.throws(() => lineFilter('(', undefined), {
    code: 'invalid_request',
    message: /^grep in the query: is not a regular expression/,
  });
});

test('an expression that is slow elsewhere takes no time here', () => {
  const began = process.cpuUsage();
  lineFilter('^(a+)+$', undefined)(`${'a'.repeat(20_000)}b`, null);
  assert.ok(process.cpuUsage(began).user < 5_000_000);
});
