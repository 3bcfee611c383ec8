import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CronTime, nextTime, whatIsWrongWith } from '../../src/lib/cron.ts';

/** All times at which it is due between two moments, as a clock in UTC shows them. */
function dueTimes(time: CronTime, from: string, until: string): string[] {
  const found: string[] = [];
  let due = nextTime(time, new Date(from));
  while (due !== null && due <= new Date(until)) {
    found.push(due.toISOString().slice(11, 16));
    due = nextTime(time, due);
  }
  return found;
}

function inBerlin(cron: string): CronTime {
  return { cron, time_zone: 'Europe/Berlin' };
}

// 02:00 becomes 03:00 at 01:00 UTC, so 02:30 does not exist.
const springNight = ['2026-03-28T22:59:59Z', '2026-03-29T03:00:00Z'] as const;
// 03:00 becomes 02:00 at 01:00 UTC, so 02:30 comes at 00:30 UTC and again at 01:30 UTC.
const autumnNight = ['2026-10-24T21:59:59Z', '2026-10-25T03:00:00Z'] as const;

test('a time zone decides which moment is meant', () => {
  const moment = new Date('2026-07-01T00:00:00Z');
  assert.equal(nextTime(inBerlin('0 3 * * *'), moment)?.toISOString(), '2026-07-01T01:00:00.000Z');
  const tokyo = { cron: '0 3 * * *', time_zone: 'Asia/Tokyo' };
  assert.equal(nextTime(tokyo, moment)?.toISOString(), '2026-07-01T18:00:00.000Z');
});

test('six fields begin with the seconds', () => {
  const due = nextTime({ cron: '*/10 * * * * *', time_zone: 'UTC' }, new Date('2026-01-01T00:00:01Z'));
  assert.equal(due?.toISOString(), '2026-01-01T00:00:10.000Z');
});

test('a fixed time that does not exist when clocks are set forward is due right after the gap, once', () => {
  assert.deepEqual(dueTimes(inBerlin('30 2 * * *'), ...springNight), ['01:00']);
  assert.deepEqual(dueTimes(inBerlin('0,30 2 * * *'), ...springNight), ['01:00']);
});

test('a fixed time that comes twice when clocks are set back is due the first time only', () => {
  assert.deepEqual(dueTimes(inBerlin('30 2 * * *'), ...autumnNight), ['00:30']);
  assert.deepEqual(dueTimes(inBerlin('0,30 2 * * *'), ...autumnNight), ['00:00', '00:30']);
});

test('what recurs has nothing in the gap, and goes on through the hour that comes twice', () => {
  assert.deepEqual(dueTimes(inBerlin('*/30 2 * * *'), ...springNight), []);
  assert.deepEqual(dueTimes(inBerlin('*/30 2 * * *'), ...autumnNight), ['00:00', '00:30', '01:00', '01:30']);
  assert.deepEqual(dueTimes(inBerlin('30 * * * *'), ...springNight), ['23:30', '00:30', '01:30', '02:30']);
});

test('what is well formed is not complained about', () => {
  const forms = ['0 3 * * *', '*/5 9-17 * * MON-FRI', '0 0 L * *', '@daily', '@hourly', '30 0 3 * * *'];
  for (const cron of forms) assert.equal(whatIsWrongWith({ cron, time_zone: null }), null, cron);
  assert.equal(whatIsWrongWith({ cron: '0 3 * * *', time_zone: 'UTC' }), null);
});

test('what is wrong with an expression is said in words of its fields', () => {
  const message = (cron: string) => whatIsWrongWith({ cron, time_zone: null })?.message ?? '';
  for (const cron of ['* * * *', '', '* * * * * * 2030', '2030-12-24T18:00:00', 'tomorrow'])
    assert.match(message(cron), /^must have five or six fields, not \d; five such as "0 3/, cron);
  assert.match(message('@bogus'), /^is not one of those that begin with @/);
  assert.match(message('61 * * * *'), /invalid value for minute: 61/);
  assert.match(message('x * * * *'), /^has something in field 1 that cannot stand there/);
  assert.match(message('@reboot'), /^cannot be @reboot/);
  assert.match(message('5-1 * * * *'), /from value is larger than to value/);
});

test('an expression that is never due is wrong', () => {
  for (const cron of ['0 0 31 2 *', '0 0 30 2 *', '59 59 23 31 2,4,6,9,11 *'])
    assert.deepEqual(whatIsWrongWith({ cron, time_zone: 'Europe/Berlin' }), {
      field: 'cron',
      message: 'is never due: no month has such a day',
    });
  assert.equal(whatIsWrongWith({ cron: '0 0 29 2 *', time_zone: null }), null);
});

test('an unknown time zone is wrong, and the one that was meant is named', () => {
  const problem = (time_zone: string) => whatIsWrongWith({ cron: '0 3 * * *', time_zone });
  assert.deepEqual(problem('Europe/Berln'), {
    field: 'time_zone',
    message: 'is not a time zone, such as Europe/Berlin; did you mean "Europe/Berlin"?',
  });
  assert.equal(problem('Nowhere/At/All/Ever')?.message, 'is not a time zone, such as Europe/Berlin');
  assert.match(problem('')?.message ?? '', /must not be empty/);
});
