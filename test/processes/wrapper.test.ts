import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { variablesOfWrapper } from '../../src/processes/wrapper.ts';
import { exitOf, fixture, launchTree } from '../helpers/processes.ts';

const text = fc
  .string({ unit: 'binary', maxLength: 40 })
  .map((raw) => raw.toWellFormed().replaceAll('\0', ''));

test('whatever arguments and variables hold, the program gets them as they are', async (t) => {
  const script = 'process.stdout.write(JSON.stringify({ args: process.argv.slice(1), X: process.env.X }))';
  await fc.assert(
    fc.asyncProperty(fc.array(text, { maxLength: 4 }), text, async (args, X) => {
      const tree = await launchTree(t, [process.execPath, '-e', script, '--', ...args], { env: { X } });
      assert.deepEqual(await exitOf(tree), { return_code: 0, signal: null });
      assert.deepEqual(JSON.parse(tree.output()), { args, X });
    }),
    { numRuns: 15, examples: [[["'", "''; exit 3 #", '$(false)', '\\', '\n'], '\'\n"`$X']] },
  );
});

test('only what no shell can set is given to the wrapper itself', () => {
  const env = { A: '1', LD_PRELOAD: 'x', UID: '7', 'with.dot': '2', BASH_ENV: '/x' };
  assert.deepEqual(variablesOfWrapper(env), { UID: '7', 'with.dot': '2', BASH_ENV: '/x' });
});

for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGPIPE'] as const) {
  test(`${signal} to the whole group ends the program, and its wrapper lives to tell`, async (t) => {
    const tree = await launchTree(t, ['sleep', '1000']);
    process.kill(-tree.identity.pid, signal);
    assert.deepEqual(await exitOf(tree), { return_code: null, signal });
    assert.deepEqual(tree.notes(), { pid: tree.pid, exit: { return_code: null, signal } });
  });
}

test('a program that takes a signal and goes on is not left alone by its wrapper', async (t) => {
  const tree = await launchTree(t, 'trap "echo again" USR1; echo ready; while :; do sleep 0.01; done');
  await tree.wrote('ready');
  process.kill(-tree.identity.pid, 'SIGUSR1');
  await tree.wrote('again');
  process.kill(tree.pid, 'SIGKILL');
  assert.deepEqual(await exitOf(tree), { return_code: null, signal: 'SIGKILL' });
});

test('nothing but the output of the program stands in its output', async (t) => {
  const tree = await launchTree(t, fixture('exits.sh', 'last words', '9'));
  await exitOf(tree);
  assert.equal(tree.output(), 'last words\n');
  const killed = await launchTree(t, ['sleep', '1000']);
  process.kill(killed.pid, 'SIGTERM');
  await exitOf(killed);
  assert.equal(killed.output(), '');
});
