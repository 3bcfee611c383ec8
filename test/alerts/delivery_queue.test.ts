import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { DeliveryQueue, mostWaiting } from '../../src/alerts/delivery/delivery_queue.ts';
import { DeliveryStore } from '../../src/alerts/delivery/delivery_store.ts';
import { DeliveryFailure } from '../../src/alerts/notifiers/delivery_failure.ts';
import type { Delivered } from '../../src/alerts/notifiers/notifier.ts';
import type { Notification } from '../../src/contract/alerts.ts';
import { migrations } from '../../src/services/schema.ts';
import { sampleNotification } from '../helpers/notification.ts';
import { until } from '../helpers/system.ts';

const delivered: Delivered = { outcome: 'status 200', answer: '', problem: null };
const busy = () => new DeliveryFailure('it answered 503', { retry: true });
const wrong = () => new DeliveryFailure('it answered 400', { retry: false });

const named = (id: string, group = id) =>
  sampleNotification({ id, title: `title of ${id}`, group: { key: group, rule: 'x', service: null } });

function openMemory(): DatabaseSync {
  const database = new DatabaseSync(':memory:');
  for (const migration of migrations) database.exec(migration);
  return database;
}

interface Setting {
  readonly database?: DatabaseSync;
  readonly deliver?: (notification: Notification, signal: AbortSignal) => Promise<Delivered> | Delivered;
  readonly keep_trying?: number;
  readonly name?: string;
}

/** A queue whose clocks stand still unless a test moves them, and whose waits are as long as they can be. */
function makeQueue({
  database = openMemory(),
  deliver = () => delivered,
  keep_trying = 3_600_000,
  name = 'a',
}: Setting) {
  const problems: string[] = [];
  const failing: (string | null)[] = [];
  const tried: string[] = [];
  const clock = { now: 1_000_000_000_000, steady: 0 };
  const notifier = {
    name,
    deliver: async (notification: Notification, signal: AbortSignal) => {
      tried.push(notification.id);
      return await deliver(notification, signal);
    },
  };
  const queue = new DeliveryQueue({
    notifier,
    keep_trying,
    store: new DeliveryStore({ database, onProblem: (problem) => problems.push(problem) }),
    onFailing: (message) => failing.push(message),
    onProblem: (problem) => problems.push(problem),
    now: () => clock.now,
    steadyNow: () => clock.steady,
    random: () => 1,
  });
  const rows = () => Number(database.prepare('SELECT count(*) AS n FROM deliveries').get()?.['n']);
  return { queue, notifier, problems, failing, tried, clock, rows, database };
}

test('what is posted is delivered in order, and then forgotten', async () => {
  const { queue, tried, rows } = makeQueue({});
  queue.begin();
  for (const id of ['1', '2', '3']) queue.post(named(id, 'same'));
  await until('all are delivered', () => queue.counts.delivered === 3);
  assert.deepEqual([tried, rows(), queue.waiting], [['1', '2', '3'], 0, 0]);
  assert.equal(queue.lastDeliveredAt, 1_000_000_000_000);
});

test('nothing is delivered before it begins', () => {
  const { queue, tried } = makeQueue({});
  queue.post(named('1'));
  assert.deepEqual([tried, queue.waiting], [[], 1]);
});

test('what was not delivered survives the agent, in its order and with its id', async () => {
  const database = openMemory();
  const first = makeQueue({ database, deliver: () => Promise.reject(busy()) });
  first.queue.begin();
  for (const id of ['1', '2']) first.queue.post(named(id, 'same'));
  await until('one was tried', () => first.queue.counts.failed === 1);
  // No close: as after kill -9.
  const second = makeQueue({ database });
  assert.equal(second.queue.waiting, 2);
  second.queue.begin();
  await until('both are delivered', () => second.queue.counts.delivered === 2);
  assert.deepEqual([second.tried, second.rows()], [['1', '2'], 0]);
});

