import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spec } from '../../src/contract/spec.ts';
import { makePlan, type PlanOptions } from '../../src/declarations/plan.ts';
import { basisOf, whatMoved } from '../../src/declarations/plan_id.ts';
import type { KnownService, World } from '../../src/declarations/world.ts';

const make = (fields: object = {}) => spec.parse({ command: 'x', ...fields });

interface Given extends Partial<Omit<KnownService, 'spec' | 'running'>> {
  readonly fields?: object;
  /** Numbers and ports of what runs. */
  readonly runs?: Readonly<Record<number, number | null>>;
  /** What runs is of an earlier release with these fields. */
  readonly runningFields?: object;
}

function known(
  id: string,
  { fields = {}, runs = { 1: null }, runningFields, ...rest }: Given = {},
): KnownService {
  const current = make(fields);
  const running = Object.entries(runs).map(([number, port]) => ({
    number: Number(number),
    port,
    spec: runningFields === undefined ? current : make(runningFields),
  }));
  return {
    id,
    spec: current,
    current_release: 1,
    wanted: 'running',
    state: 'running',
    scale: null,
    instances: current.instances,
    declared_in: 'shop',
    running,
    ...rest,
  };
}

const worldOf = (...services: KnownService[]): World => new Map(services.map((each) => [each.id, each]));

function plan(services: Record<string, object>, world: World, options: Partial<PlanOptions> = {}) {
  const declared = {
    name: 'shop',
    services: new Map(Object.entries(services).map(([id, fields]) => [id, make(fields)])),
  };
  return { declared, ...makePlan(declared, world, { prune: false, connections: null, ...options }) };
}

/** The only step of a plan. */
function step(fields: object, given: Given | null, options: Partial<PlanOptions> = {}) {
  const { actions } = plan(
    { web: fields },
    given === null ? worldOf() : worldOf(known('web', given)),
    options,
  );
  assert.equal(actions.length, 1);
  const [only] = actions;
  assert.ok(only);
  return only;
}

test('a service that is new is created with all of its instances', () => {
  const { action, cost } = step({ instances: 3 }, null);
  assert.equal(action, 'create');
  assert.deepEqual(cost, { restarts: [], starts: [1, 2, 3], stops: [], connections: 0, ports: [] });
});

test('a task with a schedule is created without being started', () => {
  const { cost, reason } = step({ type: 'task', schedule: { cron: '@daily' } }, null);
  assert.deepEqual(cost.starts, []);
  assert.match(reason, /waits for its time/);
});

test('what is as declared costs nothing', () => {
  const { action, changes, cost } = step({}, {});
  assert.equal(action, 'none');
  assert.deepEqual(changes, []);
  assert.deepEqual(cost.restarts, []);
});

test('another command restarts every instance and drops what is connected to them', () => {
  const given = { fields: { port: 3000, instances: 2 }, runs: { 1: 3000, 2: 3001 } };
  const connections = (port: number) => ({ 3000: 5, 3001: 7 })[port] ?? 0;
  const { action, changes, cost } = step({ port: 3000, instances: 2, command: 'y' }, given, { connections });
  assert.equal(action, 'deploy');
  assert.deepEqual(changes, [{ field: 'command', from: 'x', to: 'y' }]);
  assert.deepEqual(cost, { restarts: [1, 2], starts: [], stops: [], connections: 12, ports: [] });
});

test('how many connections drop is not known where nobody can tell', () => {
  assert.equal(step({ command: 'y' }, {}).cost.connections, null);
});

test('another port moves each instance by its number', () => {
  const given = { fields: { port: 3000, instances: 2 }, runs: { 1: 3000, 2: 3001 } };
  assert.deepEqual(step({ port: 4000, instances: 2 }, given).cost.ports, [
    { instance: 1, from: 3000, to: 4000 },
    { instance: 2, from: 3001, to: 4001 },
  ]);
});

test('fewer instances end the last ones and restart none', () => {
  const given = { fields: { instances: 3, port: 80 }, runs: { 1: 80, 2: 81, 3: 82 } };
  const { action, cost } = step({ instances: 1, port: 80 }, given, { connections: () => 2 });
  assert.equal(action, 'scale');
  assert.deepEqual(cost, { restarts: [], starts: [], stops: [2, 3], connections: 4, ports: [] });
});

test('more instances start beside those that run', () => {
  const { action, cost } = step({ instances: 3 }, { runs: { 1: null } });
  assert.equal(action, 'scale');
  assert.deepEqual(cost.starts, [2, 3]);
});

test('as many instances as somebody asked for are what there is', () => {
  const given = { fields: { instances: 2 }, scale: 5, instances: 5 };
  assert.equal(step({ instances: 5 }, given).action, 'none');
  assert.deepEqual(step({ instances: 2 }, given).changes, [{ field: 'instances', from: 5, to: 2 }]);
});

test('a change that a process cannot notice restarts nothing', () => {
  const { action, cost, reason } = step({ logs: { max_size: '1GB' }, stop: { timeout: '1m' } }, {});
  assert.equal(action, 'deploy');
  assert.deepEqual(cost.restarts, []);
  assert.match(reason, /what runs goes on/);
});

test('what runs of an earlier release is restarted, even where the current one is as declared', () => {
  const { action, cost, changes } = step({ command: 'y' }, { fields: { command: 'y' }, runningFields: {} });
  assert.equal(action, 'deploy');
  assert.deepEqual(changes, []);
  assert.deepEqual(cost.restarts, [1]);
});

