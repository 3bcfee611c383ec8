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
  shownService('api', {
    status: 'stopped',
    pid: undefined,
    start_time: undefined,
    instances: { wanted: 1, running: 0, ready: 0 },
  } as never),
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
      'SERVICE  STATE    READY  PID   RELEASE  RESTARTS  UPTIME  COMMAND',
      'api      stopped  0/1    -     3        0         -       sleep 1000',
      'web      running  1/1    4711  3        0         1h 2m   node /opt/web/server.js --port 3000 --log-format json --workers 4',
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

test('instances, restarts and the next run of a schedule are shown where they say something', async () => {
  const many = shownService('many', { instances: { wanted: 3, running: 3, ready: 2 }, restarts: 4 });
  const base = shownService('nightly', {
    status: 'scheduled',
    next_run: new Date(Date.now() + 3_725_000).toISOString(),
  });
  const schedule = { cron: '0 3 * * *', time_zone: 'Europe/Berlin', overlap: 'queue' } as const;
  const nightly = { ...base, spec: { ...base.spec, schedule, depends_on: { db: 'healthy' as const } } };
  const all = { services: [many, nightly] };
  await using agent = await fakeAgent(({ path }) =>
    path.endsWith('/many') ? many : path.endsWith('/nightly') ? nightly : all,
  );
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['status']);
  assert.match(out, /^SERVICE +STATE +READY +PID +RELEASE +RESTARTS +UPTIME +NEXT RUN +COMMAND\n/);
  assert.match(out, /\nmany +running +2\/3 +4711 +3 +4 +1h 2m +- +sleep 1000\n/);
  assert.match(out, /\nnightly +scheduled +- .* in 1h 2m +sleep 1000\n/);
  const details = await person.davit(['status', 'many']);
  assert.match(details.out, /\ninstances: +3 of 3 running, 2 ready\nrestarts: +4\n/);
  const { out: task } = await person.davit(['status', 'nightly']);
  assert.match(task, /\nschedule: +0 3 \* \* \* \(Europe\/Berlin\), overlap: queue\n/);
  assert.match(task, /\nnext run: +\S+Z \(in 1h 2m\)\ndepends on: +db \(healthy\)\n/);
});

test('what an earlier agent tells of a service is enough', async () => {
  const { spec, status, ...rest } = shownService('web');
  const { instances, restarts, next_run, ...known } = status;
  const { schedule, depends_on, ...fields } = spec;
  const service = { ...rest, spec: fields, status: known };
  await using agent = await fakeAgent(({ path }) =>
    path.endsWith('/web') ? service : { services: [service] },
  );
  agent.describeIn(person.path('data'));
  assert.match((await person.davit(['status'])).out, /\nweb +running +1\/1 +4711 /);
  assert.match((await person.davit(['status', 'web'])).out, /^web is running for/);
});

for (const [state, colour] of [
  ['failed', 31],
  ['stopped', 31],
  ['backoff', 33],
  ['pending', 33],
  ['completed', 32],
  ['scheduled', 32],
] as const) {
  test(`${state} has the colour that tells whether somebody should look`, async () => {
    await using agent = await fakeAgent(() => ({ services: [shownService('web', { status: state })] }));
    agent.describeIn(person.path('data'));
    const { out } = await person.onTerminal(['status'], 120);
    assert.ok(out.includes(`${escape_}[${colour}m${state}${escape_}[39m`), out);
  });
}

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
  await written(child, 'stdout', /running\S* +1\/1 +4711 +2 /);
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
