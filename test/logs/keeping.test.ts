import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { parseCursor } from '../../src/logs/cursor.ts';
import { LogStore } from '../../src/logs/log_store.ts';
import { decodeStamp, encodeStamp } from '../../src/logs/time_index.ts';
import { until } from '../helpers/system.ts';
import { endless, fromBegin, numbered, Stored, texts } from './stored.ts';

const all = { lines: 1e6 };

function makeOld(stored: Stored, run: number, milliseconds: number): void {
  const time = Date.now() - milliseconds;
  for (const name of readdirSync(stored.file('.')).filter((name) => name.startsWith(`${run}.`))) {
    if (name.endsWith('.index'))
      writeFileSync(
        stored.file(name),
        encodeStamp({ ...decodeStamp(readFileSync(stored.file(name))), time }),
      );
    utimesSync(stored.file(name), time / 1_000, time / 1_000);
  }
}

function kept(stored: Stored): string[] {
  return readdirSync(stored.file('.'))
    .filter((name) => /std(out|err)/.test(name))
    .sort();
}

test('what ended too long ago is removed, without the service being started again', async () => {
  using stored = new Stored();
  await stored.run(1, 'old\n');
  await stored.run(2, 'new\n');
  makeOld(stored, 1, 3_600_000);
  stored.retention = { ...endless, max_age_ms: 60_000 };
  stored.restart();
  await stored.store.sweep();
  assert.deepEqual(texts((await stored.store.query('web', all)).lines), ['new']);
  assert.ok(!kept(stored).some((name) => name.startsWith('1.')));
});

test('what runs gives back what it wrote too long ago', async () => {
  using stored = new Stored();
  const live = stored.begin(1, 'old\n');
  await until('it has been seen', () => statSync(stored.file('1.r1.i1.index')).size > 24);
  const seen = Date.now();
  await until('the clock has moved on', () => Date.now() > seen + 300);
  appendFileSync(stored.file('1.r1.i1.stdout'), 'new\n');
  await until('that has been seen', () => statSync(stored.file('1.r1.i1.index')).size > 48);
  stored.retention = { ...endless, max_age_ms: Date.now() - seen - 100 };
  await stored.store.sweep();
  const page = await stored.store.query('web', all, { after: fromBegin });
  assert.deepEqual(texts(page.lines), ['new']);
  assert.equal(page.skipped?.bytes, 4);
  await live.close();
});

test('only the last releases are kept', async () => {
  using stored = new Stored();
  for (const run of [1, 2, 3]) await stored.run(run, `run ${run}\n`, { release: run });
  stored.retention = { ...endless, max_releases: 2 };
  await stored.store.sweep();
  assert.deepEqual(texts((await stored.store.query('web', all)).lines), ['run 2', 'run 3']);
});

test('over the quota of the host the oldest goes first, whose ever it is, and then the beginning of what runs', async () => {
  using stored = new Stored();
  await stored.run(1, numbered(0, 20_000));
  const other = stored.store.open('other', 1, { release: 1, instance: 1 });
  await other.close();
  const live = stored.begin(2, numbered(0, 50_000));
  await until('it has been seen', () => statSync(stored.file('2.r1.i1.index')).size > 24);
  stored.quota = 500_000;
  await stored.store.sweep();
  assert.ok(!kept(stored).some((name) => name.startsWith('1.')));
  const { blocks, size } = statSync(stored.file('2.r1.i1.stdout'));
  assert.equal(size, 1_000_000);
  assert.ok(blocks * 512 < 600_000, `${blocks * 512} bytes are held`);
  const { lines } = await stored.store.query('web', all);
  assert.equal(lines.at(-1)?.line, 'line 00000000049999');
  // What is left begins with a whole line.
  assert.match(lines[0]?.line ?? '', /^line \d{14}$/);
  await live.close();
});

test('the index of what runs gives back its beginning, too', async () => {
  using stored = new Stored();
  const index = stored.file('1.r1.i1.index');
  const live = stored.begin(1, '');
  await live.close();
  const stamps = Buffer.alloc(24 * 50_000);
  for (let n = 0; n < 50_000; n++) {
    stamps.writeDoubleBE(1_700_000_000_000 + n * 100, n * 24);
    stamps.writeDoubleBE(n * 20, n * 24 + 8);
  }
  writeFileSync(index, stamps);
  writeFileSync(stored.file('1.r1.i1.stdout'), numbered(0, 50_000));
  stored.restart();
  stored.retention = { ...endless, max_bytes: 500_000 };
  const adopted = stored.store.adopt('web', 1, { release: 1, instance: 1 });
  await stored.store.sweep();
  assert.ok(statSync(index).blocks * 512 < 400_000);
  const page = await stored.store.query('web', { lines: 1, until: 1_700_000_000_000 + 4_800_000 });
  assert.match(page.lines[0]?.line ?? '', /^line 000000000(47998|47999|48000)$/);
  await adopted.close();
});

