import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { drawTree } from '../../src/cli/process_tree.ts';
import type { ProcessInformation } from '../../src/contract/processes.ts';
import { Person } from './davit.ts';
import { fakeAgent, type Received, shownService } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

function shownProcess(
  pid: number,
  parent: number,
  command: string,
  role: ProcessInformation['role'] = 'descendant',
): ProcessInformation {
  return {
    pid,
    parent,
    role,
    command,
    name: 'x',
    state: 'sleeping',
    user: 'www',
    started_at: new Date(Date.now() - 3_725_000).toISOString(),
    cpu_seconds: pid === 11 ? 3_725 : 1.25,
    resident_bytes: pid === 11 ? 1.5 * 2 ** 30 : 2_097_152,
    threads: 1,
  };
}

const processes = [
  shownProcess(10, 1, '/bin/sh -s -- node server.js', 'wrapper'),
  shownProcess(11, 10, 'node server.js', 'main'),
  shownProcess(12, 11, 'worker 1'),
  shownProcess(13, 12, 'helper of worker 1'),
  shownProcess(14, 11, 'worker 2 with a long command line --and --many --options --that --do --not --fit'),
  shownProcess(15, 1, 'daemon that left'),
];

function answer({ path }: Received): unknown {
  if (path.endsWith('/gone/processes'))
    return { http_status: 404, error: 'there is no service "gone"', code: 'service_not_found' };
  if (path.endsWith('/processes')) return { service: 'web', processes, process_count: 8 };
  const off = { status: 'stopped', pid: undefined } as never;
  return { services: [shownService('web'), shownService('off', off), shownService('gone')] };
}

test('a service is shown as a tree, without its wrapper', async () => {
  await using agent = await fakeAgent(answer);
  agent.describeIn(person.path('data'));
  const { code, out } = await person.davit(['ps', 'web']);
  assert.equal(code, 0);
  assert.equal(
    out,
    [
      'web',
      'PID  USER  CPU    MEM   STARTED    STATE     COMMAND',
      '11   www   1h 2m  1.5G  1h 2m ago  sleeping  node server.js',
      '12   www   1.3s   2M    1h 2m ago  sleeping  ├─ worker 1',
      '13   www   1.3s   2M    1h 2m ago  sleeping  │  └─ helper of worker 1',
      '14   www   1.3s   2M    1h 2m ago  sleeping  └─ worker 2 with a long command line --and --many --options --that --do --not --fit',
      '15   www   1.3s   2M    1h 2m ago  sleeping  daemon that left',
      '… and 2 more processes',
      '',
    ].join('\n'),
  );
  assert.match(
    (await person.davit(['ps', 'web', '--all'])).out,
    /\n10 .* \/bin\/sh -s -- node server\.js\n11 .*└─ node/,
  );
});

test('without a service, all that run are shown, but not one that was deleted meanwhile', async () => {
  await using agent = await fakeAgent(answer);
  agent.describeIn(person.path('data'));
  const { code, out } = await person.davit(['ps', '--json']);
  assert.equal(code, 0);
  assert.deepEqual(
    JSON.parse(out).services.map(({ service }: { service: string }) => service),
    ['web'],
  );
  const asked = agent.requests.map(({ path }) => path);
  assert.ok(!asked.some((path) => path.includes('/off/')));
});

for (const columns of [40, 80]) {
  test(`the tree fits a terminal of ${columns} columns`, async () => {
    await using agent = await fakeAgent(answer);
    agent.describeIn(person.path('data'));
    const { out } = await person.onTerminal(['ps', 'web'], columns, { NO_COLOR: '1' });
    const lines = out.trimEnd().split('\r\n');
    assert.equal(lines.length, 8, out);
    for (const line of lines) assert.ok(line.length <= columns, line);
    assert.match(out, /\n12 .*├─ worker 1\r\n/);
  });
}

test('what a process calls itself cannot drive the terminal', async () => {
  const evil = '\u001b]0;owned\u0007\u001b[2J\n\u009b31m';
  const list = { service: 'web', processes: [shownProcess(11, 1, evil, 'main')], process_count: 1 };
  await using agent = await fakeAgent(() => list);
  agent.describeIn(person.path('data'));
  for (const words of [
    ['ps', 'web'],
    ['ps', 'web', '--json'],
  ]) {
    const { out } = await person.onTerminal(words, 200);
    for (const sequence of ['\u001b]', '\u001b[2J', '\u0007', '\u009b'])
      assert.ok(!out.includes(sequence), out);
  }
});

test('a tree that is deep, or that names itself as its parent, is drawn all the same', () => {
  const deep = Array.from({ length: 1_000 }, (_, index) => shownProcess(100 + index, 99 + index, 'x'));
  const lines = drawTree([...deep, shownProcess(7, 7, 'odd')]);
  assert.equal(lines.length, 1_001);
  assert.ok(lines.every(({ lead }) => lead.length <= 40));
});
