import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import type { AlertInFull } from '../../src/contract/alerts.ts';
import { Person } from './davit.ts';
import { type FakeAgent, fakeAgent, type Received } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const alert: AlertInFull = {
  id: 'k3f9x2m7q4wz',
  rule: 'service_failed',
  severity: 'critical',
  state: 'firing',
  service: 'web',
  instance: null,
  subject: null,
  summary: 'web has failed: Process exited with code 1',
  value: null,
  started_at: '2026-01-01T00:00:00.000Z',
  fired_at: '2026-01-01T00:00:00.000Z',
  resolved_at: null,
  event: 12,
  trace_id: null,
  silenced_by: null,
  inhibited_by: null,
  notified_at: null,
  why: ['Process exited with code 1', 'Service runs as pid 7'],
  last_lines: ['cannot \u001b[31mreach db'],
};

const silence = {
  id: '7d2kq9c4mz8a',
  rule: '*',
  service: 'web',
  starts_at: '2026-01-01T00:00:00.000Z',
  ends_at: '2126-01-01T00:00:00.000Z',
  comment: 'new\u0007disks',
  created_by: 'key:a',
};

async function agentWith(answer: (request: Received) => unknown): Promise<FakeAgent> {
  const agent = await fakeAgent(answer);
  agent.describeIn(person.path('data'));
  return agent;
}

test('what fires is listed with whether somebody was told, and with --all also what is over', async () => {
  const states = {
    firing: [
      alert,
      { ...alert, silenced_by: 'abc' },
      { ...alert, inhibited_by: 'def' },
      { ...alert, state: 'pending', severity: 'warning' },
    ],
    resolved: [{ ...alert, state: 'resolved', notified_at: new Date().toISOString() }],
  };
  await using agent = await agentWith(({ query }) => ({
    alerts: query['state'] === 'resolved' ? states.resolved : states.firing,
    next: query['state'] === 'resolved' ? '1767225600000.k3f9x2m7q4wz' : null,
  }));
  const { code, out } = await person.davit(['alerts'], '', { COLUMNS: '160' });
  assert.equal(code, 0);
  assert.match(out, /^ID +STATE +SEVERITY +RULE +SINCE +TOLD +SUMMARY$/m);
  assert.match(out, /^k3f9x2m7q4wz +firing +critical +service_failed .* no +web has failed/m);
  assert.match(out, /silenced \(abc\)/);
  assert.match(out, /explained by def/);
  assert.match(out, / pending +warning /);
  assert.doesNotMatch(out, /resolved/);
  const all = await person.davit(['alerts', '--all', '--service', 'web', '--limit', '5']);
  assert.match(all.out, /resolved/);
  assert.match(all.err, /before these: --before 1767225600000\.k3f9x2m7q4wz$/m);
  assert.deepEqual(
    agent.requests.slice(1).map(({ query }) => ({ ...query })),
    [
      { service: 'web', limit: '5' },
      { state: 'resolved', service: 'web', limit: '5' },
    ],
  );
  assert.equal(JSON.parse((await person.davit(['alerts', '--all', '--json'])).out).alerts.length, 5);
});

test('when nothing fires, that is said', async () => {
  await using _agent = await agentWith(() => ({ alerts: [], next: null }));
  assert.equal((await person.davit(['alerts'])).out, 'Nothing fires.\n');
  assert.equal((await person.davit(['alerts', '--all'])).out, 'There is no alert, and was none.\n');
});

test('what is over is listed from a cursor on, alone', async () => {
  const over = { ...alert, state: 'resolved' };
  await using agent = await agentWith(() => ({ alerts: [over], next: null }));
  const { out } = await person.davit(['alerts', '--before', '1767225600000.k3f9x2m7q4wz']);
  assert.match(out, /resolved/);
  assert.deepEqual(
    agent.requests.map(({ query }) => ({ ...query })),
    [{ state: 'resolved', before: '1767225600000.k3f9x2m7q4wz' }],
  );
  for (const words of [
    ['--before', 'now'],
    ['--all', '--before', '1.a'],
  ])
    assert.equal((await person.davit(['alerts', ...words])).code, 2);
});

test('one alert is shown with what led to it and the last lines, which drive no terminal', async () => {
  await using agent = await agentWith(() => alert);
  const { out } = await person.davit(['alert', 'show', alert.id]);
  assert.equal(agent.requests[0]?.path, `/api/v1/alerts/${alert.id}`);
  assert.match(out, /^web has failed: Process exited with code 1\n/);
  assert.match(out, /^severity: +critical$/m);
  assert.match(out, /newest first:\n {2}Process exited with code 1\n {2}← Service runs as pid 7\n/);
  assert.match(out, /^ {2}cannot reach db$/m);
  assert.equal((await person.davit(['alert', 'show', '../keys'])).code, 2);
});

