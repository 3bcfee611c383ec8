import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readStat } from '../../src/processes/identity.ts';
import { parseUsage, readUsages } from '../../src/processes/usage.ts';
import { launchTree } from '../helpers/processes.ts';
import { until } from '../helpers/system.ts';

const linuxOnly = { skip: process.platform === 'linux' ? false : 'reads /proc' };

const host = {
  booted_at: Date.parse('2026-01-31T12:00:00.000Z'),
  users: new Map([
    [0, 'root'],
    [33, 'www'],
  ]),
};
const files = {
  stat: '42 (a (b) c) S 7 42 42 0 -1 4194304 1 2 3 4 150 50 5 6 20 0 3 0 12345 9 8 7',
  status: 'Name:\ta (b) c\nUid:\t0\t33\t0\t0\nVmRSS:\t    2048 kB\nThreads:\t3\n',
  cmdline: 'node\0server.js\0',
};

test('what the kernel says of a process is read', () => {
  assert.deepEqual(parseUsage(42, files, host), {
    pid: 42,
    parent: 7,
    name: 'a (b) c',
    command: 'node server.js',
    state: 'sleeping',
    user: 'www',
    started_at: '2026-01-31T12:02:03.450Z',
    cpu_seconds: 2,
    resident_bytes: 2_097_152,
    threads: 3,
  });
});

for (const [cmdline, command] of [
  ['sh\0-c\0sleep 1; echo "it\'s"\0', `sh -c 'sleep 1; echo "it'\\''s"'`],
  ['sh\0-c\0\0x\0', "sh -c '' x"],
  ['nginx: worker process\0\0\0\0', 'nginx: worker process'],
  ['title padded with spaces    \0', 'title padded with spaces'],
  ['', '[a (b) c]'],
  ['\0\0', '[a (b) c]'],
  ['\u001b[2J\0\n\0', "'\u001b[2J' '\n'"],
] as const) {
  test(`arguments ${JSON.stringify(cmdline)} are shown as ${JSON.stringify(command)}`, () => {
    assert.equal(parseUsage(42, { ...files, cmdline }, host).command, command);
  });
}

test('arguments that are longer than what is read of them are marked as cut', () => {
  const { command } = parseUsage(42, { ...files, cmdline: 'x'.repeat(4_096) }, host);
  assert.equal(command, `${'x'.repeat(4_096)}…`);
});

test('a user without a name is shown by number, an unknown state as such', () => {
  const status = files.status.replace('33', '4711');
  const stat = files.stat.replace(') S', ') P');
  const { user, state } = parseUsage(42, { ...files, status, stat }, host);
  assert.deepEqual([user, state], ['4711', 'other']);
});

test(
  'a real process is what it is, and neither one that ended nor one that took its pid',
  linuxOnly,
  async (t) => {
    const { pid } = await launchTree(t, ['sleep', '1000']);
    await until('it runs', () => readStat(pid)?.state === 'S');
    const { start_ticks = '' } = readStat(pid) ?? {};
    const members = [
      { pid, start_ticks, in_group: true },
      { pid, start_ticks: '1', in_group: true },
      { pid: 2 ** 22 + 1, start_ticks, in_group: true },
    ];
    const { processes, process_count } = await readUsages(members, 10);
    assert.equal(process_count, 1);
    const [usage] = processes;
    assert.equal(usage?.command, 'sleep 1000');
    assert.equal(usage?.threads, 1);
    assert.ok((usage?.resident_bytes ?? 0) > 0);
    const running_for = Date.now() - Date.parse(usage?.started_at ?? '');
    assert.ok(running_for > -1_000 && running_for < 60_000, `${running_for} ms`);
  },
);

test('of too many processes the first are listed, and all are counted', linuxOnly, async () => {
  const { start_ticks = '' } = readStat(process.pid) ?? {};
  const own = { pid: process.pid, start_ticks, in_group: false };
  const { processes, process_count } = await readUsages(
    Array.from({ length: 1_200 }, () => own),
    1_000,
  );
  assert.deepEqual([processes.length, process_count], [1_000, 1_200]);
});
