import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import type { Account } from '../../src/processes/account.ts';
import {
  buildEnvironment,
  type EnvironmentParts,
  readEnvironmentFile,
} from '../../src/processes/environment.ts';
import { standardDirectories } from '../../src/processes/standard_path.ts';
import { launchFixture } from '../helpers/processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-environment-'));
after(() => rmSync(folder, { recursive: true }));

const posixOnly = { skip: process.platform === 'win32' ? 'Windows has other variables' : false };
const account: Account = { switch_to: null, uid: 7, name: 'ann', home: '/home/ann', shell: '/bin/ksh' };
const marker = { service: 'web', release: 3, instance: 2 };
const of = (parts: Partial<EnvironmentParts>) =>
  buildEnvironment({
    agentEnvironment: {},
    passed: [],
    files: [],
    env: {},
    account,
    marker,
    port: null,
    ...parts,
  });

test('a process gets its account, its marks and the standard directories', posixOnly, () => {
  assert.deepEqual(of({}), {
    HOME: '/home/ann',
    USER: 'ann',
    LOGNAME: 'ann',
    SHELL: '/bin/ksh',
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    DAVIT_SERVICE: 'web',
    DAVIT_RELEASE: '3',
    DAVIT_INSTANCE: '2',
  });
});

test('of the agent’s environment only what is harmless is passed on, and what is named', () => {
  const agentEnvironment = {
    LANG: 'de_DE.UTF-8',
    LC_TIME: 'C',
    TZ: 'UTC',
    HOME: '/root',
    NODE_OPTIONS: '--inspect',
    AWS_SECRET: 'a',
    PROXY: 'b',
    DAVIT_KEY: 'c',
  };
  const { LANG, LC_TIME, TZ, HOME, PROXY, ...others } = of({
    agentEnvironment,
    passed: ['PROXY', 'DAVIT_KEY', 'ABSENT'],
  });
  assert.deepEqual(
    { LANG, LC_TIME, TZ, PROXY },
    { LANG: 'de_DE.UTF-8', LC_TIME: 'C', TZ: 'UTC', PROXY: 'b' },
  );
  assert.equal(HOME, '/home/ann');
  for (const name of ['NODE_OPTIONS', 'AWS_SECRET', 'DAVIT_KEY', 'ABSENT'])
    assert.equal(name in others, false);
});

test('later files win over earlier ones, env over all, and nobody over the marks', () => {
  const { A, B, C, HOME, ...marks } = of({
    files: [
      { A: '1', B: '1', C: '1', DAVIT_SERVICE: 'x' },
      { B: '2', C: '2', HOME: '/srv' },
    ],
    env: { C: '3', DAVIT_RELEASE: 'x' },
  });
  assert.deepEqual({ A, B, C, HOME }, { A: '1', B: '2', C: '3', HOME: '/srv' });
  assert.equal(marks['DAVIT_SERVICE'], 'web');
  assert.equal(marks['DAVIT_RELEASE'], '3');
});

test('an account that no file names gives no variables', () => {
  const nameless = of({ account: { switch_to: null, uid: 7, name: null, home: null, shell: null } });
  for (const name of ['HOME', 'USER', 'LOGNAME', 'SHELL']) assert.equal(name in nameless, false);
});

test('no name or value of the agent that is not on the list ever reaches a process', posixOnly, () => {
  const variables = fc.dictionary(fc.stringMatching(/^[A-Za-z_]\w{0,12}$/), fc.string());
  fc.assert(
    fc.property(variables, fc.array(fc.string()), (agentEnvironment, passed) => {
      const secret = Object.fromEntries(
        Object.entries(agentEnvironment).map(([name, value]) => [`DAVIT_${name}`, `secret${value}`]),
      );
      const names = [...passed, ...Object.keys(secret)];
      const environment = of({ agentEnvironment: { ...agentEnvironment, ...secret }, passed: names });
      for (const value of Object.values(environment)) assert.ok(!Object.values(secret).includes(value));
    }),
  );
});

