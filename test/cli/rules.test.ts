import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { newRule, type Rule } from '../../src/contract/rules.ts';
import { ended, Person } from './davit.ts';
import { type FakeAgent, fakeAgent, type Received } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

function ruleOf(given: object): Rule {
  const { declared_by = null, ...rest } = given as { declared_by?: string };
  const { id, ...parsed } = newRule.parse({ id: 'x', ...rest, ...('id' in rest && { id: 'x' }) });
  return { ...parsed, id: 'id' in rest ? String(rest.id) : id, declared_by };
}

const rules = [
  ruleOf({
    id: 'beta',
    priority: 10,
    match: { headers: { 'x-beta': '1' }, path_prefix: '/shop/' },
    action: {
      type: 'split',
      services: [
        { service: 'web', weight: 90 },
        { service: 'next', weight: 10 },
      ],
    },
  }),
  ruleOf({
    id: 'web/1',
    match: { hosts: ['web.test', '*.web.test'], methods: ['GET', 'HEAD'] },
    action: { type: 'route', service: 'web' },
    declared_by: 'web',
  }),
  ruleOf({ id: 'off', enabled: false, action: { type: 'deny' } }),
];

/** An agent that answers with what the rule is made of. */
async function agentWith(answer: (request: Received) => unknown): Promise<FakeAgent> {
  const agent = await fakeAgent(answer);
  agent.describeIn(person.path('data'));
  return agent;
}

function echoRule({ body, path }: Received): unknown {
  return { enabled: true, priority: 0, match: {}, declared_by: null, id: path.split('/').at(-1), ...body };
}

test('rules are listed in their order with what they are for and where they lead', async () => {
  await using _agent = await agentWith(() => ({ rules }));
  const { code, out } = await person.davit(['rules']);
  assert.equal(code, 0);
  const lines = out.trimEnd().split('\n');
  assert.match(lines[0] ?? '', /^RULE +PRIORITY +ENABLED +TO +REQUESTS$/);
  assert.match(lines[1] ?? '', /^beta +10 +yes +web=90 next=10 +\/shop\/\*, header x-beta=1$/);
  assert.match(lines[2] ?? '', /^web\/1 +0 +yes +web +GET\|HEAD, web\.test\|\*\.web\.test$/);
  assert.match(lines[3] ?? '', /^off +0 +no +deny 403 +all$/);
});

test('where there are no rules, that is said', async () => {
  await using _agent = await agentWith(() => ({ rules: [] }));
  assert.match((await person.davit(['rules', 'list'])).out, /^There are no rules/);
});

test('one rule is shown by its id, also that of a route', async () => {
  await using agent = await agentWith(() => rules[1]);
  const { out } = await person.davit(['rules', 'show', 'web/1']);
  assert.match(out, /^declared by: +web$/m);
  assert.equal(agent.requests[0]?.path, '/api/v1/rules/web%2F1');
  assert.deepEqual(JSON.parse((await person.davit(['rules', 'show', 'web/1', '--json'])).out), rules[1]);
});

for (const [words, body] of [
  [
    ['--to', 'web', '--host', 'a.test', '--host', 'b.test', '--priority', '-5', '--disabled'],
    {
      match: { hosts: ['a.test', 'b.test'] },
      action: { type: 'route', service: 'web' },
      priority: -5,
      enabled: false,
    },
  ],
  [
    ['--split', 'web=90', '--split', 'next=10', '--path-prefix', '/api', '--rewrite-prefix', '/'],
    {
      match: { path_prefix: '/api' },
      action: {
        type: 'split',
        services: [
          { service: 'web', weight: 90 },
          { service: 'next', weight: 10 },
        ],
        rewrite_prefix: '/',
      },
    },
  ],
  [
    ['--deny', '--status', '410', '--header', 'X-Old=a=b', '--cookie', 'session', '--query', 'v=1'],
    {
      match: { headers: { 'x-old': 'a=b' }, cookies: { session: { present: true } }, query: { v: '1' } },
      action: { type: 'deny', status: 410 },
    },
  ],
  [
    ['--redirect', 'https://a.test/', '--method', 'GET', '--network', '10.0.0.0/8', '--tag', 'gpu'],
    {
      match: { methods: ['GET'], networks: ['10.0.0.0/8'], tags: ['gpu'] },
      action: { type: 'redirect', to: 'https://a.test/' },
    },
  ],
  [['--answer', 'ok', '--path', '/up'], { match: { path: '/up' }, action: { type: 'answer', body: 'ok' } }],
  [
    ['--to', 'web', '--path-regex', '^/v\\d'],
    { match: { path_regex: '^/v\\d' }, action: { type: 'route', service: 'web' } },
  ],
] as const)
  test(`davit rules add ${words.join(' ')}`, async () => {
    await using agent = await agentWith(echoRule);
    const { code, err } = await person.davit(['rules', 'add', 'shop', ...words]);
    assert.equal(code, 0, err);
    assert.deepEqual(agent.requests[0]?.body, { id: 'shop', ...body });
    // The agent takes it as it is.
    assert.doesNotThrow(() => newRule.parse(agent.requests[0]?.body));
  });

