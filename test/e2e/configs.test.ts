import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { until } from '../helpers/system.ts';

const isRoot = process.geteuid?.() === 0;

let agent: RunningAgent;
let folder: string;
let count = 0;

before(async () => {
  agent = await startAgent();
});
after(() => agent[Symbol.asyncDispose]());
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'davit-e2e-configs-')));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** It runs only with a content that it likes, writes down each start and each SIGHUP. */
const program = `grep -q bad app.conf && { echo "cannot use app.conf" >&2; exit 3; }
cat app.conf >>starts; trap 'cat app.conf >>hups' HUP; echo up; while :; do sleep 0.05; done`;

interface Options {
  readonly config?: Record<string, unknown>;
  readonly spec?: Record<string, unknown>;
  readonly content?: string | null;
}

/** Deploys a service with one configuration file, \`app.conf\`, and gives the path of its API. */
async function deploy({ config = {}, spec = {}, content = 'one\n' }: Options = {}) {
  const id = `configs-${++count}`;
  const file = join(folder, 'app.conf');
  if (content !== null) writeFileSync(file, content);
  const { status, body } = await agent.call('POST', `/service/${id}/deploy`, {
    command: program,
    cwd: folder,
    min_uptime: '300ms',
    configs: [{ name: 'app', path: file, ...config }],
    ...spec,
  });
  assert.equal(status, 200, JSON.stringify(body));
  return { id, file, api: `/api/v1/services/${id}/configs` };
}

const read = (name: string) => readFileSync(join(folder, name), 'utf8');
const eventsOf = async (id: string, type: string) =>
  (await agent.call('GET', `/api/v1/events?service=${id}&type=${type}`)).body.events;

test('a file is replaced, the service is restarted with it, and everything tells which version it is', async () => {
  const { id, file, api } = await deploy();
  const { status, body } = await agent.call('PUT', `${api}/app`, { content: 'two\n' });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.status, 'replaced');
  assert.equal(body.version, 2);
  assert.deepEqual([body.reload.action, body.reload.done], ['restart', true]);
  assert.match(body.diff, /^-one$/m);
  assert.match(body.diff, /^\+two$/m);
  assert.equal(readFileSync(file, 'utf8'), 'two\n');
  assert.equal(statSync(file).mode & 0o7777, 0o640);
  assert.equal(read('starts'), 'one\ntwo\n');

  const list = (await agent.call('GET', api)).body.configs;
  assert.equal(list.length, 1);
  const { exists, sha256, size, version, problem } = list[0];
  assert.deepEqual([exists, sha256, size, version, problem], [true, body.sha256, 4, 2, null]);
  const shown = (await agent.call('GET', `${api}/app`)).body;
  assert.deepEqual([shown.content, shown.sha256, shown.version], ['two\n', body.sha256, 2]);

  const { versions } = (await agent.call('GET', `${api}/app/versions`)).body;
  const facts = versions.map((kept: Record<string, unknown>) => [
    kept['version'],
    kept['origin'],
    kept['current'],
  ]);
  assert.deepEqual(facts, [
    [2, 'written', true],
    [1, 'found', false],
  ]);
  assert.match(versions[0].actor, /^key:/);
  assert.equal((await agent.call('GET', `${api}/app/versions/1`)).body.content, 'one\n');
  const [event] = await eventsOf(id, 'config.replaced');
  assert.match(event.message, /^"app" was replaced by version 2 \(.*app\.conf\); the service was restarted$/);
});

test('what it holds already is not written, nor is the service restarted', async () => {
  const { id, api } = await deploy();
  await agent.call('PUT', `${api}/app`, { content: 'two\n' });
  const { body } = await agent.call('PUT', `${api}/app`, { content: 'two\n' });
  assert.deepEqual([body.status, body.version, body.diff, body.reload.done], ['unchanged', 2, '', false]);
  assert.equal(read('starts'), 'one\ntwo\n');
  assert.equal((await eventsOf(id, 'config.replaced')).length, 1);
});

