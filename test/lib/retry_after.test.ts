import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRetryAfter } from '../../src/lib/retry_after.ts';

test('Retry-After is seconds or a date, and anything else says nothing', () => {
  const now = Date.parse('2026-01-31T12:00:00Z');
  assert.equal(readRetryAfter('30', now), 30_000);
  assert.equal(readRetryAfter('Sat, 31 Jan 2026 12:00:20 GMT', now), 20_000);
  const odd = [undefined, '', '0', '-5', '1e9', 'soon', ['1', '2'], 'Sat, 31 Jan 2026 11:00:00 GMT'];
  for (const value of odd) assert.equal(readRetryAfter(value, now), null, String(value));
});
