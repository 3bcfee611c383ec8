import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { LogLine } from '../../src/contract/logs.ts';
import { parseCursor } from '../../src/logs/cursor.ts';
import type { LogQuery } from '../../src/logs/log_query.ts';
import { LogStore } from '../../src/logs/log_store.ts';
import type { Retention } from '../../src/logs/retention.ts';
import { until } from '../helpers/system.ts';

let folder: string;
let problems: string[];
let store: LogStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-logs-'));
  problems = [];
  retention = noLimit;
  quota = 1e12;
  store = newStore();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

const label = { release: 1, instance: 1 };
const noLimit: Retention = { max_bytes: 1e9, max_age_ms: null, max_releases: null, compress: false };
let retention = noLimit;
let quota = 1e12;
const all: LogQuery = { lines: 1_000_000 };

function newStore(): LogStore {
  return new LogStore({
    directory: join(folder, 'logs'),
    retentionOf: () => retention,
    maxBytes: () => quota,
    onProblem: (message) => problems.push(message),
    quietTime: 0,
  });
}

function indexSize(): number {
  return statSync(join(folder, 'logs/web/1.r1.i1.index'), { throwIfNoEntry: false })?.size ?? 0;
}

function texts(lines: readonly LogLine[]): string[] {
  return lines.map(({ line }) => line);
}

function start(script: string, capture: { stdout: number; stderr: number }): ChildProcess {
  const child = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', capture.stdout, capture.stderr] });
  return child;
}

/** Runs a script to its end as a run of the service "web". */
async function run(number: number, script: string, of = label): Promise<void> {
  const capture = store.open('web', number, of);
  await once(start(script, capture), 'exit');
  await capture.close();
}

/** Follows until a line is `enough`, by its text and how many there are, and gives what came. */
async function followed(
  query: LogQuery,
  after: string | null,
  enough: (line: string, count: number) => boolean,
) {
  const abort = new AbortController();
  const seen: LogLine[] = [];
  const reading = (async () => {
    const place = after === null ? null : parseCursor(after);
    for await (const { lines } of store.follow('web', query, place, abort.signal)) {
      for (const line of lines) {
        seen.push(line);
        if (enough(line.line, seen.length)) return;
      }
    }
  })();
  return { seen, reading, end: () => abort.abort() };
}

test('both streams are kept exactly as written, and shown with their names', async () => {
  await run(1, 'printf "one\\r\\ntwo\\n"; printf "bad \\377 byte\\n" >&2; printf "no end"');
  assert.deepEqual(readFileSync(join(folder, 'logs/web/1.r1.i1.stdout'), 'latin1'), 'one\r\ntwo\nno end');
  assert.deepEqual(readFileSync(join(folder, 'logs/web/1.r1.i1.stderr'), 'latin1'), 'bad \xff byte\n');
  const { lines, truncated } = await store.query('web', all);
  const by = (stream: string) => texts(lines.filter((line) => line.stream === stream));
  assert.deepEqual(by('stdout'), ['one', 'two', 'no end']);
  assert.deepEqual(by('stderr'), ['bad \ufffd byte']);
  assert.equal(truncated, false);
});

test('the last lines are given over several runs, oldest first', async () => {
  await run(1, 'echo 1; echo 2');
  await run(2, 'echo 3; echo 4');
  const { lines, truncated } = await store.query('web', { lines: 3 });
  assert.deepEqual(texts(lines), ['2', '3', '4']);
  assert.equal(truncated, true);
  assert.deepEqual(await store.tail('web', 1, 10), ['1', '2']);
});

test('a stream, a level and an expression can be asked for', async () => {
  await run(1, 'echo "ERROR a"; echo "ERROR b" >&2; echo "INFO c"');
  assert.deepEqual(texts((await store.query('web', { ...all, stream: 'stderr' })).lines), ['ERROR b']);
  assert.deepEqual(texts((await store.query('web', { ...all, level: 'error', stream: 'stdout' })).lines), [
    'ERROR a',
  ]);
  assert.deepEqual(texts((await store.query('web', { ...all, grep: ' [bc]$' })).lines).sort(), [
    'ERROR b',
    'INFO c',
  ]);
});

