import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  ControlGroups,
  findControlGroup,
  findControlGroupPlace,
  type HostFacts,
  placeAmong,
} from '../../src/processes/control_group.ts';
import { ProcessTable } from '../../src/processes/process_table.ts';
import { signalTree } from '../../src/processes/signal.ts';
import { stopTree } from '../../src/processes/stop.ts';
import { exitOf, launchFixture } from '../helpers/processes.ts';
import { isRunning, until } from '../helpers/system.ts';

const table = new ProcessTable();
const patient = { signal: 'SIGTERM', timeout_ms: 10_000 } as const;
const impatient = { signal: 'SIGTERM', timeout_ms: 100 } as const;
const place = findControlGroupPlace('auto');
const groups = new ControlGroups(place);
const groupsOnly = { skip: groups.missing ?? false };

/** A tree in a control group of its own, which is removed with whatever is left in it. */
async function launchInGroup(t: TestContext, name: string) {
  const group = groups.create(randomUUID()) ?? assert.fail('no control group');
  t.after(async () => {
    group.kill();
    await until('the group is gone', () => group.remove());
  });
  const tree = await launchFixture(t, name, [], { control_group: group });
  return { ...tree, control_group: group };
}

for (const name of [
  'double_fork_without_environment.sh',
  'setsid_child_without_environment.sh',
  'ignores_sigterm.sh',
  'starts_while_ending.mjs',
  'fork_chaser.sh',
]) {
  test(`${name}: nothing is left of a control group, and that is guaranteed`, groupsOnly, async (t) => {
    const tree = await launchInGroup(t, name);
    const report = await stopTree(table, tree, impatient);
    assert.equal(report.complete, 'guaranteed');
    assert.deepEqual(report.survivors, []);
    assert.ok(tree.control_group.isEmpty());
    assert.deepEqual(tree.control_group.pids(), []);
    await exitOf(tree);
  });
}

test('what ends at the signal is not killed', groupsOnly, async (t) => {
  const tree = await launchInGroup(t, 'double_fork.sh');
  const [daemon = 0] = await tree.children(1);
  const report = await stopTree(table, tree, patient);
  assert.equal(report.ended_by, 'signal');
  assert.deepEqual(report.swept, []);
  assert.equal(isRunning(daemon), false);
});

test('a signal reaches everybody in the group', groupsOnly, async (t) => {
  const tree = await launchInGroup(t, 'double_fork_without_environment.sh');
  const [daemon = 0] = await tree.children(1);
  const reached = await signalTree(table, tree, 'SIGKILL');
  assert.ok(reached.includes(daemon) && reached.includes(tree.pid));
  await until('all are gone', () => tree.control_group.isEmpty());
});

test('a group is removed with those that were made in it', groupsOnly, () => {
  const group = groups.create(randomUUID()) ?? assert.fail('no control group');
  mkdirSync(join(group.folder, 'inner', 'innermost'), { recursive: true });
  assert.ok(group.isEmpty());
  assert.equal(findControlGroup(group.folder)?.folder, group.folder);
  assert.ok(group.remove());
  assert.equal(existsSync(group.folder), false);
  assert.equal(findControlGroup(group.folder), null);
});

test('groups are listed by their instances', groupsOnly, (t) => {
  const instance = randomUUID();
  const group = groups.create(instance) ?? assert.fail('no control group');
  t.after(() => group.remove());
  assert.equal(groups.list().get(instance)?.folder, group.folder);
});

const mounts = `22 1 0:20 / /sys rw - sysfs sysfs rw
30 22 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate
`;
const unit: HostFacts = {
  mounts,
  membership: '0::/system.slice/davit.service\n',
  isRoot: true,
  hasSystemd: true,
};

for (const [what, facts, folder] of [
  ['a unit has its own group', unit, '/sys/fs/cgroup/system.slice/davit.service'],
  [
    'a unit has its own group, also where the agent was put into one below it',
    { ...unit, membership: '0::/system.slice/davit.service/davit.agent\n' },
    '/sys/fs/cgroup/system.slice/davit.service',
  ],
  [
    'the unit of a user has its own group',
    {
      ...unit,
      isRoot: false,
      membership: '0::/user.slice/user-1000.slice/user@1000.service/davit.service\n',
    },
    '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/davit.service',
  ],
  [
    'where no systemd runs, it is whatever group the agent is in',
    { ...unit, hasSystemd: false, membership: '9:cpu:/x\n0::/\n' },
    '/sys/fs/cgroup',
  ],
  [
    'version 2 may be mounted beside version 1',
    { ...unit, mounts: mounts.replace(' /sys/fs/cgroup rw', ' /sys/fs/cgroup/unified rw') },
    '/sys/fs/cgroup/unified/system.slice/davit.service',
  ],
  [
    'a container sees only a part of the tree',
    {
      ...unit,
      hasSystemd: false,
      mounts: mounts.replace('0:26 /', '0:26 /pod/one'),
      membership: '0::/pod/one/agent\n',
    },
    '/sys/fs/cgroup/agent',
  ],
] as const) {
  test(`where groups may be made: ${what}`, () => {
    assert.deepEqual(placeAmong(facts), { folder, missing: null });
  });
}

for (const [what, facts, reason] of [
  ['a host with version 1 only', { ...unit, mounts: '' }, /no control groups of version 2/],
  ['a process of version 1 only', { ...unit, membership: '4:memory:/\n' }, /no control groups of version 2/],
  [
    'an agent that was started by hand',
    { ...unit, membership: '0::/user.slice/user-0.slice/session-3.scope\n' },
    /started by hand, in session-3\.scope/,
  ],
  [
    'a part of the tree that does not hold the agent',
    { ...unit, hasSystemd: false, mounts: mounts.replace('0:26 /', '0:26 /pod/two') },
    /not visible/,
  ],
] as const) {
  test(`groups cannot be made, and it is said why: ${what}`, () => {
    const found = placeAmong(facts);
    assert.equal(found.folder, null);
    assert.match(found.missing ?? '', reason);
    assert.equal(new ControlGroups(found).create('x'), null);
  });
}

test('a folder that cannot be used is told with the reason', () => {
  const { missing } = new ControlGroups({ folder: '/no/such/folder', missing: null });
  assert.match(missing ?? '', /cannot be made in \/no\/such\/folder \(no such file or directory\)/);
});
