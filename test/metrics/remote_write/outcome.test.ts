import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAnswer } from '../../../src/metrics/remote_write/outcome.ts';

const answer = (status: number, retry_after: number | null = null) =>
  readAnswer({ status, retry_after, text: 'not now' });

test('each status means what remote write 1.0 says', () => {
  for (let status = 200; status < 300; status += 1) assert.equal(answer(status).kind, 'taken');
  for (let status = 300; status < 400; status += 1) assert.equal(answer(status).kind, 'failed');
  for (let status = 400; status < 500; status += 1)
    assert.equal(answer(status).kind, status === 429 ? 'failed' : 'refused');
  for (let status = 500; status < 600; status += 1) assert.equal(answer(status).kind, 'failed');
});

test('samples that Prometheus will never take are given up, also where it says so with 500', () => {
  const saying = (status: number, text: string) => readAnswer({ status, retry_after: null, text }).kind;
  assert.equal(saying(500, 'too old sample'), 'refused');
  assert.equal(saying(500, 'out of bounds'), 'refused');
  assert.equal(saying(500, 'no space left on device'), 'failed');
  assert.equal(saying(503, 'too old sample'), 'failed');
});

test('what a receiver says is told, and where it leads is not', () => {
  assert.deepEqual(answer(400), { kind: 'refused', message: 'it answers 400: not now' });
  assert.deepEqual(answer(503, 7_000), {
    kind: 'failed',
    message: 'it answers 503: not now',
    wait: 7_000,
  });
  assert.match((answer(302) as { message: string }).message, /^it answers 302; a redirect is not followed/);
});