test('what has ended is compressed, found by time, filtered and paged as before', async () => {
  using stored = new Stored();
  await stored.run(1, numbered(0, 30_000), { stderr: 'small\n' });
  const before = await stored.store.query('web', all);
  stored.retention = { ...endless, compress: true };
  await stored.store.sweep();
  assert.deepEqual(kept(stored), ['1.r1.i1.stderr', '1.r1.i1.stdout.zst']);
  assert.ok(statSync(stored.file('1.r1.i1.stdout.zst')).size < 200_000);
  assert.deepEqual(await stored.store.query('web', all), before);
  assert.equal((await stored.store.query('web', { ...all, grep: '29999$' })).lines.length, 1);
  stored.restart();
  assert.deepEqual((await stored.store.query('web', all)).lines, before.lines);
  const { status, stdout } = spawnSync('zstd', ['-dc', stored.file('1.r1.i1.stdout.zst')], {
    maxBuffer: 1e7,
  });
  if (status !== null) assert.equal(String(stdout), numbered(0, 30_000));
});

test('a compressed run keeps its end when there is too much, and its cursors their meaning', async () => {
  using stored = new Stored();
  stored.retention = { ...endless, compress: true };
  const noise = Array.from(
    { length: 20_000 },
    (_, n) => `${n} ${Math.random()} ${Math.random()} ${Math.random()}\n`,
  );
  await stored.run(1, noise.join(''));
  const { lines } = await stored.store.query('web', all);
  await stored.store.sweep();
  const whole = statSync(stored.file('1.r1.i1.stdout.zst')).blocks * 512;
  stored.retention = { ...endless, compress: true, max_bytes: whole / 2 };
  await stored.store.sweep();
  assert.ok(statSync(stored.file('1.r1.i1.stdout.zst')).blocks * 512 < whole * 0.75);
  const left = (await stored.store.query('web', all)).lines;
  assert.ok(left.length > 1_000 && left.length < 15_000, `${left.length} lines are left`);
  assert.deepEqual(left, lines.slice(-left.length));
  stored.restart();
  assert.deepEqual((await stored.store.query('web', all)).lines, left);
});

test('wherever a compression was cut off, what was written is read once', async () => {
  using stored = new Stored();
  stored.retention = { ...endless, compress: true };
  const text = numbered(0, 30_000);
  await stored.run(1, text);
  const [raw, compressed] = [stored.file('1.r1.i1.stdout'), stored.file('1.r1.i1.stdout.zst')];
  copyFileSync(raw, `${raw}.copy`);
  await stored.store.sweep();
  const expected = text.trimEnd().split('\n');
  // Both are there: it ended before the raw file was removed.
  copyFileSync(`${raw}.copy`, raw);
  stored.restart();
  assert.deepEqual(texts((await stored.store.query('web', all)).lines), expected);
  assert.ok(existsSync(raw) && !existsSync(compressed));
  // It ended while the compressed file was being written.
  writeFileSync(`${compressed}.new`, 'half');
  stored.restart();
  assert.deepEqual(texts((await stored.store.query('web', all)).lines), expected);
  assert.ok(!existsSync(`${compressed}.new`));
  await stored.store.sweep();
  assert.ok(!existsSync(raw) && existsSync(compressed));
  assert.deepEqual(texts((await stored.store.query('web', all)).lines), expected);
});

test('what a removal left that was cut off is cleared away', async () => {
  using stored = new Stored();
  await stored.run(1, 'one\n');
  await stored.run(2, 'two\n');
  rmSync(stored.file('1.r1.i1.stdout'));
  rmSync(stored.file('1.r1.i1.stderr'));
  stored.restart();
  assert.deepEqual(texts((await stored.store.query('web', all)).lines), ['two']);
  assert.deepEqual(
    readdirSync(stored.file('.')).filter((name) => name.startsWith('1.')),
    [],
  );
});

test('what is still written to by somebody after its end is not compressed away', async () => {
  using stored = new Stored();
  await stored.run(1, numbered(0, 20_000));
  stored.retention = { ...endless, compress: true };
  const sweeping = stored.store.sweep();
  appendFileSync(stored.file('1.r1.i1.stdout'), 'late\n');
  await sweeping;
  assert.equal((await stored.store.query('web', { lines: 1 })).lines[0]?.line, 'late');
});

