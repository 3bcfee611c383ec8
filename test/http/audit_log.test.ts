import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import type { AuditRecord } from '../../src/contract/audit.ts';
import { AuditLog } from '../../src/http/audit_log.ts';
import type { AuditQuery } from '../../src/http/audit_query.ts';

let folder: string;
let file: string;
let problems: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-audit-'));
  file = join(folder, 'audit.jsonl');
  problems = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (sizes: { fileSize?: number; keptFiles?: number } = {}) =>
  new AuditLog({ file, onProblem: (message) => problems.push(message), ...sizes });

const record = (index: number, service = 'web'): AuditRecord => ({
  time: '2026-01-01T00:00:00.000Z',
  request_id: `r${index}`,
  actor: 'key:a',
  actor_name: 'ci',
  address: '127.0.0.1',
  action: 'deployService',
  service,
  http_status: 200,
  code: null,
  trace_id: null,
});

const list = async (log: AuditLog, query: AuditQuery) => (await log.list(query)).records;
const ids = (records: readonly AuditRecord[]) => records.map(({ request_id }) => request_id);
const written = (name = file) => readFileSync(name, 'utf8').trimEnd().split('\n');

test('records are lines of JSON, in order, for the owner only', async () => {
  const log = open();
  for (let index = 0; index < 2500; index++) log.append(record(index));
  await log.close();
  assert.deepEqual(
    written().map((line) => JSON.parse(line)),
    Array.from({ length: 2500 }, (_, index) => record(index)),
  );
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('the newest are listed, oldest first, also those not yet written, also of one service', async () => {
  const log = open();
  for (let index = 0; index < 10; index++) log.append(record(index, index % 2 ? 'api' : 'web'));
  assert.deepEqual(ids(await list(log, { limit: 3 })), ['r7', 'r8', 'r9']);
  assert.deepEqual(ids(await list(log, { limit: 3, service: 'web' })), ['r4', 'r6', 'r8']);
  assert.equal((await list(log, { limit: 1000 })).length, 10);
  assert.deepEqual(await list(log, { limit: 1000, service: 'w' }), []);
  await log.close();
  assert.deepEqual(await list(open(), { limit: 1 }), [record(9, 'api')]);
});

test('what was written before is kept, and half a line of an agent that was killed spoils no other', async () => {
  appendFileSync(file, `${JSON.stringify(record(1))}\n{"time":"2026`);
  const log = open();
  log.append(record(2));
  await log.flush();
  assert.equal(written()[1], '{"time":"2026');
  assert.deepEqual(ids(await list(log, { limit: 10 })), ['r1', 'r2']);
  await log.close();
});

test('full files move on, and the oldest goes', async () => {
  const line = JSON.stringify(record(10)).length + 1;
  const log = open({ fileSize: line * 3, keptFiles: 3 });
  for (let index = 10; index < 30; index++) {
    log.append(record(index));
    await log.flush();
  }
  assert.deepEqual(readdirSync(folder).sort(), ['audit.jsonl', 'audit.jsonl.1', 'audit.jsonl.2']);
  assert.deepEqual(ids(written().map((text) => JSON.parse(text))), ['r28', 'r29']);
  assert.deepEqual(ids(written(`${file}.1`).map((text) => JSON.parse(text))), ['r25', 'r26', 'r27']);
  const all = ids(await list(log, { limit: 1000 }));
  assert.deepEqual(all, ['r22', 'r23', 'r24', 'r25', 'r26', 'r27', 'r28', 'r29']);
  await log.close();
});

test('listing while files move on shows each record once and leaves none out', async () => {
  const line = JSON.stringify(record(1000)).length + 1;
  const log = open({ fileSize: line * 50, keptFiles: 100 });
  for (let index = 1000; index < 1500; index++) log.append(record(index));
  await log.flush();
  const lists: Promise<AuditRecord[]>[] = [];
  for (let index = 1500; index < 2500; index++) {
    log.append(record(index));
    if (index % 50 === 0) lists.push(list(log, { limit: 300 }));
    if (index % 10 === 0) await log.flush();
  }
  for (const found of await Promise.all(lists)) {
    const numbers = found.map(({ request_id }) => Number(request_id.slice(1)));
    const first = numbers[0] ?? 0;
    assert.deepEqual(
      numbers,
      Array.from({ length: 300 }, (_, index) => first + index),
    );
  }
  await log.close();
});

test('a file that cannot be written is told of once, and nothing is lost when it can be again', async () => {
  mkdirSync(file);
  const log = open();
  for (let index = 0; index < 5; index++) {
    log.append(record(index));
    await log.flush();
  }
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /audit\.jsonl cannot be written, and waits: .*EISDIR/);
  rmdirSync(file);
  await log.flush();
  assert.equal(written().length, 5);
  assert.match(problems[1] ?? '', /is written again; no record was lost/);
  log.append(record(5));
  await log.close();
  assert.equal(written().length, 6);
  assert.equal(problems.length, 2);
});

test('records that no room is left for are counted', async () => {
  mkdirSync(file);
  const log = open();
  log.append(record(0));
  await log.flush();
  for (let index = 1; index < 10_010; index++) log.append(record(index));
  rmdirSync(file);
  await log.flush();
  assert.equal(written().length, 10_000);
  assert.match(problems[1] ?? '', /10 records were lost/);
  await log.close();
});

test('it is tried again by itself', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  mkdirSync(file);
  const log = open();
  log.append(record(0));
  await log.flush();
  rmdirSync(file);
  t.mock.timers.tick(5000);
  t.mock.timers.reset();
  await log.flush();
  assert.equal(written().length, 1);
  await log.close();
});

test('a symbolic link is not written through', async () => {
  const victim = join(folder, 'victim');
  writeFileSync(victim, '');
  symlinkSync(victim, file);
  const log = open();
  log.append(record(0));
  await log.close();
  assert.equal(readFileSync(victim, 'utf8'), '');
  assert.match(problems[0] ?? '', /ELOOP/);
});

test('a full disk takes half a line, and the rest of it later', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async (t) => {
  const run = promisify(execFile);
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'tmpfs', disk]);
  } catch {
    return t.skip('cannot mount');
  }
  try {
    file = join(disk, 'audit.jsonl');
    writeFileSync(join(disk, 'filler'), Buffer.alloc(40_000));
    const log = open();
    for (let index = 0; index < 500; index++) log.append(record(index));
    await log.flush();
    assert.match(problems[0] ?? '', /ENOSPC/);
    assert.notEqual(readFileSync(file, 'utf8').at(-1), '\n');
    rmSync(join(disk, 'filler'));
    writeFileSync(join(disk, 'filler'), '');
    await log.flush();
    assert.match(problems.at(-1) ?? '', /ENOSPC|written again/);
    await log.close();
    for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) JSON.parse(line);
  } finally {
    await run('umount', [disk]);
    assert.ok(existsSync(disk));
  }
});

test('a record of before there were traces and names is read, as of none', async () => {
  const { trace_id, actor_name: _, ...older } = record(1);
  writeFileSync(file, `${JSON.stringify(older)}\n`);
  const log = open();
  log.append({ ...record(2), trace_id: '4bf92f3577b34da6a3ce929d0e0e4736' });
  assert.deepEqual(
    (await list(log, { limit: 10 })).map((each) => each.trace_id),
    [trace_id, '4bf92f3577b34da6a3ce929d0e0e4736'],
  );
  await log.close();
});
