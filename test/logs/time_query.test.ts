import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { Stored } from './stored.ts';

const begin = Date.parse('2026-01-31T00:00:00Z');
const stamps = 100_000;
const linesPerStamp = 100;
const lineSize = 100;
const size = stamps * linesPerStamp * lineSize;

/** A log of 1 GB: 10 million lines, 10 notes of the time a second. Only a minute in its middle takes room on the disk. */
async function makeGreatLog(stored: Stored): Promise<{ from: number; to: number }> {
  await stored.run(1, '');
  const index = Buffer.alloc(stamps * 24);
  for (let n = 0; n < stamps; n++) {
    index.writeDoubleBE(begin + n * 100, n * 24);
    index.writeDoubleBE((n + 1) * linesPerStamp * lineSize, n * 24 + 8);
  }
  writeFileSync(stored.file('1.r1.i1.index'), index);
  const log = openSync(stored.file('1.r1.i1.stdout'), 'r+');
  ftruncateSync(log, size);
  const [first, last] = [stamps / 2 - 10, stamps / 2 + 610];
  for (let stamp = first; stamp < last; stamp++) {
    const lines = Array.from(
      { length: linesPerStamp },
      (_, n) => `${`${stamp} ${n} `.padEnd(lineSize - 1, '.')}\n`,
    );
    writeSync(log, lines.join(''), stamp * linesPerStamp * lineSize);
  }
  closeSync(log);
  stored.restart();
  return { from: begin + (stamps / 2) * 100, to: begin + (stamps / 2 + 600) * 100 - 1 };
}

/** How many bytes this process has read, from files and everything else. */
function bytesRead(): number {
  return Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

test('a question for a minute of a log of 1 GB reads kilobytes', {
  skip: process.platform !== 'linux',
}, async () => {
  using stored = new Stored();
  const { from, to } = await makeGreatLog(stored);
  for (const [query, most] of [
    [{ lines: 100, since: from, until: to }, 200_000],
    [{ lines: 100, since: to - 900, until: to, grep: ' 42 ' }, 400_000],
    [{ lines: 100, since: from, until: from + 99 }, 200_000],
  ] as const) {
    const before = bytesRead();
    const { lines } = await stored.store.query('web', query);
    const read = bytesRead() - before;
    assert.ok(
      lines.length > 0 &&
        lines.every(({ time }) => Date.parse(time) >= query.since && Date.parse(time) <= to),
    );
    assert.ok(read < most, `${read} bytes were read for ${JSON.stringify(query)}`);
  }
  const all = await stored.store.query('web', { lines: 1e6, since: from, until: from + 999 });
  assert.equal(all.lines.length, 1_000);
  assert.match(all.lines[0]?.line ?? '', /^50000 0 /);
  assert.match(all.lines.at(-1)?.line ?? '', /^50009 99 /);
});

test('forward from a time, it reads kilobytes, too', { skip: process.platform !== 'linux' }, async () => {
  using stored = new Stored();
  const { from } = await makeGreatLog(stored);
  const before = bytesRead();
  const { lines } = await stored.store.query(
    'web',
    { lines: 100, since: from },
    { after: [{ run: 0, stdout: 0, stderr: 0 }] },
  );
  assert.match(lines[0]?.line ?? '', /^50000 0 /);
  assert.equal(lines.length, 100);
  assert.ok(bytesRead() - before < 400_000);
});
