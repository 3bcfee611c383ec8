import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { type Binding, bindings } from '../../../src/cli/top/keys.ts';
import { ended, Person, written } from '../davit.ts';
import { FakeAgent, fakeAgent, type Received } from '../fake_agent.ts';
import { statsWith } from './states.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const enter = '\u001b[?1049h';
const leave = '\u001b[?1049l';

function answering({ path, query }: Received): unknown {
  if (path === '/api/v1/stats') return statsWith();
  const series = String(query['series'])
    .split(',')
    .map((key) => ({
      series: key,
      points: [
        [0, 1],
        [1, 2],
      ],
    }));
  return { series };
}

test('where nobody looks at a terminal there is one picture, uncut', async () => {
  await using agent = await fakeAgent(answering);
  agent.describeIn(person.path('data'));
  const { code, out } = await person.davit(['top', '--sort', 'name']);
  assert.equal(code, 0);
  assert.match(out, /^davit 1\.2\.3 .*\nhost .*\n(?:.*\n)*api +running +1\/2 +150% +·{8}▅█/);
  assert.ok(!out.includes('\u001b'));
  const { out: json } = await person.davit(['top', '--json']);
  assert.deepEqual(JSON.parse(json).history['service.cpu:web'], [1, 2]);
});

test('an agent that keeps no history is shown without charts', async () => {
  await using agent = await fakeAgent((request) =>
    request.path === '/api/v1/stats'
      ? statsWith()
      : { http_status: 422, error: 'no', code: 'not_supported', request_id: 'a' },
  );
  agent.describeIn(person.path('data'));
  const { code, out } = await person.davit(['top']);
  assert.equal(code, 0);
  assert.match(out, /\nhost +CPU 50% {2}memory 25%/);
});

/** What `script` runs. */
function onlyChildOf({ pid }: ChildProcess): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}

for (const [how, end, code] of [
  ['q', 'q', 0],
  ['Ctrl-C', '\u0003', 130],
  ['SIGTERM', 'SIGTERM', 143],
  ['SIGHUP', 'SIGHUP', null],
  ['SIGQUIT', 'SIGQUIT', null],
] as const) {
  test(`on a terminal it has a screen of its own, which ${how} gives back`, async () => {
    await using agent = await fakeAgent(answering);
    agent.describeIn(person.path('data'));
    const child = person.startOnTerminal(['top', '--interval', '200ms'], 80);
    const outcome = ended(child);
    await written(child, 'stdout', /\[H[\s\S]*worker/);
    if (end.startsWith('SIG')) process.kill(onlyChildOf(child), end);
    else child.stdin?.write(end);
    const { code: found, out } = await outcome;
    if (code !== null) assert.equal(found, code);
    assert.ok(out.startsWith(enter), JSON.stringify(out.slice(0, 100)));
    assert.equal(out.split(enter).length, out.split(leave).length);
    assert.doesNotMatch(out.slice(out.lastIndexOf(leave)), /\[H/);
    const lines = out.split('\u001b[H').flatMap((each) => stripVTControlCharacters(each).split('\r\n'));
    for (const line of lines) assert.ok(line.length <= 80, line);
  });
}

test('an agent that goes is said to be gone, and is seen again when it is back', async () => {
  const agent = await fakeAgent(answering);
  agent.describeIn(person.path('data'));
  const port = Number(new URL(agent.url).port);
  const child = person.startOnTerminal(['top', '--interval', '200ms'], 80);
  const end = ended(child);
  await written(child, 'stdout', /on host\.example\.org/);
  await agent[Symbol.asyncDispose]();
  await written(child, 'stdout', /As of/);
  await using back = await new FakeAgent(answering).listen(port);
  await written(child, 'stdout', /on host\.example\.org/);
  assert.ok(back.requests.length > 0);
  child.stdin?.write('q');
  assert.equal((await end).code, 0);
});

test('one that cannot be asked at all is told as by every command', async () => {
  const { code, err } = await person.davit(['top', '--url', 'http://127.0.0.1:1']);
  assert.equal(code, 5);
  assert.match(err, /^davit: cannot reach the agent/);
});

test('docs/cli.md has every key, what it does and where', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../../docs/cli.md'), 'utf8');
  const views = Object.entries(bindings) as [string, Readonly<Record<string, Binding>>][];
  const all = views.flatMap(([view, table]) => Object.values(table).map((binding) => ({ view, ...binding })));
  for (const { label, help } of all) {
    const where = all.filter((each) => each.label === label && each.help === help).map(({ view }) => view);
    const place = where.length === views.length ? 'everywhere' : where.join(', ');
    assert.ok(page.includes(`| \`${label}\` | ${help} | ${place} |`), label);
  }
});
