import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { reportText, withoutSecrets } from '../../src/cli/report_text.ts';
import { version } from '../../src/lib/version.ts';
import { Person } from './davit.ts';
import { fakeAgent, type Received, shownService } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
  mkdirSync(person.path('data'), { mode: 0o700 });
});
afterEach(() => person[Symbol.dispose]());

const agentKey = 'dk_this-is-the-key-of-the-agent';

function answer({ path }: Received): unknown {
  const information = {
    version,
    listen: 'http://127.0.0.1:8888',
    data: person.path('data'),
    pid: process.pid,
    services: { total: 2, running: 1 },
    control_groups: { used: true, reason: null },
    warnings: [],
  };
  const failed = shownService('broken', { status: 'failed', message: 'It gave up' });
  const lines = [
    { line: 'connecting to postgres://app:hunter2secret@db/app', stream: 'stderr', level: null },
    { line: 'Authorization: Bearer abcdefghijklmnopqrstuvwxyz', stream: 'stderr', level: null },
  ];
  if (path === '/api/v1/agent') return information;
  if (path === '/api/v1/services') return { services: [failed, shownService('web')] };
  if (path.endsWith('/why')) return { sentence: 'broken is failed', last_lines: lines };
  if (path === '/api/v1/alerts') return { http_status: 404, error: 'no such thing', code: 'not_found' };
  return { path };
}

test('a report holds what helps, and no secret that could be recognised', async () => {
  await using agent = await fakeAgent(answer);
  agent.describeIn(person.path('data'), agentKey);
  const { code, out, err } = await person.davit(['report', '--output', 'report.md']);
  assert.equal(code, 0, err);
  assert.ok(out.startsWith(person.path('report.md')));
  assert.equal(statSync(person.path('report.md')).mode & 0o777, 0o600);
  const text = readFileSync(person.path('report.md'), 'utf8');
  for (const title of [
    'Host',
    'Doctor',
    'Configuration',
    'Agent',
    'Services',
    'Why broken',
    'Events',
    'Data directory',
  ])
    assert.ok(text.includes(`\n## ${title}\n`), title);
  assert.ok(!text.includes('\n## Why web\n'));
  assert.match(text, /## Alerts\n\n```\ncould not be read: no such thing/);
  for (const secret of [agentKey, 'hunter2secret', 'abcdefghijklmnopqrstuvwxyz'])
    assert.ok(!text.includes(secret), secret);
});

test('links in the data directory are named and not followed, also where they lead around for ever', async () => {
  await using agent = await fakeAgent(answer);
  agent.describeIn(person.path('data'), agentKey);
  mkdirSync(person.path('data/artifacts/web'), { recursive: true });
  symlinkSync('/', person.path('data/artifacts/web/root'));
  for (const name of 'abcd') symlinkSync('.', person.path(`data/artifacts/web/${name}`));
  const { code, err } = await person.davit(['report', '--output', 'report.md']);
  assert.equal(code, 0, err);
  const text = readFileSync(person.path('report.md'), 'utf8');
  assert.match(text, /^\d{4} +\d+ artifacts\/web\/root$/m);
  assert.doesNotMatch(text, /artifacts\/web\/\w+\//);
});

test('without an agent the report tells of the host, and that there is no agent', async () => {
  const { code, out } = await person.davit(['report', '--output', '-']);
  assert.equal(code, 0);
  assert.match(out, /^# davit report\n/);
  assert.match(out, /## Host\n/);
  assert.match(out, /## Agent\n\n```\ncould not be read: /);
});

test('of an agent elsewhere that does not answer nothing of this host is told', async () => {
  const elsewhere = { DAVIT_URL: 'http://127.0.0.1:9', DAVIT_KEY: 'x' };
  const { code, out } = await person.davit(['report', '--output', '-'], '', elsewhere);
  assert.equal(code, 0);
  assert.match(out, /## Agent\n\n```\ncould not be read: /);
  assert.doesNotMatch(out, /## (Host|Configuration|Log of the agent)\n/);
});

test('by default it has the name of the host and the time', async () => {
  await person.davit(['report']);
  assert.match(readdirSync(person.home).join(), /davit-report-.+-\d{4}-\d{2}-\d{2}T[\d-]+Z\.md/);
});

test('a place where nothing can be written is named', async () => {
  const { code, err } = await person.davit(['report', '--output', 'nowhere/report.md']);
  assert.equal(code, 2);
  assert.match(err, /nowhere\/report\.md cannot be written: .*no such file/i);
});

test('fields that hold secrets are hidden, those that name files of secrets are not', () => {
  const shown = withoutSecrets({
    tls: { key_file: '/etc/davit/key.pem' },
    notifiers: [
      { url: 'https://hooks.example.org/services/T0/B0/secret', secret: 'x', headers: { 'X-Token': 'y' } },
      { url: 'https://example.org/', password: 'z', to: ['ops@example.org'] },
    ],
    env: { DATABASE_URL: 'postgres://…', EMPTY: null },
    token_file: '/run/token',
    count: 3,
    none: null,
  });
  assert.deepEqual(shown, {
    tls: { key_file: '/etc/davit/key.pem' },
    notifiers: [
      {
        url: 'https://hooks.example.org/[redacted]',
        secret: '[redacted]',
        headers: { 'X-Token': '[redacted]' },
      },
      { url: 'https://example.org', password: '[redacted]', to: ['ops@example.org'] },
    ],
    env: { DATABASE_URL: '[redacted]', EMPTY: '[redacted]' },
    token_file: '/run/token',
    count: 3,
    none: null,
  });
});

test('what is in a section never ends it', () => {
  const text = reportText([{ title: 'Log', content: 'a\n```\n## Forged\n````\n' }], (each) => each);
  assert.match(text, /## Log\n\n`````\na\n```\n## Forged\n````\n`````\n/);
});