test('closing does not wait for a compression, which leaves what was there', async () => {
  using stored = new Stored();
  await stored.run(1, numbered(0, 200_000));
  stored.retention = { ...endless, compress: true };
  const sweeping = stored.store.sweep();
  await until('it has begun', () => existsSync(stored.file('1.r1.i1.stdout.zst.new')));
  stored.store.close();
  await sweeping;
  assert.deepEqual(kept(stored), ['1.r1.i1.stderr', '1.r1.i1.stdout']);
  assert.deepEqual(stored.problems, []);
});

test('a log that somebody removes under its process is told once, and the next run has one again', async () => {
  using stored = new Stored();
  const live = stored.store.open('web', 1, { release: 1, instance: 1 });
  rmSync(stored.file('.'), { recursive: true });
  spawnSync('sh', ['-c', 'echo lost'], { stdio: ['ignore', live.stdout, 'ignore'] });
  await until('it is told', () => stored.problems.length > 0);
  spawnSync('sh', ['-c', 'echo lost; echo again'], { stdio: ['ignore', live.stdout, 'ignore'] });
  assert.deepEqual((await stored.store.query('web', all)).lines, []);
  await live.close();
  await stored.run(2, 'here\n');
  assert.deepEqual(texts((await stored.store.query('web', all)).lines), ['here']);
  assert.equal(stored.problems.length, 1);
  assert.match(stored.problems[0] ?? '', /the log of "web" was removed by somebody else/);
});

test('a log that is gone when a service is taken up is told of', async () => {
  using stored = new Stored();
  const live = stored.begin(1, 'lost\n');
  stored.store.close();
  rmSync(stored.file('.'), { recursive: true });
  stored.restart();
  const adopted = stored.store.adopt('web', 1, { release: 1, instance: 1 });
  assert.deepEqual(stored.problems, [
    'the log of "web" is gone; what it writes is lost until it is started again',
  ]);
  await adopted.close();
  await live.close();
});

test('where nobody can say what is to be kept, that is told, and nothing is removed', async () => {
  using stored = new Stored();
  await stored.run(1, numbered(0, 100));
  stored.store.close();
  const problems: string[] = [];
  const store = new LogStore({
    directory: stored.file('..'),
    retentionOf: () => {
      throw new Error('the disk does not answer');
    },
    maxBytes: () => 1e12,
    onProblem: (message) => problems.push(message),
  });
  await store.sweep();
  assert.match(problems.join(), /^the logs of "web" cannot be trimmed: the disk does not answer/);
  assert.equal((await store.query('web', all)).lines.length, 100);
  store.close();
});

test('a log that somebody empties breaks nothing', async () => {
  using stored = new Stored();
  const live = stored.begin(1, numbered(0, 100));
  const { after } = await stored.store.query('web', { lines: 1 });
  writeFileSync(stored.file('1.r1.i1.stdout'), '');
  appendFileSync(stored.file('1.r1.i1.stdout'), 'again\n');
  assert.deepEqual(texts((await stored.store.query('web', all)).lines), ['again']);
  assert.deepEqual((await stored.store.query('web', all, { after: parseCursor(after) })).lines, []);
  appendFileSync(stored.file('1.r1.i1.stdout'), 'and again\n');
  await live.close();
  assert.deepEqual(texts((await stored.store.query('web', all)).lines), ['again', 'and again']);
});

test('on a full disk the service writes on as far as it can, the missing time is told once, and comes back by itself', {
  skip: process.getuid?.() === 0 ? false : 'mounting a small disk needs root',
}, async () => {
  using stored = new Stored();
  stored.store.close();
  const directory = stored.file('..');
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', directory]).status, 0);
  try {
    stored.restart();
    const live = stored.begin(1, 'first\n');
    spawnSync('sh', ['-c', `cat /dev/zero > ${directory}/ballast`]);
    // The index has room left in its last page: it is filled until there is none, and not even a whole stamp fits.
    const index = stored.file('1.r1.i1.index');
    stored.store.close();
    appendFileSync(index, Buffer.alloc(4_096 - 10 - statSync(index).size));
    stored.restart();
    const adopted = stored.store.adopt('web', 1, { release: 1, instance: 1 });
    appendFileSync(stored.file('1.r1.i1.stdout'), 'more\n');
    await until('it is told', () => stored.problems.length > 0);
    assert.match(stored.problems[0] ?? '', /the time of lines of "web" cannot be noted/);
    assert.deepEqual(texts((await stored.store.query('web', all)).lines), ['first', 'more']);
    rmSync(`${directory}/ballast`);
    await until('it is told that it goes on', () =>
      stored.problems.some((message) => /noted again/.test(message)),
    );
    assert.equal(stored.problems.length, 2, stored.problems.join('\n'));
    assert.equal(statSync(index).size % 24, 0);
    await adopted.close();
    await live.close();
  } finally {
    stored.store.close();
    spawnSync('umount', [directory]);
  }
});
