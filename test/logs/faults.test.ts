import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { fromBegin, numbered, Stored, texts } from './stored.ts';

const sweeping = resolve(import.meta.dirname, '../fixtures/sweeps_logs.ts');
const count = 40_000;
const expected = numbered(0, 2 * count)
  .trimEnd()
  .split('\n');

/** Sweeps in a process of its own, which dies at a moment. */
function sweep(stored: Stored, maxBytes: number, failPoints: string): NodeJS.Signals | null {
  const folder = stored.file('..');
  const env = { PATH: process.env['PATH'] ?? '', DAVIT_TEST_FAIL_POINTS: failPoints };
  const { signal, stderr } = spawnSync(process.execPath, [sweeping, folder, String(maxBytes)], { env });
  assert.match(String(stderr), failPoints === '' ? /^$/ : /^fail point [a-z_.]+: kill\n$/);
  return signal;
}

for (const [point, maxBytes] of [
  ['retention.run_removed', 500_000],
  ['retention.head_written', 1_200_000],
  ['retention.hole_punched', 1_200_000],
  ['retention.run_compressed', 1e9],
  ['retention.run_compressed=kill@2', 1e9],
] as const) {
  test(`an agent that dies at ${point} leaves logs that are whole from some line on`, async () => {
    using stored = new Stored();
    await stored.run(1, numbered(0, count));
    await stored.run(2, numbered(count, count));
    stored.store.close();
    assert.equal(sweep(stored, maxBytes, point), 'SIGKILL');
    for (const again of [false, true]) {
      if (again) assert.equal(sweep(stored, maxBytes, ''), null);
      stored.restart();
      const { lines } = await stored.store.query('web', { lines: 1e6 }, { after: fromBegin });
      assert.ok(lines.length > 15_000);
      assert.deepEqual(texts(lines), expected.slice(-lines.length));
      if (maxBytes === 1e9) assert.equal(lines.length, expected.length);
      stored.store.close();
    }
  });
}

for (const point of [
  'retention.head_written=ENOSPC',
  'retention.run_removed=EIO',
  'retention.run_compressed=EIO',
]) {
  test(`what the system refuses at ${point} is told, and nothing is lost but what had to go`, async () => {
    using stored = new Stored();
    await stored.run(1, numbered(0, count));
    await stored.run(2, numbered(count, count));
    stored.store.close();
    const env = { PATH: process.env['PATH'] ?? '', DAVIT_TEST_FAIL_POINTS: point };
    const { status, stderr } = spawnSync(process.execPath, [sweeping, stored.file('..'), '700000'], { env });
    assert.equal(status, 0);
    assert.match(String(stderr), /the logs of "web" cannot be trimmed: /);
    stored.restart();
    const { lines } = await stored.store.query('web', { lines: 1e6 });
    assert.ok(lines.length > 10_000);
    assert.deepEqual(texts(lines), expected.slice(-lines.length));
  });
}
