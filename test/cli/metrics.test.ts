import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { amount } from '../../src/cli/amounts.ts';
import { Person } from './davit.ts';
import { fakeAgent } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const from = Date.parse('2026-01-31T12:00:00Z');
const answer = {
  from: '2026-01-31T12:00:00.000Z',
  to: '2026-01-31T12:00:40.000Z',
  step_seconds: 10,
  agg: 'avg',
  series: [
    series('service.cpu:web', 'cores', [0, 0.5, null, 1]),
    series('service.memory:web', 'bytes', [1_000_000, 2_500_000, 3_000_000, 2_000_000]),
  ],
};

function series(key: string, unit: string, values: readonly (number | null)[]) {
  const points = values.map((value, index) => [from + index * 10_000, value]);
  return { series: key, name: key.split(':')[0], service: 'web', unit, points };
}

test('series are shown as small charts with their last, least and greatest value', async () => {
  await using agent = await fakeAgent(() => answer);
  agent.describeIn(person.path('data'));
  const words = [
    'metrics',
    'query',
    'service.cpu:web',
    'service.memory:web',
    '--from',
    '2h',
    '--step',
    '10s',
  ];
  const { code, out } = await person.davit(words);
  assert.equal(code, 0);
  assert.deepEqual(agent.requests[0]?.query, {
    series: 'service.cpu:web,service.memory:web',
    from: '2h',
    step: '10s',
  });
  assert.deepEqual(out.split('\n'), [
    '2026-01-31T12:00:00Z to 2026-01-31T12:00:40Z, avg of 10s',
    'SERIES               LAST  LEAST  GREATEST',
    'service.cpu:web      1.00   0.00      1.00  ····▁▅·█',
    'service.memory:web  2.0MB  1.0MB     3.0MB  ····▁▆█▅',
    '',
  ]);
});

test('values are listed one by one where that is asked for', async () => {
  await using agent = await fakeAgent(() => answer);
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['metrics', 'query', 'service.*', '--values']);
  assert.deepEqual(out.split('\n').slice(0, 4), [
    'TIME                  service.cpu:web  service.memory:web',
    '2026-01-31T12:00:00Z  0.00             1.0MB',
    '2026-01-31T12:00:10Z  0.50             2.5MB',
    '2026-01-31T12:00:20Z  -                3.0MB',
  ]);
});

test('the series are listed with what they are', async () => {
  const all = [
    { name: 'host.cpu', unit: 'ratio', description: 'How much.' },
    { name: 'service.cpu', unit: 'cores', description: 'That.' },
  ];
  await using agent = await fakeAgent(() => ({ series: all }));
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['metrics', 'series']);
  assert.equal(
    out,
    'SERIES               UNIT   WHAT\nhost.cpu             ratio  How much.\nservice.cpu:SERVICE  cores  That.\n',
  );
});

test('values are told in their units', () => {
  assert.equal(amount(null, 'ratio'), '-');
  assert.equal(amount(0.125, 'ratio'), '13%');
  assert.equal(amount(1_500, 'bytes/s'), '1.5KB/s');
  assert.equal(amount(0.0042, 'seconds'), '4.2ms');
  assert.equal(amount(2.5, 'seconds'), '2.5s');
  assert.equal(amount(3, 'count'), '3');
  assert.equal(amount(3.25, 'count/s'), '3.3/s');
});
