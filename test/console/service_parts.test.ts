import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandFrom, commandText, variables } from '../../src/console/pages/service/deploy_form.ts';
import { linesBetween, unifiedLines } from '../../src/console/pages/service/diff.ts';
import { beatsOf } from '../../src/console/pages/service/probe_beats.ts';
import { treeOf } from '../../src/console/pages/service/process_tree.ts';
import { addressesOf, conditionsOf } from '../../src/console/pages/service/route_text.ts';
import { rowsOf, specGroups } from '../../src/console/pages/service/spec_rows.ts';
import { type ShownSpec, spec } from '../../src/contract/spec.ts';

const shown = (given: object) => spec.parse({ command: 'true', ...given }) as unknown as ShownSpec;

test('variables are read from lines of NAME=value, and nothing else is taken for one', () => {
  assert.deepEqual(variables(''), {});
  assert.deepEqual(variables('A=1\n\n  B=x = y \nC='), { A: '1', B: 'x = y ', C: '' });
  for (const wrong of ['A', 'A: 1', '1A=2', 'A B=1', 'A=1\nB']) assert.equal(variables(wrong), null, wrong);
});

test('a command stays what it is: a line for a shell, or a list with an argument on each line', () => {
  assert.equal(commandFrom(commandText('a && b\nc'), false), 'a && b\nc');
  assert.deepEqual(commandFrom(commandText(['node', '-e', 'let a = 1']), true), ['node', '-e', 'let a = 1']);
});

test('a unified diff becomes lines with signs, and lines of it that look like its head stay', () => {
  const diff =
    '--- app (version 1)\n+++ app (version 2)\n@@ -1,2 +1,2 @@\n same\n--- rule\n++++ plus\n\\ No newline\n';
  assert.deepEqual(unifiedLines(diff), [
    { sign: '@', text: '@@ -1,2 +1,2 @@' },
    { sign: ' ', text: 'same' },
    { sign: '-', text: '-- rule' },
    { sign: '+', text: '+++ plus' },
  ]);
  assert.deepEqual(unifiedLines(''), []);
});

test('what differs between two texts is told with the lines around it, and nothing where they are the same', async () => {
  assert.deepEqual(await linesBetween('a\nb\n', 'a\nb\n'), []);
  const many = Array.from({ length: 30 }, (_, index) => `line ${index}`);
  const lines = await linesBetween(many.join('\n'), many.with(20, 'other').join('\n'));
  assert.deepEqual(
    lines.filter(({ sign }) => sign !== ' '),
    [
      { sign: '@', text: '@@ 18 → 18 @@' },
      { sign: '-', text: 'line 20' },
      { sign: '+', text: 'other' },
    ],
  );
  assert.equal(lines.filter(({ sign }) => sign === ' ').length, 6);
});

test('of each part of a time the worst that a probe said counts, and a part without one is not known', () => {
  const at = (second: number) => new Date(second * 1000).toISOString();
  const run = (
    first: number,
    last: number,
    success: boolean,
    verdict: 'healthy' | 'unhealthy' | 'unknown',
  ) => ({
    instance: 1,
    kind: 'readiness' as const,
    success,
    verdict,
    message: `${first}`,
    first_at: at(first),
    last_at: at(last),
    count: 1,
    duration_ms: { shortest: 1, mean: 1, longest: 1 },
  });
  const runs = [
    run(0, 19, true, 'healthy'),
    run(15, 15, false, 'healthy'),
    run(20, 24, false, 'unhealthy'),
    run(25, 29, true, 'unhealthy'),
  ];
  const beats = beatsOf(runs, 0, 40_000, 4);
  assert.deepEqual(
    beats.map(({ state }) => state),
    ['healthy', 'warning', 'unhealthy', null],
  );
  assert.deepEqual([beats[1]?.message, beats[3]?.message, beats[3]?.from], ['15', null, 30_000]);
});

test('processes stand below their parents, also where those are not listed or name each other', () => {
  const process = (instance: number, pid: number, parent: number) =>
    ({ instance, pid, parent }) as Parameters<typeof treeOf>[0][number];
  const trees = treeOf([
    process(1, 10, 1),
    process(1, 11, 10),
    process(1, 12, 11),
    process(2, 20, 1),
    process(1, 13, 10),
  ]);
  assert.deepEqual(
    trees.map(({ instance, processes }) => [instance, processes.map((one) => [one.process.pid, one.depth])]),
    [
      [
        1,
        [
          [10, 0],
          [11, 1],
          [12, 2],
          [13, 1],
        ],
      ],
      [2, [[20, 0]]],
    ],
  );
  assert.deepEqual(treeOf([process(1, 5, 5)])[0]?.processes.length, 1);
});

test('the addresses of a rule can be opened where they stand for one place', () => {
  const { routes } = shown({
    port: 'auto',
    routes: [
      {
        hosts: ['a.example.org', '*.example.org'],
        path_prefix: '/api',
        methods: ['GET'],
        headers: { 'x-a': { present: false } },
      },
      { path_regex: '^/v[0-9]+/' },
    ],
  });
  const [first, second] = routes.map((match) => ({ match }));
  assert.ok(first && second);
  assert.deepEqual(addressesOf(first, { scheme: 'http', port: 8080 }), [
    { text: 'a.example.org/api', href: 'http://a.example.org:8080/api' },
    { text: '*.example.org/api', href: null },
  ]);
  assert.equal(addressesOf(first, { scheme: 'https', port: 443 })[0]?.href, 'https://a.example.org/api');
  assert.deepEqual(addressesOf(second, { scheme: 'http', port: null }), [
    { text: '*~ ^/v[0-9]+/', href: null },
  ]);
  assert.deepEqual(conditionsOf(first), ['GET', 'header x-a absent']);
});

test('every field of a spec is in one group, and those that say nothing are shown when asked for', () => {
  const whole = shown({ env: { A: '1' }, command: ['echo', 'a b'] });
  const fields = specGroups.flatMap(({ fields }) => fields);
  assert.deepEqual(fields.toSorted(), Object.keys(whole).sort());
  const few = rowsOf(whole, ['command', 'env', 'user', 'tags', 'stop'], false);
  assert.deepEqual(few, [
    { path: 'command', value: '["echo","a b"]' },
    { path: 'env.A', value: '1' },
    { path: 'stop.signal', value: 'SIGTERM' },
    { path: 'stop.timeout', value: '5s' },
  ]);
  assert.deepEqual(
    rowsOf(whole, ['user', 'tags'], true),
    ['user', 'tags'].map((path) => ({ path, value: '' })),
  );
});
