import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isAlive, parseStat, readIdentity, readStat } from '../../src/processes/identity.ts';
import { exitOf, launchTree } from '../helpers/processes.ts';
import { until } from '../helpers/system.ts';

const linuxOnly = { skip: process.platform === 'linux' ? false : 'reads /proc' };

test('the fields of a process are read whatever its name is', () => {
  const rest = '1 22 333 34816 22 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654321 5000 6';
  const name = fc.string({ maxLength: 15 });
  fc.assert(
    fc.property(name, fc.constantFrom('R', 'S', 'D', 'T', 'Z'), (text, state) => {
      const numbers = { parent: 1, group: 22, session: 333, start_ticks: '987654321' };
      const expected = { pid: 7, state, ...numbers, of_kernel: false };
      assert.deepEqual(parseStat(7, `7 (${text}) ${state} ${rest}\n`), expected);
    }),
    {
      examples: [
        ['a) R 1 (b', 'S'],
        ['tmux: server', 'S'],
        [') Z 1', 'R'],
        ['a\nb', 'R'],
      ],
    },
  );
});

test('a thread of the kernel is told from a process by its flags', () => {
  const thread = '20 (cpuhp/1) S 2 0 0 0 -1 69238848 0 0 0 0 0 0 0 0 20 0 1 0 24 0 0';
  const init = '1 (init) S 0 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 2 0 0';
  assert.equal(parseStat(20, thread).of_kernel, true);
  assert.equal(parseStat(1, init).of_kernel, false);
});

test('a running process is proved to be alive by its identity', linuxOnly, async (t) => {
  const { identity } = await launchTree(t, ['sleep', '1000']);
  assert.deepEqual(readIdentity(identity.pid), identity);
  assert.match(identity.start_ticks, /^\d+$/);
  assert.match(identity.boot_id, /^[0-9a-f-]{36}$/);
  assert.equal(isAlive(identity), true);
});

test('another start or another boot is another process', linuxOnly, async (t) => {
  const { identity } = await launchTree(t, ['sleep', '1000']);
  assert.equal(isAlive({ ...identity, start_ticks: String(Number(identity.start_ticks) + 1) }), false);
  assert.equal(isAlive({ ...identity, start_ticks: '' }), false);
  assert.equal(isAlive({ ...identity, boot_id: '00000000-0000-0000-0000-000000000000' }), false);
});

test('a process that has ended is dead', linuxOnly, async (t) => {
  const tree = await launchTree(t, ['true']);
  await exitOf(tree);
  assert.equal(isAlive(tree.identity), false);
  assert.equal(readIdentity(tree.identity.pid), null);
});

test('a process that nobody has taken note of is dead', linuxOnly, async (t) => {
  const tree = await launchTree(t, 'sleep 0.1 & echo "child $!"; exec sleep 1000');
  const [child = 0] = await tree.children(1);
  await until('it is a zombie', () => readStat(child)?.state === 'Z');
  const identity = readIdentity(child);
  assert.ok(identity);
  assert.equal(isAlive(identity), false);
});
