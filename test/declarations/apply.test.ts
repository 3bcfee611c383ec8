import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OperationResult } from '../../src/contract/services.ts';
import { spec } from '../../src/contract/spec.ts';
import { carryOut, type Executor } from '../../src/declarations/apply.ts';
import { makePlan } from '../../src/declarations/plan.ts';
import type { World } from '../../src/declarations/world.ts';

/** Writes down what it is asked for; what `fails` names throws. */
class Journal implements Executor {
  readonly lines: string[] = [];
  readonly fails: ReadonlySet<string>;

  constructor(...fails: string[]) {
    this.fails = new Set(fails);
  }

  declare(id: string, _spec: unknown, { restart }: { restart: boolean }): Promise<OperationResult> {
    return this.#work(restart ? 'replace' : 'update', id);
  }
  start(id: string): Promise<OperationResult> {
    return this.#work('start', id);
  }
  delete(id: string): Promise<OperationResult> {
    return this.#work('delete', id);
  }
  async adopt(id: string, name: string): Promise<void> {
    this.lines.push(`adopt ${id} ${name}`);
  }

  async #work(what: string, id: string): Promise<OperationResult> {
    this.lines.push(`${what} ${id}`);
    await new Promise((resolve) => setImmediate(resolve));
    this.lines.push(`${id} ended`);
    if (this.fails.has(id)) throw new Error(`${id} broke`);
    return { status: 'deployed', message: 'done', service: id, release: 1 };
  }
}

async function carry(services: Record<string, object>, world: World, journal: Journal) {
  const declared = {
    name: 'shop',
    services: new Map(
      Object.entries(services).map(([id, fields]) => [id, spec.parse({ command: 'x', ...fields })]),
    ),
  };
  const { actions } = makePlan(declared, world, { prune: true, connections: null });
  const outcomes = await carryOut(declared, actions, journal, 'tester');
  return outcomes.map(
    ({ service, outcome, message }) => `${service} ${outcome}${outcome === 'skipped' ? ` (${message})` : ''}`,
  );
}

const stack = {
  api: { depends_on: { db: 'started' } },
  worker: { depends_on: { api: 'started' } },
  db: {},
  page: {},
};
const old = (id: string, depends_on = {}) =>
  [
    id,
    {
      id,
      spec: spec.parse({ command: 'x', depends_on }),
      current_release: 1,
      wanted: 'running',
      state: 'running',
      scale: null,
      instances: 1,
      declared_in: 'shop',
      running: [],
    },
  ] as const;

test('each waits for what it depends on, and what is independent goes side by side', async () => {
  const journal = new Journal();
  await carry(stack, new Map(), journal);
  assert.deepEqual(journal.lines.slice(0, 2).toSorted(), ['replace db', 'replace page']);
  const place = (line: string) => journal.lines.indexOf(line);
  assert.ok(place('replace api') > place('db ended'));
  assert.ok(place('replace worker') > place('api ended'));
});

test('what depends on a failed one is skipped, and what does not is done', async () => {
  const outcomes = await carry(stack, new Map(), new Journal('db'));
  assert.deepEqual(outcomes.toSorted(), [
    'api skipped (skipped: db failed)',
    'db failed',
    'page done',
    'worker skipped (skipped: api was skipped)',
  ]);
});

test('deletions come last, one after another, those that depend on others first', async () => {
  const journal = new Journal();
  await carry({ web: {} }, new Map([old('old-db'), old('old-api', { 'old-db': 'started' })]), journal);
  assert.deepEqual(journal.lines, [
    'replace web',
    'web ended',
    'delete old-api',
    'old-api ended',
    'delete old-db',
    'old-db ended',
  ]);
});

test('nothing is deleted when anything failed', async () => {
  const journal = new Journal('web');
  const outcomes = await carry({ web: {} }, new Map([old('gone')]), journal);
  assert.deepEqual(outcomes, ['web failed', 'gone skipped (skipped: web failed, so nothing is deleted)']);
  assert.ok(!journal.lines.includes('delete gone'));
});

test('what is as declared is only noted as part of the declaration', async () => {
  const journal = new Journal();
  assert.deepEqual(await carry({ web: {} }, new Map([old('web')]), journal), ['web unchanged']);
  assert.deepEqual(journal.lines, ['adopt web shop']);
});
