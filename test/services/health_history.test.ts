import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { openDatabase } from '../../src/lib/database.ts';
import { HealthHistory, type ProbeFact } from '../../src/services/health_history.ts';
import { migrations } from '../../src/services/schema.ts';

const midnight = Date.parse('2026-01-31T00:00:00.000Z');
const ten = 10_000;

function databaseWith(t: TestContext, ...services: string[]): DatabaseSync {
  const folder = mkdtempSync(join(tmpdir(), 'davit-health-'));
  const { database } = openDatabase({
    file: join(folder, 'davit.db'),
    backups: join(folder, 'b'),
    migrations,
  });
  t.after(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });
  for (const id of services) database.prepare('INSERT INTO services VALUES (?, ?)').run(id, '{}');
  return database;
}

function fact(at: number, others: Partial<ProbeFact> = {}): ProbeFact {
  const { success = true } = others;
  return {
    service: 'web',
    instance: 1,
    started_at: midnight,
    kind: 'liveness',
    at: midnight + at,
    success,
    verdict: success ? 'healthy' : 'unhealthy',
    message: success ? 'answered 200' : 'answered 503',
    duration_ms: 5,
    ...others,
  };
}

const all = { service: 'web', limit: 1_000 };

test('outcomes that are alike are one entry, with how long they took', (t) => {
  const history = new HealthHistory(databaseWith(t, 'web'), assert.fail);
  [4, 2, 6.04].forEach((duration_ms, at) => {
    history.record(fact(at * ten, { duration_ms }));
  });
  history.record(fact(3 * ten, { success: false }));
  history.record(fact(4 * ten));
  const shown = history.list(all);
  assert.deepEqual(shown[0], {
    instance: 1,
    kind: 'liveness',
    success: true,
    verdict: 'healthy',
    message: 'answered 200',
    first_at: '2026-01-31T00:00:00.000Z',
    last_at: '2026-01-31T00:00:20.000Z',
    count: 3,
    duration_ms: { shortest: 2, mean: 4, longest: 6 },
  });
  assert.deepEqual(
    shown.map(({ success, count }) => [success, count]),
    [
      [true, 3],
      [false, 1],
      [true, 1],
    ],
  );
});

test('an entry goes on growing after it was written', (t) => {
  const database = databaseWith(t, 'web');
  const history = new HealthHistory(database, assert.fail);
  for (let at = 0; at < 5; at++) {
    history.record(fact(at * ten));
    assert.equal(history.list(all)[0]?.count, at + 1);
  }
  history.record(fact(5 * ten));
  history.close();
  assert.equal(new HealthHistory(database, assert.fail).list(all)[0]?.count, 6);
});

test('another verdict, process, probe, failure or quarter of an hour is an entry of its own', (t) => {
  const history = new HealthHistory(databaseWith(t, 'web'), assert.fail);
  const facts = [
    fact(0, { verdict: 'unknown' }),
    fact(1),
    fact(2, { started_at: midnight + 2 }),
    fact(3, { kind: 'readiness', started_at: midnight + 2 }),
    fact(4, { instance: 2 }),
    fact(5, { success: false, started_at: midnight + 2 }),
    fact(6, { success: false, started_at: midnight + 2, message: 'was refused' }),
    fact(901_000, { instance: 2 }),
  ];
  for (const each of facts) history.record(each);
  assert.equal(history.list(all).length, facts.length);
});

test('successes are alike whatever they say; the last of it is kept', (t) => {
  const history = new HealthHistory(databaseWith(t, 'web'), assert.fail);
  history.record(fact(0, { message: 'first' }));
  history.record(fact(1, { message: 'second' }));
  assert.deepEqual(
    history.list(all).map(({ count, message }) => [count, message]),
    [[2, 'second']],
  );
});

test('what was said at a time, by an instance or by one kind of probe can be asked for', (t) => {
  const history = new HealthHistory(databaseWith(t, 'web', 'other'), assert.fail);
  const hour = 3_600_000;
  for (let at = 0; at < 24; at++) history.record(fact(at * hour, { success: at !== 3 }));
  history.record(fact(5, { kind: 'readiness' }));
  history.record(fact(5, { instance: 2 }));
  history.record(fact(5, { service: 'other' }));
  const at = (from: number, to: number) =>
    history.list({ ...all, since: midnight + from * hour, until: midnight + to * hour });
  assert.deepEqual(
    at(2.5, 3.5).map(({ message }) => message),
    ['answered 503'],
  );
  assert.equal(history.list({ ...all, kind: 'readiness' }).length, 1);
  assert.equal(history.list({ ...all, instance: 2 }).length, 1);
  assert.equal(history.list({ service: 'other', limit: 10 }).length, 1);
  assert.deepEqual(
    history.list({ ...all, limit: 2, kind: 'liveness', instance: 1 }).map(({ first_at }) => first_at),
    ['2026-01-31T22:00:00.000Z', '2026-01-31T23:00:00.000Z'],
  );
});

test('the newest 5000 entries of a service are kept', (t) => {
  const history = new HealthHistory(databaseWith(t, 'web', 'other'), assert.fail);
  history.record(fact(0, { service: 'other' }));
  for (let at = 0; at < 6_000; at++) {
    history.record(fact(at, { success: at % 2 === 0 }));
    if (at % 500 === 499) history.flush();
  }
  const shown = history.list({ ...all, limit: 10_000 });
  assert.equal(shown.length, 5_000);
  assert.equal(shown.at(-1)?.first_at, '2026-01-31T00:00:05.999Z');
  assert.equal(history.list({ service: 'other', limit: 10 }).length, 1);
});

test('a service takes its history with it, and one of the same name begins anew', (t) => {
  const database = databaseWith(t, 'web');
  const history = new HealthHistory(database, assert.fail);
  history.record(fact(0));
  history.flush();
  database.exec(`DELETE FROM services WHERE id = 'web'`);
  history.record(fact(1));
  assert.deepEqual(history.list(all), []);
  history.record(fact(2));
  history.forget('web');
  database.exec(`INSERT INTO services VALUES ('web', '{}')`);
  history.record(fact(3));
  assert.deepEqual(
    history.list(all).map(({ count }) => count),
    [1],
  );
});

test('a history that cannot be written is reported, and goes on', (t) => {
  const database = databaseWith(t, 'web');
  const problems: string[] = [];
  const history = new HealthHistory(database, (message) => problems.push(message));
  database.exec('PRAGMA query_only = ON');
  history.record(fact(0));
  history.flush();
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /^1 entries of the health history cannot be written: /);
  database.exec('PRAGMA query_only = OFF');
  history.record(fact(1));
  assert.deepEqual(
    history.list(all).map(({ count }) => count),
    [2],
  );
});
