import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, test } from 'node:test';
import { Person } from './davit.ts';
import { FakeAgent, type Received } from './fake_agent.ts';

const sha256 = 'a'.repeat(64);
const diff = '--- app (before)\n+++ app (version 2)\n@@ -1,1 +1,1 @@\n-one\n+two \u001b[31m\n';
const result = {
  status: 'replaced',
  service: 'web',
  name: 'app',
  path: '/opt/web/app.conf',
  version: 2,
  sha256,
  diff,
  reload: { action: 'restart', done: true, message: 'the service was restarted' },
  message: '"app" was replaced by version 2; the service was restarted',
};
const versions = [
  {
    version: 2,
    time: '2026-01-31T12:00:00.000Z',
    actor: 'key:k1',
    origin: 'written',
    restored_from: 1,
    sha256,
    size: 4,
    current: true,
  },
  {
    version: 1,
    time: '2026-01-31T11:00:00.000Z',
    actor: null,
    origin: 'found',
    restored_from: null,
    sha256,
    size: 4,
    current: false,
  },
];
const config = {
  name: 'app',
  path: '/opt/web/app.conf',
  mode: '640',
  validated: true,
  reload: 'signal',
  signal: 'SIGHUP',
  exists: true,
  sha256,
  size: 4,
  modified_at: '2026-01-31T12:00:00.000Z',
  version: 2,
  problem: null,
};
const linked = {
  ...config,
  name: 'linked',
  exists: false,
  size: null,
  modified_at: null,
  problem: 'it is a symbolic link',
};

let agent: FakeAgent;
let person: Person;
/** What a PUT is answered, in place of the result. */
let refusal: object | null = null;

before(async () => {
  agent = await new FakeAgent(answer).listen();
  person = new Person();
  agent.describeIn(person.path('data'));
});
after(async () => {
  await agent[Symbol.asyncDispose]();
  person[Symbol.dispose]();
});

function answer({ method, path }: Received): unknown {
  const rest = path.replace('/api/v1/services/web/configs', '');
  switch (`${method} ${rest}`) {
    case 'GET ':
      return { service: 'web', configs: [config, linked] };
    case 'GET /app':
      return { service: 'web', name: 'app', path: config.path, content: 'one\nno end', sha256, version: 2 };
    case 'GET /app/versions':
      return { service: 'web', name: 'app', versions };
    case 'GET /app/versions/1':
      return { ...versions[1], content: 'first\n' };
    case 'GET /app/diff':
      return { service: 'web', name: 'app', from: 1, to: null, diff };
    case 'PUT /app':
    case 'POST /app/rollback':
      return refusal ?? result;
    case 'GET /new':
      return {
        http_status: 404,
        code: 'config_not_found',
        error: '"new" of service "web" is not there yet: /x',
      };
    case 'PUT /new':
      return result;
    default:
      return { http_status: 404, code: 'config_not_found', error: `service "web" has no configuration file` };
  }
}

const last = () => agent.requests.at(-1);

test('the list tells what each file holds, and what is wrong with one', async () => {
  const { code, out, err } = await person.davit(['configs', 'list', 'web']);
  assert.equal(code, 0);
  assert.match(out, /NAME.*VERSION.*SIZE.*CHANGED.*RELOAD.*PATH/);
  assert.match(out, /app\s.*2\s.*4\s.*SIGHUP\s.*\/opt\/web\/app\.conf/);
  assert.match(err, /linked: it is a symbolic link/);
});

test('a content is shown exactly, as it is and as a version had it', async () => {
  assert.equal((await person.davit(['configs', 'show', 'web', 'app'])).out, 'one\nno end');
  assert.equal((await person.davit(['configs', 'show', 'web', 'app', '1'])).out, 'first\n');
});

test('a file and standard input are put, with what was asked for', async () => {
  writeFileSync(person.path('app.conf'), 'two\n');
  const { code, out } = await person.davit(['configs', 'put', 'web', 'app', 'app.conf', '--reload', 'none']);
  assert.equal(code, 0);
  assert.deepEqual(last()?.body, { content: 'two\n', reload: 'none' });
  assert.match(out, /^-one$/m);
  assert.match(out, /web: "app" was replaced by version 2; the service was restarted\n$/);
  await person.davit(['configs', 'put', 'web', 'app', '-', '--if-sha256', sha256], 'from input');
  assert.deepEqual(last()?.body, { content: 'from input', if_sha256: sha256 });
  await person.davit(['configs', 'put', 'web', 'app', '-', '--if-sha256', 'none'], '');
  assert.deepEqual(last()?.body, { content: '', if_sha256: null });
});

