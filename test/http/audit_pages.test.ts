import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { AuditRecord } from '../../src/contract/audit.ts';
import { AuditLog } from '../../src/http/audit_log.ts';
import { type AuditQuery, fits } from '../../src/http/audit_query.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-audit-pages-'));
  file = join(folder, 'audit.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const begin = Date.UTC(2026, 0);
const minute = 60_000;

/** Record number `index` is of that minute. */
const record = (index: number, fields: Partial<AuditRecord> = {}): AuditRecord => ({
  time: new Date(begin + index * minute).toISOString(),
  request_id: `r${index}`,
  actor: 'key:a',
  actor_name: 'ci',
  address: '127.0.0.1',
  action: 'deployService',
  service: 'web',
  http_status: 200,
  code: null,
  trace_id: null,
  ...fields,
});
const lineSize = JSON.stringify(record(1_000)).length + 1;

const open = (sizes: { fileSize?: number; keptFiles?: number; mostRead?: number } = {}) =>
  new AuditLog({ file, onProblem: (message) => assert.fail(message), ...sizes });

/** Appends records so that files are full when they are as large as they may be. */
async function append(log: AuditLog, records: readonly AuditRecord[], atOnce = 10): Promise<void> {
  for (let at = 0; at < records.length; at += atOnce) {
    for (const each of records.slice(at, at + atOnce)) log.append(each);
    await log.flush();
  }
}

const numbers = (records: readonly AuditRecord[]) =>
  records.map(({ request_id }) => Number(request_id.slice(1)));
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
const all = (from: number, to: number) => range(from, to).map((index) => record(index));

/** Every record of every page, oldest first. */
async function walk(log: AuditLog, query: AuditQuery, between: () => Promise<void> = async () => {}) {
  const found: AuditRecord[] = [];
  let calls = 0;
  for (let before: string | null | undefined; before !== null; ) {
    const page = await log.list({ ...query, before });
    assert.ok(page.records.length <= query.limit);
    found.unshift(...page.records);
    before = page.next;
    calls += 1;
    await between();
  }
  return { found, calls };
}

test('pages lead to the very first record, and the last one says that nothing is older', async () => {
  const log = open();
  await append(log, all(1_000, 1_010));
  const first = await log.list({ limit: 4 });
  assert.deepEqual(numbers(first.records), [1006, 1007, 1008, 1009]);
  const second = await log.list({ limit: 4, before: String(first.next) });
  assert.deepEqual(numbers(second.records), [1002, 1003, 1004, 1005]);
  const third = await log.list({ limit: 4, before: String(second.next) });
  assert.deepEqual(numbers(third.records), [1000, 1001]);
  assert.equal(third.next, null);
  assert.equal((await log.list({ limit: 10 })).next, null, 'also where the page is just full');
  assert.deepEqual(await open().list({ limit: 10, service: 'none' }), { records: [], next: null });
  await log.close();
});

test('a log that is not there yet has one empty page', async () => {
  assert.deepEqual(await open().list({ limit: 10 }), { records: [], next: null });
  writeFileSync(file, '');
  assert.deepEqual(await open().list({ limit: 10 }), { records: [], next: null });
});

test('pages cover every record of all files exactly once, in order, however large they are', async () => {
  const log = open({ fileSize: lineSize * 50, keptFiles: 9 });
  await append(log, all(1_000, 1_333));
  assert.ok(readdirSync(folder).length >= 6);
  for (const limit of [1, 2, 7, 49, 50, 51, 100, 333, 1_000]) {
    const { found } = await walk(log, { limit });
    assert.deepEqual(numbers(found), range(1_000, 1_333), `pages of ${limit}`);
  }
  await log.close();
});

test('what is written and moves on meanwhile is neither shown twice nor makes anything missing', async () => {
  const log = open({ fileSize: lineSize * 50, keptFiles: 50 });
  await append(log, all(1_000, 1_500));
  let next = 1_500;
  const { found } = await walk(log, { limit: 23 }, async () => {
    await append(log, all(next, next + 17));
    next += 17;
  });
  assert.deepEqual(numbers(found), range(1_000, 1_500));
  await log.close();
});

test('a place whose file has gone has nothing before it', async () => {
  const log = open({ fileSize: lineSize * 10, keptFiles: 3 });
  await append(log, all(1_000, 1_030));
  const { next } = await log.list({ limit: 25 });
  assert.notEqual(next, null);
  await append(log, all(1_030, 1_100));
  assert.deepEqual(await log.list({ limit: 25, before: String(next) }), { records: [], next: null });
  const made = await log.list({ limit: 25, before: '0123456789abcdef.7' });
  assert.deepEqual(made, { records: [], next: null });
  await log.close();
});

test('a place outlives the agent, and one in the middle of a line spoils that line alone', async () => {
  const log = open();
  await append(log, all(1_000, 1_010));
  const { next } = await log.list({ limit: 4 });
  await log.close();
  const again = open();
  assert.deepEqual(numbers((await again.list({ limit: 2, before: String(next) })).records), [1004, 1005]);
  const [id, at] = String(next).split('.');
  const within = await again.list({ limit: 2, before: `${id}.${Number(at) - 5}` });
  assert.deepEqual(numbers(within.records), [1003, 1004]);
  const beyond = await again.list({ limit: 2, before: `${id}.999999999` });
  assert.deepEqual(numbers(beyond.records), [1008, 1009]);
  await again.close();
});

test('one call looks through a bounded number of records, and says where to go on', async () => {
  const log = open({ fileSize: lineSize * 50, keptFiles: 20, mostRead: 100 });
  await append(log, [record(1_000, { service: 'rare' }), ...all(1_001, 1_450)]);
  const page = await log.list({ limit: 10, service: 'rare' });
  assert.deepEqual(page.records, []);
  assert.notEqual(page.next, null);
  const { found, calls } = await walk(log, { limit: 10, service: 'rare' });
  assert.deepEqual(numbers(found), [1_000]);
  assert.equal(calls, 5);
  await log.close();
});

test('the search ends where everything is too early, and passes over files that are too late', async () => {
  const log = open({ fileSize: lineSize * 50, keptFiles: 30, mostRead: 100 });
  await append(log, all(1_000, 2_000));
  const since = begin + 1_980 * minute;
  const late = await log.list({ limit: 100, since });
  assert.deepEqual([numbers(late.records), late.next], [range(1_980, 2_000), null]);
  const until = begin + 1_100 * minute;
  const early = await log.list({ limit: 5, until });
  assert.deepEqual(numbers(early.records), range(1_096, 1_101));
  const between = await walk(log, { limit: 7, since: begin + 1_090 * minute, until });
  assert.deepEqual(numbers(between.found), range(1_090, 1_101));
  await log.close();
});

test('a record that came a minute late, as the number of refusals does, is not cut off', async () => {
  const log = open();
  await append(log, [...all(1_000, 1_010), record(1_004), record(1_010)]);
  const found = await walk(log, { limit: 2, since: begin + 1_005 * minute });
  assert.deepEqual(numbers(found.found), range(1_005, 1_011));
  await log.close();
});

test('half lines and what is no record neither stop nor shift pages', async () => {
  const line = (index: number) => `${JSON.stringify(record(index))}\n`;
  writeFileSync(`${file}.1`, `{"time":"2026\n${line(1)}no json\n${line(2)}`);
  appendFileSync(file, `${line(3)}{"half":\n${line(4)}{"time":"20`);
  for (const limit of [1, 2, 3, 10]) {
    assert.deepEqual(numbers((await walk(open(), { limit })).found), [1, 2, 3, 4]);
  }
});

test('random conditions find what a plain filter finds, page by page', async () => {
  let seed = 42;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * below);
  };
  const pick = <T>(values: readonly T[]) => values[random(values.length)] as T;
  const actors = ['key:a', 'key:b', 'jwt:https://ci#deploy', null];
  const actions = ['deployService', 'stopService', 'createKey', 'unknown'];
  const services = ['web', 'api', null];
  const made = range(1_000, 2_000).map((index) =>
    record(index + random(8), {
      request_id: `r${index}`,
      actor: pick(actors),
      action: pick(actions),
      service: pick(services),
      http_status: pick([200, 201, 401, 403, 404, 422, 429, 500, 499]),
    }),
  );
  const log = open({ fileSize: lineSize * 90, keptFiles: 20, mostRead: 150 });
  await append(log, made);
  const maybe = <T>(value: T) => (random(2) === 0 ? value : undefined);
  for (let round = 0; round < 200; round++) {
    const moments = [random(1_000), random(1_000)].sort((a, b) => a - b);
    const query: AuditQuery = {
      limit: 1 + random(60),
      actor: maybe(pick(['a', 'key:b', 'jwt:https://ci#deploy'])),
      actions: maybe([pick(actions), pick(actions)]),
      service: maybe(pick(['web', 'api'])),
      outcome: maybe(pick(['ok', 'refused', 'failed'] as const)),
      since: maybe(begin + (1_000 + (moments[0] ?? 0)) * minute),
      until: maybe(begin + (1_000 + (moments[1] ?? 0)) * minute),
    };
    const expected = made.filter((each) => fits(each, query));
    assert.deepEqual((await walk(log, query)).found, expected, JSON.stringify(query));
  }
  await log.close();
});

