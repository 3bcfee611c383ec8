import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { KernelLog, killForMemory, killsForMemory } from '../../src/processes/kernel_log.ts';
import { exitOf, launchTree } from '../helpers/processes.ts';
import { until } from '../helpers/system.ts';

for (const [what, record, found] of [
  [
    'the host had no memory left',
    '3,801,123456789,-;Out of memory: Killed process 4242 (node) total-vm:1kB, anon-rss:2kB',
    { pid: 4242, at: 123.456789 },
  ],
  [
    'a group had no memory left',
    '3,802,5000000,-,caller=T1;Memory cgroup out of memory: Killed process 7 ((sd) x) total-vm:1kB',
    { pid: 7, at: 5 },
  ],
  ['something else happened', '6,803,5000000,-;usb 1-1: new device', null],
  ['a program wrote such a line', '6,804,5000000,-;x: Killed process 7 (a)', null],
  ['a record is cut off', '3,805', null],
] as const) {
  test(`the kernel's log says whom it killed for memory: ${what}`, () => {
    assert.deepEqual(killForMemory(record), found);
  });
}

test('the kernel says which group had reached its limit, where it says it', () => {
  const why = (group: string, pid: number) =>
    `6,1,1000000,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=${group},task_memcg=${group}/x,task=tail,pid=${pid},uid=0`;
  const whom = (pid: number) =>
    `3,2,2000000,-;Memory cgroup out of memory: Killed process ${pid} (tail) total-vm:1kB`;
  const host =
    '6,3,3000000,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/a,task=tail,pid=9,uid=0';
  assert.deepEqual(
    killsForMemory([why('/a', 7), whom(7), whom(8), host, whom(9), whom(7), why('/b', 7), whom(7)]),
    [
      { pid: 7, at: 2, group: '/a/x', limited_group: '/a' },
      { pid: 8, at: 2, group: null, limited_group: null },
      { pid: 9, at: 2, group: '/a', limited_group: null },
      { pid: 7, at: 2, group: null, limited_group: null },
      { pid: 7, at: 2, group: '/b/x', limited_group: '/b' },
    ],
  );
});

const limited = join('/sys/fs/cgroup/memory', `davit-test-${process.pid}`);

/** A group that may hold 8 MiB; false where this host lets nobody make one. */
function makeLimited(): boolean {
  try {
    mkdirSync(limited);
    writeFileSync(join(limited, 'memory.limit_in_bytes'), String(8 * 1024 * 1024));
    return true;
  } catch {
    return false;
  }
}

test('a process that the kernel killed for memory is told from one that somebody killed', async (t) => {
  if (!makeLimited()) return t.skip('needs a memory control group of version 1 that it may make');
  t.after(() => until('the group is removed', () => removed(limited)));
  const eater = `echo $$ > ${limited}/cgroup.procs; exec tail /dev/zero`;
  const tree = await launchTree(t, eater);
  assert.equal((await exitOf(tree)).signal, 'SIGKILL');
  const kill = new KernelLog().killForMemory(tree.identity, [1, tree.pid], null);
  assert.equal(kill?.pid, tree.pid);
  assert.match(kill.limited_group ?? limited, /davit-test/);
  // Also when it is only known which group it was in, as of the child of a shell.
  const byGroup = new KernelLog().killForMemory(tree.identity, [1], limited);
  assert.equal(byGroup?.pid ?? kill.pid, tree.pid);
  const other = await launchTree(t, ['sleep', '1000']);
  process.kill(other.pid, 'SIGKILL');
  assert.equal((await exitOf(other)).signal, 'SIGKILL');
  assert.equal(new KernelLog().killForMemory(other.identity, [other.pid], null), null);
});

function removed(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}
