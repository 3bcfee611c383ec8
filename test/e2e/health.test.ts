import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ServiceHealth } from '../../src/contract/health.ts';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { fixture } from '../helpers/processes.ts';
import { processesWith } from '../helpers/system.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-health-'));
let agent: RunningAgent;
before(async () => {
  agent = await startAgent();
});
after(async () => {
  await agent[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const server = { command: fixture('http_server.mjs'), port: 'auto', min_uptime: '0s' };
const path = (service: string) => `/api/v1/services/${service}/health`;
const kindsOf = ({ present }: ServiceHealth) => present.map(({ kind, verdict }) => `${kind} ${verdict}`);

test('a deploy is done when the readiness probe succeeds, whatever its interval, and the history tells it', async () => {
  const readiness = { type: 'http', interval: '1h', timeout: '10s' };
  const { status } = await agent.call('POST', '/service/web/deploy', { ...server, readiness });
  assert.equal(status, 200);
  const { body } = await agent.call('GET', path('web'));
  assert.deepEqual(kindsOf(body), ['readiness healthy']);
  assert.match(body.present[0].last.message, /^GET http:\/\/127\.0\.0\.1:\d+\/ answered 200$/);
  const last = body.history.at(-1);
  assert.deepEqual([last.success, last.verdict, last.count], [true, 'healthy', 1]);
});

test('every kind of outcome stands in the history, also after the agent was replaced', async () => {
  const file = join(folder, 'well');
  writeFileSync(file, '');
  const liveness = {
    type: 'exec',
    command: `test -e ${file} || { echo is not well >&2; exit 7; }`,
    interval: '200ms',
    on_unhealthy: 'none',
  };
  await agent.call('POST', '/service/job/deploy', { command: 'exec sleep 1000', liveness });
  await agent.until('GET', path('job'), (body) => kindsOf(body)[0] === 'liveness healthy');
  rmSync(file);
  const unwell = await agent.until('GET', path('job'), (body) => kindsOf(body)[0] === 'liveness unhealthy');
  assert.match(unwell.present[0].last.message, /ended with exit code 7: is not well$/);
  const outcomes = ({ history }: ServiceHealth) =>
    new Set(history.map((run) => `${run.success} ${run.verdict}`));
  assert.deepEqual([...outcomes(unwell)], ['true healthy', 'false healthy', 'false unhealthy']);
  const before = unwell.history[0].first_at;
  const { data } = agent;
  await agent.end('SIGTERM');
  agent = await startAgent({ data });
  const again = await agent.until('GET', path('job'), (body) => kindsOf(body)[0] === 'liveness unhealthy');
  assert.equal(again.history[0].first_at, before);
  const none = (await agent.call('GET', `${path('job')}?until=${before.replace(/^\d+/, '2020')}`)).body;
  assert.deepEqual(none.history, []);
  const one = (await agent.call('GET', `${path('job')}?kind=liveness&instance=1&limit=1`)).body;
  assert.deepEqual([one.history.length, one.present.length], [1, 1]);
  assert.equal((await agent.call('GET', `${path('job')}?kind=readiness`)).body.present.length, 0);
});

test('a stop calls off a command that is under way, with what it started', async () => {
  const started = join(folder, 'started');
  const liveness = {
    type: 'exec',
    command: `mkdir ${started} && exit; setsid sleep 1000 & sleep 1000`,
    interval: '100ms',
    timeout: '10m',
  };
  const body = { command: 'exec sleep 1000', env: { DAVIT_TEST: 'under way' }, min_uptime: '0s', liveness };
  await agent.call('POST', '/service/slow/deploy', body);
  await agent.until('GET', path('slow'), () => processesWith('DAVIT_TEST=under way').length >= 4);
  await agent.call('POST', '/service/slow/stop');
  await agent.until('GET', path('slow'), () => processesWith('DAVIT_TEST=under way').length === 0);
  assert.deepEqual((await agent.call('GET', path('slow'))).body.present, []);
});

test('a service that is deleted takes its history with it, and one that is not there has none', async () => {
  const liveness = { type: 'process', interval: '100ms' };
  await agent.call('POST', '/service/gone/deploy', {
    command: 'exec sleep 1000',
    min_uptime: '0s',
    liveness,
  });
  await agent.until('GET', path('gone'), ({ history }) => history.length > 0);
  await agent.call('DELETE', '/api/v1/services/gone');
  assert.equal((await agent.call('GET', path('gone'))).body.code, 'service_not_found');
  await agent.call('POST', '/api/v1/services', { id: 'gone', command: 'sleep 1000' });
  assert.deepEqual((await agent.call('GET', path('gone'))).body.history, []);
});

test('what is asked for wrongly is refused with its place', async () => {
  for (const query of ['kind=startup', 'limit=0', 'limit=5001', 'since=yesterday', 'instance=x', 'other=1']) {
    const { status, body } = await agent.call('GET', `${path('web')}?${query}`);
    assert.deepEqual([status, body.code], [400, 'invalid_request'], query);
    assert.match(body.error, new RegExp(query.split('=')[0] ?? ''));
  }
});
