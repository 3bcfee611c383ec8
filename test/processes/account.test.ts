import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Account, resolveAccount } from '../../src/processes/account.ts';
import { findGroup, findMemberships, findUser } from '../../src/processes/account_database.ts';
import { exitOf, launchFixture, launchTree } from '../helpers/processes.ts';
import { until } from '../helpers/system.ts';

const isRoot = process.getuid?.() === 0;
const rootOnly = { skip: isRoot ? false : 'only root can switch to another user' };
const othersOnly = { skip: isRoot ? 'root may switch to any user' : false };
const linuxOnly = { skip: process.platform === 'linux' ? false : 'other systems keep their users elsewhere' };
const linesOf = (file: string) => readFileSync(file, 'utf8').trim().split('\n');

test('without a wish a process runs as the agent', () => {
  const account = resolveAccount(null, null);
  assert.equal(account.switch_to, null);
  assert.equal(account.uid, process.getuid?.() ?? -1);
});

test('the agent’s own user and group are no switch', linuxOnly, () => {
  assert.equal(resolveAccount(process.getuid?.() ?? 0, null).switch_to, null);
  assert.equal(resolveAccount(process.getuid?.() ?? 0, process.getgid?.() ?? 0).switch_to, null);
});

test('every user of the host is found by name, by number and by number as text', linuxOnly, () => {
  for (const line of linesOf('/etc/passwd')) {
    const [name = '', , uid = '', gid] = line.split(':');
    assert.equal(findUser(name)?.uid, Number(uid));
    assert.equal(findUser(name)?.gid, Number(gid));
    assert.equal(findUser(uid)?.uid, Number(uid));
    assert.equal(findUser(Number(uid))?.uid, Number(uid));
  }
});

test('the groups of every user are those that the system gives it', linuxOnly, () => {
  for (const line of linesOf('/etc/passwd')) {
    const [name = '', , , gid] = line.split(':');
    const given = execFileSync('id', ['-G', name], { encoding: 'utf8' }).trim().split(' ').map(Number);
    const others = findMemberships(name);
    assert.deepEqual(new Set([Number(gid), ...others]), new Set(given));
  }
});

test('a group is found by name', linuxOnly, () => {
  for (const line of linesOf('/etc/group')) {
    const [name = '', , gid] = line.split(':');
    assert.equal(findGroup(name), Number(gid));
  }
  assert.equal(findGroup('no-such-group'), null);
});

test('an unknown user or group is refused', linuxOnly, () => {
  const code = 'spawn_failed';
  assert.throws(() => resolveAccount('no-such-user', null), {
    code,
    message: 'there is no user "no-such-user" on this host',
  });
  assert.throws(() => resolveAccount(null, 'no-such-group'), {
    code,
    message: 'there is no group "no-such-group" on this host',
  });
});

test('a number that no user has needs a group beside it', rootOnly, () => {
  assert.throws(() => resolveAccount(4_000_000_000, null), {
    code: 'spawn_failed',
    message: 'user 4000000000 has no entry on this host that names its group: set group too',
  });
  assert.deepEqual(resolveAccount(4_000_000_000, 4_000_000_001).switch_to, {
    uid: 4_000_000_000,
    gid: 4_000_000_001,
    groups: [],
  });
});

test('an agent that is not root starts nothing as somebody else', othersOnly, () => {
  assert.throws(() => resolveAccount('root', null), {
    code: 'spawn_failed',
    message: 'only an agent that runs as root can start a service as user root',
  });
});

test('a process runs as its user and group, without any right of the agent', rootOnly, async (t) => {
  const account = resolveAccount('nobody', null);
  const tree = await launchTree(t, 'id -u; id -g; id -G; echo "$HOME $USER"', { account });
  await exitOf(tree);
  const { uid, gid, home } = findUser('nobody') ?? assert.fail();
  assert.equal(tree.output(), `${uid}\n${gid}\n${gid}\n${home} nobody\n`);
  const other = await launchTree(t, ['sleep', '1000'], { account: resolveAccount('nobody', 'daemon') });
  const status = readFileSync(`/proc/${other.identity.pid}/status`, 'utf8');
  assert.match(status, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'));
  assert.match(status, /^Gid:\t1\t1\t1\t1$/m);
  assert.match(status, /^CapEff:\t0+$/m);
});

/** As `nobody` would be if the host named it in these groups. */
function memberOf(groups: readonly number[]): Account {
  const nobody = resolveAccount('nobody', null);
  return { ...nobody, switch_to: { uid: nobody.uid, gid: nobody.switch_to?.gid ?? 0, groups } };
}

test('a process has the supplementary groups of its user', rootOnly, async (t) => {
  const account = memberOf([4, 27]);
  const tree = await launchTree(t, ['sh', '-c', 'id -G; id -u; exec sleep 1000'], { account });
  await tree.wrote(String(account.uid));
  assert.equal(tree.output(), `${account.switch_to?.gid} 4 27\n${account.uid}\n`);
  const status = () => readFileSync(`/proc/${tree.pid}/status`, 'utf8');
  await until('it is the program', () => /^Name:\tsleep$/m.test(status()));
  assert.match(status(), /^CapEff:\t0+$/m);
});

test('a process with supplementary groups gets its environment as it stands', rootOnly, async (t) => {
  const env = {
    A: '"quoted" $B `c`\n\\',
    B: '',
    UID: '7',
    LD_AUDIT: '/no/such.so',
    IFS: 'x',
    'with.dot': '1',
  };
  const tree = await launchFixture(t, 'prints_environment.mjs', [], { account: memberOf([4]), env });
  const line =
    tree
      .output()
      .split('\n')
      .find((text) => text.startsWith('{')) ?? '';
  const { PWD, OLDPWD, SHLVL, _, ...seen } = JSON.parse(line);
  for (const [name, value] of Object.entries(env))
    if (name !== 'with.dot') assert.equal(seen[name], value, name);
  assert.equal(seen.DAVIT_INSTANCE_ID, tree.instance_id);
  assert.deepEqual(
    Object.keys(seen).filter((name) => name.startsWith('DAVIT_HELD')),
    [],
  );
});

test('what gives the supplementary groups does not see the variables of the service', rootOnly, async (t) => {
  const env = { LD_PRELOAD: '/no/such/preload.so' };
  const tree = await launchTree(t, ['sleep', '1000'], { account: memberOf([4]), env });
  const name = () => readFileSync(`/proc/${tree.pid}/comm`, 'utf8').trim();
  const complaints = () => tree.output().match(/preload\.so/g)?.length ?? 0;
  // The loader complains in each program that sees the variable.
  await until('the service runs', () => name() === 'sleep' && complaints() > 0);
  assert.equal(complaints(), 1);
});