test('a signal reaches the service, and none is sent where none is wanted', async () => {
  const { api } = await deploy({ config: { reload: 'signal' } });
  const signalled = (await agent.call('PUT', `${api}/app`, { content: 'two\n' })).body;
  assert.deepEqual(signalled.reload, {
    action: 'signal',
    done: true,
    message: 'SIGHUP was sent to the service',
  });
  await until('the service has heard of it', () => existsSync(join(folder, 'hups')));
  const left = (await agent.call('PUT', `${api}/app`, { content: 'three\n', reload: 'none' })).body;
  assert.deepEqual([left.status, left.reload.done], ['replaced', false]);
  assert.equal(read('starts'), 'one\n');
});

test('a service that is stopped stays so, and finds the new content at its next start', async () => {
  const { id, api } = await deploy();
  await agent.call('POST', `/service/${id}/stop`);
  const { body } = await agent.call('PUT', `${api}/app`, { content: 'two\n' });
  assert.deepEqual([body.status, body.reload.done], ['replaced', false]);
  assert.match(body.reload.message, /is stopped/);
  assert.equal((await agent.call('GET', `/service/${id}/status`)).body.status, 'stopped');
});

test('a service that does not start with the new content has the old one again, and runs with it', async () => {
  const { id, file, api } = await deploy();
  const { status, body } = await agent.call('PUT', `${api}/app`, { content: 'bad secret-word\n' });
  assert.equal(status, 422, JSON.stringify(body));
  assert.equal(body.code, 'exited_early');
  assert.equal(body.return_code, 3);
  assert.ok(body.last_lines.includes('cannot use app.conf'));
  assert.match(body.error, /"app" is as it was, and the service was restarted with it$/);
  assert.equal(readFileSync(file, 'utf8'), 'one\n');
  const seen = (await agent.call('GET', `/service/${id}/status`)).body;
  assert.equal(seen.status, 'running');
  assert.equal(body.restored.pid, seen.pid);
  const { versions } = (await agent.call('GET', `${api}/app/versions`)).body;
  assert.deepEqual(
    versions.map(({ version, current }: Record<string, unknown>) => [version, current]),
    [[1, true]],
  );
  const [event] = await eventsOf(id, 'config.refused');
  assert.match(event.message, /^"app" was not replaced: /);
  assert.ok(!event.message.includes('secret-word'));
});

test('a new file that the service does not start with is removed again', async () => {
  const command = '[ -e app.conf ] && exit 4; exec sleep 1000';
  const { id, file, api } = await deploy({ content: null, spec: { command } });
  assert.equal((await agent.call('GET', api)).body.configs[0].exists, false);
  assert.equal((await agent.call('GET', `${api}/app`)).body.code, 'config_not_found');
  const { body } = await agent.call('PUT', `${api}/app`, { content: 'one\n', if_sha256: null });
  assert.equal(body.code, 'exited_early', JSON.stringify(body));
  assert.ok(!existsSync(file));
  assert.equal((await agent.call('GET', `/service/${id}/status`)).body.status, 'running');
});

for (const [kind, validate] of Object.entries({
  'a line for a shell': `pwd >checked; echo "looking at it"; grep -q good "\${FILE}" || { echo "no good"; exit 7; }`,
  'a list': [
    '/bin/sh',
    '-c',
    'pwd >checked; echo looking; grep -q good "$1" || { echo "no good"; exit 7; }',
    'sh',
    `\${FILE}`,
  ],
})) {
  test(`a content that the validate command does not accept changes nothing (${kind})`, async () => {
    const { id, file, api } = await deploy({ config: { validate, reload: 'none' } });
    const { status, body } = await agent.call('PUT', `${api}/app`, { content: 'evil\n' });
    assert.deepEqual([status, body.code, body.return_code], [422, 'validation_failed', 7]);
    assert.equal(body.last_lines.at(-1), 'no good');
    assert.equal(readFileSync(file, 'utf8'), 'one\n');
    assert.equal(read('checked'), `${folder}\n`);
    assert.equal((await agent.call('GET', `${api}/app/versions`)).body.versions.length, 0);
    assert.equal((await eventsOf(id, 'config.refused')).length, 1);
    const good = await agent.call('PUT', `${api}/app`, { content: 'good\n' });
    assert.equal(good.status, 200, JSON.stringify(good.body));
    assert.equal(readFileSync(file, 'utf8'), 'good\n');
    assert.deepEqual(checkedCopies(), []);
  });
}

