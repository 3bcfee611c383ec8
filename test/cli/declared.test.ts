import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { parse } from 'yaml';
import { declarationOf } from '../../src/cli/export.ts';
import type { Service } from '../../src/contract/services.ts';
import { spec } from '../../src/contract/spec.ts';
import { Draft } from '../../src/declarations/draft.ts';
import { ended, Person, written } from './davit.ts';
import { fakeAgent, type Received, shownService } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
  writeFileSync(person.path('davit.yaml'), 'services: {}\n');
});
afterEach(() => person[Symbol.dispose]());

const id = '5f5dcc2dcacaea08870a65ad657bb47d';
const noCost = { restarts: [], starts: [], stops: [], connections: 0, ports: [] };
const plan = {
  id,
  name: 'shop',
  changes: true,
  summary: '1 to create, 2 to change, 1 unchanged',
  actions: [
    { service: 'db', action: 'create', changes: [], cost: { ...noCost, starts: [1] }, reason: 'it is new' },
    {
      service: 'api',
      action: 'deploy',
      reason: 'its spec changes',
      changes: [
        { field: 'command', from: 'old', to: ['node', 'a\u001b[2Jb'] },
        { field: 'user', from: 'www', to: null },
      ],
      cost: {
        restarts: [1, 2, 3],
        starts: [4, 6],
        stops: [7],
        connections: 12,
        ports: [
          { instance: 1, from: 80, to: 81 },
          { instance: 2, from: null, to: 'auto' },
        ],
      },
    },
    { service: 'same', action: 'none', changes: [], cost: noCost, reason: 'it is as declared' },
    {
      service: 'left',
      action: 'none',
      changes: [],
      cost: noCost,
      reason: 'it is no longer declared, and stays',
    },
  ],
};
const nothing = { ...plan, changes: false, summary: '1 unchanged', actions: [plan.actions[2]] };
const done = {
  service: 'api',
  action: 'deploy',
  outcome: 'done',
  message: 'ok',
  result: { service: 'api', status: 'deployed', release: 4, pid: 77, message: 'ok' },
};
const applied = { plan: id, name: 'shop', summary: '1 done, 1 unchanged', results: [done] };

const answers =
  (planned: object = plan, outcome: object = applied) =>
  ({ path }: Received) =>
    path === '/api/v1/plan' ? planned : outcome;

test('a plan is shown by what is done, what changes and what it costs', async () => {
  await using agent = await fakeAgent(answers());
  agent.describeIn(person.path('data'));
  const { code, out, err } = await person.davit(['plan']);
  assert.equal(code, 0);
  assert.deepEqual(out.split('\n'), [
    '+ db  create: it is new',
    '    instance 1 starts',
    '~ api  deploy: its spec changes',
    '    command: old → ["node","a\\u001b[2Jb"]',
    '    user: www → (none)',
    '    instances 1 to 3 restart',
    '    instances 4, 6 start',
    '    instance 7 ends',
    '    12 connections drop',
    '    instance 1 moves from port 80 to port 81',
    '    instance 2 moves from no port to a free port',
    '= left  it is no longer declared, and stays',
    'Plan: 1 to create, 2 to change, 1 unchanged.',
    '',
  ]);
  assert.match(err, new RegExp(`davit apply -f davit.yaml --plan ${id}`));
  assert.deepEqual(agent.requests[0]?.body, { file: 'davit.yaml', source: 'services: {}\n', prune: false });
});

test('whether there is something to do can be the exit code', async () => {
  await using agent = await fakeAgent(answers());
  agent.describeIn(person.path('data'));
  assert.equal((await person.davit(['plan', '--detailed-exitcode'])).code, 2);
  await using calm = await fakeAgent(answers(nothing));
  calm.describeIn(person.path('data'));
  assert.equal((await person.davit(['plan', '--detailed-exitcode'])).code, 0);
  assert.deepEqual(JSON.parse((await person.davit(['plan', '--json'])).out), nothing);
});

test('a declaration comes from standard input too', async () => {
  await using agent = await fakeAgent(answers());
  agent.describeIn(person.path('data'));
  await person.davit(['plan', '-f', '-', '--prune'], 'name: shop\n');
  assert.deepEqual(agent.requests[0]?.body, { file: 'standard input', source: 'name: shop\n', prune: true });
});