test('a record fits by each of its conditions', () => {
  const query = { limit: 1 };
  const of = (fields: Partial<AuditRecord>) => record(0, fields);
  assert.ok(fits(of({}), query));
  assert.ok(fits(of({ actor: 'key:abc' }), { ...query, actor: 'abc' }));
  assert.ok(fits(of({ actor: 'key:abc' }), { ...query, actor: 'key:abc' }));
  assert.ok(!fits(of({ actor: 'key:abc' }), { ...query, actor: 'ab' }));
  assert.ok(!fits(of({ actor: null }), { ...query, actor: 'abc' }));
  assert.ok(!fits(of({ service: null }), { ...query, service: 'web' }));
  for (const [http_status, outcome] of [
    [200, 'ok'],
    [201, 'ok'],
    [401, 'refused'],
    [403, 'refused'],
    [429, 'refused'],
    [404, 'failed'],
    [499, 'failed'],
    [503, 'failed'],
  ] as const) {
    for (const wanted of ['ok', 'refused', 'failed'] as const)
      assert.equal(fits(of({ http_status }), { ...query, outcome: wanted }), wanted === outcome);
  }
  assert.ok(fits(of({}), { ...query, since: begin, until: begin }));
  assert.ok(!fits(of({}), { ...query, since: begin + 1 }));
  assert.ok(!fits(of({}), { ...query, until: begin - 1 }));
});
