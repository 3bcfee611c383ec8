import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SpecPatch } from '../../src/contract/spec.ts';
import { canaryInstances, strategyOf, surgeOf } from '../../src/deploy/rollout_strategy.ts';
import { applyPatch } from '../../src/services/spec.ts';

const specOf = (patch: SpecPatch) => applyPatch(null, { command: ['sleep', '1'], ...patch });
const routed = { routes: [{ path_prefix: '/' }] } as unknown as SpecPatch;

const cases = [
  ['nothing runs', { ...routed, port: 'auto', rollout: { strategy: 'rolling' } }, [], 'recreate'],
  ['a service without routes', { port: 'auto' }, [1], 'recreate'],
  ['a service with routes and a port that is chosen', { ...routed, port: 'auto' }, [1], 'rolling'],
  ['a service with routes and one fixed port', { ...routed, port: 8080 }, [1], 'recreate'],
  [
    'a service with routes and several fixed ports',
    { ...routed, port: 8080, instances: 2 },
    [1, 2],
    'rolling',
  ],
  ['fixed ports of which one has nobody', { ...routed, port: 8080, instances: 2 }, [2], 'recreate'],
  ['a worker that asks for it', { rollout: { strategy: 'rolling' } }, [1], 'rolling'],
  ['one fixed port that asks for rolling', { port: 8080, rollout: { strategy: 'rolling' } }, [1], 'recreate'],
  [
    'a service that asks for blue_green',
    { port: 'auto', rollout: { strategy: 'blue_green' } },
    [3],
    'blue_green',
  ],
  [
    'a service that asks for a canary',
    { ...routed, port: 'auto', rollout: { strategy: 'canary' } },
    [1],
    'canary',
  ],
  [
    'a service that asks for recreate',
    { ...routed, port: 'auto', rollout: { strategy: 'recreate' } },
    [1],
    'recreate',
  ],
  ['a task', { type: 'task' }, [1], 'recreate'],
] as const satisfies [string, object, number[], string][];

for (const [what, patch, numbers, strategy] of cases)
  test(`${what} is replaced by ${strategy}`, () => {
    assert.equal(strategyOf(specOf(patch as unknown as SpecPatch), numbers), strategy);
  });

test('a percentage of surge is rounded up, and is one at least', () => {
  const surge = (max_surge: number | string, instances: number) =>
    surgeOf(specOf({ port: 'auto', rollout: { max_surge } } as SpecPatch), instances);
  assert.deepEqual(
    [1, 2, 4, 5, 8, 100].map((instances) => surge('25%', instances)),
    [1, 1, 1, 2, 2, 25],
  );
  assert.deepEqual([surge('100%', 7), surge('1%', 7)], [7, 1]);
  assert.deepEqual([surge(0, 3), surge(2, 3), surge(9, 3)], [0, 2, 3]);
});

test('with fixed ports there is no surge', () => {
  assert.equal(surgeOf(specOf({ port: 8080, instances: 4 }), 4), 0);
});

test('a canary has at least one instance, and as many as its share', () => {
  assert.deepEqual(
    [
      [1, 1],
      [10, 3],
      [10, 10],
      [50, 3],
      [99, 10],
    ].map(([weight = 0, instances = 0]) => canaryInstances(weight, instances)),
    [1, 1, 1, 2, 10],
  );
});
