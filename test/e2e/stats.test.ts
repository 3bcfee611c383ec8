import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { stringify } from 'yaml';
import { type ServiceStats, type Stats, stats as schema } from '../../src/contract/stats.ts';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { freePort } from '../helpers/free_port.ts';
import { fixture } from '../helpers/processes.ts';
import { untilGone } from '../helpers/system.ts';

/** Uses the processor in children that end, one after another. */
const burns = 'while :; do sh -c "i=0; while [ \\$i -lt 3000 ]; do i=\\$((i+1)); done"; done';

let folder: string;
let file: string;
let routerPort: number;
let config: Record<string, unknown>;
let agent: RunningAgent;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-stats-'));
  file = join(folder, 'davit.yaml');
  routerPort = await freePort();
  config = {
    listen: '127.0.0.1:0',
    // What is measured is the same with control groups, and harder without.
    cgroups: 'off',
    metrics: { interval: '1s' },
    router: { listeners: [{ address: `127.0.0.1:${routerPort}` }], processes: 1 },
  };
  writeFileSync(file, stringify(config));
  agent = await startAgent({ data: join(folder, 'data'), configFile: file });
  await deploy('web', {
    command: fixture('traffic_service.mjs'),
    env: { VERSION: '1' },
    port: 'auto',
    readiness: { type: 'http', path: '/ready', interval: '100ms' },
    routes: [{ hosts: ['web.test'] }],
  });
  await deploy('burns', { command: burns, instances: 2 });
});
after(() => agent[Symbol.asyncDispose]());

