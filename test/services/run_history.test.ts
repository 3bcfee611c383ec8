import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import type { LastExit } from '../../src/services/instance.ts';
import { RunHistory } from '../../src/services/run_history.ts';
import { migrations } from '../../src/services/schema.ts';

function newHistory(context: TestContext) {
  const database = new DatabaseSync(':memory:');
  context.after(() => database.isOpen && database.close());
  database.exec('PRAGMA foreign_keys = ON');
  for (const migration of migrations) database.exec(migration);
  for (const id of ['nightly', 'other']) database.prepare('INSERT INTO services VALUES (?, ?)').run(id, '{}');
  const problems: string[] = [];
  const history = new RunHistory(database, (message) => problems.push(message));
  const runs = (limit = 200) => history.list({ service: 'nightly', limit });
  return { database, history, problems, runs };
}

const base = { service: 'nightly', instance: 1, release: 2, trigger: 'schedule' } as const;
const due = new Date('2026-03-01T03:00:00.000Z');

function exit(change: Partial<LastExit> = {}): LastExit {
  const at = Date.parse('2026-03-01T03:01:00.000Z');
  return { return_code: 0, signal: null, at, reason: 'exited', message: 'It ended well', ...change };
}

test('a run is listed while it runs, and then with how it ended', (context) => {
  const { history, runs } = newHistory(context);
  history.started({ ...base, run: 7, scheduled_for: due });
  const [begun] = runs();
  assert.equal(begun?.outcome, 'running');
  assert.equal(begun?.scheduled_for, due.toISOString());
  assert.equal(begun?.ended_at, null);
  assert.ok(Date.parse(begun?.started_at ?? '') > 0);
  const failed = exit({ return_code: 137, signal: 'SIGKILL', message: 'It was killed' });
  history.ended({ service: 'nightly', instance: 1, run: 7, exit: failed, outcome: 'failed' });
  const [ended] = runs();
  assert.deepEqual(ended, {
    ...begun,
    outcome: 'failed',
    ended_at: '2026-03-01T03:01:00.000Z',
    return_code: 137,
    signal: 'SIGKILL',
    message: 'It was killed',
  });
});

test('the newest run comes first, and each service has its own', (context) => {
  const { history, runs } = newHistory(context);
  for (const run of [1, 2, 3]) history.started({ ...base, run, scheduled_for: null });
  history.started({ ...base, service: 'other', run: 1, scheduled_for: null });
  history.ended({ service: 'nightly', instance: 1, run: 2, exit: exit(), outcome: 'succeeded' });
  assert.deepEqual(
    runs().map(({ outcome }) => outcome),
    ['running', 'succeeded', 'running'],
  );
  assert.equal(runs(2).length, 2);
  assert.equal(history.list({ service: 'other', limit: 9 }).length, 1);
});

test('what is skipped time and again is counted, so that it hides no run', (context) => {
  const { history, runs } = newHistory(context);
  history.started({ ...base, run: 1, scheduled_for: due });
  for (let second = 1; second <= 1_000; second++) {
    const scheduled_for = new Date(due.getTime() + second * 1_000);
    history.noted({ service: 'nightly', scheduled_for, outcome: 'skipped', message: 'one still ran' });
  }
  history.noted({ service: 'nightly', scheduled_for: due, outcome: 'missed', message: 'off', times: 5 });
  const [missed, skipped, run] = runs();
  assert.equal(runs().length, 3);
  assert.deepEqual([missed?.outcome, missed?.times], ['missed', 5]);
  assert.deepEqual([skipped?.outcome, skipped?.times], ['skipped', 1_000]);
  assert.equal(skipped?.scheduled_for, new Date(due.getTime() + 1_000_000).toISOString());
  assert.equal(run?.outcome, 'running');
});

test('a start that failed is noted, but not beside the run that it became', (context) => {
  const { history, runs } = newHistory(context);
  const failed = {
    service: 'nightly',
    scheduled_for: due,
    outcome: 'failed',
    message: 'no such file',
  } as const;
  history.noted(failed);
  history.noted({ ...failed, scheduled_for: new Date(due.getTime() + 1) });
  assert.equal(runs().length, 2);
  history.started({ ...base, run: 1, scheduled_for: new Date(due.getTime() + 2) });
  history.noted({ ...failed, scheduled_for: new Date(due.getTime() + 2) });
  assert.deepEqual(
    runs().map(({ outcome }) => outcome),
    ['running', 'failed', 'failed'],
  );
});

test('the last two hundred are kept', (context) => {
  const { history, runs } = newHistory(context);
  for (let run = 1; run <= 205; run++) history.started({ ...base, run, scheduled_for: null });
  history.started({ ...base, service: 'other', run: 1, scheduled_for: null });
  const ids = history.list({ service: 'nightly', limit: 1_000 }).map(({ id }) => id);
  assert.deepEqual([ids.length, ids[0], ids.at(-1)], [200, 205, 6]);
  assert.equal(runs(1)[0]?.id, 205);
});

test('the history of a service goes with it', (context) => {
  const { database, history, runs } = newHistory(context);
  history.started({ ...base, run: 1, scheduled_for: null });
  database.prepare('DELETE FROM services WHERE id = ?').run('nightly');
  assert.deepEqual(runs(), []);
});

test('what cannot be written is reported and stops nobody', (context) => {
  const { database, history, problems } = newHistory(context);
  database.exec('PRAGMA query_only = ON');
  history.started({ ...base, run: 1, scheduled_for: null });
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /^the history of the runs of "nightly" cannot be written: /);
});