test(
  'the standard directories are appended where they are missing, in every PATH, and its order is kept',
  posixOnly,
  () => {
    const directory = fc.oneof(fc.constantFrom(...standardDirectories), fc.stringMatching(/^\/[a-z]{1,8}$/));
    fc.assert(
      fc.property(fc.array(directory, { maxLength: 8 }), fc.boolean(), (directories, own) => {
        const PATH = directories.join(':');
        const built = of(
          own ? { env: { PATH }, agentEnvironment: { PATH: '/wrong' } } : { agentEnvironment: { PATH } },
        );
        const result = (built['PATH'] ?? '').split(':');
        assert.deepEqual(result.slice(0, directories.length), directories);
        assert.deepEqual(
          result.slice(directories.length),
          standardDirectories.filter((standard) => !directories.includes(standard)),
        );
      }),
    );
  },
);

test('an empty place in PATH, which would mean the working directory, is dropped', posixOnly, () => {
  const { PATH = '' } = of({ env: { PATH: ':/opt/bin::' } });
  assert.equal(PATH, `/opt/bin:${standardDirectories.join(':')}`);
});

test('a running process has exactly the environment that was built', posixOnly, async (t) => {
  process.env['DAVIT_TEST_SECRET'] = 'never seen';
  t.after(() => delete process.env['DAVIT_TEST_SECRET']);
  const env = { GREETING: 'grüß "dich" $HOME\n\t', EMPTY: '' };
  const tree = await launchFixture(t, 'prints_environment.mjs', [], { env });
  // These a shell sets by itself.
  const { PWD, OLDPWD, SHLVL, _, ...seen } = JSON.parse(tree.output().split('\n', 1)[0] ?? '');
  assert.equal(seen.GREETING, env.GREETING);
  assert.equal(seen.EMPTY, '');
  assert.equal(seen.DAVIT_INSTANCE_ID, tree.instance_id);
  const foreign = Object.keys(seen).filter(
    (name) => !/^(PATH|LANG|LANGUAGE|LC_[A-Z]+|TZ|HOME|USER|LOGNAME|SHELL|GREETING|EMPTY)$/.test(name),
  );
  assert.deepEqual(foreign.toSorted(), [
    'DAVIT_INSTANCE',
    'DAVIT_INSTANCE_ID',
    'DAVIT_RELEASE',
    'DAVIT_SERVICE',
  ]);
});

test('an environment file is read as Node reads .env files', () => {
  const file = join(folder, 'good.env');
  writeFileSync(file, '\uFEFF# comment\nA=1\nexport B="two\nlines"\nC=\'$A\'\nA=3\n');
  assert.deepEqual({ ...readEnvironmentFile(file) }, { A: '3', B: 'two\nlines', C: '$A' });
});

test('what is no environment file is refused with the reason', posixOnly, () => {
  const place = (name: string) => join(folder, name);
  writeFileSync(place('nul.env'), 'A=secret\0more\n');
  writeFileSync(place('large.env'), Buffer.alloc(1_000_001, '#'));
  mkdirSync(place('folder.env'));
  execFileSync('mkfifo', [place('pipe.env')]);
  const cases = [
    ['absent.env', 'no such file or directory'],
    ['good.env/below', 'not a directory'],
    ['nul.env', 'it holds a NUL character'],
    ['large.env', 'it is larger than 1000000 bytes'],
    ['folder.env', 'it is not a regular file'],
    ['pipe.env', 'it is not a regular file'],
  ] as const;
  writeFileSync(place('good.env'), 'A=1');
  for (const [name, reason] of cases) {
    const message = `the environment file ${place(name)} cannot be read: ${reason}`;
    assert.throws(() => readEnvironmentFile(place(name)), { code: 'spawn_failed', message });
  }
});
