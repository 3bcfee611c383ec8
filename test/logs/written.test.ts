import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Run } from '../../src/logs/run.ts';
import { type Offsets, runFiles } from '../../src/logs/run_files.ts';
import { WrittenCounts } from '../../src/logs/written.ts';
import { Stored } from './stored.ts';

let folder: string;
let counts: WrittenCounts;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-written-'));
  mkdirSync(join(folder, 'web'));
  counts = new WrittenCounts();
});
afterEach(() => {
  counts.close();
  rmSync(folder, { recursive: true });
});

const nothing: Offsets = { stdout: 0, stderr: 0 };

function shown(stream: 'stdout' | 'stderr') {
  const { bytes, lines } = counts.all.get('web')?.[stream] ?? assert.fail('it is not there');
  return { bytes, lines };
}

/** A run of "web" whose files hold these texts. */
function runWith(stdout: string, stderr = '', run = 1): Run {
  const name = { run, release: 1, instance: 1 };
  const made = Run.begin(name, runFiles(folder, 'web', name));
  writeFileSync(made.files.stdout, stdout);
  writeFileSync(made.files.stderr, stderr);
  made.sizes = { stdout: Buffer.byteLength(stdout), stderr: Buffer.byteLength(stderr) };
  return made;
}

test('bytes are known at once, and ends of lines once they are counted, by stream', async () => {
  const run = runWith('one\ntwo\nthr', 'é\n');
  counts.grown('web', run, nothing, run.sizes);
  assert.equal(counts.all.get('web')?.bytes, 14);
  assert.equal(counts.all.get('web')?.lines, 0);
  await counts.countLines();
  assert.deepEqual(shown('stdout'), { bytes: 11, lines: 2 });
  assert.deepEqual(shown('stderr'), { bytes: 3, lines: 1 });
  assert.equal(counts.all.get('web')?.lines, 3);
});

test('each line is counted once, also where it came in two parts', async () => {
  const run = runWith('one\ntw');
  counts.grown('web', run, nothing, run.sizes);
  await counts.countLines();
  const before = run.sizes;
  appendFileSync(run.files.stdout, 'o\nthree\n');
  run.sizes = { stdout: 14, stderr: 0 };
  counts.grown('web', run, before, run.sizes);
  await counts.countLines();
  await counts.countLines();
  assert.deepEqual(shown('stdout'), { bytes: 14, lines: 3 });
});

test('where much has come at once, its lines are estimated by those at its end', async () => {
  const run = runWith(`${'a line of some length\n'.repeat(50_000)}`, 'x\n');
  counts.grown('web', run, nothing, run.sizes);
  await counts.countLines();
  const { stdout, stderr } = counts.all.get('web') ?? assert.fail('it is not there');
  assert.ok(Math.abs(stdout.lines - 50_000) <= 5, `${stdout.lines} lines`);
  assert.equal(stderr.lines, 1);
});

test('the lines of very many streams are counted, each as far as there is time', async () => {
  const text = 'a line of some length\n'.repeat(1_000);
  for (let run = 1; run <= 1_000; run++) {
    const made = runWith(text, '', run);
    counts.grown('web', made, nothing, made.sizes);
  }
  await counts.countLines();
  const lines = counts.all.get('web')?.lines ?? 0;
  assert.ok(Math.abs(lines / 1e6 - 1) < 0.01, `${lines} lines`);
});

test('what has been removed before its lines were counted is left out, and nothing fails', async () => {
  const gone = runWith('one\n');
  counts.grown('web', gone, nothing, gone.sizes);
  rmSync(gone.files.stdout);
  await counts.countLines();
  assert.deepEqual(shown('stdout'), { bytes: 4, lines: 0 });
});

test('a service that is deleted is forgotten', async () => {
  const run = runWith('one\n');
  counts.grown('web', run, nothing, run.sizes);
  counts.forget('web');
  await counts.countLines();
  assert.equal(counts.all.size, 0);
});

test('the store tells what a service writes, and not what an earlier agent has captured', async () => {
  using stored = new Stored();
  stored.begin(1, 'before the restart\n');
  stored.restart();
  const live = stored.store.adopt('web', 1, { release: 1, instance: 1 });
  appendFileSync(stored.file('1.r1.i1.stdout'), 'after\n');
  await live.close();
  await stored.run(2, 'next\n', { stderr: 'x\n' });
  assert.equal(stored.store.written().get('web')?.bytes, 13);
  assert.equal(stored.store.written().get('web')?.stderr.bytes, 2);
  await stored.store.remove('web');
  assert.equal(stored.store.written().get('web'), undefined);
});
