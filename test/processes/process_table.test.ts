import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ProcessTable } from '../../src/processes/process_table.ts';
import { launchTree } from '../helpers/processes.ts';
import { until } from '../helpers/system.ts';

const linuxOnly = { skip: process.platform === 'linux' ? false : 'reads /proc' };

test('a look shows what started before it, with its mark', linuxOnly, async (t) => {
  const table = new ProcessTable();
  for (let round = 0; round < 3; round++) {
    const { identity, pid: started, instance_id } = await launchTree(t, ['sleep', '1000']);
    const processes = (await table.look()) ?? [];
    const [wrapper, program] = [identity.pid, started].map((pid) =>
      processes.find((seen) => seen.pid === pid),
    );
    assert.equal(wrapper?.start_ticks, identity.start_ticks);
    assert.equal(wrapper?.parent, process.pid);
    assert.equal(program?.parent, identity.pid);
    assert.equal(program?.mark, instance_id);
  }
});

test('a look shows neither this process nor the kernel’s own', linuxOnly, async (t) => {
  const processes = (await new ProcessTable().look()) ?? [];
  assert.ok(processes.length > 0);
  assert.equal(
    processes.some(({ pid }) => pid === process.pid),
    false,
  );
  if (nameOf(2) !== 'kthreadd') return t.skip('the threads of the kernel are not visible in a container');
  assert.deepEqual(
    processes.filter(({ pid, parent }) => pid === 2 || parent === 2),
    [],
  );
});

test('whoever asks at the same time gets the same look', linuxOnly, async () => {
  const table = new ProcessTable();
  const [one, another] = await Promise.all([table.look(), table.look()]);
  assert.equal(one, another);
  assert.notEqual(await table.look(), one);
});

test('a process that has no environment, or another mark, is not marked', linuxOnly, async (t) => {
  const foreign = ['XDAVIT_INSTANCE_ID=a', 'X=\nDAVIT_INSTANCE_ID=b'];
  for (const variables of [[], foreign]) {
    const { pid: started } = await launchTree(t, ['env', '-i', ...variables, 'sleep', '1000']);
    await until('it runs', () => nameOf(started) === 'sleep');
    const processes = await new ProcessTable().look();
    assert.equal(processes?.find(({ pid }) => pid === started)?.mark, '');
  }
});

test('a process that was marked when it was first looked at stays marked', linuxOnly, async (t) => {
  const table = new ProcessTable();
  const tree = await launchTree(
    t,
    'trap "exec env -i sleep 1000" USR1; echo ready; while :; do sleep 0.02; done',
  );
  await tree.wrote('ready');
  const marks = async () => (await table.look())?.find(({ pid }) => pid === tree.pid)?.mark;
  assert.equal(await marks(), tree.instance_id);
  process.kill(tree.pid, 'SIGUSR1');
  await until('it runs', () => nameOf(tree.pid) === 'sleep');
  assert.equal(await marks(), tree.instance_id);
});

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}
