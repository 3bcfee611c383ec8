import assert from 'node:assert/strict';
import { mock, type TestContext, test } from 'node:test';
import { CloseSchedule } from '../../src/router/close_schedule.ts';

/** A schedule under a clock of the test, with what it has closed and when. */
function schedule(context: TestContext) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  context.after(() => mock.timers.reset());
  const closed: { connection: number; at: number }[] = [];
  const subject: CloseSchedule<number> = new CloseSchedule<number>({
    close: (connection) => {
      closed.push({ connection, at: Date.now() - 1_000_000 });
      subject.delete(connection);
    },
  });
  const pass = (time: number) => {
    for (let passed = 0; passed < time; passed++) mock.timers.tick(1);
  };
  return { subject, closed, pass };
}

const hundred = Array.from({ length: 100 }, (_, number) => number);

test('nothing is closed before the time', (context) => {
  const { subject, closed, pass } = schedule(context);
  for (const number of hundred) subject.add(number);
  subject.plan({ until: 1_030_000, spread: 5_000 });
  pass(29_999);
  assert.equal(closed.length, 0);
});

test('all are closed within the time, evenly and in no order', (context) => {
  const { subject, closed, pass } = schedule(context);
  for (const number of hundred) subject.add(number);
  subject.plan({ until: 1_030_000, spread: 5_000 });
  pass(35_001);
  assert.equal(closed.length, 100);
  for (let part = 0; part < 10; part++) {
    const here = closed.filter(({ at }) => at >= 30_000 + part * 500 && at < 30_500 + part * 500);
    assert.ok(here.length >= 8 && here.length <= 12, `${here.length} in part ${part}`);
  }
  const order = closed.map(({ connection }) => connection);
  assert.notDeepEqual(order, hundred);
  assert.deepEqual(new Set(order), new Set(hundred));
  assert.equal(subject.size, 0);
});

test('one that ends by itself is not closed', (context) => {
  const { subject, closed, pass } = schedule(context);
  for (const number of hundred) subject.add(number);
  subject.plan({ until: 1_000_010, spread: 1_000 });
  pass(500);
  const left = hundred.filter((number) => !closed.some(({ connection }) => connection === number));
  for (const number of left) subject.delete(number);
  const before = closed.length;
  pass(2_000);
  assert.equal(closed.length, before);
});

test('what is called off closes nothing more', (context) => {
  const { subject, closed, pass } = schedule(context);
  for (const number of hundred) subject.add(number);
  subject.plan({ until: 1_000_000, spread: 1_000 });
  pass(500);
  const before = closed.length;
  assert.ok(before > 0 && before < 100);
  subject.plan(null);
  pass(5_000);
  assert.equal(closed.length, before);
  assert.equal(subject.size, 100 - before);
});

test('one that comes late is closed in what is left of the time, and afterwards at once', (context) => {
  const { subject, closed, pass } = schedule(context);
  subject.plan({ until: 1_000_000, spread: 1_000 });
  pass(500);
  subject.add(1);
  pass(501);
  assert.deepEqual(
    closed.map(({ connection }) => connection),
    [1],
  );
  pass(10_000);
  subject.add(2);
  assert.equal(closed.at(-1)?.connection, 2);
});

test('who hears of it too late still spreads the closes', (context) => {
  const { subject, closed, pass } = schedule(context);
  for (const number of hundred) subject.add(number);
  subject.plan({ until: 900_000, spread: 1_000 });
  assert.ok(closed.length <= 1);
  pass(1_001);
  assert.equal(closed.length, 100);
});

test('without a spread all are closed at the time', (context) => {
  const { subject, closed, pass } = schedule(context);
  for (const number of hundred) subject.add(number);
  subject.plan({ until: 1_000_100, spread: 0 });
  pass(101);
  assert.equal(closed.length, 100);
});

test('a time that lies beyond what a timer can wait is waited for', (context) => {
  const { subject, closed } = schedule(context);
  subject.add(1);
  subject.plan({ until: 1_000_000 + 30 * 86_400_000, spread: 0 });
  for (let day = 0; day < 29; day++) mock.timers.tick(86_400_000);
  assert.equal(closed.length, 0);
  mock.timers.tick(86_400_000);
  mock.timers.tick(10_000);
  assert.equal(closed.length, 1);
});
