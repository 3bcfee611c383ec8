import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import type { Plan, PlanStep } from '../../src/contract/declaration.ts';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { steadyPort } from '../helpers/free_port.ts';
import { isRunning } from '../helpers/system.ts';

const listens = "require('net').createServer((s) => s.on('error', () => 0)).listen(process.env.PORT)";
const idles = 'setInterval(() => 0, 1e6)';
const base = await steadyPort(4);

/** A stack as somebody would declare it. */
const stack = (change: Record<string, string> = {}) => `
name: shop
defaults:
  cwd: /tmp
  env: {MODE: ${change['mode'] ?? 'production'}, TOKEN: "${change['token'] ?? 'secret-one'}"}
services:
  api:
    command: [node, -e, "${idles}"]
    instances: ${change['instances'] ?? 2}
    depends_on: {db: healthy, migrate: completed}
  db:
    command: [node, -e, "${listens}"]
    port: ${change['port'] ?? base}
    readiness: {type: tcp, interval: 100ms}
  worker:
    command: [node, -e, "${idles}"]
    depends_on: {api: started}
    stop: {timeout: ${change['stop'] ?? '5s'}}
  migrate: {type: task, command: "true", depends_on: {db: healthy}}
  nightly: {type: task, command: "true", schedule: {cron: "0 3 * * *"}}
`;

