import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type LineInFile, linesBackwards } from '../../src/lib/lines_backwards.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-lines-'));
after(() => rmSync(folder, { recursive: true }));

async function read(text: string): Promise<string[]> {
  const file = join(folder, 'lines');
  writeFileSync(file, text);
  const handle = await open(file);
  try {
    const lines: string[] = [];
    for await (const { text: line, start } of linesBackwards(handle)) {
      assert.equal(
        Buffer.from(text)
          .subarray(start, start + Buffer.byteLength(line))
          .toString(),
        line,
      );
      lines.push(line);
    }
    return lines;
  } finally {
    await handle.close();
  }
}

test('lines come from the last to the first, whether or not the last one is ended', async () => {
  assert.deepEqual(await read(''), []);
  assert.deepEqual(await read('\n'), ['']);
  assert.deepEqual(await read('a'), ['a']);
  assert.deepEqual(await read('a\n'), ['a']);
  assert.deepEqual(await read('a\nb'), ['b', 'a']);
  assert.deepEqual(await read('a\nb\n'), ['b', 'a']);
  assert.deepEqual(await read('\na\n\nb\n\n'), ['', 'b', '', 'a', '']);
});

test('lines and letters that lie across the borders of chunks are whole', async () => {
  const lines = Array.from({ length: 3000 }, (_, index) => `${index} ${'ä€🜁'.repeat(index % 40)}`);
  lines[1500] = 'x'.repeat(200_000);
  const text = lines.join('\n');
  assert.deepEqual(await read(text), lines.toReversed());
  assert.deepEqual(await read(`${text}\n`), lines.toReversed());
});

test('they come from before any line, too', async () => {
  const lines = Array.from({ length: 3000 }, (_, index) => `${index} ${'ä€🜁'.repeat(index % 40)}`);
  const file = join(folder, 'from');
  writeFileSync(file, lines.join('\n'));
  const handle = await open(file);
  try {
    const all: LineInFile[] = [];
    for await (const line of linesBackwards(handle)) all.push(line);
    for (const at of [0, 1, 1234, 2999]) {
      const found: LineInFile[] = [];
      for await (const line of linesBackwards(handle, all[at]?.start)) found.push(line);
      assert.deepEqual(found, all.slice(at + 1));
    }
  } finally {
    await handle.close();
  }
});