test('without a file, or with one that is too large, nobody is asked', async () => {
  await using agent = await fakeAgent(answers());
  agent.describeIn(person.path('data'));
  writeFileSync(person.path('large.yaml'), `# ${'x'.repeat(1_000_001)}\n`);
  for (const [file, reason] of [
    ['nowhere.yaml', /nowhere\.yaml cannot be read/],
    ['large.yaml', /larger than 1 MB/],
  ] as const) {
    const { code, err } = await person.davit(['apply', '-f', file]);
    assert.equal(code, 2);
    assert.match(err, reason);
  }
  assert.equal(agent.requests.length, 0);
});

test('what is wrong is printed one place a line, harmlessly', async () => {
  const details = [
    { path: 'services.web.a\u001b', message: 'is not known', line: 3, column: 5 },
    { path: '', message: 'is cut off', line: 9, column: 1 },
  ];
  const answer = { http_status: 400, error: 'davit.yaml:3:5: …', code: 'invalid_request', details };
  await using agent = await fakeAgent(() => answer);
  agent.describeIn(person.path('data'));
  const { code, err } = await person.davit(['plan']);
  assert.equal(code, 2);
  assert.deepEqual(err.split('\n'), [
    'davit.yaml:3:5: services.web.a\\x1b: is not known',
    'davit.yaml:9:1: is cut off',
    'davit: 2 things are wrong with davit.yaml; nothing was changed',
    '',
  ]);
  const json = await person.davit(['plan', '--json']);
  assert.deepEqual(JSON.parse(json.out).details, details);
});

test('where nobody can be asked, what is declared is applied without a plan', async () => {
  await using agent = await fakeAgent(answers());
  agent.describeIn(person.path('data'));
  const { code, out } = await person.davit(['apply', '--prune']);
  assert.equal(code, 0);
  assert.equal(out, 'api: deployed, release 4 as pid 77\n1 done, 1 unchanged.\n');
  assert.deepEqual(
    agent.requests.map(({ path, body }) => [path, body.plan, body.prune]),
    [['/api/v1/apply', undefined, true]],
  );
});

test('a plan that was approved is the one that is applied', async () => {
  await using agent = await fakeAgent(answers());
  agent.describeIn(person.path('data'));
  await person.davit(['apply', '--plan', id, '--force']);
  assert.deepEqual(agent.requests[0]?.body, {
    ...{ file: 'davit.yaml', source: 'services: {}\n', prune: false, plan: id, force: true },
  });
});

test('a plan that is outdated is a conflict, with what to do next', async () => {
  await using agent = await fakeAgent(() => ({
    http_status: 409,
    error: 'web has moved',
    code: 'plan_outdated',
  }));
  agent.describeIn(person.path('data'));
  const { code, err } = await person.davit(['apply', '--plan', id]);
  assert.equal(code, 6);
  assert.match(err, /web has moved\n {2}See what would be done now: davit plan/);
});

test('what failed is told with its last lines, and the others with what became of them', async () => {
  const failed = {
    service: 'db',
    action: 'create',
    outcome: 'failed',
    message: 'it ended',
    error: { error: 'it ended', code: 'exited_early', last_lines: ['no \u001bdisk'] },
  };
  const skipped = { service: 'web', action: 'create', outcome: 'skipped', message: 'skipped: db failed' };
  const results = [failed, skipped, done];
  const answer = {
    http_status: 422,
    error: 'x',
    code: 'apply_failed',
    ...applied,
    results,
    summary: '1 failed',
  };
  await using agent = await fakeAgent(() => answer);
  agent.describeIn(person.path('data'));
  const { code, out } = await person.davit(['apply']);
  assert.equal(code, 1);
  assert.deepEqual(out.split('\n'), [
    'db: it ended',
    '    no \\x1bdisk',
    'web: skipped: db failed',
    'api: deployed, release 4 as pid 77',
    '1 failed.',
    '',
  ]);
});

for (const [typed, calls] of [
  ['y\n', ['/api/v1/plan', '/api/v1/apply']],
  ['n\n', ['/api/v1/plan']],
] as const) {
  test(`on a terminal the plan is shown first, and ${typed.trim()} decides`, async () => {
    await using agent = await fakeAgent(answers());
    agent.describeIn(person.path('data'));
    const child = person.startOnTerminal(['apply'], 80);
    await written(child, 'stdout', /Do this\? \[y\/N\]/);
    child.stdin?.write(typed);
    const { code } = await ended(child);
    assert.equal(code, typed === 'y\n' ? 0 : 1);
    assert.deepEqual(
      agent.requests.map(({ path }) => path),
      calls,
    );
    if (typed === 'y\n') assert.equal(agent.requests[1]?.body.plan, id);
  });
}

