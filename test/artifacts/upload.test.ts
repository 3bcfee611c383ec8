import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { UploadStore } from '../../src/artifacts/upload_store.ts';

const any = { sha256: null, expected: null };
let directory: string;
let store: UploadStore;

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'davit-uploads-'));
  store = new UploadStore({ directory, limit: () => 1_000_000 });
});
after(() => rmSync(directory, { recursive: true, force: true }));

const left = (service: string) =>
  existsSync(join(directory, service)) ? readdirSync(join(directory, service)) : [];

test('what comes is kept under its SHA-256, for its owner alone', async () => {
  const bytes = randomBytes(500_000);
  const { sha256, size } = await store.receive(
    'kept',
    Readable.from([bytes.subarray(0, 9), bytes.subarray(9)]),
    any,
  );
  assert.equal(sha256, createHash('sha256').update(bytes).digest('hex'));
  assert.equal(size, 500_000);
  assert.deepEqual(readFileSync(store.file('kept', sha256)), bytes);
  assert.equal(statSync(store.file('kept', sha256)).mode & 0o777, 0o600);
  assert.deepEqual(
    (await store.list('kept')).map(({ size }) => size),
    [500_000],
  );
});

test('what has been written is not kept in memory', async () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const store = new UploadStore({ directory, limit: () => 1e9 });
  collect();
  const before = process.memoryUsage().arrayBuffers;
  let held = Number.NaN;
  const chunks = async function* () {
    for (let count = 0; count < 100; count++) yield Buffer.alloc(1_000_000);
    // What is let go is counted as gone a moment later.
    for (let tries = 0; tries < 100 && !(held < 20_000_000); tries++) {
      collect();
      await setImmediate();
      held = process.memoryUsage().arrayBuffers - before;
    }
  };
  const { size } = await store.receive('large', Readable.from(chunks(), { highWaterMark: 1 }), any);
  assert.equal(size, 100_000_000);
  assert.ok(held < 20_000_000, `${held} bytes`);
});

test('what stands still, or drips, is broken off, and its place is free again', async () => {
  const store = new UploadStore({ directory, limit: () => 1_000_000, patience: 50 });
  const still = new PassThrough();
  still.write('beginning');
  await assert.rejects(store.receive('still', still, any), {
    code: 'invalid_request',
    message: /stood still/,
  });
  const drips = new PassThrough();
  const drip = setInterval(() => drips.write('x'), 5);
  try {
    await assert.rejects(store.receive('drips', drips, any), {
      code: 'invalid_request',
      message: /stood still/,
    });
  } finally {
    clearInterval(drip);
  }
  assert.equal(still.destroyed || drips.destroyed, false);
  assert.deepEqual([left('still'), left('drips')], [[], []]);
});

test('what is too long is broken off where it becomes so, and refused at once where it says so', async () => {
  const endless = new Readable({ read: () => endless.push(Buffer.alloc(65_536)) });
  await assert.rejects(store.receive('long', endless, any), { code: 'body_too_large' });
  const unread = new Readable({ read: () => assert.fail('it was read') });
  await assert.rejects(store.receive('long', unread, { ...any, expected: 1_000_001 }), {
    code: 'body_too_large',
  });
  assert.deepEqual(left('long'), []);
});

test('what is something else than it should be is not kept', async () => {
  const wanted = { ...any, sha256: '0'.repeat(64) };
  await assert.rejects(store.receive('other', Readable.from([Buffer.from('x')]), wanted), {
    code: 'checksum_mismatch',
  });
  assert.deepEqual(left('other'), []);
});

test('only so many come at a time', async () => {
  const sources = Array.from({ length: 8 }, () => new PassThrough());
  const coming = sources.map((source) => store.receive('many', source, any));
  await assert.rejects(store.receive('many', Readable.from([]), any), { code: 'too_many_requests' });
  for (const source of sources) source.end(randomBytes(40_000));
  await Promise.all(coming);
  await store.receive('many', Readable.from([]), any);
});

test('what is held is known until the last one lets go', async () => {
  const { sha256, release } = await store.receive('held', Readable.from([Buffer.from('x')]), any);
  const second = store.hold('held', sha256);
  release();
  release();
  assert.equal(store.isHeld('held', sha256), true);
  second();
  assert.equal(store.isHeld('held', sha256), false);
});