test('a receiver that is busy is tried again after longer and longer, and then all at once', async () => {
  let isBusy = true;
  const { queue, tried, clock, failing } = makeQueue({
    deliver: () => (isBusy ? Promise.reject(busy()) : delivered),
  });
  queue.begin();
  queue.post(named('1', 'same'));
  queue.post(named('2', 'same'));
  await until('it was tried', () => queue.counts.failed === 1);
  assert.deepEqual([queue.lastError, failing], ['it answered 503', ['it answered 503']]);
  // Its timer is of the real clock, and looks at this one.
  clock.steady += 1_000;
  await until('it was tried again', () => queue.counts.failed === 2);
  isBusy = false;
  clock.steady += 2_000;
  await until('both are delivered', () => queue.counts.delivered === 2);
  assert.deepEqual(tried, ['1', '1', '1', '2']);
  assert.deepEqual([queue.lastError, failing.at(-1)], [null, null]);
});

test('what is refused for good is dropped, told and counted, and the next one goes', async () => {
  const { queue, tried, problems, rows } = makeQueue({
    deliver: ({ id }) => (id === '1' ? Promise.reject(wrong()) : delivered),
  });
  queue.begin();
  queue.post(named('1', 'same'));
  queue.post(named('2', 'same'));
  await until('the second is delivered', () => queue.counts.delivered === 1);
  assert.deepEqual(queue.counts, { delivered: 1, failed: 1, dropped: 1 });
  assert.deepEqual([tried, rows()], [['1', '2'], 0]);
  assert.deepEqual(problems, ['notifier "a": it answered 400; not told: title of 1']);
});

test('one that its receiver never takes holds up nothing but its own group', async () => {
  const { queue, tried, clock } = makeQueue({
    deliver: ({ id }) => (id === 'bad' ? Promise.reject(busy()) : delivered),
  });
  queue.begin();
  queue.post(named('bad', 'g'));
  queue.post(named('over', 'g'));
  queue.post(named('other', 'h'));
  await until('the first was tried', () => queue.counts.failed === 1);
  clock.steady += 1_000;
  await until('the other is delivered', () => queue.counts.delivered === 1);
  assert.deepEqual(tried.slice(0, 2), ['bad', 'other']);
  assert.ok(!tried.includes('over'));
});

test('what is too old is dropped after a try, and never without one', async () => {
  const database = openMemory();
  const first = makeQueue({ database });
  first.queue.post(named('1'));
  const { queue, clock, problems, tried } = makeQueue({
    database,
    deliver: () => Promise.reject(busy()),
    keep_trying: 60_000,
  });
  clock.now += 86_400_000;
  queue.begin();
  await until('it is dropped', () => queue.counts.dropped === 1);
  assert.deepEqual(tried, ['1']);
  assert.match(problems[0] ?? '', /too old/);
});

test('a clock that is set back drops nothing', async () => {
  const { queue, clock } = makeQueue({ deliver: () => Promise.reject(busy()), keep_trying: 1_000 });
  queue.post(named('1'));
  clock.now -= 86_400_000;
  queue.begin();
  await until('it was tried', () => queue.counts.failed === 1);
  assert.equal(queue.waiting, 1);
});

test('the receiver says how long it is to be left alone', async () => {
  let asked = 0;
  const { queue, clock, tried } = makeQueue({
    deliver: () => {
      asked += 1;
      if (asked > 1) return delivered;
      throw new DeliveryFailure('it answered 429', { retry: true, retry_after_ms: 5_000 });
    },
  });
  queue.begin();
  queue.post(named('1'));
  await until('it was tried', () => queue.counts.failed === 1);
  clock.steady += 4_999;
  queue.post(named('2'));
  assert.deepEqual(tried, ['1']);
  clock.steady += 1;
  queue.post(named('3'));
  await until('all are delivered', () => queue.counts.delivered === 3);
});

test('of too many the oldest go, and that is told once', () => {
  const { queue, problems, rows } = makeQueue({});
  for (let number = 0; number < mostWaiting + 50; number += 1) queue.post(named(String(number)));
  assert.deepEqual([queue.waiting, queue.counts.dropped, rows()], [mostWaiting, 50, mostWaiting]);
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /too many notifications wait for it; not told: title of 0/);
});

test('what waits is bounded by what it holds too', () => {
  const { queue } = makeQueue({});
  for (let number = 0; number < 30; number += 1)
    queue.post({ ...named(String(number)), title: 'x'.repeat(1_000_000) });
  assert.ok(queue.waiting >= 1 && queue.waiting < 10, String(queue.waiting));
});

