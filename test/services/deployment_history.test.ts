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
