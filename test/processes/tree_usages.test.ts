import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { isDeepStrictEqual, promisify } from 'node:util';
import { ControlGroups, findControlGroupPlace } from '../../src/processes/control_group.ts';
import { readCounted } from '../../src/processes/counted_process.ts';
import { openFileCounter } from '../../src/processes/open_files.ts';
import { pageSizeIn, readPageSize } from '../../src/processes/page_size.ts';
import { type MeasuredTree, TreeUsages } from '../../src/processes/tree_usages.ts';
import { fixture, type LaunchedTree, launchTree } from '../helpers/processes.ts';
import { until, untilGone } from '../helpers/system.ts';

const groups = new ControlGroups(findControlGroupPlace('auto'));
const linuxOnly = { skip: process.platform === 'linux' ? false : 'reads /proc' };

/** How trees are kept together here. */
const ways = [
  { name: 'without a control group', hasGroup: false, only: linuxOnly },
  { name: 'in a control group', hasGroup: true, only: { skip: groups.missing ?? false } },
];

interface Launched extends LaunchedTree {
  readonly measured: MeasuredTree;
}

async function launch(t: TestContext, command: string | string[], hasGroup: boolean): Promise<Launched> {
  const group = hasGroup ? groups.create(randomUUID()) : null;
  if (group !== null)
    t.after(async () => {
      group.kill();
      await until('the group is gone', () => group.remove());
    });
  const tree = await launchTree(t, command, group === null ? {} : { control_group: group });
  const { identity, instance_id } = tree;
  return { ...tree, measured: { ...identity, instance_id, control_group: group?.folder ?? null } };
}

async function usageOf(trees: TreeUsages, { measured }: Launched) {
  const usage = (await trees.read([measured])).get(measured.instance_id);
  return usage ?? assert.fail('it is not measured');
}

/** A number in /proc/<pid>/status. */
function numberOf(pid: number, name: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
}

function openFilesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

/** Uses the processor in children that end, one after another. */
const burning = `
burn() { i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; }
echo ready
while :; do sh -c "$(command -V burn | tail -n +2); burn"; done`;

for (const { name, hasGroup, only } of ways) {
  test(`${name}: memory, threads and open files are those of every process`, only, async (t) => {
    const tree = await launch(t, fixture('forks_children.sh'), hasGroup);
    const children = await tree.children(3);
    const pids = [tree.identity.pid, tree.pid, ...children];
    const trees = new TreeUsages();
    // A child that has just begun is still becoming another program.
    await until('what is measured is what the processes say', async () => {
      const { cpu_seconds, ...usage } = await usageOf(trees, tree);
      return isDeepStrictEqual(usage, {
        resident_bytes: sum(pids.map((pid) => numberOf(pid, 'VmRSS') * 1_024)),
        processes: pids.length,
        threads: sum(pids.map((pid) => numberOf(pid, 'Threads'))),
        open_files: sum(pids.map(openFilesOf)),
      });
    });
  });

  test(
    `${name}: a child in a session of its own that forgot where it comes from is measured`,
    only,
    async (t) => {
      const tree = await launch(t, fixture('setsid_child_without_environment.sh'), hasGroup);
      await tree.children(1);
      assert.equal((await usageOf(new TreeUsages(), tree)).processes, 3);
    },
  );

  test(
    `${name}: processor time never falls while children come and go, and holds theirs`,
    only,
    async (t) => {
      const tree = await launch(t, burning, hasGroup);
      const trees = new TreeUsages();
      let before = 0;
      const pids = new Set<string>();
      await until('it has used some time', async () => {
        const { cpu_seconds } = await usageOf(trees, tree);
        assert.ok(cpu_seconds >= before, `${cpu_seconds} after ${before}`);
        before = cpu_seconds;
        for (const pid of childrenOf(tree.pid)) pids.add(pid);
        return before > 0.5 && pids.size > 3;
      });
      // The time of the children that have ended is known to the shell that waited for them.
      const ended = readCounted(tree.pid)?.children_cpu_seconds ?? 0;
      assert.ok(ended > 0);
      assert.ok((await usageOf(trees, tree)).cpu_seconds >= ended);
    },
  );

  test(
    `${name}: what a child used that was killed stays counted, and what it held does not`,
    only,
    async (t) => {
      const eats = 'const kept = Buffer.alloc(64e6, 1); while (process.cpuUsage().user < 200_000);';
      const script = `${eats} console.log("child " + process.pid); setInterval(() => kept, 1e6)`;
      const tree = await launch(
        t,
        `env -i setsid ${process.execPath} -e '${script}' & wait; exec sleep 1000`,
        hasGroup,
      );
      const trees = new TreeUsages();
      const [child = 0] = await tree.children(1);
      const before = await usageOf(trees, tree);
      assert.ok(before.cpu_seconds >= 0.1, String(before.cpu_seconds));
      assert.ok(before.resident_bytes > 64e6);
      process.kill(child, 'SIGKILL');
      await untilGone(child);
      await until(
        'it is not counted any more',
        async () => (await usageOf(trees, tree)).processes < before.processes,
      );
      const after = await usageOf(trees, tree);
      assert.ok(after.cpu_seconds >= before.cpu_seconds);
      assert.ok(after.resident_bytes < before.resident_bytes - 60e6);
      assert.ok(after.threads < before.threads);
    },
  );

  test(`${name}: a tree that has ended is left out, and the others are not`, only, async (t) => {
    const [one, other] = [
      await launch(t, ['sleep', '1000'], hasGroup),
      await launch(t, ['sleep', '1000'], hasGroup),
    ];
    const trees = new TreeUsages();
    const list = [one.measured, other.measured];
    assert.deepEqual(
      [...(await trees.read(list)).keys()],
      list.map(({ instance_id }) => instance_id),
    );
    process.kill(-one.identity.pid, 'SIGKILL');
    await one.exited;
    await until('its processes are gone', async () => (await trees.read(list)).size === 1);
    assert.deepEqual([...(await trees.read(list)).keys()], [other.instance_id]);
  });
}

