import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { KernelLog, killForMemory } from '../../src/processes/kernel_log.ts';
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
  assert.ok(new KernelLog().killedForMemory(tree.identity, [tree.pid]));
  const other = await launchTree(t, ['sleep', '1000']);
  process.kill(other.pid, 'SIGKILL');
  assert.equal((await exitOf(other)).signal, 'SIGKILL');
  assert.equal(new KernelLog().killedForMemory(other.identity, [other.pid]), false);
});

function removed(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}