let home: string;
let agent: RunningAgent;
before(async () => {
  home = mkdtempSync(join(tmpdir(), 'davit-home-'));
  agent = await startAgent();
});
after(async () => {
  await declare('name: shop\nservices: {}\n', 'apply', '?prune');
  await agent[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

function declare(source: string, what: 'plan' | 'apply', query = '', key = agent.key) {
  const headers = { 'content-type': 'application/yaml', authorization: `Bearer ${key}` };
  return agent.call('POST', `/api/v1/${what}${query}`, source, headers);
}

async function planOf(source: string, query = ''): Promise<Plan> {
  const { status, body } = await declare(source, 'plan', query);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

async function applied(source: string, query = ''): Promise<Record<string, string>> {
  const { status, body } = await declare(source, 'apply', query);
  assert.equal(status, 200, JSON.stringify(body));
  return outcomes(body);
}

function outcomes({ results }: { results: { service: string; outcome: string }[] }): Record<string, string> {
  return Object.fromEntries(results.map(({ service, outcome }) => [service, outcome]));
}

function steps({ actions }: Plan): Record<string, PlanStep> {
  return Object.fromEntries(actions.map((step) => [step.service, step]));
}

const actionsOf = (plan: Plan) =>
  Object.fromEntries(plan.actions.map(({ service, action }) => [service, action]));
const statuses = async () => (await agent.call('GET', '/services')).body;
const pidOf = async (service: string): Promise<number> => (await statuses())[service].pid;

async function davit(
  words: readonly string[],
  input = '',
): Promise<{ code: number | null; out: string; err: string }> {
  const [program, ...first] = davitCommand;
  const child = spawn(program, [...first, ...words], {
    cwd: home,
    env: { PATH: process.env['PATH'] ?? '', HOME: home, DAVIT_DATA: agent.data },
  });
  child.stdin.end(input);
  const [exit, out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { code: exit[0], out, err };
}

test('a plan changes nothing, and names what would be made in the order of what depends on what', async () => {
  const plan = await planOf(stack());
  assert.equal(plan.summary, '5 to create');
  const order = plan.actions.map(({ service }) => service);
  assert.ok(order.indexOf('db') < order.indexOf('migrate'));
  assert.ok(order.indexOf('migrate') < order.indexOf('api'));
  assert.ok(order.indexOf('api') < order.indexOf('worker'));
  assert.deepEqual(await statuses(), {});
});

test('to apply it does exactly that: services run, the task has run, the nightly one waits', async () => {
  const { id } = await planOf(stack());
  const done = await applied(stack(), `?plan=${id}`);
  assert.deepEqual(done, { api: 'done', db: 'done', worker: 'done', migrate: 'done', nightly: 'done' });
  const all = await agent.until('GET', '/services', ({ migrate }) => migrate.status === 'completed');
  assert.equal(all.api.instances.running, 2);
  assert.equal(all.db.status, 'running');
  assert.equal(all.worker.status, 'running');
  assert.equal(all.nightly.status, 'scheduled');
});

test('to apply it again changes nothing', async () => {
  const before = await pidOf('api');
  const plan = await planOf(stack());
  assert.equal(plan.changes, false);
  assert.equal(plan.summary, '5 unchanged');
  assert.ok(Object.values(await applied(stack())).every((outcome) => outcome === 'unchanged'));
  assert.equal(await pidOf('api'), before);
});

test('a plan names fields, restarts, connections and ports, and no value of the environment', async () => {
  const client = connect(base, '127.0.0.1');
  await once(client, 'connect');
  const changed = stack({ port: String(base + 1), instances: '3', token: 'secret-two' });
  const plan = await planOf(changed);
  client.destroy();
  const { db, api } = steps(plan);
  assert.deepEqual(db?.cost.restarts, [1]);
  assert.ok((db?.cost.connections ?? 0) >= 1);
  assert.deepEqual(db?.cost.ports, [{ instance: 1, from: base, to: base + 1 }]);
  assert.deepEqual(api?.cost, { restarts: [1, 2], starts: [3], stops: [], connections: 0, ports: [] });
  assert.deepEqual(api?.changes[0], { field: 'env.TOKEN', from: '***', to: '*** (changed)' });
  assert.doesNotMatch(JSON.stringify(plan), /secret-/);
});

test('what a process cannot notice changes without a restart', async () => {
  const [worker, api] = [await pidOf('worker'), await pidOf('api')];
  const plan = await planOf(stack({ stop: '7s', instances: '3' }));
  assert.deepEqual(actionsOf(plan), {
    api: 'scale',
    db: 'none',
    worker: 'deploy',
    migrate: 'none',
    nightly: 'none',
  });
  assert.equal(plan.actions.flatMap(({ cost }) => cost.restarts).length, 0);
  await applied(stack({ stop: '7s', instances: '3' }));
  const all = await agent.until('GET', '/services', (body) => body.api.instances.running === 3);
  assert.equal(all.worker.pid, worker);
  assert.equal(all.api.pid, api);
  assert.equal(all.worker.restart_required, false);
  const { spec } = (await agent.call('GET', '/api/v1/services/worker')).body;
  assert.equal(spec.stop.timeout, '7s');
  assert.equal((await planOf(stack({ stop: '7s', instances: '3' }))).changes, false);
});

test('a plan is refused when the world has moved since, unless it is forced', async () => {
  const source = stack({ instances: '2' });
  const { id } = await planOf(source);
  await agent.call('POST', '/service/worker/deploy', { env: { MORE: '1' } });
  const { status, body } = await declare(source, 'apply', `?plan=${id}`);
  assert.equal(status, 409);
  assert.equal(body.code, 'plan_outdated');
  assert.match(body.error, /worker: release \d+ → \d+/);
  assert.equal((await statuses()).api.instances.wanted, 3);
  await applied(source, `?plan=${id}&force`);
  assert.equal((await statuses()).api.instances.wanted, 2);
  assert.equal((await planOf(source)).changes, false);
});

test('a service that somebody stopped is started again: it is declared', async () => {
  await agent.call('POST', '/service/worker/stop');
  assert.equal(steps(await planOf(stack({ instances: '2' })))['worker']?.action, 'start');
  await applied(stack({ instances: '2' }));
  assert.equal((await statuses()).worker.status, 'running');
});

test('what is exported is the same: its plan has no change, and no secret is in it', async () => {
  await agent.call('POST', '/api/v1/services/api/scale', { instances: 4 });
  const { code, out } = await davit(['export']);
  assert.equal(code, 0);
  assert.match(out, /^name: shop$/m);
  assert.doesNotMatch(out, /secret-|production/);
  assert.match(out, /TOKEN: "\*\*\*"/);
  assert.doesNotMatch(out, /min_uptime|backoff/);
  const plan = await planOf(out, '?prune');
  assert.equal(plan.changes, false, JSON.stringify(plan));
  assert.deepEqual(await applied(out), {
    ...{ api: 'unchanged', db: 'unchanged', worker: 'unchanged', migrate: 'unchanged', nightly: 'unchanged' },
  });
  await applied(stack({ instances: '2' }));
});

test('everything that is wrong is printed with its place, and nothing is changed', async () => {
  const before = await statuses();
  const wrong = stack({ instances: 'many' })
    .replace('command: [node, -e', 'comand: [node, -e')
    .replace('api: started', 'apy: started');
  writeFileSync(join(home, 'davit.yaml'), wrong);
  const { code, err } = await davit(['plan']);
  assert.equal(code, 2);
  assert.deepEqual(err.trim().split('\n'), [
    'davit.yaml:7:3: services.api.command: is missing',
    'davit.yaml:8:5: services.api.comand: is not known; did you mean "command"?',
    'davit.yaml:9:16: services.api.instances: must be a number',
    'davit.yaml:17:18: services.worker.depends_on.apy: there is no service "apy"; did you mean "api"?',
    'davit: 4 things are wrong with davit.yaml; nothing was changed',
  ]);
  assert.deepEqual(Object.keys(await statuses()), Object.keys(before));
});

test('from the command line: a plan for people, and an exit code for machines', async () => {
  writeFileSync(join(home, 'davit.yaml'), stack({ instances: '2', stop: '9s' }));
  const plan = await davit(['plan', '--detailed-exitcode']);
  assert.equal(plan.code, 2);
  assert.match(
    plan.out,
    /~ worker {2}deploy: its spec changes, and what runs goes on\n {4}stop.timeout: 5s → 9s\n/,
  );
  assert.match(plan.out, /Plan: 1 to change, 4 unchanged\./);
  const [, id = ''] = /--plan ([0-9a-f]{32})/.exec(plan.err) ?? [];
  const apply = await davit(['apply', '--plan', id]);
  assert.equal(apply.code, 0, apply.err);
  assert.match(apply.out, /1 done, 4 unchanged\./);
  assert.equal((await davit(['plan', '--detailed-exitcode'])).code, 0);
  assert.equal((await davit(['apply', '--plan', id.replace(/./g, '0')])).code, 6);
});

test('one that fails keeps what served before, skips what depends on it, and deletes nothing', async () => {
  const { release } = (await statuses()).db;
  const source = `
name: shop
services:
  db: {command: "exit 7", port: ${base}, readiness: {type: tcp, interval: 100ms}}
  api: {command: [node, -e, "${idles}"], depends_on: {db: healthy}}
  other: {command: [node, -e, "${idles}"]}
`;
  const { status, body } = await declare(source, 'apply', '?prune');
  assert.equal(status, 422);
  assert.equal(body.code, 'apply_failed');
  const found = outcomes(body);
  assert.deepEqual(
    { db: found['db'], api: found['api'], other: found['other'], worker: found['worker'] },
    { db: 'failed', api: 'skipped', other: 'done', worker: 'skipped' },
  );
  const all = await agent.until('GET', '/services', ({ db }) => db.status === 'running');
  assert.ok(all.worker);
  assert.ok(isRunning(all.db.pid));
  assert.equal(all.db.release, release);
});

test('a caller who may not deploy one of the services changes none, and is told which', async () => {
  const created = await agent.call('POST', '/api/v1/keys', {
    name: 'web',
    scopes: ['deploy'],
    services: ['web*'],
  });
  const { key } = created.body;
  const source = 'services:\n  web: {command: "true", type: task}\n  db: {command: "true", type: task}\n';
  for (const what of ['plan', 'apply'] as const) {
    const { status, body } = await declare(source, what, '', key);
    assert.equal(status, 403);
    assert.match(body.error, /"db"/);
  }
  assert.equal((await statuses()).web, undefined);
  const allowed = await declare('services:\n  web: {command: "true", type: task}\n', 'apply', '', key);
  assert.equal(allowed.status, 200);
  await agent.call('DELETE', '/api/v1/services/web');
});

test('each service that is changed is in the audit log', async () => {
  const { records } = (await agent.call('GET', '/api/v1/audit?limit=1000')).body;
  const parts = records.filter(({ action }: { action: string }) => action === 'createService');
  assert.ok(
    parts.some(
      ({ service, http_status }: Record<string, unknown>) => service === 'nightly' && http_status === 200,
    ),
  );
});

test('a JSON body says the same as a YAML body', async () => {
  const source = 'services: {web: {command: x, prt: 1}}';
  const { status, body } = await agent.call('POST', '/api/v1/plan', { source, file: 'in/repo.yaml' });
  assert.equal(status, 400);
  assert.match(body.error, /^in\/repo\.yaml:1:30: services\.web\.prt: is not known; did you mean "port"\?$/);
  assert.deepEqual(body.details[0], {
    path: 'services.web.prt',
    message: 'is not known; did you mean "port"?',
    line: 1,
    column: 30,
  });
});

test('the schema of the file is there for editors', async () => {
  const served = await agent.call('GET', '/schema/davit.yaml.json');
  assert.equal(served.status, 200);
  const { out } = await davit(['schema']);
  assert.deepEqual(JSON.parse(out), served.body);
  assert.deepEqual(JSON.parse(readFileSync('docs/davit.schema.json', 'utf8')), served.body);
  assert.ok(served.body.properties.services);
});

test('an agent that dies in the middle of an apply: the next apply brings it to its end', async () => {
  const data = mkdtempSync(join(tmpdir(), 'davit-data-'));
  const late = listens.replace(/^/, 'setTimeout(() => ').replace(/$/, ', 1500)');
  const source = `
services:
  db: {command: [node, -e, "${late}"], port: ${base + 2}, readiness: {type: tcp, interval: 100ms}}
  web: {command: [node, -e, "${idles}"], depends_on: {db: healthy}}
`;
  const first = await startAgent({ data });
  const interrupted = first.call('POST', '/api/v1/apply', { source }).catch(() => null);
  await first.until('GET', '/services', ({ db }) => db?.pid !== undefined);
  await first.end('SIGKILL');
  assert.equal(await interrupted, null);
  await using next = await startAgent({ data });
  const { status, body } = await next.call('POST', '/api/v1/apply', { source });
  assert.equal(status, 200, JSON.stringify(body));
  const all = (await next.call('GET', '/services')).body;
  assert.deepEqual([all.db.status, all.web.status], ['running', 'running']);
  assert.equal((await next.tree('db')).length, 2);
  assert.equal((await next.call('POST', '/api/v1/plan', { source })).body.changes, false);
});

test('--prune deletes what is no longer declared, and only what this declaration declared', async () => {
  await agent.call('POST', '/service/mine/deploy', { command: ['node', '-e', idles] });
  const source = `name: shop\nservices:\n  only: {command: [node, -e, "${idles}"]}\n`;
  const kept = await planOf(source);
  assert.equal(actionsOf(kept)['worker'], 'none');
  const plan = await planOf(source, '?prune');
  assert.equal(actionsOf(plan)['worker'], 'delete');
  assert.equal(actionsOf(plan)['mine'], undefined);
  await applied(source, '?prune');
  assert.deepEqual(Object.keys(await statuses()).toSorted(), ['mine', 'only']);
});
