import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { DeploymentHistory } from '../../src/services/deployment_history.ts';
import { migrations } from '../../src/services/schema.ts';

test('what an earlier agent left has ended, unless it is taken up, and as its release shows', (context) => {
  const database = new DatabaseSync(':memory:');
  for (const migration of migrations) database.exec(migration);
  context.after(() => database.close());
  const before = new DeploymentHistory(database, assert.fail);
  const add = (change: Parameters<typeof before.update>[1]) => {
    const id = before.add({ service: 'web', actor: 'key:a' });
    before.update(id, change);
    return id;
  };
  const over = add({ status: 'running', release: 1 });
  before.end(over, 'failed', 'it did not stay up');
  const done = add({ status: 'running', release: 2 });
  const cut = add({ status: 'baking', release: 3 });
  const takenUp = add({ status: 'running', release: 4 });
  const waiting = add({});
  const next = new DeploymentHistory(database, assert.fail);
  next.endLost(
    (id) => id === takenUp,
    ({ release }) => release === 2,
  );
  const statusOf = (id: number) => next.get('web', id).status;
  assert.deepEqual([over, done, cut, takenUp, waiting].map(statusOf), [
    'failed',
    'succeeded',
    'failed',
    'running',
    'cancelled',
  ]);
  assert.deepEqual(
    next.open('web').map(({ id }) => id),
    [takenUp],
  );
});

test('what cannot be written is known all the same, and is written with the next one that can be', (context) => {
  const database = new DatabaseSync(':memory:');
  for (const migration of migrations) database.exec(migration);
  context.after(() => database.close());
  const problems: string[] = [];
  const history = new DeploymentHistory(database, (problem) => problems.push(problem));
  database.exec(`CREATE TRIGGER full BEFORE INSERT ON deployments BEGIN SELECT RAISE(FAIL, 'no room'); END`);
  const ended = history.add({ service: 'web', actor: 'key:a' });
  history.end(ended, 'failed', 'the disk is full');
  const open = history.add({ service: 'web', actor: 'key:a' });
  assert.equal(history.get('web', ended).cause, 'the disk is full');
  assert.deepEqual(
    history.list('web', 9).map(({ id }) => id),
    [open, ended],
  );
  assert.match(problems[0] ?? '', /cannot be noted: no room/);
  database.exec('DROP TRIGGER full');
  history.update(open, { status: 'running' });
  const next = new DeploymentHistory(database, assert.fail);
  assert.deepEqual(
    next.list('web', 9).map(({ status }) => status),
    ['running', 'failed'],
  );
});
