import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rowsSince, searchRows } from '../../src/console/pages/connections/connection_rows.ts';
import type { Connection } from '../../src/contract/connections.ts';

/** As it comes with each answer: an object of its own. */
function connection(id: string, facts: Partial<Connection> = {}): Connection {
  return {
    id,
    protocol: 'websocket',
    client: '10.0.0.1',
    host: 'chat.test',
    path: '/room',
    service: 'chat',
    instance: 1,
    release: 1,
    rule: null,
    active: true,
    started_at: '2026-01-01T00:00:00.000Z',
    last_activity_at: '2026-01-01T00:00:00.000Z',
    bytes_in: 100,
    bytes_out: 200,
    ...facts,
  };
}

test('the rate is what went by since the earlier look, and is not known of a connection that is new', () => {
  const first = rowsSince(null, [connection('r-1')], 1_000);
  assert.deepEqual(
    first.rows.map(({ rate }) => rate),
    [null],
  );
  const moved = connection('r-1', { bytes_in: 500, bytes_out: 1_800 });
  const second = rowsSince(first, [moved, connection('r-2')], 3_000);
  assert.deepEqual(
    second.rows.map(({ rate }) => rate),
    [1_000, null],
  );
  const third = rowsSince(second, [connection('r-1', { bytes_in: 500, bytes_out: 1_800 })], 5_000);
  assert.deepEqual(
    third.rows.map(({ rate }) => rate),
    [0],
  );
});

test('a search finds the rows in which every word stands, wherever', () => {
  const { rows } = rowsSince(
    null,
    [connection('r-1'), connection('r-2', { path: '/feed', client: '10.0.0.2' })],
    0,
  );
  assert.deepEqual(
    searchRows(rows, ' ROOM 10.0 ').map(({ id }) => id),
    ['r-1'],
  );
  assert.equal(searchRows(rows, ' '), rows);
});