test('what is no text, and what is not there, is refused before the agent is asked', async () => {
  const count = agent.requests.length;
  writeFileSync(person.path('binary'), Buffer.from([0xff, 0]));
  for (const name of ['binary', 'none']) {
    const { code, err } = await person.davit(['configs', 'put', 'web', 'app', name]);
    assert.equal(code, 2);
    assert.match(err, /cannot be read as text/);
  }
  assert.equal((await person.davit(['configs', 'show', 'web', '../x'])).code, 2);
  assert.equal(agent.requests.length, count);
});

test('versions and differences are shown, and a roll back names the version', async () => {
  const { out } = await person.davit(['configs', 'versions', 'web', 'app']);
  assert.match(out, /2 \*.*aaaaaaaaaaaa.*key:k1 \(from version 1\)/);
  assert.match(out, /1 .*not written by davit/);
  const shown = await person.davit(['configs', 'diff', 'web', 'app', '1']);
  assert.equal(shown.out, diff);
  assert.deepEqual(last()?.query, { from: '1' });
  await person.davit(['configs', 'rollback', 'web', 'app', '1']);
  assert.deepEqual(last()?.body, { version: 1 });
  await person.davit(['configs', 'rollback', 'web', 'app']);
  assert.deepEqual(last()?.body, {});
});

test('JSON is what the agent answered', async () => {
  const { out } = await person.davit(['configs', 'put', 'web', 'app', '-', '--json'], 'x');
  assert.deepEqual(JSON.parse(out), result);
});

/** An editor that writes down its file and does this with it. */
function editor(script: string): Record<string, string> {
  const file = person.path('editor');
  writeFileSync(file, `#!/bin/sh\nprintf %s "$1" >'${person.path('edited')}'\n${script}\n`);
  chmodSync(file, 0o755);
  return { EDITOR: `${file}`, VISUAL: '' };
}

const editedFile = () => readFileSync(person.path('edited'), 'utf8');

test('an edit puts what the editor wrote, only in place of what was read', async () => {
  const environment = editor('echo two >"$1"');
  const { code, err } = await person.davit(['configs', 'edit', 'web', 'app'], '', environment);
  assert.equal(code, 0, err);
  assert.deepEqual(last()?.body, { content: 'two\n', if_sha256: sha256 });
  assert.ok(!existsSync(editedFile()));
  await person.davit(['configs', 'edit', 'web', 'new'], '', editor('echo new >"$1"'));
  assert.deepEqual(last()?.body, { content: 'new\n', if_sha256: null });
});

test('an edit that changes nothing, or whose editor fails, asks for nothing', async () => {
  const same = await person.davit(['configs', 'edit', 'web', 'app'], '', editor('true'));
  assert.deepEqual([same.code, same.err], [0, 'Nothing was changed.\n']);
  const failed = await person.davit(['configs', 'edit', 'web', 'app'], '', editor('echo x >"$1"; exit 1'));
  assert.equal(failed.code, 2);
  assert.match(failed.err, /ended with 1; nothing was changed/);
  assert.equal(last()?.method, 'GET');
  assert.ok(!existsSync(editedFile()));
});

test('an edit that is refused is kept', async () => {
  refusal = {
    http_status: 422,
    code: 'validation_failed',
    error: '"app" was not accepted',
    return_code: 7,
    last_lines: ['line 1 is wrong'],
  };
  const { code, err } = await person.davit(['configs', 'edit', 'web', 'app'], '', editor('echo bad >"$1"'));
  refusal = null;
  assert.equal(code, 1);
  assert.match(err, /line 1 is wrong/);
  const [, file = ''] = /What you wrote is kept in (\S+)/.exec(err) ?? [];
  assert.equal(readFileSync(file, 'utf8'), 'bad\n');
  rmSync(dirname(file), { recursive: true });
});