/** The folders with copies for validate commands. */
const checkedCopies = () =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(`davit-validate-${agent.child.pid}-`));

test('a copy that an agent left which died while it was looked at goes when the next agent starts', async () => {
  const first = await startAgent({ data: join(folder, 'data') });
  // Nobody ends it when its agent was killed: it goes with the folder.
  const validate = `echo "\${FILE}" >looking; while [ -e looking ]; do sleep 0.1; done`;
  const configs = [{ name: 'app', path: join(folder, 'app.conf'), validate }];
  await first.call('POST', '/api/v1/services', { id: 'web', command: 'true', cwd: folder, configs });
  const asked = first.call('PUT', '/api/v1/services/web/configs/app', { content: 'a' }).catch(() => null);
  const looking = join(folder, 'looking');
  await until('it is looked at', () => existsSync(looking) && readFileSync(looking, 'utf8') !== '');
  const copy = readFileSync(looking, 'utf8').trim();
  assert.equal(readFileSync(copy, 'utf8'), 'a');
  await first.end('SIGKILL');
  await asked;
  await using next = await startAgent({ data: join(folder, 'data') });
  assert.ok(!existsSync(dirname(copy)));
  assert.ok(!existsSync(join(folder, 'app.conf')));
  assert.equal((await next.call('GET', '/api/v1/services/web/configs/app')).body.code, 'config_not_found');
});

test('a validate command that is not there is told as such', async () => {
  const { api } = await deploy({ config: { validate: ['no-such-checker', `\${FILE}`] } });
  const { body } = await agent.call('PUT', `${api}/app`, { content: 'two\n' });
  assert.equal(body.code, 'validation_failed');
  assert.match(body.error, /"app" cannot be checked: .*no-such-checker/);
});

test('a file that another changed is not replaced unseen, and what was written by hand is kept', async () => {
  const { file, api } = await deploy({ config: { reload: 'none' } });
  const { sha256 } = (await agent.call('GET', `${api}/app`)).body;
  writeFileSync(file, 'by hand\n');
  const refused = await agent.call('PUT', `${api}/app`, { content: 'two\n', if_sha256: sha256 });
  assert.deepEqual([refused.status, refused.body.code], [409, 'state_conflict']);
  const forNew = await agent.call('PUT', `${api}/app`, { content: 'two\n', if_sha256: null });
  assert.equal(forNew.status, 409);
  assert.equal(readFileSync(file, 'utf8'), 'by hand\n');
  await agent.call('PUT', `${api}/app`, { content: 'two\n' });
  writeFileSync(file, 'by hand again\n');
  assert.equal((await agent.call('GET', `${api}/app`)).body.version, null);
  const drift = (await agent.call('GET', `${api}/app/diff`)).body;
  assert.deepEqual([drift.from, drift.to], [2, null]);
  assert.match(drift.diff, /^-two$[\s\S]*^\+by hand again$/m);
  await agent.call('PUT', `${api}/app`, { content: 'three\n' });
  const { versions } = (await agent.call('GET', `${api}/app/versions`)).body;
  assert.deepEqual(
    versions.map(({ version, origin }: Record<string, unknown>) => `${version} ${origin}`),
    ['4 written', '3 found', '2 written', '1 found'],
  );
  const between = (await agent.call('GET', `${api}/app/diff?from=1&to=3`)).body;
  assert.match(between.diff, /^-by hand$[\s\S]*^\+by hand again$/m);
});