test('a run of a task with a schedule goes on whatever changes', () => {
  const task = { type: 'task', schedule: { cron: '@daily' } };
  assert.deepEqual(step({ ...task, command: 'y' }, { fields: task }).cost, {
    ...{ restarts: [], starts: [], stops: [], connections: null, ports: [] },
  });
});

test('a service that is stopped is started: it is declared', () => {
  const { action, cost, reason } = step(
    { instances: 2 },
    {
      fields: { instances: 2 },
      runs: {},
      wanted: 'stopped',
      state: 'stopped',
    },
  );
  assert.equal(action, 'start');
  assert.deepEqual(cost.starts, [1, 2]);
  assert.equal(reason, 'it is stopped');
});

test('a service that gave up is started again', () => {
  assert.equal(step({}, { runs: {}, state: 'failed' }).action, 'start');
});

for (const state of ['backoff', 'pending', 'completed'] as const) {
  test(`a service that is ${state} is left to itself`, () => {
    assert.equal(step({}, { runs: {}, state }).action, 'none');
  });
}

test('a service of no declaration becomes part of this one, which changes nothing', () => {
  const { action, reason } = step({}, { declared_in: null });
  assert.equal(action, 'none');
  assert.match(reason, /of "shop" from now on/);
});

test('a service of another declaration is taken over, and the plan says so', () => {
  assert.equal(step({}, { declared_in: 'blog' }).action, 'adopt');
  assert.match(step({ command: 'y' }, { declared_in: 'blog' }).reason, /it was of "blog"/);
});

test('what is no longer declared is deleted only where that is asked for', () => {
  const world = worldOf(
    known('web'),
    known('old', { runs: { 1: 80 } }),
    known('other', { declared_in: 'blog' }),
  );
  const [, left] = plan({ web: {} }, world).actions;
  assert.equal(left?.action, 'none');
  assert.match(left?.reason ?? '', /only --prune deletes it/);
  const { actions } = plan({ web: {} }, world, { prune: true, connections: () => 3 });
  assert.deepEqual(
    actions.map(({ service, action }) => [service, action]),
    [
      ['web', 'none'],
      ['old', 'delete'],
    ],
  );
  assert.deepEqual(actions[1]?.cost, { restarts: [], starts: [], stops: [1], connections: 3, ports: [] });
});

test('what others depend on comes first, and is deleted last', () => {
  const { actions } = plan(
    { api: { depends_on: { db: 'started' } }, db: {} },
    worldOf(known('old-db'), known('old-api', { fields: { depends_on: { 'old-db': 'started' } } })),
    { prune: true },
  );
  assert.deepEqual(
    actions.map(({ service }) => service),
    ['db', 'api', 'old-api', 'old-db'],
  );
});

test('the summary counts what is done and what it costs', () => {
  const world = worldOf(
    known('web', { fields: { instances: 2, port: 80 }, runs: { 1: 80, 2: 81 } }),
    known('same'),
    known('old', { runs: { 1: null } }),
  );
  const declared = { web: { instances: 2, port: 80, command: 'y' }, same: {}, new: {} };
  const { summary, changes } = plan(declared, world, { prune: true, connections: () => 6 });
  assert.equal(
    summary,
    '1 to create, 1 to change, 1 to delete, 1 unchanged; 2 instances restart, 1 instance ends, 12 connections drop',
  );
  assert.equal(changes, true);
  assert.equal(plan({}, worldOf()).summary, 'nothing is declared');
});

const basis = (services: Record<string, object>, world: World, key = 'key') => {
  const { declared, ...work } = plan(services, world);
  return basisOf(declared, world, work, key);
};

test('the id of a plan is the same for the same file and world, in whatever order fields are', () => {
  const world = worldOf(known('web'));
  const [one, other] = [{ env: { A: '1', B: '2' } }, { env: { B: '2', A: '1' } }];
  assert.equal(basis({ web: one }, world).id, basis({ web: other }, world).id);
  assert.match(basis({ web: one }, world).id, /^[0-9a-f]{32}$/);
});

test('the id of a plan does not change with what passes by itself', () => {
  const [up, down] = [known('web'), known('web', { runs: {}, state: 'backoff' })];
  assert.equal(basis({ web: {} }, worldOf(up)).id, basis({ web: {} }, worldOf(down)).id);
});

test('the id of a plan changes with the file, with the world and with the key', () => {
  const base = basis({ web: {} }, worldOf(known('web')));
  const others = [
    basis({ web: { env: { A: '1' } } }, worldOf(known('web'))),
    basis({ web: {} }, worldOf(known('web', { current_release: 2 }))),
    basis({ web: {} }, worldOf(known('web', { declared_in: null }))),
    basis({ web: {} }, worldOf(known('web')), 'other key'),
    basis({ web: {}, db: {} }, worldOf(known('web'))),
  ];
  assert.equal(new Set([base.id, ...others.map(({ id }) => id)]).size, others.length + 1);
});

test('what moved between two plans is told', () => {
  const before = basis({ web: {}, gone: {} }, worldOf(known('web')));
  assert.deepEqual(
    whatMoved(before, basis({ web: {}, gone: {} }, worldOf(known('web', { current_release: 4 })))),
    ['web: release 1 → 4'],
  );
  assert.deepEqual(whatMoved(before, basis({ web: { user: 'www' }, more: {} }, worldOf(known('web')))), [
    'gone is no longer in it',
    'web is declared otherwise',
    'more is new in it',
  ]);
  assert.deepEqual(
    whatMoved(before, basis({ web: {}, gone: {} }, worldOf(known('web', { state: 'failed' })))),
    ['web: none → start'],
  );
});
