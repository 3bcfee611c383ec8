import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { ended, Person, written } from './davit.ts';
import { fakeAgent, shownService } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const escape_ = '\u001b';
const services = [
  shownService('web', {}, 'node /opt/web/server.js --port 3000 --log-format json --workers 4'),
  shownService('api', { status: 'stopped', pid: undefined, start_time: undefined } as never),
];

function answer(path: string): unknown {
  const one = services.find(({ id }) => path.endsWith(`/${id}`));
  return one ?? { services };
}

test('the table has every service, sorted, uncut where nobody looks at it', async () => {
  await using agent = await fakeAgent(({ path }) => answer(path));
  agent.describeIn(person.path('data'));
  const { code, out } = await person.davit(['status']);
  assert.equal(code, 0);
  assert.equal(
    out,
    [
      'SERVICE  STATE    PID   RELEASE  UPTIME  COMMAND',
      'api      stopped  -     3        -       sleep 1000',
      'web      running  4711  3        1h 2m   node /opt/web/server.js --port 3000 --log-format json --workers 4',
      '',
    ].join('\n'),
  );
});

for (const columns of [40, 80, 200]) {
  test(`the table fits a terminal of ${columns} columns, in colours`, async () => {
    await using agent = await fakeAgent(({ path }) => answer(path));
    agent.describeIn(person.path('data'));
    const { out } = await person.onTerminal(['status'], columns);
    assert.ok(out.includes(`${escape_}[32mrunning${escape_}[39m`), out);
    const lines = stripVTControlCharacters(out).trimEnd().split('\r\n');
    assert.equal(lines.length, 3, out);
    for (const line of lines) assert.ok(line.length <= columns, line);
    if (columns === 200) assert.match(out, /--workers 4/);
    else assert.match(out, /…/);
  });
}

for (const environment of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
  test(`there are no colours with ${Object.entries(environment).join()}`, async () => {
    await using agent = await fakeAgent(({ path }) => answer(path));
    agent.describeIn(person.path('data'));
    for (const words of [['status'], ['status', 'web'], ['--help'], ['status', '--nope']]) {
      const { out } = await person.onTerminal(words, 80, environment);
      assert.ok(!out.includes(escape_), out);
    }
  });
}

test('one service is shown in detail, and the exit code tells whether it runs', async () => {
  await using agent = await fakeAgent(({ path }) => answer(path));
  agent.describeIn(person.path('data'));
  const web = await person.davit(['status', 'web']);
  assert.equal(web.code, 0);
  assert.match(web.out, /^web is running for 1h 2m, since .*\npid: +4711\nrelease: +3\ncommand: +node \/opt/);
  const api = await person.davit(['status', 'api']);
  assert.equal(api.code, 7);
  assert.match(api.out, /^api is stopped\n/);
});

test('JSON is what the agent answered', async () => {
  await using agent = await fakeAgent(({ path }) => answer(path));
  agent.describeIn(person.path('data'));
  const all = await person.davit(['status', '--json']);
  assert.deepEqual(JSON.parse(all.out), JSON.parse(JSON.stringify({ services })));
  const one = await person.davit(['status', 'api', '--json']);
  assert.equal(JSON.parse(one.out).id, 'api');
  assert.equal(one.code, 7);
});

test('what a service is named and says cannot drive the terminal', async () => {
  const evil = `${escape_}]0;owned\u0007${escape_}[2J\u009b31m`;
  const service = shownService('web', { message: evil, status: evil as never }, evil);
  await using agent = await fakeAgent(({ path }) =>
    path.endsWith('/web') ? service : { services: [service] },
  );
  agent.describeIn(person.path('data'));
  for (const words of [['status'], ['status', 'web'], ['status', '--json'], ['status', 'web', '--json']]) {
    const { out } = await person.onTerminal(words, 200);
    for (const sequence of [`${escape_}]`, `${escape_}[2J`, '\u0007', '\u009b']) {
      assert.ok(!out.includes(sequence), JSON.stringify(out));
    }
  }
});

test('--watch redraws on a screen of its own, and Ctrl-C gives the terminal back', async () => {
  let looks = 0;
  await using agent = await fakeAgent(() => ({ services: [shownService('web', { release: ++looks })] }));
  agent.describeIn(person.path('data'));
  const child = person.startOnTerminal(['status', '--watch'], 80);
  const ending = ended(child);
  await written(child, 'stdout', /running\S* +4711 +2 /);
  child.stdin?.write('\u0003');
  const { code, out } = await ending;
  assert.equal(code, 130);
  assert.ok(out.includes(`${escape_}[?1049h${escape_}[?25l`));
  assert.ok(out.endsWith(`${escape_}[?25h${escape_}[?1049l`), JSON.stringify(out.slice(-40)));
});

test('--watch --json is a document a line, until it is interrupted', async () => {
  await using agent = await fakeAgent(() => ({ services }));
  agent.describeIn(person.path('data'));
  const child = person.start(['status', '--watch', '--json']);
  const ending = ended(child);
  await written(child, 'stdout', /\n.+\n/);
  child.kill('SIGINT');
  const { code, out } = await ending;
  assert.equal(code, 130);
  for (const line of out.trimEnd().split('\n')) assert.equal(JSON.parse(line).services.length, 2);
});

test('an agent without services says how one is deployed', async () => {
  await using agent = await fakeAgent(() => ({ services: [] }));
  agent.describeIn(person.path('data'));
  assert.match((await person.davit(['status'])).out, /davit deploy web -- node server\.js/);
});