test('a roll back takes the version before, or the one that is named', async () => {
  const { id, file, api } = await deploy();
  for (const content of ['two\n', 'three\n']) await agent.call('PUT', `${api}/app`, { content });
  const { status, body } = await agent.call('POST', `${api}/app/rollback`);
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual([body.status, body.version], ['rolled_back', 4]);
  assert.equal(readFileSync(file, 'utf8'), 'two\n');
  const named = await agent.call('POST', `${api}/app/rollback`, { version: 1 });
  assert.equal(named.body.version, 5);
  assert.equal(read('starts'), 'one\ntwo\nthree\ntwo\none\n');
  const { versions } = (await agent.call('GET', `${api}/app/versions`)).body;
  assert.deepEqual([versions[0].restored_from, versions[1].restored_from], [1, 2]);
  assert.equal((await eventsOf(id, 'config.rolled_back')).length, 2);
  const missing = await agent.call('POST', `${api}/app/rollback`, { version: 99 });
  assert.deepEqual([missing.status, missing.body.code], [404, 'config_not_found']);
});

test('twenty versions are kept, and all of them go with the service', async () => {
  const { id, api } = await deploy({ config: { reload: 'none' } });
  for (let n = 0; n < 25; n++) await agent.call('PUT', `${api}/app`, { content: `${n}\n` });
  const { versions } = (await agent.call('GET', `${api}/app/versions`)).body;
  assert.equal(versions.length, 20);
  assert.equal(versions[0].version, 26);
  const kept = join(agent.data, 'configs', id);
  assert.equal(readdirSync(join(kept, 'app')).length, 21);
  for (const name of readdirSync(join(kept, 'app')))
    assert.equal(statSync(join(kept, 'app', name)).mode & 0o777, 0o600);
  for (const directory of [join(agent.data, 'configs'), kept, join(kept, 'app')])
    assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.equal((await agent.call('GET', `${api}/app/versions/1`)).body.code, 'config_not_found');
  await agent.call('DELETE', `/api/v1/services/${id}`);
  assert.ok(!existsSync(kept));
});

test('replacements of one file at the same time leave it whole, and each is a version', async () => {
  const { file, api } = await deploy({ config: { reload: 'none' } });
  const contents = Array.from({ length: 8 }, (_, n) => `${n}`.repeat(10_000));
  const answers = await Promise.all(contents.map((content) => agent.call('PUT', `${api}/app`, { content })));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.ok(contents.includes(readFileSync(file, 'utf8')));
  assert.equal((await agent.call('GET', `${api}/app/versions`)).body.versions.length, 9);
});

test('files that cannot be used are refused with the reason, and the list tells it', async () => {
  const { file, api } = await deploy({ config: { reload: 'none' } });
  writeFileSync(file, Buffer.from([0xff, 0xfe, 0]));
  const binary = await agent.call('GET', `${api}/app`);
  assert.deepEqual([binary.status, binary.body.code], [422, 'config_unusable']);
  assert.match(binary.body.error, /no text in UTF-8/);
  const replaced = (await agent.call('PUT', `${api}/app`, { content: 'text\n' })).body;
  assert.deepEqual([replaced.status, replaced.diff], ['replaced', null]);
  assert.equal((await agent.call('POST', `${api}/app/rollback`)).body.status, 'rolled_back');
  assert.ok(readFileSync(file).equals(Buffer.from([0xff, 0xfe, 0])));

  writeFileSync(file, 'x'.repeat(2 ** 20 + 1));
  assert.match((await agent.call('GET', `${api}/app`)).body.error, /larger than 1048576 bytes/);
  unlinkSync(file);
  symlinkSync('/etc/hostname', file);
  assert.match((await agent.call('GET', api)).body.configs[0].problem, /symbolic link/);
  const { body } = await agent.call('PUT', `${api}/app`, { content: 'x' });
  assert.equal(body.code, 'config_unusable');
  const large = await agent.call('PUT', `${api}/app`, { content: 'x'.repeat(2 ** 20) });
  assert.equal(large.body.code, 'body_too_large');
});