async function deploy(id: string, spec: object): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${id}/deploy`, { min_uptime: '0s', ...spec });
  assert.equal(status, 200, JSON.stringify(body));
}

/** The numbers, once they fit. */
async function numbers(fits: (stats: Stats) => boolean, query = 'usage=true'): Promise<Stats> {
  const body = await agent.until('GET', `/api/v1/stats?${query}`, (seen) => fits(schema.parse(seen)));
  return schema.parse(body);
}

function of(stats: Stats, service: string): ServiceStats {
  const found = stats.services.find((each) => each.service === service);
  return found ?? assert.fail(`${service} is not among ${stats.services.map((each) => each.service)}`);
}

/** Whether both instances were measured twice. */
function isBusy({ usage }: ServiceStats): boolean {
  return usage.length === 2 && usage.every(({ cpu_cores }) => (cpu_cores ?? 0) > 0);
}

async function get(path: string): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const sent = request({ port: routerPort, path, headers: { host: 'web.test' }, agent: false });
  sent.once('error', reject).once('response', (response) => {
    response.resume().once('end', () => resolve(response.statusCode));
  });
  sent.end();
  return promise;
}

test('the numbers tell of the host, the agent and each service, and what each instance uses', async () => {
  const stats = await numbers((seen) => isBusy(of(seen, 'burns')));
  assert.equal(stats.interval_seconds, 1);
  assert.ok((stats.host?.cpu_ratio ?? 0) > 0);
  assert.ok((stats.host?.memory_bytes ?? 0) > 0);
  assert.ok((stats.agent.cpu_cores ?? 0) > 0);
  assert.deepEqual(
    stats.services.map(({ service }) => service),
    ['burns', 'davit.router', 'web'],
  );
  const { state, instances, usage, resident_bytes, cpu_cores, started_at } = of(stats, 'burns');
  assert.deepEqual(
    { state, instances },
    { state: 'running', instances: { wanted: 2, running: 2, ready: 2 } },
  );
  assert.deepEqual(
    usage.map(({ instance, release }) => [instance, release]),
    [
      [1, 1],
      [2, 1],
    ],
  );
  for (const each of usage) {
    assert.ok(each.processes >= 2 && each.threads >= each.processes && each.open_files > 0);
    assert.ok(each.cpu_seconds > 0);
  }
  assert.equal(
    usage.reduce((sum, each) => sum + each.resident_bytes, 0),
    resident_bytes,
  );
  assert.ok((cpu_cores ?? 0) > 0);
  assert.ok(Date.parse(started_at ?? '') <= Date.now());
  const { services, services_running, instances: all } = stats.totals;
  assert.deepEqual({ services, services_running, all }, { services: 3, services_running: 3, all: 4 });
});

test('what instances use is told only on request', async () => {
  const stats = await numbers(() => true, '');
  assert.deepEqual(
    stats.services.flatMap(({ usage }) => usage),
    [],
  );
});

test('requests and errors are counted as routers tell of them', async () => {
  assert.equal(await get('/plain'), 200);
  assert.equal(await get('/none'), 404);
  const stats = await numbers(
    (seen) => of(seen, 'web').requests_per_second !== null && seen.totals.requests >= 2,
  );
  assert.equal(stats.totals.errors, 0);
  assert.equal(stats.totals.requests, 2);
});

test('a key that is confined to services gets their numbers, and none of the host', async () => {
  const { body } = await agent.call('POST', '/api/v1/keys', {
    name: 'one',
    scopes: ['read'],
    services: ['web'],
  });
  const answer = await agent.call('GET', '/api/v1/stats?usage=true', undefined, {
    authorization: `Bearer ${body.key}`,
  });
  const stats = schema.parse(answer.body);
  assert.equal(stats.host, null);
  assert.deepEqual(
    stats.services.map(({ service }) => service),
    ['web'],
  );
  assert.equal(stats.totals.services, 1);
  assert.equal(stats.totals.instances, 1);
  assert.ok(!JSON.stringify(answer.body).includes('burns'));
});

test('an end that nobody asked for counts, and the uptime is that of the oldest that runs', async () => {
  const { instances } = (await agent.call('GET', '/api/v1/services/burns/instances')).body;
  process.kill(instances[0].pid, 'SIGKILL');
  const stats = await numbers(
    (seen) => of(seen, 'burns').restarts === 1 && of(seen, 'burns').usage.length === 2,
  );
  assert.equal(stats.totals.restarts, 1);
  assert.equal(of(stats, 'burns').started_at, instances[1].start_time);
});

test('what an instance used is known to the next agent, and does not begin anew', async () => {
  const now = Date.now();
  const isFresh = (seen: Stats) => Date.parse(seen.at) > now && isBusy(of(seen, 'burns'));
  const before = of(await numbers(isFresh), 'burns').usage;
  await agent.end('SIGKILL');
  agent = await startAgent({ data: join(folder, 'data'), configFile: file });
  const after = of(await numbers((seen) => of(seen, 'burns').usage.length === 2), 'burns');
  for (const [index, each] of after.usage.entries())
    assert.ok(each.cpu_seconds >= (before[index]?.cpu_seconds ?? 0), JSON.stringify([before, after.usage]));
  assert.equal(after.restarts, 0);
});

test('another interval takes effect without a restart', async () => {
  writeFileSync(file, stringify({ ...config, metrics: { interval: '2s' } }));
  await numbers((seen) => seen.interval_seconds === 2);
});

test('a service that is stopped uses nothing, and one that is deleted is not told of any more', async () => {
  const { instances } = (await agent.call('GET', '/api/v1/services/burns/instances')).body;
  await agent.call('POST', '/service/burns/stop');
  await untilGone(instances[0].pid);
  const stopped = of(await numbers((seen) => of(seen, 'burns').resident_bytes === null), 'burns');
  assert.deepEqual(
    { ...stopped, restarts: 0 },
    {
      service: 'burns',
      state: 'stopped',
      instances: { wanted: 2, running: 0, ready: 0 },
      started_at: null,
      restarts: 0,
      cpu_cores: null,
      resident_bytes: null,
      open_connections: 0,
      requests_per_second: null,
      error_ratio: null,
      alerts_firing: 0,
      usage: [],
    },
  );
  await agent.call('DELETE', '/api/v1/services/burns');
  await numbers((seen) => seen.services.every(({ service }) => service !== 'burns'));
});