test('rules are listed with what they wait for', async () => {
  const usual = { severity: 'warning', services: ['*'], enabled: true, for: '0s', origin: 'built_in' };
  const rules = [
    { ...usual, name: 'unhealthy', event: 'unhealthy', for: '1m' },
    { ...usual, name: 'hot', series: 'host.cpu', above: 0.9, clear: 0.8, origin: 'api', enabled: false },
    { ...usual, name: 'few', series: 'service.ready', below: 2, services: ['web', 'api'] },
  ];
  await using _agent = await agentWith(() => ({ rules }));
  const { out } = await person.davit(['alert', 'rules']);
  assert.match(out, /^unhealthy +warning +built-in +yes +\* +unhealthy for 1m$/m);
  assert.match(out, /^hot +warning +api +no +\* +host\.cpu > 0\.9 \(over at 0\.8\)$/m);
  assert.match(out, /^few +warning +built-in +yes +web,api +service\.ready < 2$/m);
});

test('a rule is made from a file or standard input, or takes the place of another one', async () => {
  await using agent = await agentWith(({ body, path }) => ({
    name: path.split('/').at(-1),
    for: '0s',
    ...body,
  }));
  const text = 'name: hot\nseries: host.cpu\nabove: 0.9\n';
  writeFileSync(person.path('hot.yaml'), text);
  const made = await person.davit(['alert', 'add', 'hot.yaml']);
  assert.equal(made.out, 'Alert rule hot was made: host.cpu > 0.9\n');
  await person.davit(['alert', 'add', '-'], JSON.stringify({ name: 'j', event: 'disk_low' }));
  const changed = await person.davit(['alert', 'add', 'hot.yaml', '--replace']);
  assert.equal(changed.out, 'Alert rule hot was changed: host.cpu > 0.9\n');
  assert.deepEqual(
    agent.requests.map(({ method, path, body }) => [method, path, body]),
    [
      ['POST', '/api/v1/alert_rules', { name: 'hot', series: 'host.cpu', above: 0.9 }],
      ['POST', '/api/v1/alert_rules', { name: 'j', event: 'disk_low' }],
      ['PUT', '/api/v1/alert_rules/hot', { series: 'host.cpu', above: 0.9 }],
    ],
  );
  for (const [input, said] of [
    ['[]', /must hold the fields of a rule/],
    ['{', /is no YAML/],
  ] as const) {
    const { code, err } = await person.davit(['alert', 'add', '-'], input);
    assert.equal(code, 2);
    assert.match(err, said);
  }
  assert.equal((await person.davit(['alert', 'add', '-', '--replace'], '{name: ../x}')).code, 2);
  assert.equal((await person.davit(['alert', 'add', '-', '--replace'], '{}')).code, 2);
  assert.equal((await person.davit(['alert', 'add', 'nosuch.yaml'])).code, 2);
});

test('a rule is deleted by its name', async () => {
  await using agent = await agentWith(() => ({ deleted: { name: 'hot' } }));
  assert.equal((await person.davit(['alert', 'remove', 'hot'])).out, 'Alert rule hot was deleted\n');
  assert.equal(agent.requests[0]?.path, '/api/v1/alert_rules/hot');
  assert.equal((await person.davit(['alert', 'remove', '../hot'])).code, 2);
});

test('a silence is made with an end, listed, and ended', async () => {
  await using agent = await agentWith(({ method, path }) =>
    method === 'GET' && path.endsWith('silences') ? { silences: [silence] } : silence,
  );
  const words = ['alert', 'silence', '--service', 'web', '--for', '2h', '--comment', 'new disks'];
  const made = await person.davit(words);
  assert.equal(made.out, `Silence ${silence.id}: every rule, service web, until 2126-01-01T00:00:00Z\n`);
  assert.deepEqual(agent.requests[0]?.body, { service: 'web', duration: '2h', comment: 'new disks' });
  assert.equal((await person.davit(['alert', 'silence', '--service', 'web'])).code, 2);
  const { out } = await person.davit(['alert', 'silences']);
  assert.match(out, /^7d2kq9c4mz8a +\d+d.* +\* +web +key:a +new\\x07disks$/m);
  const ended = await person.davit(['alert', 'unsilence', silence.id]);
  assert.equal(ended.out, `Silence ${silence.id} has ended: every rule, service web\n`);
  assert.equal(agent.requests.at(-1)?.method, 'DELETE');
});