test('lines are found by the time at which they were written', async () => {
  await run(1, 'echo early');
  const middle = Date.now() + 1;
  await until('the clock has moved on', () => Date.now() > middle);
  await run(2, 'echo late');
  assert.deepEqual(texts((await store.query('web', { ...all, until: middle })).lines), ['early']);
  assert.deepEqual(texts((await store.query('web', { ...all, since: middle })).lines), ['late']);
});

test('time tells apart what one run wrote before and after', async () => {
  const next = store.open('web', 1, label);
  writeSync(next.stdout, 'early\n');
  await until('the first line is stamped', () => indexSize() > 24);
  const middle = Date.now();
  await until('the clock has moved on', () => Date.now() > middle + 5);
  writeSync(next.stdout, 'late\n');
  await until('the second line is stamped', () => indexSize() > 48);
  assert.deepEqual(texts((await store.query('web', { lines: 1, since: middle + 1 })).lines), ['late']);
  assert.deepEqual(texts((await store.query('web', { lines: 1, until: middle + 1 })).lines), ['early']);
  await next.close();
});

test('200,000 lines that are followed while they are written come whole, in order, and once', async () => {
  const capture = store.open('web', 1, label);
  const last = 'line 200000';
  const { seen, reading } = await followed(all, null, (line) => line === last);
  const child = start('seq -f "line %.0f" 200000', capture);
  await Promise.all([once(child, 'exit'), reading]);
  await capture.close();
  assert.deepEqual(
    texts(seen),
    Array.from({ length: 200_000 }, (_, n) => `line ${n + 1}`),
  );
});

test('a follower sees the next run, too, and the end of a line that had none', async () => {
  await run(1, 'echo before');
  const { seen, reading } = await followed(all, null, (line) => line === 'third');
  await run(2, 'echo second; printf unfinished');
  await run(3, 'echo third');
  await reading;
  assert.deepEqual(texts(seen), ['before', 'second', 'unfinished', 'third']);
});

test('a cursor goes on after its line, also for another store, as after a restart of the agent', async () => {
  await run(1, 'seq 10; seq 11 20 >&2');
  const { lines } = await store.query('web', all);
  for (const position of [0, 7, 12, 19]) {
    store.close();
    store = newStore();
    const rest = lines.length - position - 1;
    const { seen, reading, end } = await followed(
      all,
      lines[position]?.cursor ?? '',
      (_, count) => count === rest,
    );
    if (rest > 0) await reading;
    end();
    assert.deepEqual(texts(seen), texts(lines.slice(position + 1)));
  }
});

test('what is no cursor is refused', () => {
  for (const text of [
    '',
    '1',
    '1.2',
    '1.2.3.4',
    'a.b.c',
    '-1.0.0',
    '1.2.99999999999999999',
    '1.0.0_',
    '2.0.0_1.0.0',
    '1.0.0_1.0.0',
  ]) {
    assert.throws(() => parseCursor(text), { code: 'invalid_request' }, text);
  }
});

test('a line without end is cut into pieces and does not fill the memory', async () => {
  await run(1, 'head -c 3000000 /dev/zero | tr "\\0" x; echo; echo after');
  const { lines } = await store.query('web', all);
  assert.equal(lines.at(-1)?.line, 'after');
  assert.equal(
    lines.reduce((sum, { line }) => sum + line.length, 0),
    3_000_000 + 5,
  );
  assert.ok(lines.every(({ line }) => line.length <= 65_536));
});

