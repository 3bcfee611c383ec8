import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LineOutput } from '../../src/router/line_output.ts';
import { until } from '../helpers/system.ts';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'davit-lines-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function open(t: TestContext, file: string, flags: string | number): number {
  const descriptor = openSync(file, flags);
  t.after(() => closeSync(descriptor));
  return descriptor;
}

/** A pipe that is full as soon as nobody reads, from its two ends. */
function pipe(t: TestContext) {
  const file = join(folderOf(t), 'pipe');
  execFileSync('mkfifo', [file]);
  const reader = open(t, file, constants.O_RDONLY | constants.O_NONBLOCK);
  // As whoever starts a process gives it one: what is written waits.
  const writer = open(t, file, constants.O_WRONLY);
  return { reader, writer };
}

/** All that is in a pipe now. */
function readAll(reader: number): string {
  const buffer = Buffer.alloc(65_536);
  let text = '';
  try {
    for (let length = readSync(reader, buffer); length > 0; length = readSync(reader, buffer))
      text += buffer.toString('latin1', 0, length);
  } catch {
    // There is no more for now.
  }
  return text;
}

test('lines reach a file in their order, soon and when they are many', async (t) => {
  const file = join(folderOf(t), 'lines');
  const output = new LineOutput({ descriptor: open(t, file, 'a'), onProblem: assert.fail });
  output.write('first\n');
  await until('the first is there', () => readFileSync(file, 'utf8') === 'first\n');
  let expected = 'first\n';
  for (let each = 0; each < 20_000; each++) {
    const line = `line ${each}\n`;
    expected += line;
    output.write(line);
  }
  await output.flush();
  assert.equal(readFileSync(file, 'utf8'), expected);
});

test('a pipe that nobody reads costs lines and no time, and takes them again when somebody does', async (t) => {
  const { reader, writer } = pipe(t);
  const problems: string[] = [];
  const onProblem = (message: string) => void problems.push(message);
  const output = new LineOutput({ descriptor: writer, onProblem, mostWaiting: 100_000 });
  const line = `${'x'.repeat(99)}\n`;
  let told = 0;
  while (problems.length === 0) {
    output.write(line);
    told += 1;
    if (told % 100 === 0) await new Promise(setImmediate);
  }
  for (let each = 0; each < 1_000; each++) output.write(line);
  told += 1_000;
  assert.deepEqual(problems, [
    'the access log cannot be written, and waits: it is not taken as fast as it is written',
  ]);
  let taken = '';
  await until('it is written again', () => {
    taken += readAll(reader);
    return problems.length === 2;
  });
  taken += readAll(reader);
  const [, lost] = /^the access log is written again; (\d+) lines were lost$/.exec(problems[1] ?? '') ?? [];
  assert.ok(Number(lost) >= 1_000);
  const lines = taken.split('\n');
  assert.equal(lines.length - 1, told - Number(lost));
  assert.ok(lines.slice(0, -1).every((each) => `${each}\n` === line));
  // It goes on as before.
  output.write('last\n');
  await until('the last is there', () => {
    taken += readAll(reader);
    return taken.endsWith('last\n');
  });
});

test('a process whose pipe is full ends when it is to', async (t) => {
  const { writer } = pipe(t);
  const program = `
    import { LineOutput } from ${JSON.stringify(join(import.meta.dirname, '../../src/router/line_output.ts'))};
    const output = new LineOutput({ descriptor: 1, onProblem: () => {} });
    for (let each = 0; each < 10000; each++) output.write('x'.repeat(99) + '\\n');
    setTimeout(async () => { await output.flush(); output.flushNow(); }, 100);
  `;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
    stdio: ['ignore', writer, 'inherit'],
  });
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
});

test('a full disk is told once, and what waits is written when there is room again', async () => {
  const problems: string[] = [];
  // What is written to it fails as on a full disk; it stands for a file here.
  const full = openSync('/dev/full', 'w');
  const output = new LineOutput({
    descriptor: full,
    onProblem: (message) => void problems.push(message),
    retryAfter: 5,
    mostWaiting: 20,
  });
  output.write('waits\n');
  await until('it is told', () => problems.length === 1);
  for (let each = 0; each < 5; each++) output.write('lost or not\n');
  await output.flush();
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /^the access log cannot be written, and waits: ENOSPC/);
  closeSync(full);
});

test('what was gathered is there when the process ends at once', (t) => {
  const file = join(folderOf(t), 'lines');
  const output = new LineOutput({ descriptor: open(t, file, 'a'), onProblem: assert.fail });
  output.write('one\n');
  output.write('two\n');
  output.flushNow();
  assert.equal(readFileSync(file, 'utf8'), 'one\ntwo\n');
  output.flushNow();
  assert.equal(readFileSync(file, 'utf8'), 'one\ntwo\n');
});

test('a descriptor that is none is told, and nothing else happens', async () => {
  const problems: string[] = [];
  const output = new LineOutput({ descriptor: 9_999, onProblem: (message) => void problems.push(message) });
  output.write('x\n');
  await until('it is told', () => problems.length === 1);
  output.flushNow();
  assert.match(problems[0] ?? '', /EBADF/);
});
