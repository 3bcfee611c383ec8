import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { cells } from '../../src/cli/health_strip.ts';
import type { ProbeRun } from '../../src/contract/health.ts';
import { Person } from './davit.ts';
import { fakeAgent } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString();

function runOf(from: number, to: number, others: Partial<ProbeRun> = {}): ProbeRun {
  return {
    instance: 1,
    kind: 'liveness',
    success: true,
    verdict: 'healthy',
    message: 'The process is there',
    first_at: ago(from),
    last_at: ago(to),
    count: 2,
    duration_ms: { shortest: 1, mean: 2, longest: 3 },
    ...others,
  };
}

const failure = { success: false, verdict: 'unhealthy', message: 'refused \u001b[2J' } as const;
const answer = {
  service: 'web',
  present: [
    {
      instance: 1,
      kind: 'liveness',
      verdict: 'healthy',
      since: ago(3_725),
      last: { at: ago(1), success: true, message: 'GET / answered 200', duration_ms: 4.2 },
    },
    { instance: 2, kind: 'readiness', verdict: 'unknown', since: ago(5), last: null },
  ],
  history: [
    runOf(3_500, 1_800),
    runOf(1_790, 1_000, failure),
    runOf(990, 0),
    runOf(3_600, 0, { instance: 10 }),
  ],
};

test('the present verdicts, a strip for each probe and the last failures are shown', async () => {
  await using agent = await fakeAgent(() => answer);
  agent.describeIn(person.path('data'));
  const { code, out } = await person.davit(['health', 'web']);
  assert.equal(code, 0);
  const lines = out.split('\n');
  assert.deepEqual(lines.slice(0, 4), [
    'INSTANCE  PROBE      VERDICT  SINCE      TOOK   LAST',
    '1         liveness   healthy  1h 2m ago  4.2ms  GET / answered 200',
    '2         readiness  unknown  5s ago     -      not probed yet',
    '',
  ]);
  assert.match(lines[4] ?? '', /: █ well, ▄ partly, ▁ failed, · no probe$/);
  assert.match(lines[5] ?? '', /^1 liveness {3}·█{27,29}▄?▁{12,14}▄?█{14,17}$/);
  assert.match(lines[6] ?? '', /^10 liveness {2}█{60}$/);
  assert.match(lines[8] ?? '', /^[\d-]+T[\d:]+Z 1 liveness \(2 times\): refused \\x1b\[2J$/);
  assert.deepEqual(agent.requests.at(-1)?.query, { since: '1h', limit: '5000' });
});

test('what is wanted is asked for, and answered as JSON', async () => {
  await using agent = await fakeAgent(() => answer);
  agent.describeIn(person.path('data'));
  const words = ['--instance', '2', '--kind', 'readiness', '--since', '24h', '--until', '23h', '--json'];
  const { out } = await person.davit(['health', 'web', ...words]);
  assert.deepEqual(JSON.parse(out), answer);
  assert.equal(agent.requests.at(-1)?.path, '/api/v1/services/web/health');
  const { query } = agent.requests.at(-1) ?? {};
  assert.deepEqual([query?.['instance'], query?.['kind']], ['2', 'readiness']);
});

test('where there was no probe that is said', async () => {
  await using agent = await fakeAgent(() => ({ service: 'web', present: [], history: [] }));
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['health', 'web']);
  assert.equal(out, 'No probe of web was made in this time.\n');
});

test('another kind of probe is refused', async () => {
  const { code, err } = await person.davit(['health', 'web', '--kind', 'startup']);
  assert.equal(code, 2);
  assert.match(err, /Allowed choices are readiness, liveness/);
});

test('each part of a time is what was said in it', () => {
  const at = (time: number) => new Date(time).toISOString();
  const run = (first: number, last: number, success: boolean) =>
    ({ ...runOf(0, 0), first_at: at(first), last_at: at(last), success }) satisfies ProbeRun;
  const runs = [run(0, 15, true), run(25, 35, false), run(36, 36, true), run(500, 600, false)];
  assert.deepEqual(cells(runs, { from: 0, to: 50 }, 5), ['well', 'well', 'failed', 'partly', 'nothing']);
});
