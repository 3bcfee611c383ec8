import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answersSignals, readIdentity, readStat } from '../../src/processes/identity.ts';
import { ProcessTable } from '../../src/processes/process_table.ts';
import { signalTree } from '../../src/processes/signal.ts';
import { stopTree } from '../../src/processes/stop.ts';
import { exitOf, fixture, launchFixture, launchTree } from '../helpers/processes.ts';
import { isRunning, processesWith, until } from '../helpers/system.ts';

const table = new ProcessTable();
const patient = { signal: 'SIGTERM', timeout_ms: 10_000 } as const;
const impatient = { signal: 'SIGTERM', timeout_ms: 100 } as const;
const linuxOnly = { skip: process.platform === 'linux' ? false : 'reads /proc' };

test('a process that obeys the signal is gone at once', linuxOnly, async (t) => {
  const tree = await launchTree(t, ['sleep', '1000']);
  const report = await stopTree(table, tree, patient);
  assert.equal(isRunning(tree.identity.pid), false);
  assert.deepEqual(await exitOf(tree), { return_code: null, signal: 'SIGTERM' });
  const { duration_ms, ...rest } = report;
  const expected = {
    signal: 'SIGTERM',
    ended_by: 'signal',
    swept: [],
    survivors: [],
    complete: 'best_effort',
  };
  assert.deepEqual(rest, expected);
  assert.ok(duration_ms < 1_000, `${duration_ms} ms`);
});

test('the signal that was asked for is the one that is sent', linuxOnly, async (t) => {
  const tree = await launchTree(t, ['sleep', '1000']);
  const report = await stopTree(table, tree, { signal: 'SIGINT', timeout_ms: 10_000 });
  assert.equal(report.signal, 'SIGINT');
  assert.deepEqual(await exitOf(tree), { return_code: null, signal: 'SIGINT' });
});

test('a process that needs time to end gets it', linuxOnly, async (t) => {
  const tree = await launchFixture(t, 'slow_to_stop.mjs', ['200']);
  const report = await stopTree(table, tree, patient);
  assert.equal(report.ended_by, 'signal');
  assert.match(tree.output(), /stopping\nstopped\n$/);
  assert.deepEqual(await exitOf(tree), { return_code: 0, signal: null });
});

test('a process that takes no notice of the signal is killed after the timeout', linuxOnly, async (t) => {
  const tree = await launchFixture(t, 'ignores_sigterm.sh');
  const [child = 0] = await tree.children(1);
  const report = await stopTree(table, tree, impatient);
  assert.equal(report.ended_by, 'kill');
  assert.ok(report.duration_ms >= 100);
  assert.deepEqual(report.swept, []);
  assert.deepEqual(report.survivors, []);
  assert.equal(isRunning(child), false);
  assert.deepEqual(await exitOf(tree), { return_code: null, signal: 'SIGKILL' });
});

test('children and grandchildren of the group end with their parent', linuxOnly, async (t) => {
  const tree = await launchFixture(t, 'forks_children.sh');
  const children = await tree.children(3);
  const report = await stopTree(table, tree, patient);
  assert.equal(report.ended_by, 'signal');
  assert.deepEqual(children.filter(isRunning), []);
});

for (const escaping of ['setsid_child.sh', 'setsid_child_without_environment.sh', 'double_fork.sh']) {
  test(`${escaping}: nothing that left the group is left`, linuxOnly, async (t) => {
    const tree = await launchFixture(t, escaping);
    const [child = 0] = await tree.children(1);
    const report = await stopTree(table, tree, patient);
    assert.equal(report.ended_by, 'signal');
    assert.equal(isRunning(child), false);
    assert.deepEqual(processesWith(`DAVIT_INSTANCE_ID=${tree.instance_id}`), []);
  });
}

test('what left the group and takes no notice of the signal is killed and named', linuxOnly, async (t) => {
  const script = 'setsid sh -c \'trap "" TERM; echo "child $$"; sleep 1000; sleep 1000\' & sleep 1000; exit';
  const tree = await launchTree(t, script);
  const [child = 0] = await tree.children(1);
  const report = await stopTree(table, tree, impatient);
  assert.equal(report.ended_by, 'kill');
  assert.ok(report.swept.includes(child));
  assert.deepEqual(report.survivors, []);
  assert.deepEqual(processesWith(`DAVIT_INSTANCE_ID=${tree.instance_id}`), []);
});

test('a daemon that nothing connects with its tree any more cannot be found, and the answer says so', {
  ...linuxOnly,
}, async (t) => {
  const tree = await launchFixture(t, 'double_fork_without_environment.sh');
  const [daemon = 0] = await tree.children(1);
  const report = await stopTree(table, tree, patient);
  assert.equal(report.complete, 'best_effort');
  assert.equal(isRunning(daemon), true);
});

