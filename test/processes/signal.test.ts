import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readStat } from '../../src/processes/identity.ts';
import { ProcessTable } from '../../src/processes/process_table.ts';
import { signalTree } from '../../src/processes/signal.ts';
import { exitOf, fixture, launchFixture, launchTree } from '../helpers/processes.ts';
import { isRunning, until } from '../helpers/system.ts';

const table = new ProcessTable();
const linuxOnly = { skip: process.platform === 'linux' ? false : 'reads /proc' };
const states = (pids: readonly number[]) => pids.map((pid) => readStat(pid)?.state);

for (const name of ['forks_children.sh', 'setsid_child.sh', 'double_fork.sh']) {
  test(`${name}: the whole tree is halted and goes on`, linuxOnly, async (t) => {
    const tree = await launchFixture(t, name);
    const all = [tree.identity.pid, ...(await tree.children(name === 'forks_children.sh' ? 3 : 1))];
    const reached = await signalTree(table, tree, 'SIGSTOP');
    assert.deepEqual(
      all.filter((pid) => !reached.includes(pid)),
      [],
    );
    await until('all are halted', () => states(all).every((state) => state === 'T'));
    await signalTree(table, tree, 'SIGCONT');
    await until('all go on', () => states(all).every((state) => state === 'S'));
  });
}

test('a tree whose first process is gone is reached', linuxOnly, async (t) => {
  const tree = await launchTree(t, fixture('dies_leaving_children.sh'));
  const children = await tree.children(2);
  await exitOf(tree);
  assert.deepEqual((await signalTree(table, tree, 'SIGKILL')).toSorted(), children.toSorted());
  await until('they are gone', () => !children.some(isRunning));
});

test('nobody is reached where nothing is left', linuxOnly, async (t) => {
  const tree = await launchTree(t, ['true']);
  await exitOf(tree);
  assert.deepEqual(await signalTree(table, tree, 'SIGTERM'), []);
});
