import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { shells } from '../../src/cli/completion_scripts.ts';
import { ended, Person } from './davit.ts';
import { type FakeAgent, fakeAgent, shownService } from './fake_agent.ts';

let person: Person;
let agent: FakeAgent;

before(async () => {
  person = new Person();
  const ids = ['web', 'web-2', 'api'];
  // An id that no agent would give must not become a word of a command line either.
  agent = await fakeAgent(() => ({ services: [...ids, '$(touch owned)'].map((id) => shownService(id)) }));
  agent.describeIn(person.path('data'));
  writeFileSync(person.path('web.yaml'), '');
  const program = `exec '${process.execPath}' '${resolve(import.meta.dirname, 'entry.ts')}' "$@"`;
  writeFileSync(person.path('davit'), `#!/bin/sh\n${program}\n`);
  chmodSync(person.path('davit'), 0o755);
  for (const shell of shells) {
    writeFileSync(person.path(`completion.${shell}`), (await person.davit(['completion', shell])).out);
  }
});
after(async () => {
  await agent[Symbol.asyncDispose]();
  person[Symbol.dispose]();
});

async function candidates(...words: string[]): Promise<string[]> {
  const { code, out, err } = await person.davit(['complete', '--', ...words]);
  assert.deepEqual([code, err], [0, '']);
  return out.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')[0] ?? '']));
}

for (const [words, expected] of [
  [['sta'], ['start', 'status', 'stats']],
  [
    ['key', ''],
    ['create', 'list', 'revoke', 'help'],
  ],
  [['context', 'use', ''], ['local']],
  [
    ['status', 'w'],
    ['web', 'web-2'],
  ],
  [
    ['stop', 'web', ''],
    ['web-2', 'api'],
  ],
  [['status', 'web', ''], []],
  [['--json', 'status', 'a'], ['api']],
  [
    ['logs', '--stream', ''],
    ['stdout', 'stderr'],
  ],
  [['logs', 'web', '--fol'], ['--follow']],
  [['logs', 'web', '--url'], ['--url']],
  [['logs', 'web', '-n', ''], []],
  [['events', '--service', 'ap'], ['api']],
  [
    ['events', '--type', 'key.'],
    ['key.created', 'key.revoked'],
  ],
  [
    ['completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
  [['deploy', 'web', '--file', ''], [':files']],
  [['deploy', 'web', '--cwd', ''], [':directories']],
  [['deploy', 'web', '--', 'nod'], [':files']],
  [['comp'], ['completion']],
] as const) {
  test(`davit ${words.join(' ')}<tab> may go on with ${expected.join(', ') || 'nothing'}`, async () => {
    assert.deepEqual(await candidates(...words), expected);
  });
}

test('the agent that the words name is the one that is asked', async () => {
  await using other = await fakeAgent(() => ({ services: [shownService('elsewhere')] }));
  assert.deepEqual(await candidates('status', '--url', other.url, ''), ['elsewhere']);
});

test('an agent that is away, slow or refuses leaves the line alone', async () => {
  await using slow = await fakeAgent(() => undefined);
  await using refusing = await fakeAgent(() => ({ http_status: 401, error: 'no', code: 'unauthenticated' }));
  for (const url of ['http://127.0.0.1:1', slow.url, refusing.url, 'nonsense']) {
    assert.deepEqual(await candidates('status', '--url', url, ''), []);
  }
  const { DAVIT_DATA: _, ...without } = person.environment;
  const child = person.start(['complete', '--', 'status', ''], { ...without, DAVIT_CONTEXT: 'none' });
  const { code, out, err } = await ended(child);
  assert.deepEqual([code, out, err], [0, '', '']);
});

/** What bash would offer for the words of a line, by the same function that it calls itself. */
function inBash(line: string, ...settings: string[]): Promise<string[]> {
  const words = line.split(' ');
  const script = `
    ${settings.join('\n')}
    source completion.bash
    source completion.bash
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
    _davit davit '${words.at(-1)}' '${words.at(-2)}' || exit 1
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  return shell('bash', ['--norc', '--noprofile', '-c', script]);
}

async function shell(name: string, words: readonly string[]): Promise<string[]> {
  const PATH = `${person.home}:${process.env['PATH']}`;
  const { code, out, err } = await ended(
    spawn(name, words, { cwd: person.home, env: { ...person.environment, PATH } }),
  );
  assert.deepEqual([code, err], [0, '']);
  return out.split('\n').filter((each) => each !== '');
}

test('bash completes commands, services and files', async () => {
  assert.deepEqual(await inBash('davit sta'), ['start', 'status', 'stats']);
  assert.deepEqual(await inBash('davit restart w'), ['web', 'web-2']);
  assert.deepEqual(await inBash('davit restart nothing'), []);
  assert.deepEqual(await inBash('davit deploy web --file we'), ['web.yaml']);
  assert.deepEqual(await inBash('davit restart w', 'set -u', 'IFS=w'), ['web', 'web-2']);
});

test('bash completes on a real line, as somebody types it', async () => {
  writeFileSync(person.path('rc'), "PS1=; bind 'set bell-style none'; source completion.bash");
  const PATH = `${person.home}:${process.env['PATH']}`;
  const child = spawn('script', ['-qec', 'bash --noprofile --rcfile rc -i', '/dev/null'], {
    cwd: person.home,
    env: { ...person.environment, PATH },
  });
  child.stdin.end('davit completion zs\t | head -1\nexit\n');
  assert.match((await ended(child)).out, /#compdef davit/);
});

test('no word is evaluated, neither what was typed nor what is answered', async () => {
  await inBash('davit deploy $(touch,owned) --command `touch,owned` ');
  await inBash('davit status $(');
  assert.deepEqual(await candidates('status', '$'), []);
  assert.deepEqual(
    ['owned', ',owned'].map((name) => spawnSync('test', ['-e', join(person.home, name)]).status),
    [1, 1],
  );
});

for (const [name, words] of [
  ['bash', ['-n', 'completion.bash']],
  ['zsh', ['-n', 'completion.zsh']],
  ['fish', ['-n', 'completion.fish']],
] as const) {
  test(`${name} can read its script`, { skip: missing(name) }, async () =>
    assert.deepEqual(await shell(name, words), []),
  );
}

test('zsh completes commands and services', { skip: missing('zsh') }, async () => {
  // The completion system itself needs a terminal; what it would be given is what counts here.
  const script = `
    compdef() { :; }; _describe() { print -l -- "\${(@P)2}"; }; _files() { print files; }
    source ./completion.zsh
    words=(davit restart w) CURRENT=3; _davit
    words=(davit deploy web --file '') CURRENT=5; _davit`;
  assert.deepEqual(await shell('zsh', ['-f', '-c', script]), ['web:running', 'web-2:running', 'files']);
});

test('fish completes commands, services and files', { skip: missing('fish') }, async () => {
  const complete = async (line: string) => {
    const script = `source completion.fish; complete --do-complete '${line}'`;
    return (await shell('fish', ['--no-config', '-c', script])).map((each) => each.split('\t')[0]);
  };
  assert.deepEqual(await complete('davit restart w'), ['web', 'web-2']);
  assert.deepEqual(await complete('davit deploy web --file we'), ['web.yaml']);
});

function missing(name: string): string | false {
  return spawnSync(name, ['--version']).error ? `${name} is not here` : false;
}
