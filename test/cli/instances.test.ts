import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { InstanceStatus } from '../../src/contract/instances.ts';
import type { TaskRun } from '../../src/contract/runs.ts';
import type { Why } from '../../src/contract/why.ts';
import { Person } from './davit.ts';
import { fakeAgent } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const ago = (milliseconds: number) => new Date(Date.now() - milliseconds).toISOString();

function instance(change: Partial<InstanceStatus>): InstanceStatus {
  return {
    instance: 1,
    status: 'running',
    ready: true,
    pid: 4711,
    port: 20_000,
    release: 3,
    start_time: ago(3_725_000),
    readiness: 'healthy',
    liveness: null,
    restarts: 0,
    message: 'It is running',
    ...change,
  };
}

test('the instances of a service are listed with what each is like', async () => {
  const off = { ready: false, pid: undefined, release: null, readiness: null, port: null, restarts: 5 };
  const instances = [
    instance({}),
    instance({
      instance: 2,
      ready: false,
      readiness: 'healthy',
      liveness: 'unhealthy',
      message: 'probe fails',
    }),
    instance({ instance: 3, status: 'backoff', ...off, retry_time: ago(-30_500), message: 'It ended' }),
  ];
  await using agent = await fakeAgent(() => ({ service: 'web', instances }));
  agent.describeIn(person.path('data'));
  const { code, out } = await person.davit(['instances', 'web']);
  assert.equal(code, 0);
  const lines = out.trimEnd().split('\n');
  assert.match(
    lines[0] ?? '',
    /^INSTANCE +STATE +READY +HEALTH +PID +PORT +RELEASE +UPTIME +RESTARTS +MESSAGE$/,
  );
  assert.match(lines[1] ?? '', /^1 +running +yes +healthy +4711 +20000 +3 +1h 2m +0 +It is running$/);
  assert.match(lines[2] ?? '', /^2 +running +no +unhealthy +4711 /);
  assert.match(lines[3] ?? '', /^3 +backoff +no +- +- +- +- +- +5 +It ended; started again in (30|29)s$/);
  assert.equal(agent.requests[0]?.path, '/api/v1/services/web/instances');
});

test('scale and the restart of one instance say what was done', async () => {
  const base = { pid: 7, service: 'web', release: 3 };
  await using agent = await fakeAgent(({ path }) =>
    path.endsWith('/scale')
      ? { ...base, status: 'scaled', message: 'Service is scaled from 1 to 3 instances' }
      : { ...base, status: 'restarted', message: 'Instance 2 restarted' },
  );
  agent.describeIn(person.path('data'));
  const scaled = await person.davit(['scale', 'web', '3']);
  assert.deepEqual([scaled.code, scaled.out], [0, 'web: Service is scaled from 1 to 3 instances\n']);
  const restarted = await person.davit(['restart', 'web', '--instance', '2']);
  assert.deepEqual([restarted.code, restarted.out], [0, 'web: Instance 2 restarted\n']);
  assert.deepEqual(
    agent.requests.map(({ method, path, body }) => [method, path, body]),
    [
      ['POST', '/api/v1/services/web/scale', { instances: 3 }],
      ['POST', '/api/v1/services/web/instances/2/restart', {}],
    ],
  );
});

function run(change: Partial<TaskRun>): TaskRun {
  return {
    id: 1,
    trigger: 'schedule',
    outcome: 'succeeded',
    scheduled_for: '2026-03-01T03:00:00.000Z',
    started_at: '2026-03-01T03:00:00.100Z',
    ended_at: '2026-03-01T03:01:12.000Z',
    release: 2,
    instance: 1,
    return_code: 0,
    signal: null,
    message: 'It ended well',
    times: 1,
    ...change,
  };
}

test('the runs of a task are listed with when they were due and what became of them', async () => {
  const off = { started_at: null, ended_at: null, release: null, instance: null, return_code: null };
  const runs = [
    run({ id: 3, outcome: 'skipped', ...off, times: 12, message: 'the run before it had not ended' }),
    run({ id: 2, trigger: 'manual', scheduled_for: null, ended_at: '2026-03-01T03:00:00.350Z' }),
    run({}),
  ];
  await using agent = await fakeAgent(() => ({ service: 'backup', runs }));
  agent.describeIn(person.path('data'));
  const { code, out } = await person.davit(['runs', 'backup', '-n', '3']);
  assert.equal(code, 0);
  const lines = out.trimEnd().split('\n');
  assert.match(lines[0] ?? '', /^DUE +STARTED +TOOK +OUTCOME +BY +RELEASE +MESSAGE$/);
  assert.match(lines[1] ?? '', /Z +- +- +skipped +schedule +- +12 times, the last one: the run before it/);
  assert.match(lines[2] ?? '', /^- +2026-03-01T03:00:00Z +250ms +succeeded +manual +2 +It ended well$/);
  assert.match(lines[3] ?? '', /^2026-03-01T03:00:00Z +2026-03-01T03:00:00Z +1m 11s +succeeded +schedule/);
  assert.deepEqual(agent.requests[0]?.query, { limit: '3' });
  const json = await person.davit(['runs', 'backup', '--json']);
  assert.equal(JSON.parse(json.out).runs.length, 3);
});