test('what a process left behind when it ended by itself is cleared away', linuxOnly, async (t) => {
  const tree = await launchTree(t, fixture('dies_leaving_children.sh'));
  const children = await tree.children(2);
  assert.deepEqual(await exitOf(tree), { return_code: 3, signal: null });
  assert.deepEqual(children.filter(isRunning), children);
  const report = await stopTree(table, tree, patient);
  assert.equal(report.ended_by, 'signal');
  assert.deepEqual(children.filter(isRunning), []);
});

test('what a process left behind is not touched where nothing proves that it is of this tree', {
  ...linuxOnly,
}, async (t) => {
  const tree = await launchTree(t, ['/bin/sh', '-c', 'env -i sleep 1000 & echo "child $!"; echo ready']);
  const [child = 0] = await tree.children(1);
  await exitOf(tree);
  const { identity, instance_id } = tree;
  const report = await stopTree(table, { identity, instance_id }, patient);
  assert.equal(report.ended_by, 'already_gone');
  assert.equal(isRunning(child), true);
  assert.equal((await stopTree(table, tree, patient)).ended_by, 'signal');
  assert.equal(isRunning(child), false);
});

test('processes that start the next and end are caught by the group', linuxOnly, async (t) => {
  const tree = await launchFixture(t, 'fork_chaser.sh');
  await exitOf(tree);
  const report = await stopTree(table, tree, impatient);
  assert.deepEqual(report.survivors, []);
  await until('its group is empty', () => !answersSignals(-tree.identity.pid));
});

test('what a tree starts while it is ending gets the signal too', linuxOnly, async (t) => {
  const tree = await launchFixture(t, 'starts_while_ending.mjs');
  const report = await stopTree(table, tree, patient);
  const [child = 0] = await tree.children(1);
  assert.equal(report.ended_by, 'signal');
  assert.equal(isRunning(child), false);
});

test('a halted tree goes on, so that it can obey', linuxOnly, async (t) => {
  const tree = await launchFixture(t, 'slow_to_stop.mjs', ['0']);
  assert.ok((await signalTree(table, tree, 'SIGSTOP')).includes(tree.identity.pid));
  const report = await stopTree(table, tree, patient);
  assert.equal(report.ended_by, 'signal');
  assert.match(tree.output(), /stopped\n$/);
});

test('a timeout of nothing still sends the signal first', linuxOnly, async (t) => {
  const tree = await launchFixture(t, 'ignores_sigterm.sh');
  const report = await stopTree(table, tree, { signal: 'SIGTERM', timeout_ms: 0 });
  assert.equal(report.ended_by, 'kill');
  assert.equal(isRunning(tree.identity.pid), false);
});

test('stopping what is gone says so', linuxOnly, async (t) => {
  const tree = await launchTree(t, ['true']);
  await exitOf(tree);
  const report = await stopTree(table, tree, patient);
  assert.equal(report.ended_by, 'already_gone');
});

test('a process that has the pid of a tree by now is never signalled', linuxOnly, async (t) => {
  const stranger = await launchFixture(t, 'forks_children.sh');
  const children = await stranger.children(3);
  const earlier = String(Number(stranger.identity.start_ticks) - 1);
  const target = {
    identity: { ...stranger.identity, start_ticks: earlier },
    instance_id: 'of an earlier process',
    exited: Promise.resolve(),
  };
  assert.deepEqual(await signalTree(table, target, 'SIGKILL'), []);
  assert.equal((await stopTree(table, target, impatient)).ended_by, 'already_gone');
  assert.deepEqual(
    [stranger.identity.pid, ...children].filter((pid) => !isRunning(pid)),
    [],
  );
});

test('a process of an earlier boot of the host is never signalled', linuxOnly, async (t) => {
  const stranger = await launchTree(t, ['sleep', '1000']);
  const identity = { ...stranger.identity, boot_id: '00000000-0000-0000-0000-000000000000' };
  const target = { identity, instance_id: 'of an earlier boot' };
  assert.equal((await stopTree(table, target, impatient)).ended_by, 'already_gone');
  assert.equal(isRunning(stranger.identity.pid), true);
});

test('the group of this very process is never signalled as a whole', linuxOnly, async (t) => {
  const { group } = readStat(process.pid) ?? assert.fail();
  const leader = readIdentity(group);
  if (leader === null) return t.skip('the leader of the group that the test runs in is gone');
  const target = { identity: leader, instance_id: 'nobody' };
  // SIGCONT does no harm to whom it does reach.
  assert.equal((await signalTree(table, target, 'SIGCONT')).includes(process.pid), false);
});

test('200 trees that are stopped at once share their looks at /proc', linuxOnly, async (t) => {
  const trees = await Promise.all(Array.from({ length: 200 }, () => launchTree(t, ['sleep', '1000'])));
  const reports = await Promise.all(trees.map((tree) => stopTree(table, tree, patient)));
  assert.ok(reports.every(({ ended_by }) => ended_by === 'signal'));
  assert.deepEqual(
    trees.filter(({ identity }) => isRunning(identity.pid)),
    [],
  );
});
