import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ticks } from '../../src/health/ticks.ts';
import { until } from '../helpers/system.ts';

test('what is due at about the same time shares a tick, never before its time', async () => {
  const ticks = new Ticks();
  const called: { time: number; at: number }[] = [];
  const now = performance.now();
  const times = Array.from({ length: 100 }, (_, at) => now + at * 5);
  for (const time of times) ticks.at(time, 2_000, () => called.push({ time, at: performance.now() }));
  await until('all were called', () => called.length === 100);
  assert.ok(called.every(({ time, at }) => at >= time - 1));
  const wakeUps = called.filter(({ at }, index) => at - (called[index - 1]?.at ?? 0) > 5).length;
  assert.ok(wakeUps <= 8, `${wakeUps} times`);
});

test('what was called off is not called, and what shares its tick is', async () => {
  const ticks = new Ticks();
  const called: string[] = [];
  const time = performance.now() + 20;
  ticks.at(time, 1_000, () => called.push('kept'));
  const callOff = ticks.at(time, 1_000, () => called.push('called off'));
  callOff();
  callOff();
  const alone = ticks.at(time + 500, 1_000, () => called.push('alone'));
  alone();
  ticks.at(time + 500, 1_000, () => called.push('anew'));
  await until('the others were called', () => called.length === 2);
  assert.deepEqual(called, ['kept', 'anew']);
});

test('a time that has passed is called at once', async () => {
  const ticks = new Ticks();
  let called = false;
  ticks.at(performance.now() - 10_000, 1_000, () => {
    called = true;
  });
  await until('it was called', () => called);
});
