import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAnswer, readRetryAfter, waitBeforeRetry } from '../../../src/metrics/remote_write/retry.ts';

const answer = (status: number, retryAfter: string | null = null) =>
  readAnswer({ status, retryAfter, text: 'not now', now: 0 });

test('each status means what remote write 1.0 says', () => {
  for (let status = 200; status < 300; status += 1) assert.equal(answer(status).kind, 'taken');
  for (let status = 300; status < 400; status += 1) assert.equal(answer(status).kind, 'failed');
  for (let status = 400; status < 500; status += 1)
    assert.equal(answer(status).kind, status === 429 ? 'failed' : 'refused');
  for (let status = 500; status < 600; status += 1) assert.equal(answer(status).kind, 'failed');
});

test('samples that Prometheus will never take are given up, also where it says so with 500', () => {
  const saying = (status: number, text: string) =>
    readAnswer({ status, retryAfter: null, text, now: 0 }).kind;
  assert.equal(saying(500, 'too old sample'), 'refused');
  assert.equal(saying(500, 'out of bounds'), 'refused');
  assert.equal(saying(500, 'no space left on device'), 'failed');
  assert.equal(saying(503, 'too old sample'), 'failed');
});

test('what a receiver says is told, and where it leads is not', () => {
  assert.deepEqual(answer(400), { kind: 'refused', message: 'it answers 400: not now' });
  assert.deepEqual(answer(503, '7'), {
    kind: 'failed',
    message: 'it answers 503: not now',
    wait: 7_000,
  });
  assert.match((answer(302) as { message: string }).message, /^it answers 302; a redirect is not followed/);
});

test('Retry-After is seconds or a date, within five minutes', () => {
  const now = Date.parse('2026-01-31T12:00:00Z');
  assert.equal(readRetryAfter('30', now), 30_000);
  assert.equal(readRetryAfter('86400', now), 300_000);
  assert.equal(readRetryAfter('Sat, 31 Jan 2026 12:00:20 GMT', now), 20_000);
  for (const text of [null, '', '0', '-5', '1e9', 'soon', 'Sat, 31 Jan 2026 11:00:00 GMT'])
    assert.equal(readRetryAfter(text, now), null, String(text));
});

test('waits double up to five seconds, vary by half, and are never shorter than asked for', () => {
  const waits = [1, 2, 3, 4, 5, 6, 7, 1_000].map((failures) => waitBeforeRetry(failures, null, 1));
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000]);
  assert.equal(waitBeforeRetry(3, null, 0), 1_000);
  assert.equal(waitBeforeRetry(1, 30_000, 0.5), 30_000);
  assert.equal(waitBeforeRetry(6, 1_000, 1), 5_000);
});
