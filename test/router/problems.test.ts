import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problems } from '../../src/router/problems.ts';

function problemsAt() {
  const world = { now: 0, told: [] as string[] };
  const problems = new Problems({ onNew: (message) => world.told.push(message), now: () => world.now });
  return { world, problems };
}

test('a problem is told once as long as it goes on, and again when it comes back', () => {
  const { world, problems } = problemsAt();
  for (let second = 0; second < 300; second++) {
    world.now = second * 1_000;
    problems.tell('the port is taken');
  }
  assert.deepEqual(world.told, ['the port is taken']);
  world.now += 61_000;
  assert.deepEqual(problems.recent, []);
  problems.tell('the port is taken');
  assert.equal(world.told.length, 2);
});

test('however many different problems there are, few are told and remembered', () => {
  const { world, problems } = problemsAt();
  for (let count = 0; count < 10_000; count++) problems.tell(`client ${count} is odd`);
  assert.equal(world.told.length, 20);
  assert.equal(problems.recent.length, 21);
  assert.equal(problems.recent.at(-1), '9980 more problems were not told');
  world.now = 61_000;
  problems.tell('another one');
  assert.deepEqual(problems.recent, ['another one']);
});
