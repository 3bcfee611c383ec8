import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { OperationResult } from '../../src/contract/services.ts';
import { type Spec, spec } from '../../src/contract/spec.ts';
import { type ApplyRequest, Declarations } from '../../src/declarations/declarations.ts';
import { Draft } from '../../src/declarations/draft.ts';
import { openDatabase } from '../../src/lib/database.ts';
import type { DavitError } from '../../src/lib/errors.ts';
import { Registry } from '../../src/services/registry.ts';
import { migrations } from '../../src/services/schema.ts';
import { ServiceStore } from '../../src/services/store.ts';

let home: string;
let close: () => void;
let registry: Registry;
let declarations: Declarations;
/** What happens beside, when a service is declared. */
let meanwhile: Record<string, () => void>;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'davit-declarations-'));
  const { database } = openDatabase({
    file: join(home, 'davit.db'),
    backups: join(home, 'backups'),
    migrations,
  });
  registry = new Registry(new ServiceStore(database, () => {}), assert.fail);
  meanwhile = {};
  declarations = new Declarations({ registry, operations, planKey: 'key', readConnections: () => null });
  close = () => {
    registry.close();
    database.close();
  };
});
afterEach(() => {
  close();
  rmSync(home, { recursive: true, force: true });
});

const result = (service: string): OperationResult => ({
  status: 'deployed',
  message: 'ok',
  service,
  release: 1,
});

/** Changes the registry as the agent's own operations do; no process is started. */
const operations = {
  declare: async (id: string, declared: Spec, { declared_in }: { declared_in: string }, actor: string) => {
    meanwhile[id]?.();
    makeRelease(id, declared, actor);
    registry.commit(id, { wanted: 'running', declared_in });
    return result(id);
  },
  start: async (id: string) => {
    registry.commit(id, { wanted: 'running' });
    return result(id);
  },
  delete: async (id: string) => {
    registry.remove(id);
    return result(id);
  },
};

function makeRelease(id: string, declared: Spec, actor = 'someone'): void {
  if (registry.find(id) === null) registry.create(id, declared, 'deploy', actor);
  else registry.commit(id, { current_release: registry.addRelease(id, declared, 'deploy', actor) });
}

const rights = { prune: false, authorize: () => {}, mayName: () => true };
const plan = (source: string, more: object = {}) =>
  declarations.plan(new Draft(source, 'f'), { ...rights, ...more });
const apply = (source: string, more: Partial<ApplyRequest> = {}) =>
  declarations.apply(new Draft(source, 'f'), { ...rights, plan: null, actor: 'tester', ...more });

const pair = 'services:\n  web: {command: x, depends_on: {db: started}}\n  db: {command: x}\n';

test('a plan that was made is the one that is carried out', async () => {
  const { id } = plan(pair);
  const { plan: done, outcomes } = await apply(pair, { plan: id });
  assert.equal(done.id, id);
  assert.deepEqual(
    outcomes.map(({ service, outcome }) => [service, outcome]),
    [
      ['db', 'done'],
      ['web', 'done'],
    ],
  );
});

test('a plan is outdated once a service has moved, and nothing is done', async () => {
  await apply(pair);
  const changed = pair.replace('db: {command: x}', 'db: {command: y}');
  const { id } = plan(changed);
  makeRelease('db', spec.parse({ command: 'z' }));
  await assert.rejects(apply(changed, { plan: id }), ({ code, message, fields }: DavitError) => {
    assert.equal(code, 'plan_outdated');
    assert.match(message, /db: release 1 → 2/);
    assert.deepEqual(fields['moved'], ['db: release 1 → 2']);
    return true;
  });
  assert.equal(registry.spec('db').command, 'z');
});

test('a plan of an earlier agent is known again by its id', async () => {
  const { id } = plan(pair);
  declarations = new Declarations({ registry, operations, planKey: 'key', readConnections: () => null });
  assert.equal(plan(pair).id, id);
});

test('a step whose service moved while it waited is not done', async () => {
  await apply(pair);
  const changed = pair.replaceAll('command: x', 'command: y');
  const { id } = plan(changed);
  meanwhile = {
    db: () => makeRelease('web', spec.parse({ command: 'by hand', depends_on: { db: 'started' } })),
  };
  const { outcomes } = await apply(changed, { plan: id });
  const web = outcomes.find(({ service }) => service === 'web');
  assert.equal(web?.outcome, 'failed');
  assert.match(String(web?.cause), /"web" has changed since the plan: release 1 → 2/);
  assert.equal(registry.spec('web').command, 'by hand');
});

test('without a plan, what is declared is done whatever happens beside', async () => {
  await apply(pair);
  meanwhile = {
    db: () => makeRelease('web', spec.parse({ command: 'by hand', depends_on: { db: 'started' } })),
  };
  await apply(pair.replaceAll('command: x', 'command: y'));
  assert.equal(registry.spec('web').command, 'y');
});

test('what stays must not depend on what is deleted', async () => {
  await apply('services: {db: {command: x}}');
  makeRelease('web', spec.parse({ command: 'x', depends_on: { db: 'started' } }));
  assert.throws(
    () => plan('services: {}', { prune: true }),
    /"db" cannot be deleted: "web" depends on it and stays/,
  );
  assert.equal(plan('services: {}').changes, false);
});

test('a service that is in no declaration becomes part of the one that has it', async () => {
  makeRelease('db', spec.parse({ command: 'x' }));
  registry.commit('db', { wanted: 'running' });
  assert.equal(plan('services: {db: {command: x}}').changes, false);
  await apply('services: {db: {command: x}}');
  assert.equal(registry.get('db').declared_in, 'davit');
  assert.equal(registry.get('db').current_release, 1);
});

test('every service is asked for before anything else, also those that would be deleted', async () => {
  await apply('services: {old: {command: x}}');
  const asked: string[] = [];
  plan('services: {web: {comand: x}}'.replace('comand', 'command'), {
    prune: true,
    authorize: (id: string) => void asked.push(id),
  });
  assert.deepEqual(asked, ['web', 'old']);
});

test('who may not know of a service does not learn of it from what is left', async () => {
  await apply('services: {secret: {command: x}}');
  const { actions } = plan('services: {}', { mayName: () => false });
  assert.deepEqual(actions, []);
});
