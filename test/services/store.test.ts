import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { spec } from '../../src/contract/spec.ts';
import { EventLog } from '../../src/services/event_log.ts';
import { Registry } from '../../src/services/registry.ts';
import { migrations } from '../../src/services/schema.ts';
import { ServiceStore } from '../../src/services/store.ts';

test('an event that a service names is written before it, so that an agent that dies leaves no gap', (context) => {
  const database = new DatabaseSync(':memory:');
  for (const migration of migrations) database.exec(migration);
  context.after(() => database.close());
  const events = new EventLog(database, assert.fail);
  const store = new ServiceStore(
    database,
    () => {},
    () => events.flush(),
  );
  const registry = new Registry(store, assert.fail);
  registry.create('web', spec.parse({ command: 'x' }), 'create', 'test');
  const { id } = events.record({ type: 'service.waiting', service: 'web', instance: 1, message: 'waits' });
  registry.advance('web', 1, 'waits', { last_event: id });
  // No turn of the event loop has passed: what is in the database now is what the next agent would find.
  assert.equal(database.prepare('SELECT count(*) AS count FROM events WHERE id = ?').get(id)?.['count'], 1);
  assert.equal(store.services()[0]?.instances[0]?.last_event, id);
});

test('releases that run, or are to run again, are kept as long as that is so', (context) => {
  const database = new DatabaseSync(':memory:');
  for (const migration of migrations) database.exec(migration);
  context.after(() => database.close());
  const registry = new Registry(new ServiceStore(database, () => {}), assert.fail);
  const web = spec.parse({ command: 'x' });
  registry.create('web', web, 'create', 'test');
  const process = {
    pid: 11,
    start_ticks: '22',
    boot_id: 'boot',
    main_pid: 12,
    instance_id: 'instance',
    control_group: null,
    release: 1,
    started_at: 33,
  };
  registry.updateInstance('web', 1, { process });
  const addMany = () => {
    for (let count = 0; count < 150; count++)
      registry.commit('web', { current_release: registry.addRelease('web', web, 'update', 'test') });
  };
  addMany();
  assert.equal(registry.release('web', 1).release, 1);
  assert.throws(() => registry.release('web', 2), { code: 'release_not_found' });
  assert.equal(registry.status('web').restart_required, false);
  registry.updateInstance('web', 1, { process: null });
  addMany();
  assert.throws(() => registry.release('web', 1), { code: 'release_not_found' });
});
