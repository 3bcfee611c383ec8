import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import type { ShownNotifier } from '../../src/contract/notifiers.ts';
import { Person } from './davit.ts';
import { type FakeAgent, fakeAgent, type Received } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

function shown(change: Partial<ShownNotifier> = {}): ShownNotifier {
  return {
    name: 'ops',
    type: 'webhook',
    origin: 'configuration',
    target: 'https://hooks.example.org',
    services: ['*'],
    severities: ['critical'],
    send_resolved: true,
    timeout: '10s',
    keep_trying: '24h',
    webhook: { format: 'slack', content_type: 'application/json' },
    email: null,
    secrets: ['url'],
    waiting: 0,
    last_delivered_at: null,
    last_error: null,
    dropped: 0,
    ...change,
  };
}

async function agentWith(answer: (request: Received) => unknown): Promise<FakeAgent> {
  const agent = await fakeAgent(answer);
  agent.describeIn(person.path('data'));
  return agent;
}

test('notifiers are listed with what waits and what went wrong', async () => {
  const down = shown({
    name: 'down',
    type: 'email',
    webhook: null,
    origin: 'api',
    target: 'a@b',
    waiting: 3,
    last_error: 'it is down\u001b[31m',
  });
  await using agent = await agentWith(() => ({ notifiers: [shown(), down] }));
  const { code, out } = await person.davit(['alert', 'notifiers']);
  assert.equal(code, 0);
  const lines = out.trimEnd().split('\n');
  assert.match(lines[0] ?? '', /^NOTIFIER +TYPE +FORMAT +ORIGIN +TARGET +WAITING +DELIVERED +LAST ERROR$/);
  assert.match(
    lines[1] ?? '',
    /^ops +webhook +slack +configuration +https:\/\/hooks\.example\.org +0 +- +-$/,
  );
  assert.match(lines[2] ?? '', /^down +email +- +api +a@b +3 +- +it is down/);
  assert.ok(!out.includes('\u001b[31m'));
  assert.equal(agent.requests[0]?.path, '/api/v1/notifiers');
  assert.equal(JSON.parse((await person.davit(['alert', 'notifiers', '--json'])).out).notifiers.length, 2);
});

test('where there are none, it is said that nobody is told', async () => {
  await using _agent = await agentWith(() => ({ notifiers: [] }));
  assert.match((await person.davit(['alert', 'notifiers'])).out, /nobody is told/);
});

test('one is made of a file or of standard input, and put in the place of another', async () => {
  await using agent = await agentWith(() => shown());
  const yaml = 'name: ops\ntype: webhook\nurl: https://hooks.example.org/x\n';
  const file = person.path('ops.yaml');
  writeFileSync(file, yaml);
  const { out } = await person.davit(['alert', 'notifier', 'add', file]);
  assert.equal(out, 'Notifier ops was made: webhook to https://hooks.example.org\n');
  await person.davit(['alert', 'notifier', 'add', '-'], yaml);
  const changed = await person.davit(['alert', 'notifier', 'add', '--replace', '-'], yaml);
  assert.match(changed.out, /was changed/);
  const [first, second, third] = agent.requests;
  for (const request of [first, second]) {
    assert.deepEqual([request?.method, request?.path], ['POST', '/api/v1/notifiers']);
    assert.equal(request?.body.name, 'ops');
  }
  assert.deepEqual([third?.method, third?.path], ['PUT', '/api/v1/notifiers/ops']);
  assert.deepEqual(third?.body, { type: 'webhook', url: 'https://hooks.example.org/x' });
});

test('what is no notifier is refused before anything is sent, and its text is not shown', async () => {
  await using agent = await agentWith(() => shown());
  for (const [text, ...flags] of [
    ['[secret-text'],
    ['secret-text'],
    ['type: webhook', '--replace'],
    ['name: ../keys', '--replace'],
  ] as [string, ...string[]][]) {
    const { code, err } = await person.davit(['alert', 'notifier', 'add', ...flags, '-'], text);
    assert.notEqual(code, 0);
    assert.ok(!err.includes('secret-text'), err);
  }
  assert.equal((await person.davit(['alert', 'notifier', 'add', '/nonexistent'])).code, 2);
  assert.equal(agent.requests.length, 0);
});

test('one is tried, and deleted', async () => {
  await using agent = await agentWith(({ method }) =>
    method === 'POST'
      ? { delivered: true, notifier: 'ops', duration_ms: 12, outcome: 'status 200', answer: 'ok\u001b[31m' }
      : { deleted: shown() },
  );
  const { out } = await person.davit(['alert', 'test', 'ops']);
  assert.match(out, /^Delivered to ops in 12 ms: status 200\nok/);
  assert.ok(!out.includes('\u001b[31m'));
  assert.equal(
    (await person.davit(['alert', 'notifier', 'remove', 'ops'])).out,
    'Notifier ops was deleted\n',
  );
  assert.deepEqual(
    agent.requests.map(({ method, path }) => `${method} ${path}`),
    ['POST /api/v1/notifiers/ops/test', 'DELETE /api/v1/notifiers/ops'],
  );
});