test('a service that never ran as a task says so', async () => {
  await using agent = await fakeAgent(() => ({ service: 'web', runs: [] }));
  agent.describeIn(person.path('data'));
  assert.equal((await person.davit(['runs', 'web'])).out, 'web has had no run as a task yet.\n');
});

function step(id: number, type: string, sentence: string, service = 'web'): Why['chain'][number] {
  const time = `2026-03-01T10:03:0${id}.123Z`;
  const facts = { release: 7, pid: null, instance: 1, actor: null, cause: null, trace_id: null };
  return { event: { id, time, type: type as never, service, message: '', ...facts }, sentence };
}

const failed: Why = {
  service: 'web',
  state: 'failed',
  instance: 1,
  release: 7,
  sentence: 'web is failed. It ended 5 times',
  chain: [
    step(3, 'service.failed', 'Instance 1 has failed'),
    step(2, 'service.waiting', 'db: is gone\u001b[2J', 'db'),
  ],
  chain_ends: 'hidden',
  before: [step(1, 'service.started', 'It was started')],
  last_lines: [{ time: '2026-03-01T10:03:00.000Z', stream: 'stderr', level: null, line: 'boom\u001b[2J' }],
};

test('why tells the chain, what was before, the last lines and what to do next', async () => {
  await using agent = await fakeAgent(() => failed);
  agent.describeIn(person.path('data'));
  const { code, out } = await person.davit(['why', 'web', '--instance', '1', '-n', '5']);
  assert.equal(code, 0);
  assert.equal(
    out,
    `web is failed. It ended 5 times

What led to it, newest first:
  2026-03-01T10:03:03Z  Instance 1 has failed
  2026-03-01T10:03:02Z  ← db: is gone\\x1b[2J
  ← something that happened to another service, which this key may not read

Before that:
  2026-03-01T10:03:01Z  It was started

The last lines of instance 1 (release 7):
  boom\\x1b[2J

What to do next:
  davit why db                 why db is as it is
  davit logs web --instance 1  all that it wrote
  davit start web              start it again
  davit rollback web           go back to the last good release
`,
  );
  assert.deepEqual(agent.requests[0]?.query, { instance: '1', lines: '5' });
  assert.deepEqual(JSON.parse((await person.davit(['why', 'web', '--json'])).out), failed);
});

test('a long chain of restarts is shown by its newest ones and its first', async () => {
  const loop = (time: number) => [
    step(time, 'service.restarting', `again ${time}`),
    step(time, 'service.exited', `ended ${time}`),
    step(time, 'service.started', `runs ${time}`),
    step(time, 'service.starting', `started ${time}`),
  ];
  const chain = [...[6, 5, 4, 3, 2, 1].flatMap(loop), step(0, 'deployment.started', 'deployed')];
  await using agent = await fakeAgent(() => ({ ...failed, chain, chain_ends: 'begin', before: [] }));
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['why', 'web']);
  const told = [...out.matchAll(/^ {2}(?:\S+Z {2})?(?:← )?(.*)$/gm)].map(([, text]) => text).slice(0, 14);
  assert.deepEqual(told, [
    ...['again 6', 'ended 6', 'started 6', 'again 5', 'ended 5', 'started 5', 'again 4', 'ended 4'],
    '2 more restarts in between, which --json shows',
    ...['ended 1', 'started 1', 'deployed'],
    'boom\\x1b[2J',
    'davit logs web --instance 1  all that it wrote',
  ]);
});

test('what a service wrote cannot drive the terminal of who asks why', async () => {
  await using agent = await fakeAgent(() => failed);
  agent.describeIn(person.path('data'));
  const { out } = await person.onTerminal(['why', 'web'], 100);
  assert.ok(out.includes('\u001b[31mfailed\u001b[39m'), out);
  assert.ok(!out.includes('\u001b[2J'), out);
});

test('why says so where nothing is known and nothing can be read', async () => {
  const nothing = { ...failed, chain: [], before: [], last_lines: null, chain_ends: 'begin' };
  await using agent = await fakeAgent(() => nothing);
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['why', 'web']);
  assert.match(out, /Nothing is known of how it came to that/);
  assert.match(out, /What it wrote last cannot be read now/);
});
