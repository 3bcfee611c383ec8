import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { MetricsAnswer } from '../../src/contract/stats.ts';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';

const config = { metrics: { interval: '1s' } };
const query = '/api/v1/metrics/query';
const busy = 'while :; do :; done';

function known(answer: MetricsAnswer, series: string): number[] {
  const found = answer.series.find((each) => each.series === series);
  return found?.points.flatMap(([, value]) => value ?? []) ?? [];
}

async function deploy(agent: RunningAgent, service: string, command: string): Promise<void> {
  const { status } = await agent.call('POST', `/service/${service}/deploy`, { command, min_uptime: '0s' });
  assert.equal(status, 200);
}

test('the history tells what a busy service used, also after the agent was killed and started again', async () => {
  const first = await startAgent({ config });
  await deploy(first, 'busy', busy);
  const path = `${query}?series=service.cpu:busy,service.ready:busy,host.cpu&from=5m&step=1s`;
  const before: MetricsAnswer = await first.until(
    'GET',
    path,
    (answer) => known(answer, 'service.cpu:busy').length >= 3,
  );
  assert.ok(Math.max(...known(before, 'service.cpu:busy')) > 0.05);
  assert.ok(Math.max(...known(before, 'host.cpu')) > 0.05);
  assert.ok(known(before, 'service.ready:busy').includes(1));
  assert.equal(before.step_seconds, 1);
  await first.end('SIGKILL');

  await using agent = await startAgent({ data: first.data, config });
  const after: MetricsAnswer = await agent.until(
    'GET',
    path,
    (answer) => known(answer, 'service.cpu:busy').length > known(before, 'service.cpu:busy').length,
  );
  const points = new Map(after.series.find(({ name }) => name === 'service.cpu')?.points);
  for (const [at, value] of before.series.find(({ name }) => name === 'service.cpu')?.points ?? [])
    if (points.has(at) && value !== null) assert.equal(points.get(at), value);
});

test('a key sees the series of its services, and nothing of others or of the host', async () => {
  await using agent = await startAgent({ config });
  await deploy(agent, 'own-web', busy);
  await deploy(agent, 'other', busy);
  const { body } = await agent.call('POST', '/api/v1/keys', {
    name: 'own',
    scopes: ['read'],
    services: ['own-*'],
  });
  const ask = (series: string) =>
    agent.call('GET', `${query}?series=${series}`, undefined, { authorization: `Bearer ${body.key}` });
  await agent.until('GET', `${query}?series=service.memory:*`, ({ series }) => series.length === 2);
  const { body: own } = await ask('service.memory:*');
  assert.deepEqual(
    own.series.map(({ series }: { series: string }) => series),
    ['service.memory:own-web'],
  );
  assert.equal((await ask('service.memory:own-web')).status, 200);
  for (const series of [
    'service.memory:other',
    'host.cpu',
    'agent.memory',
    'router.requests',
    'service.cpu:nosuch',
  ])
    assert.equal((await ask(series)).status, 403, series);
  assert.equal((await ask('service.cpu:own-nosuch')).status, 404);
});

test('a question that cannot be answered says what would be right', async () => {
  await using agent = await startAgent({ config: { metrics: { interval: '1s', history: null } } });
  const ask = async (rest: string) => (await agent.call('GET', `${query}?${rest}`)).body;
  assert.match((await ask('series=hots.cpu')).error, /"hots\.cpu" is no series; did you mean "host\.cpu"\?/);
  assert.match((await ask('series=service.cpu')).error, /needs a service, such as service\.cpu:web/);
  assert.match((await ask('series=host.cpu&from=1h&to=2h')).error, /`from` must be before `to`/);
  for (const day of ['2026-13-01', '2026-02-30'])
    assert.match((await ask(`series=host.cpu&from=${day}T00:00:00Z`)).error, /there is no time/);
  assert.match(
    (await ask('series=host.cpu&from=1d&step=1s')).error,
    /1 series of 8640\d points are more than the 20000/,
  );
  assert.match((await ask('series=host.cpu')).error, /no history is kept on this machine/);
  const { body } = await agent.call('GET', '/api/v1/metrics/series');
  assert.ok(body.series.some(({ name }: { name: string }) => name === 'service.latency'));
  assert.equal(existsSync(join(agent.data, 'metrics.db')), false);
});

test('a damaged file of the history keeps no agent from starting', async () => {
  const first = await startAgent({ config });
  await first.end();
  const file = join(first.data, 'metrics.db');
  for (const suffix of ['-wal', '-shm']) await rm(file + suffix, { force: true });
  await writeFile(
    file,
    'no database at all, and longer than the head of one would have to be to be taken for it',
  );
  await using agent = await startAgent({ data: first.data, config });
  await agent.logged(({ msg }) => /metrics\.db is damaged .* kept as/.test(String(msg)));
  await agent.until('GET', `${query}?series=host.load`, (answer) => known(answer, 'host.load').length > 0);
});
