import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { Event } from '../../src/contract/events.ts';
import { EventLog } from '../../src/services/event_log.ts';
import { migrations } from '../../src/services/schema.ts';

test('who follows is asked about each event once, and gets those that may be seen', async (context) => {
  const database = new DatabaseSync(':memory:');
  for (const migration of migrations) database.exec(migration);
  context.after(() => database.close());
  const events = new EventLog(database, assert.fail);
  const record = (service: string) =>
    events.record({ type: 'service.starting', service, message: 'starts' }).id;
  const asked: number[] = [];
  const visible = ({ id, service }: Event) => {
    asked.push(id);
    return service === 'own';
  };
  for (let n = 0; n < 500; n++) record('other');
  const first = record('own');
  const end = new AbortController();
  const seen = events.follow({ after: 0, limit: 10, visible }, end.signal);
  assert.equal((await seen.next()).value.id, first);
  for (let n = 0; n < 300; n++) record('other');
  const next = seen.next();
  for (let n = 0; n < 5; n++) {
    await new Promise(setImmediate);
    record('other');
  }
  const last = record('own');
  assert.equal((await next).value.id, last);
  assert.deepEqual(
    asked,
    Array.from({ length: last }, (_, n) => n + 1),
  );
  end.abort();
});
