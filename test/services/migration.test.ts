import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { newInstance } from '../../src/services/instance.ts';
import { migrations } from '../../src/services/schema.ts';
import { ServiceStore } from '../../src/services/store.ts';

const process = {
  pid: 11,
  start_ticks: '22',
  boot_id: 'boot',
  main_pid: 12,
  instance_id: 'instance',
  control_group: null,
  release: 2,
  started_at: 33,
};
const last_exit = { return_code: 1, signal: null, at: 5, reason: 'exited', message: 'It exited' };
const common = { created_at: 1, current_release: 2, last_release: 3, runs: 4 };
const first = { release: 1, before: null, actor: 'key:a', is_deployment: true, was_resumed: false };
const next = { ...first, release: 3, before: { release: 2, instance_id: 'instance' } };

/** Services as the first version wrote them. */
const before = {
  running: { ...common, wanted: 'running', state: 'running', process, under_way: null, last_exit: null },
  stopped: { ...common, wanted: 'stopped', state: 'stopped', process: null, under_way: null, last_exit },
  replaced: { ...common, wanted: 'running', state: 'stopping', process, under_way: next, last_exit },
  first: { ...common, wanted: 'stopped', state: 'stopped', process: null, under_way: first, last_exit: null },
} as const;

const rollout = {
  instances: 1,
  cause: null,
  strategy: 'recreate',
  places: [],
  shares: null,
  deployment: null,
} as const;
const underWayNow = {
  running: null,
  stopped: null,
  replaced: { ...next, ...rollout, before: { release: 2, instance_ids: ['instance'] } },
  first: { ...first, ...rollout },
} as const;

test('services of the first version have one instance, and nothing that is known of them is lost', () => {
  const database = new DatabaseSync(':memory:');
  const [initial = '', ...later] = migrations;
  database.exec(initial);
  const insert = database.prepare('INSERT INTO services (id, record) VALUES (?, ?)');
  for (const [id, record] of Object.entries(before)) insert.run(id, JSON.stringify({ id, ...record }));
  for (const migration of later) database.exec(migration);
  const found = new ServiceStore(database, () => {}).services();
  assert.deepEqual(found.map(({ id }) => id).sort(), Object.keys(before).sort());
  for (const service of found) {
    const id = service.id as keyof typeof before;
    const { state, process, last_exit, ...others } = before[id];
    assert.deepEqual(service, {
      id,
      ...others,
      under_way: underWayNow[id],
      scale: null,
      declared_in: null,
      instances: [{ ...newInstance(1), state, process, last_exit, run: 4 }],
    });
  }
});