test('only files that the spec names now are reached', async () => {
  const { id, api } = await deploy();
  for (const name of ['other', '..', '%2e%2e%2fapp', 'app%2f..', 'a'.repeat(64)]) {
    const { status } = await agent.call('GET', `${api}/${name}`);
    assert.ok(status === 404 || status === 400, `${name}: ${status}`);
  }
  const near = (await agent.call('GET', `${api}/apq`)).body;
  assert.deepEqual([near.code, /did you mean "app"/.test(near.error)], ['config_not_found', true]);
  await agent.call('PATCH', `/api/v1/services/${id}`, { configs: [] });
  assert.equal((await agent.call('GET', `${api}/app`)).body.code, 'config_not_found');
  assert.equal((await agent.call('PUT', `${api}/app`, { content: 'x' })).body.code, 'config_not_found');
  assert.equal(read('app.conf'), 'one\n');
});

test('no content reaches the log, the events, the audit log or the state', async () => {
  const word = 'correct-horse-battery-staple';
  const { api } = await deploy({
    config: { reload: 'none', validate: `cat "\${FILE}"; ! grep wrong "\${FILE}"` },
  });
  const once = { 'idempotency-key': 'a-roll-back' };
  await agent.call('PUT', `${api}/app`, { content: `${word} good\n` });
  await agent.call('PUT', `${api}/app`, { content: `${word} wrong\n` });
  const { body } = await agent.call('POST', `${api}/app/rollback`, {}, once);
  assert.ok(body.diff.includes(word));
  const again = await agent.call('POST', `${api}/app/rollback`, {}, once);
  assert.equal(again.headers.get('idempotency-replayed'), 'true');
  const { events } = (await agent.call('GET', '/api/v1/events?limit=1000')).body;
  assert.ok(!JSON.stringify(events).includes(word));
  assert.ok(!JSON.stringify(agent.log).includes(word));
  for (const name of ['audit.jsonl', 'davit.db', 'davit.db-wal'])
    if (existsSync(join(agent.data, name)))
      assert.ok(!readFileSync(join(agent.data, name)).includes(word), `${name} holds it`);
});

test('who may only read sees hashes, and no content', async () => {
  const { id, api } = await deploy();
  await agent.call('PUT', `${api}/app`, { content: 'two\n' });
  const key = async (scope: string, service: string) => {
    const made = { name: scope, scopes: [scope], services: [service] };
    return { authorization: `Bearer ${(await agent.call('POST', '/api/v1/keys', made)).body.key}` };
  };
  const reader = await key('operate', id);
  assert.equal((await agent.call('GET', api, undefined, reader)).status, 200);
  assert.equal((await agent.call('GET', `${api}/app/versions`, undefined, reader)).status, 200);
  for (const path of ['app', 'app/versions/1', 'app/diff'])
    assert.equal((await agent.call('GET', `${api}/${path}`, undefined, reader)).status, 403);
  assert.equal((await agent.call('PUT', `${api}/app`, { content: 'x' }, reader)).status, 403);
  assert.equal((await agent.call('POST', `${api}/app/rollback`, {}, reader)).status, 403);
  const stranger = await key('deploy', 'another');
  assert.equal((await agent.call('GET', api, undefined, stranger)).status, 403);
  assert.equal((await agent.call('PUT', `${api}/app`, { content: 'x' }, stranger)).status, 403);
});

