import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedLock } from '../../src/lib/keyed_lock.ts';

test('work under one key runs one after another, in the order in which it was asked for', async () => {
  const lock = new KeyedLock();
  const gate = Promise.withResolvers<void>();
  const seen: string[] = [];
  const first = lock.run('a', async () => {
    seen.push('first begins');
    await gate.promise;
    seen.push('first ends');
  });
  const later = [1, 2, 3].map((n) => lock.run('a', async () => seen.push(`later ${n}`)));
  gate.resolve();
  await Promise.all([first, ...later]);
  assert.deepEqual(seen, ['first begins', 'first ends', 'later 1', 'later 2', 'later 3']);
});

test('work under another key does not wait', async () => {
  const lock = new KeyedLock();
  const gate = Promise.withResolvers<void>();
  const blocked = lock.run('a', () => gate.promise);
  assert.equal(await lock.run('b', async () => 'done'), 'done');
  gate.resolve();
  await blocked;
});

test('work that fails gives its error to its caller and lets the next one run', async () => {
  const lock = new KeyedLock();
  const failing = lock.run('a', () => Promise.reject(new Error('no')));
  const next = lock.run('a', async () => 'yes');
  await assert.rejects(failing, /no/);
  assert.equal(await next, 'yes');
});

test('idle resolves when all that was asked for has ended', async () => {
  const lock = new KeyedLock();
  let ended = 0;
  for (const key of ['a', 'a', 'b']) void lock.run(key, async () => void ended++);
  await lock.idle();
  assert.equal(ended, 3);
});
