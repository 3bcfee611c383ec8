import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { parse } from 'yaml';
import { Person } from './davit.ts';
import { fakeAgent } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const url = 'https://prod.example.com:8888/';

function file(): unknown {
  return parse(readFileSync(person.path('.config/davit/config.yaml'), 'utf8'));
}

test('a context keeps an address and files by absolute paths, for its owner only', async () => {
  const flags = [
    '--key-file',
    'a.key',
    '--ca-file',
    '/ca.pem',
    '--cert-file',
    'c.pem',
    '--cert-key-file',
    'c.key',
  ];
  const { code, out } = await person.davit([
    'context',
    'set',
    'prod',
    '--url',
    'https://prod.example.com:8888',
    ...flags,
  ]);
  assert.equal(code, 0);
  assert.match(out, /context prod is https:\/\/prod\.example\.com:8888\//);
  const paths = {
    key_file: person.path('a.key'),
    ca_file: '/ca.pem',
    cert_file: person.path('c.pem'),
    cert_key_file: person.path('c.key'),
  };
  assert.deepEqual(file(), { current: null, contexts: { prod: { url, ...paths } } });
  const folder = person.path('.config/davit');
  assert.equal(statSync(`${folder}/config.yaml`).mode & 0o777, 0o600);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(folder), ['config.yaml']);
});

test('a file that others could read is closed when it is written', async () => {
  mkdirSync(person.path('.config/davit'), { recursive: true });
  const path = person.path('.config/davit/config.yaml');
  writeFileSync(path, 'contexts: {a: {url: "http://a"}}', { mode: 0o644 });
  await person.davit(['context', 'use', 'a']);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(file(), { current: 'a', contexts: { a: { url: 'http://a' } } });
});

test('a key from standard input is kept and never shown', async () => {
  await using agent = await fakeAgent(() => ({ services: [] }));
  await person.davit(['context', 'set', 'lab', '--url', agent.url, '--key-stdin'], 'lab-secret\n');
  await person.davit(['context', 'use', 'lab']);
  const list = await person.davit(['context', 'list']);
  assert.match(
    list.out,
    /^CONTEXT +URL +KEY\nlocal +the agent of this host +-\nlab \* +http.* +in the file of contexts\n$/,
  );
  assert.doesNotMatch(list.out + (await person.davit(['context', 'list', '--json'])).out, /lab-secret/);
  assert.equal((await person.davit(['status'])).code, 0);
  assert.equal(agent.requests[0]?.headers.authorization, 'Bearer lab-secret');
});

test('contexts are chosen, shown and forgotten', async () => {
  await person.davit(['context', 'set', 'prod', '--url', url]);
  assert.equal((await person.davit(['context', 'use', 'prod'])).out, 'using prod\n');
  const { contexts } = JSON.parse((await person.davit(['context', 'list', '--json'])).out);
  assert.deepEqual(contexts, [
    { name: 'local', current: false, url: null, key: null },
    { name: 'prod', current: true, url, key: null },
  ]);
  assert.equal((await person.davit(['context', 'delete', 'prod'])).out, 'context prod is forgotten\n');
  assert.deepEqual(file(), { current: null, contexts: {} });
});

test('"local" is always there and cannot be another', async () => {
  await person.davit(['context', 'set', 'prod', '--url', url]);
  await person.davit(['context', 'use', 'prod']);
  assert.equal((await person.davit(['context', 'use', 'local'])).code, 0);
  assert.equal((file() as { current: unknown }).current, null);
  const set = await person.davit(['context', 'set', 'local', '--url', url]);
  assert.equal(set.code, 2);
  assert.match(set.err, /stands for the agent of this host/);
});

test('what cannot be a context is refused, and nothing is written', async () => {
  for (const [words, code, expected] of [
    [['context', 'set', 'a'], 2, /a context needs --url/],
    [['context', 'set', 'a b', '--url', url], 2, /must be up to 63 letters/],
    [['context', 'set', 'a', '--url', 'x'], 2, /is not an address/],
    [['context', 'set', 'a', '--url', url, '--key-file', 'x', '--key-stdin'], 2, /not both/],
    [['context', 'use', 'none'], 3, /there is no context "none"; there are local/],
    [['context', 'delete', 'none'], 3, /there is no context "none"/],
  ] as const) {
    const run = await person.davit(words);
    assert.equal(run.code, code, run.err);
    assert.match(run.err, expected);
  }
  assert.throws(file, { code: 'ENOENT' });
});