test('a service of another user reads and replaces only what that user may', {
  skip: isRoot ? false : 'only root can become another account',
}, async () => {
  chmodSync(folder, 0o755);
  chownSync(folder, 65_534, 65_534);
  const passwd = readFileSync('/etc/passwd');
  const secret = join(folder, 'of_root');
  writeFileSync(secret, 'of root', { mode: 0o600 });
  const configs = [
    { name: 'app', path: join(folder, 'app.conf'), reload: 'none', validate: `test -r "\${FILE}" && id -u` },
    { name: 'passwd', path: '/etc/passwd', reload: 'none' },
    { name: 'shadow', path: '/etc/shadow', reload: 'none' },
    { name: 'secret', path: secret, reload: 'none' },
  ];
  const { api } = await deploy({ spec: { user: 'nobody', command: 'exec sleep 1000', configs } });
  const ok = await agent.call('PUT', `${api}/app`, { content: 'mine\n' });
  assert.equal(ok.status, 200, JSON.stringify(ok.body));
  assert.equal(statSync(join(folder, 'app.conf')).uid, 65_534);
  for (const name of ['passwd', 'shadow', 'secret']) {
    const { status, body } = await agent.call('PUT', `${api}/${name}`, { content: 'owned\n' });
    assert.deepEqual([status, body.code], [422, 'config_unusable'], name);
  }
  for (const name of ['shadow', 'secret'])
    assert.equal((await agent.call('GET', `${api}/${name}`)).body.code, 'config_unusable');
  assert.ok(readFileSync('/etc/passwd').equals(passwd));
  assert.equal(readFileSync(secret, 'utf8'), 'of root');
  symlinkSync('/etc', join(folder, 'linked'));
  const through = [{ name: 'linked', path: join(folder, 'linked', 'davit-owned'), reload: 'none' }];
  const { api: other } = await deploy({
    spec: { user: 'nobody', command: 'exec sleep 1000', configs: through },
  });
  assert.equal((await agent.call('PUT', `${other}/linked`, { content: 'x' })).body.code, 'config_unusable');
  assert.ok(!existsSync('/etc/davit-owned'));
});

for (const user of isRoot ? [null, 'nobody'] : [null]) {
  test(`an agent that is killed at any moment leaves one content or the other, whole (${user ?? 'own user'})`, async () => {
    const data = join(folder, 'data');
    const conf = join(folder, 'conf');
    mkdirSync(conf);
    chmodSync(folder, 0o755);
    if (user !== null) chownSync(conf, 65_534, 65_534);
    const file = join(conf, 'app.conf');
    const api = '/api/v1/services/web/configs/app';
    const first = await startAgent({ data });
    const configs = [{ name: 'app', path: file, reload: 'none' }];
    await first.call('POST', '/api/v1/services', { id: 'web', command: 'sleep 1000', user, configs });
    await first.call('PUT', api, { content: 'start' });
    const contents = new Set(['start']);
    let running = first;
    for (let round = 0; round < 4; round++) {
      const asked: Promise<unknown>[] = [];
      for (let n = 0; n < 5; n++) {
        const content = `${round}.${n} `.repeat(50_000);
        contents.add(content);
        asked.push(running.call('PUT', api, { content }).catch(() => null));
      }
      await until('one of them is written', () => readFileSync(file, 'utf8').startsWith(`${round}.`));
      await running.end('SIGKILL');
      await Promise.all(asked);
      assert.ok(contents.has(readFileSync(file, 'utf8')), 'the file is whole');
      running = await startAgent({ data });
      const { status, body } = await running.call('GET', `${api}/versions`);
      assert.equal(status, 200, JSON.stringify(body));
      for (const { version } of body.versions)
        assert.ok(contents.has((await running.call('GET', `${api}/versions/${version}`)).body.content));
    }
    const { status } = await running.call('PUT', api, { content: 'end' });
    assert.equal(status, 200);
    await until('only the file is there', () => readdirSync(conf).join() === 'app.conf');
    await running[Symbol.asyncDispose]();
  });
}
