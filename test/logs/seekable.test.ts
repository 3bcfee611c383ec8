import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { frameSize, SeekableReader, SeekableWriter } from '../../src/logs/seekable.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-seekable-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'log.zst');

function content(length: number): Buffer {
  return Buffer.from(
    Array.from({ length: Math.ceil(length / 20) }, (_, n) => `line ${n} `.padEnd(20)).join(''),
  ).subarray(0, length);
}

async function write(bytes: Buffer, begin: number): Promise<void> {
  await using handle = await open(file, 'w');
  const writer = new SeekableWriter(handle);
  await writer.start(begin);
  for (let at = 0; at < bytes.length; at += frameSize) await writer.add(bytes.subarray(at, at + frameSize));
  await writer.end();
}

for (const [length, begin] of [
  [0, 0],
  [1, 5],
  [frameSize, 0],
  [frameSize + 1, 4096],
  [3 * frameSize - 7, 1e12],
] as const) {
  test(`${length} bytes from ${begin} on are read back by any range of offsets`, async () => {
    const bytes = content(length);
    await write(bytes, begin);
    await using handle = await open(file, 'r');
    const reader = await SeekableReader.open(handle);
    assert.deepEqual([reader.begin, reader.end], [begin, begin + length]);
    await fc.assert(
      fc.asyncProperty(fc.nat(length + 10), fc.nat(length + 10), async (one, other) => {
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        assert.ok((await reader.read(begin + from, begin + to)).equals(bytes.subarray(from, to)));
      }),
      { numRuns: 20 },
    );
    assert.ok((await reader.read(0, begin + length)).equals(bytes));
  });
}

test('what is compressed is what any zstd reads', (t) => {
  const found = spawnSync('zstd', ['--version']);
  if (found.error) return t.skip('zstd is not installed');
  return comparedWithZstd();
});

async function comparedWithZstd(): Promise<void> {
  const bytes = content(2 * frameSize + 100);
  await write(bytes, 77);
  const { status, stdout, stderr } = spawnSync('zstd', ['-dc', file], { maxBuffer: 1e7 });
  assert.equal(status, 0, String(stderr));
  assert.ok(stdout.equals(bytes));
}

test('a file that is not whole is refused', async () => {
  await write(content(1000), 0);
  const whole = readFileSync(file);
  for (const length of [0, 10, 24, whole.length - 1]) {
    writeFileSync(file, whole);
    truncateSync(file, length);
    await using handle = await open(file, 'r');
    await assert.rejects(SeekableReader.open(handle), { code: 'storage_unavailable' });
  }
});