test('trees with and without control groups are measured together', {
  skip: groups.missing ?? false,
}, async (t) => {
  const [grouped, other] = [
    await launch(t, ['sleep', '1000'], true),
    await launch(t, ['sleep', '1000'], false),
  ];
  const usages = await new TreeUsages().read([grouped.measured, other.measured]);
  assert.deepEqual(
    [...usages.values()].map(({ processes }) => processes),
    [2, 2],
  );
});

test(
  'a tree whose pid is another process’s by now, or of another boot, is not measured',
  linuxOnly,
  async (t) => {
    const { measured } = await launch(t, ['sleep', '1000'], false);
    const strangers = [
      { ...measured, start_ticks: '1', instance_id: randomUUID() },
      { ...measured, boot_id: randomUUID(), instance_id: randomUUID() },
    ];
    assert.equal((await new TreeUsages().read(strangers)).size, 0);
  },
);

test(
  'an agent that has run out of open files takes nothing for ended, and counts nothing twice after it',
  linuxOnly,
  async (t) => {
    const work = 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; exec sleep 1000';
    const tree = await launchTree(t, work);
    await tree.wrote('done');
    const [node, script = ''] = fixture('measures_without_files.ts');
    const limited = `ulimit -n 64; exec "${node}" "${script}" ${tree.identity.pid} ${tree.instance_id}`;
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', limited]);
    const [before, meanwhile, after] = JSON.parse(stdout);
    assert.ok(before > 0, stdout);
    assert.equal(meanwhile, 'EMFILE');
    assert.equal(after, before);
  },
);

test('others have their turn while many trees are measured', linuxOnly, async (t) => {
  const { measured } = await launch(t, ['sleep', '1000'], false);
  const many = Array.from({ length: 5_000 }, () => ({ ...measured, instance_id: randomUUID() }));
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const usages = await new TreeUsages().read(many);
  clearInterval(timer);
  assert.equal(usages.size, many.length);
  assert.ok(turns > 2, `${turns} turns`);
});

test('the folder of a control group that is gone is no error', linuxOnly, async (t) => {
  const { measured } = await launch(t, ['sleep', '1000'], false);
  const usages = await new TreeUsages().read([{ ...measured, control_group: '/sys/fs/cgroup/davit-none' }]);
  assert.equal(usages.get(measured.instance_id)?.processes, 2);
});

test('open files are counted as they are listed', linuxOnly, () => {
  const counted = openFileCounter();
  // Listing a folder takes one itself.
  assert.ok(Math.abs(counted('self') - openFilesOf(process.pid)) <= 1);
  assert.equal(counted(2 ** 22 + 1), 0);
});

test('the size of a page is a power of two', linuxOnly, () => {
  assert.equal(Math.log2(readPageSize()) % 1, 0);
});

for (const [title, pairs, size] of [
  [
    'is read',
    [
      [16, 1],
      [6, 65_536],
      [0, 0],
    ],
    65_536,
  ],
  [
    'is the usual one where it is not told',
    [
      [16, 1],
      [0, 0],
    ],
    4_096,
  ],
] as const) {
  test(`the size of a page ${title}`, () => {
    const auxv = Buffer.alloc(pairs.length * 16 + 7);
    for (const [index, [key, value]] of pairs.entries()) {
      auxv.writeBigUInt64LE(BigInt(key), index * 16);
      auxv.writeBigUInt64LE(BigInt(value), index * 16 + 8);
    }
    assert.equal(pageSizeIn(auxv), size);
  });
}

function childrenOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  } catch {
    return [];
  }
}
