import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Spec } from '../../src/contract/spec.ts';
import { RouterService, type WantedRouters } from '../../src/traffic/router_service.ts';
import { until } from '../helpers/system.ts';

/** A service of routers, with what was asked for in order. */
function serviceOf(fail: (attempt: number) => boolean = () => false) {
  const state = {
    wanted: null as WantedRouters | null,
    asked: [] as (Spec | 'ended')[],
    problems: [] as string[],
  };
  let attempts = 0;
  const service = new RouterService({
    directory: '/data/router',
    wanted: () => state.wanted,
    keepOwn: async (id, spec) => {
      assert.equal(id, 'davit.router');
      attempts += 1;
      if (fail(attempts)) throw new Error('not ready');
      state.asked.push(spec);
    },
    endOwn: async () => void state.asked.push('ended'),
    onProblem: (problem) => state.problems.push(problem),
  });
  return { state, service };
}

test('routers run as the settings say: as many, each with its time to drain', async () => {
  const { state, service } = serviceOf();
  state.wanted = { processes: 3, drain_timeout: '1.5s' };
  service.look();
  await until('they are there', () => state.asked.length === 1);
  const [spec] = state.asked as [Spec];
  assert.equal(spec.instances, 3);
  assert.deepEqual(spec.stop, { signal: 'SIGTERM', timeout: '11500ms' });
  assert.deepEqual(spec.command.slice(-3), ['router', '--directory', '/data/router']);
  assert.deepEqual([spec.rollout.strategy, spec.rollout.max_surge], ['rolling', 3]);
  assert.equal(spec.restart.limit.count, 'unlimited');
  service.close();
});

test('without settings there are none', async () => {
  const { state, service } = serviceOf();
  service.look();
  await until('they are ended', () => state.asked.length === 1);
  assert.deepEqual(state.asked, ['ended']);
  service.close();
});

test('what fails is told and tried again, and given up for what is wanted instead', async () => {
  const { state, service } = serviceOf((attempt) => attempt === 1);
  state.wanted = { processes: 1, drain_timeout: '1s' };
  service.look();
  await until('it is told', () => state.problems.length === 1);
  assert.match(state.problems[0] ?? '', /not ready; tried again in 2 s$/);
  state.wanted = null;
  service.look();
  await until('they are ended', () => state.asked.includes('ended'));
  assert.deepEqual(state.asked, ['ended']);
  service.close();
});

test('changes that come while one is brought about end with what is wanted last', async () => {
  const { state, service } = serviceOf();
  for (const processes of [1, 2, 3, 4]) {
    state.wanted = { processes, drain_timeout: '1s' };
    service.look();
  }
  await until('the last one is there', () => (state.asked.at(-1) as Spec | undefined)?.instances === 4);
  service.close();
});