test('where the database cannot be written, what waits is kept in memory, and written when it can be', async () => {
  const database = openMemory();
  const { queue, problems, rows, tried } = makeQueue({ database });
  database.exec('PRAGMA query_only = ON');
  for (const id of ['1', '2']) queue.post(named(id, 'same'));
  assert.deepEqual([queue.waiting, rows(), problems.length], [2, 0, 1]);
  assert.match(problems[0] ?? '', /kept in memory/);
  database.exec('PRAGMA query_only = OFF');
  queue.post(named('3', 'same'));
  assert.equal(rows(), 3);
  const stored = database.prepare('SELECT record FROM deliveries ORDER BY id').all();
  assert.deepEqual(
    stored.map(({ record }) => JSON.parse(String(record)).id),
    ['1', '2', '3'],
  );
  queue.begin();
  await until('all are delivered', () => queue.counts.delivered === 3);
  assert.deepEqual([tried, rows()], [['1', '2', '3'], 0]);
});

test('what was delivered while the database could not be written is removed when it can be', async () => {
  const database = openMemory();
  const { queue, rows } = makeQueue({ database });
  queue.post(named('1'));
  database.exec('PRAGMA query_only = ON');
  queue.begin();
  await until('it is delivered', () => queue.counts.delivered === 1);
  assert.equal(rows(), 1);
  database.exec('PRAGMA query_only = OFF');
  queue.post(named('2'));
  await until('both are delivered', () => queue.counts.delivered === 2);
  assert.equal(rows(), 0);
});

test('a record that cannot be read is told and gone, and the others go', async () => {
  const database = openMemory();
  const insert = database.prepare('INSERT INTO deliveries (notifier, posted_at, record) VALUES (?, ?, ?)');
  for (const record of ['{', '{"id":1}', JSON.stringify(named('good'))]) insert.run('a', 1, record);
  const { queue, problems, tried, rows } = makeQueue({ database });
  queue.begin();
  await until('the good one is delivered', () => queue.counts.delivered === 1);
  assert.deepEqual([problems.length, tried, rows()], [2, ['good'], 0]);
});

test('another notifier of the same name delivers what waits, at once', async () => {
  const { queue, tried } = makeQueue({ deliver: () => Promise.reject(busy()) });
  queue.begin();
  queue.post(named('1'));
  await until('it was tried', () => queue.counts.failed === 1);
  const taken: string[] = [];
  const deliver = async ({ id }: Notification) => {
    taken.push(id);
    return delivered;
  };
  queue.use({ name: 'a', deliver }, 1_000);
  await until('it is delivered', () => queue.counts.delivered === 1);
  assert.deepEqual([tried, taken], [['1'], ['1']]);
});

test('a test goes beside what waits, and when it succeeds the rest is tried at once', async () => {
  let isBusy = true;
  const { queue, failing } = makeQueue({ deliver: () => (isBusy ? Promise.reject(busy()) : delivered) });
  queue.begin();
  queue.post(named('1'));
  await until('it was tried', () => queue.counts.failed === 1);
  const signal = new AbortController().signal;
  await assert.rejects(queue.test(named('t'), signal), /503/);
  isBusy = false;
  await queue.test(named('t'), signal);
  await until('it is delivered', () => queue.counts.delivered === 1);
  assert.equal(failing.at(-1), null);
});

test('what is under way when it closes may end, or is ended and kept', async () => {
  const database = openMemory();
  const { queue, rows } = makeQueue({
    database,
    deliver: (_notification, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('ended')))),
  });
  queue.begin();
  queue.post(named('1'));
  await queue.close();
  assert.deepEqual([rows(), queue.counts.failed, queue.waiting], [1, 0, 1]);
  const ending = makeQueue({ deliver: async () => delivered });
  ending.queue.begin();
  ending.queue.post(named('1'));
  await ending.queue.close();
  assert.equal(ending.rows(), 0);
});

test('what is discarded is gone', () => {
  const { queue, rows } = makeQueue({});
  queue.post(named('1'));
  assert.equal(queue.discard(), 1);
  assert.deepEqual([rows(), queue.waiting], [0, 0]);
});