test('a run whose process outlived the agent is taken up with nothing missing', async () => {
  const capture = store.open('web', 1, label);
  const child = start('echo 1; read line; echo 2', capture);
  store.close();
  store = newStore();
  const adopted = store.adopt('web', 1, label);
  const { seen, reading } = await followed(all, null, (line) => line === '3');
  await once(child, 'exit');
  spawn('/bin/sh', ['-c', `echo 3 >> ${join(folder, 'logs/web/1.r1.i1.stdout')}`]);
  await reading;
  await adopted.close();
  assert.deepEqual(texts(seen), ['1', '2', '3']);
});

test('the oldest runs go first when a service keeps too much', async () => {
  for (let number = 1; number <= 5; number++) await run(number, 'head -c 400000 /dev/zero | tr "\\0" x');
  retention = { ...noLimit, max_bytes: 1_000_000 };
  const capture = store.open('web', 6, label);
  await store.sweep();
  assert.ok(!existsSync(join(folder, 'logs/web/2.r1.i1.stdout')));
  assert.ok(existsSync(join(folder, 'logs/web/5.r1.i1.stdout')));
  await capture.close();
});

test('the head of a running run is given back without its process or its readers noticing', async (t) => {
  if (process.platform !== 'linux') return t.skip('it takes the holes of Linux file systems');
  retention = { ...noLimit, max_bytes: 1_000_000 };
  const capture = store.open('web', 1, label);
  const child = start('seq -f "line %020.0f" 200000; read forever < /dev/zero', capture);
  const file = join(folder, 'logs/web/1.r1.i1.stdout');
  try {
    await until('the run holds less than it wrote', () => {
      const { size, blocks } = statSync(file);
      return size === 5_200_000 && blocks * 512 < 1_500_000;
    });
    const { lines } = await store.query('web', all);
    assert.equal(lines.at(-1)?.line, 'line 00000000000000200000');
    const numbers = lines.map(({ line }) => Number(line.split(' ')[1]));
    // The first may be the rest of a line whose head is gone.
    const [first = 0] = numbers.slice(1);
    assert.deepEqual(
      numbers.slice(1),
      Array.from({ length: 200_001 - first }, (_, n) => first + n),
    );
    assert.deepEqual(problems, []);
  } finally {
    child.kill('SIGKILL');
    await capture.close();
  }
});

test('no name leads out of the folder, and a link in the place of a folder or file is refused', async () => {
  for (const name of ['..', '../web', 'a/b', '', '.hidden']) {
    assert.throws(() => store.open(name, 1, label), { code: 'invalid_request' }, name);
  }
  mkdirSync(join(folder, 'elsewhere'));
  symlinkSync(join(folder, 'elsewhere'), join(folder, 'logs/linked'));
  assert.throws(() => store.open('linked', 1, label), { code: 'storage_unavailable' });
  mkdirSync(join(folder, 'logs/file'));
  writeFileSync(join(folder, 'target'), '');
  symlinkSync(join(folder, 'target'), join(folder, 'logs/file/1.r1.i1.stdout'));
  assert.throws(() => store.open('file', 1, label));
});

test('removing a service removes all of its output', async () => {
  await run(1, 'echo 1');
  await store.remove('web');
  assert.equal(existsSync(join(folder, 'logs/web')), false);
  assert.deepEqual((await store.query('web', all)).lines, []);
});

test('a service on a full disk runs without its logs, and that is told', {
  skip: process.getuid?.() === 0 ? false : 'mounting a small disk needs root',
}, async () => {
  const directory = join(folder, 'logs');
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,nr_inodes=8', 'tmpfs', directory]);
  assert.equal(mounted.status, 0, String(mounted.stderr));
  try {
    for (let number = 1; number <= 4; number++) await run(number, 'echo "run $0"; exit 0');
    assert.match(problems.join('\n'), /the output of "web" is lost until it is started again: .*ENOSPC/);
    rmSync(join(directory, 'web'), { recursive: true });
    await run(5, 'echo again');
    assert.deepEqual(texts((await store.query('web', all)).lines), ['again']);
  } finally {
    spawnSync('umount', [directory]);
  }
});
