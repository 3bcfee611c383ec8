import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endless, numbered, Stored } from './stored.ts';

/** What the store told of output that went to make room. */
function listening(stored: Stored): string[] {
  const told: string[] = [];
  stored.store.onShortened((service, why) => told.push(`${service}: ${why}`));
  return told;
}

test('it is told when output of a service goes because that service may not keep more', async () => {
  using stored = new Stored();
  const told = listening(stored);
  await stored.run(1, numbered(0, 100));
  await stored.store.sweep();
  assert.deepEqual(told, []);
  stored.retention = { ...endless, max_bytes: 1_000 };
  await stored.store.sweep();
  assert.deepEqual(told, ['web: it may keep 0.001 MB']);
});

test('it is told when output goes because all services together may not keep more', async () => {
  using stored = new Stored();
  const told = listening(stored);
  await stored.run(1, numbered(0, 100));
  stored.quota = 1_000;
  await stored.store.sweep();
  assert.deepEqual(told, ['web: all services together may keep 0.001 MB']);
});

test('nothing is told of output that goes at its time', async () => {
  using stored = new Stored();
  const told = listening(stored);
  for (const run of [1, 2, 3]) await stored.run(run, numbered(0, 100), { release: run });
  stored.retention = { ...endless, max_releases: 1, max_bytes: 20_000 };
  await stored.store.sweep();
  assert.deepEqual(told, []);
});
