import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { sparkline } from '../../src/cli/sparkline.ts';
import { render, type TopFrame, type TopOrder, topOrders } from '../../src/cli/top_picture.ts';
import type { ServiceStats, Stats } from '../../src/contract/stats.ts';
import { ended, Person, written } from './davit.ts';
import { FakeAgent, fakeAgent, type Received } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const enter = '\u001b[?1049h';
const leave = '\u001b[?1049l';

function service(id: string, change: Partial<ServiceStats> = {}): ServiceStats {
  return {
    service: id,
    state: 'running',
    instances: { wanted: 2, running: 2, ready: 1 },
    started_at: new Date(Date.now() - 3_725_000).toISOString(),
    restarts: 0,
    cpu_cores: 0.25,
    resident_bytes: 71_000_000,
    open_connections: 4,
    requests_per_second: 12,
    error_ratio: 0.015,
    alerts_firing: 0,
    usage: [],
    ...change,
  };
}

const services = [
  service('web'),
  service('api', { cpu_cores: 1.5, resident_bytes: 2_000_000, restarts: 3 }),
  service('worker', {
    state: 'failed',
    cpu_cores: null,
    resident_bytes: null,
    requests_per_second: null,
    error_ratio: null,
    started_at: null,
  }),
];

function statsWith(change: Partial<Stats> = {}): Stats {
  return {
    at: new Date().toISOString(),
    interval_seconds: 10,
    agent: {
      version: '1.2.3',
      hostname: 'host.example.org',
      started_at: new Date(Date.now() - 90_000).toISOString(),
      resident_bytes: 80_000_000,
      cpu_cores: 0.01,
      event_loop_lag_seconds: 0.012,
    },
    host: {
      booted_at: '2026-01-01T00:00:00.000Z',
      processors: 2,
      cpu_ratio: 0.5,
      load: [0.42, 0.3, 0.2],
      memory_bytes: 8e9,
      memory_available_bytes: 6e9,
      disk_bytes: 1e11,
      disk_free_bytes: 25e9,
    },
    totals: {
      services: 3,
      services_running: 2,
      services_failed: 1,
      instances: 6,
      instances_ready: 3,
      connections: 8,
      requests: 100,
      errors: 1,
      restarts: 3,
      alerts_firing: 2,
    },
    services,
    ...change,
  };
}

const history = new Map([
  ['host.cpu', [0, 0.5, 1]],
  ['service.cpu:web', [null, 0, 0.1, 0.2]],
]);

function frame(change: Partial<TopFrame> = {}): TopFrame {
  return { stats: statsWith(), history, order: 'cpu', lost: null, ...change };
}

function picture(columns: number, rows: number, change: Partial<TopFrame> = {}): string[] {
  return render(frame(change), { columns, rows }, (_style, text) => text);
}

test('a picture has the host, the agent, sums and services, each with what it uses and small charts', () => {
  const lines = picture(120, 24);
  assert.equal(lines[0], 'davit 1.2.3 on host.example.org, up 1m 30s');
  assert.equal(lines[1], 'host      CPU 50% ·········▁▅█  memory 25%  load 0.42  disk 75%');
  assert.equal(lines[2], 'agent     CPU 1.0%  memory 80MB  lag 12ms');
  assert.equal(lines[3], 'services  2 of 3 running  1 failed  2 alerts firing  24 req/s  3 restarts');
  assert.match(lines[5] ?? '', /^SERVICE +STATE +READY +CPU +MEMORY +REQ\/S +ERRORS +RESTARTS +UPTIME$/);
  assert.match(lines[7] ?? '', /^web +running +1\/2 +25% +·{7}▁▅█ +71MB +·{10} +12 +1\.5% +0 +1h 2m$/);
  assert.match(lines[8] ?? '', /^worker +failed +1\/2 +- +·{10} +- +·{10} +- +- +0 +-$/);
});

test('services are sorted by what is asked for, and equal ones by name', () => {
  const order = (by: TopOrder) =>
    picture(80, 24, { order: by })
      .slice(6)
      .map((line) => line.split(' ')[0]);
  assert.deepEqual(order('cpu'), ['api', 'web', 'worker']);
  assert.deepEqual(order('memory'), ['web', 'api', 'worker']);
  assert.deepEqual(order('requests'), ['api', 'web', 'worker']);
  assert.deepEqual(order('restarts'), ['api', 'web', 'worker']);
  assert.deepEqual(order('name'), ['api', 'web', 'worker']);
});

test('a key that may not read everything sees no host, and an agent that is gone is named first', () => {
  const lines = picture(80, 24, { stats: statsWith({ host: null }), lost: 'no agent listens there' });
  assert.match(lines[0] ?? '', /^As of 0s ago: no agent listens there$/);
  assert.ok(!lines.some((line) => line.startsWith('host')));
});

test('a picture keeps to its room, whatever there is to show', () => {
  const text = fc.string({ unit: 'binary-ascii', maxLength: 30 });
  const any = fc.record({
    columns: fc.integer({ min: 20, max: 200 }),
    rows: fc.integer({ min: 1, max: 30 }),
    ids: fc.uniqueArray(fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,62}$/), { maxLength: 40 }),
    hostname: text,
    state: text,
    order: fc.constantFrom(...topOrders),
    lost: fc.option(text),
  });
  fc.assert(
    fc.property(any, ({ columns, rows, ids, hostname, state, order, lost }) => {
      const stats = statsWith({ services: ids.map((id) => service(id, { state })) });
      const shown = picture(columns, rows, {
        stats: { ...stats, agent: { ...stats.agent, hostname } },
        order,
        lost,
      });
      assert.ok(shown.length <= rows);
      assert.ok(shown.every((line) => !/[\p{Cc}\p{Cf}]/u.test(line)));
      if (columns >= 40)
        assert.ok(
          shown.every((line) => line.length <= columns),
          shown.join('\n'),
        );
    }),
  );
});

test('a small chart has the newest at its end, and shows the greatest of what falls together', () => {
  assert.equal(sparkline([], 3), '···');
  assert.equal(sparkline([1, 1], 3), '·▁▁');
  assert.equal(sparkline([0, 7, null, 3], 4), '▁█·▄');
  assert.equal(sparkline([0, 9, 0, 0, 0, 9], 3), '█▁█');
  assert.equal(sparkline([0.5], 1, { least: 0, greatest: 1 }), '▅');
});

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

for (const [how, keys, code] of [
  ['q', 'q', 0],
  ['Ctrl-C', '\u0003', 130],
] as const) {
  test(`on a terminal it has a screen of its own, which ${how} gives back`, async () => {
    await using agent = await fakeAgent(answering);
    agent.describeIn(person.path('data'));
    const child = person.startOnTerminal(['top', '--interval', '200ms'], 80);
    const end = ended(child);
    await written(child, 'stdout', /\[H[\s\S]*\[H/);
    child.stdin?.write(keys);
    const { code: found, out } = await end;
    assert.equal(found, code);
    assert.ok(out.startsWith(enter) && out.trimEnd().endsWith(leave), JSON.stringify(out.slice(-100)));
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