const shown = (id_: string, fields: object, more: Partial<Service> = {}): Service => {
  const service = shownService(id_);
  const { env, ...rest } = { env: {}, ...fields } as { env: Record<string, string> };
  const hidden = Object.fromEntries(Object.keys(env).map((name) => [name, '***' as const]));
  return {
    ...service,
    spec: { ...spec.parse({ command: 'x', ...rest }), env: hidden },
    ...more,
  };
};

test('an exported service has only what is not by itself so, and no value of a variable', () => {
  const web = shown('web', {
    command: ['node', 'a.js'],
    env: { KEY: 'secret' },
    stop: { timeout: '9s' },
    readiness: { type: 'http', port: 80, interval: '10s' },
    configs: [{ name: 'app', path: '/etc/app' }],
  });
  assert.deepEqual(declarationOf([web]), {
    services: {
      web: {
        command: ['node', 'a.js'],
        readiness: { type: 'http', port: 80 },
        stop: { timeout: '9s' },
        configs: [{ name: 'app', path: '/etc/app' }].map((config) => ({ ...shownConfig, ...config })),
        env: { KEY: '***' },
      },
    },
  });
});

const shownConfig = { mode: '640', validate: null, reload: 'restart', signal: 'SIGHUP' };

for (const [what, fields] of Object.entries({
  'a bare service': {},
  'a task with a schedule': { type: 'task', schedule: { cron: '@daily' } },
  'a service with much of everything': {
    port: 8000,
    instances: 4,
    user: 33,
    readiness: { type: 'http', path: '/up', status: [204], tls: { verify: true } },
    liveness: { type: 'exec', command: ['true'], unhealthy_threshold: 9 },
    restart: { policy: 'on_failure', backoff: { max: '1m' }, limit: { count: 9 } },
    success_exit_codes: [0, 7],
    depends_on: { db: 'started' },
    limits: { memory: '1GB' },
    logs: { max_age: '7d', compress: false },
  },
})) {
  test(`${what} is read back from its export as it was`, () => {
    const service = shown('web', fields);
    const wanted = { ...service.status.instances, wanted: service.spec.instances };
    const source = JSON.stringify(
      declarationOf([{ ...service, status: { ...service.status, instances: wanted } }]),
    );
    const db = spec.parse({ command: 'x' });
    const read = new Draft(source, 'davit.yaml').resolve({
      specOf: () => null,
      others: new Map([['db', db]]),
      mayName: () => true,
    });
    assert.deepEqual(read.services.get('web'), service.spec);
  });
}

test('the name is exported where all are of the same declaration, and a scale as the number that it is', () => {
  const of = (id_: string, declared_in: string | null) => shown(id_, {}, { declared_in });
  assert.equal(declarationOf([of('a', 'shop'), of('b', 'shop')])['name'], 'shop');
  assert.equal(declarationOf([of('a', 'shop'), of('b', null)])['name'], undefined);
  const scaled = shown('a', {});
  const status = { ...scaled.status, instances: { wanted: 5, running: 5, ready: 5 } };
  assert.deepEqual(declarationOf([{ ...scaled, status }])['services'], { a: { command: 'x', instances: 5 } });
});

test('an export goes to a file, and can be of some services or of one declaration', async () => {
  const all = [
    shown('web', { env: { A: 'b' } }, { declared_in: 'shop' }),
    shown('db', {}, { declared_in: null }),
  ];
  await using agent = await fakeAgent(({ path }) =>
    path === '/api/v1/services' ? { services: all } : all.find((service) => path.endsWith(`/${service.id}`)),
  );
  agent.describeIn(person.path('data'));
  const { code, err } = await person.davit(['export', '-o', 'out.yaml', '--declaration', 'shop']);
  assert.equal(code, 0);
  assert.match(err, /1 service written to out\.yaml/);
  const text = readFileSync(person.path('out.yaml'), 'utf8');
  assert.match(text, /^# "\*\*\*" keeps the value that there is\n/);
  assert.deepEqual(parse(text), { name: 'shop', services: { web: { command: 'x', env: { A: '***' } } } });
  const some = await person.davit(['export', 'db']);
  assert.equal(some.out, 'services:\n  db:\n    command: x\n');
  const none = await person.davit(['export', '--declaration', 'shp']);
  assert.equal(none.code, 2);
  assert.match(none.err, /did you mean "shop"\?/);
});

test('the schema is printed without an agent', async () => {
  const { code, out } = await person.davit(['schema']);
  assert.equal(code, 0);
  assert.equal(JSON.parse(out).title, 'davit.yaml');
});
