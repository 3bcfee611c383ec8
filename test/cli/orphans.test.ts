import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { ended, Person, written } from './davit.ts';
import { fakeAgent, type Received } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const instance_id = '2f1c9a7e-0b6f2c7d-1f0e-4d6a-9a43-6f1d2c3b4a59';
const path = `/api/v1/orphans/${instance_id}/stop`;
const started_at = new Date(Date.now() - 3_725_000).toISOString();
const wrapper = { pid: 10, role: 'wrapper', command: '/bin/sh -s davit' };
const main = { pid: 11, role: 'main', command: 'node \u001b[2Jserver.js' };
const orphan = {
  instance_id,
  service: 'web',
  release: 4,
  started_at,
  processes: [wrapper, main],
  process_count: 2,
};
const stop = {
  signal: 'SIGTERM',
  ended_by: 'kill',
  swept: [12],
  survivors: [],
  complete: 'best_effort',
  duration_ms: 5,
};
const message = `Orphan ${instance_id} of service web was ended by SIGKILL`;

function answer({ method }: Received): unknown {
  if (method === 'POST') return { instance_id, service: 'web', message, stop };
  const unreadable = { ...orphan, service: null, release: null, processes: [wrapper], process_count: 1 };
  return { orphans: [orphan, unreadable], orphan_count: 3 };
}

test('orphans are listed with what is known of them', async () => {
  await using agent = await fakeAgent(answer);
  agent.describeIn(person.path('data'));
  for (const words of [['orphans'], ['orphans', 'list']]) {
    const { code, out } = await person.davit(words);
    assert.equal(code, 0);
    assert.equal(
      out,
      [
        'INSTANCE                                       SERVICE  RELEASE  PROCESSES  STARTED    COMMAND',
        `${instance_id}  web      4        2          1h 2m ago  node \\x1b[2Jserver.js`,
        `${instance_id}  -        -        1          1h 2m ago  /bin/sh -s davit`,
        '… and 1 more',
        '',
      ].join('\n'),
    );
  }
  const { out } = await person.davit(['orphans', '--json']);
  assert.equal(JSON.parse(out).orphan_count, 3);
});

test('that there are none is said', async () => {
  await using agent = await fakeAgent(() => ({ orphans: [], orphan_count: 0 }));
  agent.describeIn(person.path('data'));
  assert.equal((await person.davit(['orphans'])).out, 'There are no orphans.\n');
});

test('an orphan is ended without a question only where that was said', async () => {
  await using agent = await fakeAgent(answer);
  agent.describeIn(person.path('data'));
  const refused = await person.davit(['orphans', 'stop', instance_id]);
  assert.deepEqual([refused.code, agent.requests.length], [2, 0]);
  assert.match(refused.err, /needs --yes/);
  const { code, out } = await person.davit(['orphans', 'stop', instance_id, '--yes']);
  assert.equal(code, 0);
  assert.equal(out, `${message}\n  processes that had left its group were killed too: 12\n`);
  assert.deepEqual(
    agent.requests.map((request) => [request.method, request.path]),
    [['POST', path]],
  );
});

for (const [typed, code, requests] of [
  ['n', 1, ['/api/v1/orphans']],
  ['y', 0, ['/api/v1/orphans', path]],
] as const) {
  test(`on a terminal it asks with what will end, and does as ${typed} says`, async () => {
    await using agent = await fakeAgent(answer);
    agent.describeIn(person.path('data'));
    const child = person.startOnTerminal(['orphans', 'stop', instance_id], 120);
    const ending = ended(child);
    const asked = await written(child, 'stdout', /\[y\/N\]/);
    assert.match(asked, /End 2 processes of web, started 1h 2m ago \(node \\x1b\[2Jserver\.js\)\?/);
    child.stdin?.write(`${typed}\n`);
    child.stdin?.end();
    assert.equal((await ending).code, code);
    assert.deepEqual(
      agent.requests.map((request) => request.path),
      requests,
    );
  });
}

test('one that is still there in part, or is none, is a failure', async () => {
  await using agent = await fakeAgent(({ path: asked }) =>
    asked.endsWith('59/stop')
      ? { instance_id, service: null, message: 'not whole', stop: { ...stop, survivors: [7] } }
      : { http_status: 404, error: 'there is no orphan', code: 'orphan_not_found' },
  );
  agent.describeIn(person.path('data'));
  const { code, out } = await person.davit(['orphans', 'stop', '-y', instance_id]);
  assert.equal(code, 1);
  assert.match(out, /STILL RUNNING, could not be killed: 7/);
  const unknown = await person.davit(['orphans', 'stop', '-y', instance_id.replace(/59$/, '60')]);
  assert.equal(unknown.code, 3);
  assert.match(unknown.err, /See which there are: davit orphans/);
  assert.equal((await person.davit(['orphans', 'stop', '-y', '../keys'])).code, 2);
});