for (const words of [
  [],
  ['--to', 'web', '--deny'],
  ['--split', 'web'],
  ['--to', 'No Service'],
  ['--file', 'nothing.yaml'],
])
  test(`davit rules add shop ${words.join(' ')} is wrong usage`, async () => {
    await using agent = await agentWith(echoRule);
    const { code } = await person.davit(['rules', 'add', 'shop', ...words]);
    assert.equal(code, 2);
    assert.equal(agent.requests.length, 0);
  });

test('a rule is read from a file or from standard input', async () => {
  await using agent = await agentWith(echoRule);
  const rule = 'match: {hosts: [a.test]}\naction: {type: route, service: web}\n';
  writeFileSync(person.path('rule.yaml'), rule);
  assert.equal((await person.davit(['rules', 'add', 'shop', '--file', 'rule.yaml'])).code, 0);
  assert.equal((await person.davit(['rules', 'edit', 'shop', '--file', '-'], rule)).code, 0);
  const [added, edited] = agent.requests;
  assert.deepEqual([added?.method, added?.path, added?.body.id], ['POST', '/api/v1/rules', 'shop']);
  assert.deepEqual([edited?.method, edited?.path], ['PUT', '/api/v1/rules/shop']);
  assert.deepEqual(edited?.body, { match: { hosts: ['a.test'] }, action: { type: 'route', service: 'web' } });
});

test('a rule is edited as YAML, and what the agent refuses is kept', async () => {
  await using agent = await agentWith((request) =>
    request.method === 'GET'
      ? rules[0]
      : request.body.priority === 11
        ? echoRule(request)
        : { http_status: 400, error: 'no', code: 'invalid_request', request_id: '1' },
  );
  const edit = async (command: string) =>
    await ended(person.start(['rules', 'edit', 'beta'], { EDITOR: command }));
  const done = await edit('sed -i "s/priority: 10/priority: 11/"');
  assert.equal(done.code, 0, done.err);
  const { id: _, declared_by: __, ...rest } = rules[0] as Rule;
  assert.deepEqual(agent.requests[1]?.body, { ...rest, priority: 11 });
  assert.match((await edit('true')).err, /Nothing was changed/);
  const refused = await edit('sed -i "s/priority: 10/priority: 12/"');
  assert.equal(refused.code, 2);
  assert.match(refused.err, /What you wrote is kept in .*rule\.yaml/);
});

test('rules are removed, enabled, disabled and put in order', async () => {
  await using agent = await agentWith((request) => {
    if (request.method === 'DELETE') return { deleted: rules[0] };
    return request.method === 'PUT' ? { rules } : { ...rules[0], enabled: request.path.endsWith('/enable') };
  });
  assert.match((await person.davit(['rules', 'remove', 'beta'])).out, /^Rule beta was deleted$/m);
  assert.match((await person.davit(['rules', 'enable', 'beta'])).out, /^Rule beta is enabled$/m);
  assert.match((await person.davit(['rules', 'disable', 'beta'])).out, /^Rule beta is disabled$/m);
  assert.match(
    (await person.davit(['rules', 'order', 'beta', 'off'])).out,
    /^Rule beta has the priority 10\nRule off /,
  );
  assert.deepEqual(
    agent.requests.map(({ method, path }) => `${method} ${path}`),
    [
      'DELETE /api/v1/rules/beta',
      'POST /api/v1/rules/beta/enable',
      'POST /api/v1/rules/beta/disable',
      'PUT /api/v1/rules/order',
    ],
  );
  assert.deepEqual(agent.requests[3]?.body, { ids: ['beta', 'off'] });
});

test('what would become of a request is told with the reasons', async () => {
  await using agent = await agentWith(() => ({
    rule: 'web/1',
    kind: 'service',
    service: 'web',
    instance: 2,
    release: 3,
    path: '/',
    status: null,
    message: 'It goes to instance 2 of web.',
    reasons: ['it is its turn'],
    tried: [
      { rule: 'beta', fits: false, reason: 'the header x-beta is absent \u001b[31m' },
      { rule: 'web/1', fits: true, reason: 'all holds' },
    ],
  }));
  const words = ['http://web.test/', '--header', 'X-Beta: 0', '--client', '10.0.0.1', '--method', 'POST'];
  const { out } = await person.davit(['rules', 'test', ...words]);
  assert.equal(
    out,
    'It goes to instance 2 of web.\n  it is its turn\n  beta: the header x-beta is absent \\x1b[31m\n  web/1: fits\n',
  );
  assert.deepEqual(agent.requests[0]?.body, {
    url: 'http://web.test/',
    headers: { 'X-Beta': '0' },
    client: '10.0.0.1',
    method: 'POST',
  });
});
