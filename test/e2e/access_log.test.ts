import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { stringify } from 'yaml';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { freePort } from '../helpers/free_port.ts';
import { until } from '../helpers/system.ts';

interface Line {
  readonly path: string;
  readonly status: number;
  readonly service: string | null;
  readonly trace_id: string | null;
}

const idOf = (digit: string) => digit.repeat(32);
const traceparent = (digit: string) => `00-${idOf(digit)}-00f067aa0ba902b7-01`;
/** Answers with the headers that reach it. */
const showsHeaders = [
  process.execPath,
  '-e',
  'require("node:http").createServer((q, s) => s.end(JSON.stringify(q.headers))).listen(process.env.PORT, "127.0.0.1")',
];

let port = 0;
let agent: RunningAgent;
let configFile = '';
const connections = new Agent({ keepAlive: true, maxSockets: 1 });

function configure(router: object): void {
  const listeners = [{ address: `127.0.0.1:${port}` }];
  const settings = { listeners, processes: 1, drain_timeout: '2s', ...router };
  writeFileSync(configFile, stringify({ listen: '127.0.0.1:0', router: settings }));
}

before(async () => {
  port = await freePort();
  configFile = join(mkdtempSync(join(tmpdir(), 'davit-access-log-')), 'davit.yaml');
  configure({});
  agent = await startAgent({ configFile });
});
after(async () => {
  connections.destroy();
  await agent[Symbol.asyncDispose]();
});

/** A request through the router, all of them on one connection. */
async function get(path: string, headers: Record<string, string> = {}) {
  const sent = request({ port, path, headers: { host: 'web.test', ...headers }, agent: connections }).end();
  const [response] = await once(sent, 'response');
  const body = await text(response);
  return { status: response.statusCode, body, isReused: sent.reusedSocket };
}

/** The lines of the access log, as `davit logs davit.router --stream stdout` shows them. */
async function lines(): Promise<Line[]> {
  const { body } = await agent.call('GET', '/service/davit.router/logs?stream=stdout&lines=1000');
  return (body.lines as { line: string }[]).map(({ line }) => JSON.parse(line) as Line);
}

/** Resolves once the routers act by the settings of the file. */
async function reload(router: object): Promise<void> {
  const count = async () =>
    (await agent.call('GET', '/api/v1/events?type=agent.configuration_reloaded')).body.events.length;
  const before = await count();
  configure(router);
  agent.child.kill('SIGHUP');
  await until('the configuration is read again', async () => (await count()) > before);
  await agent.until('GET', '/api/v1/routers', ({ table, routers }) => {
    return routers.every((each: { table: { version: number } }) => each.table?.version === table.version);
  });
}

test('what a deploy does is of the trace that it names, in events and in the audit log', async () => {
  const spec = {
    command: showsHeaders,
    port: 'auto',
    min_uptime: '0s',
    readiness: { type: 'http', path: '/', interval: '50ms' },
    rollout: { bake: '0s', drain_timeout: '1s' },
    routes: [{ hosts: ['web.test'] }],
  };
  const deploy = (headers: Record<string, string>) =>
    agent.call('POST', '/service/web/deploy', spec, headers);
  assert.equal((await deploy({ traceparent: traceparent('a') })).status, 200);
  assert.equal((await deploy({ traceparent: traceparent('b') })).status, 200);
  assert.equal((await deploy({})).status, 200);
  assert.equal((await deploy({ traceparent: 'not one' })).status, 200);
  const { events } = (await agent.call('GET', '/api/v1/events?service=web&limit=200')).body;
  const traces = new Map<number, Set<string | null>>();
  for (const { release, trace_id } of events)
    if (release !== null) traces.set(release, (traces.get(release) ?? new Set()).add(trace_id));
  // What becomes of a release later is of the trace of the deploy that replaces it.
  assert.ok(traces.get(1)?.has(idOf('a')) && !traces.get(1)?.has(null));
  assert.ok(traces.get(2)?.has(idOf('b')) && !traces.get(2)?.has(idOf('a')));
  assert.ok(traces.get(3)?.has(null));
  assert.deepEqual([...(traces.get(4) ?? [])], [null]);
  const started = events.filter(({ type }: { type: string }) => type === 'deployment.started');
  assert.deepEqual(
    started.map((event: { trace_id: string | null }) => event.trace_id),
    [idOf('a'), idOf('b'), null, null],
  );
  const { records } = (await agent.call('GET', '/api/v1/audit')).body;
  const deploys = records.filter(({ action }: { action: string }) => action === 'deployService');
  assert.deepEqual(
    deploys.map((record: { trace_id: string | null }) => record.trace_id),
    [idOf('a'), idOf('b'), null, null],
  );
});

test('a crash after a deploy is not of its trace', async () => {
  const deployed = await agent.call('POST', '/service/web/restart', {}, { traceparent: traceparent('c') });
  assert.equal(deployed.status, 200);
  process.kill(deployed.body.pid, 'SIGKILL');
  const isOfCrash = ({ type, pid }: { type: string; pid: number }) =>
    type === 'service.exited' && pid === deployed.body.pid;
  const { events } = await agent.until('GET', '/api/v1/events?service=web&limit=200', (body) =>
    body.events.some(isOfCrash),
  );
  assert.equal(events.find(isOfCrash).trace_id, null);
  await agent.until('GET', '/api/v1/services/web/instances', ({ instances }) => instances[0]?.ready);
});

test('a deployment that goes on after the answer does so in its trace', async () => {
  const patch = { env: { RELEASE: 'next' }, rollout: { bake: 'manual' } };
  const headers = { traceparent: traceparent('e') };
  const { status, body } = await agent.call('POST', '/service/web/deploy', patch, headers);
  assert.equal(status, 200, JSON.stringify(body));
  const promote = `/api/v1/services/web/deployments/${body.deployment}/promote`;
  assert.equal((await agent.call('POST', promote, {}, { traceparent: traceparent('f') })).status, 200);
  const ofDeployment = (all: { type: string; trace_id: string | null }[]) =>
    all.slice(all.findLastIndex(({ type }) => type === 'deployment.started'));
  // The instance of the release before ends beside all that.
  const ends = ['deployment.promoted', 'deployment.succeeded', 'service.stopped'];
  const { events } = await agent.until('GET', '/api/v1/events?service=web&limit=200', (answer) => {
    const types = ofDeployment(answer.events).map(({ type }) => type);
    return ends.every((type) => types.includes(type));
  });
  const known = ofDeployment(events).map(({ type, trace_id }) => [type, trace_id?.[0] ?? null]);
  const others = known.filter(([, digit]) => digit !== 'e');
  assert.deepEqual(others, [['deployment.promoted', 'f']]);
});

test('the router carries a trace to the service, and the access log has it, from a reload until the next one', async () => {
  await until('the service is served', async () => (await get('/')).status === 200);
  assert.deepEqual(await lines(), []);
  await reload({ access_log: {} });
  const headers = { traceparent: traceparent('d'), tracestate: 'vendor=1' };
  const { body, isReused } = await get('/seen?token=secret', headers);
  assert.equal(isReused, true);
  const seen = JSON.parse(body);
  assert.deepEqual([seen.traceparent, seen.tracestate], [headers.traceparent, headers.tracestate]);
  await until('a line is written', async () => (await lines()).length > 0);
  const [line] = await lines();
  assert.deepEqual(
    [line?.path, line?.status, line?.service, line?.trace_id],
    ['/seen', 200, 'web', idOf('d')],
  );
  await reload({ access_log: null });
  assert.equal((await get('/unseen')).isReused, true);
  await reload({ access_log: { sample: 0 }, trace: 'start' });
  // Not in the sample, and failed.
  assert.match(JSON.parse((await get('/begun')).body).traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  assert.equal((await agent.call('POST', '/service/web/stop')).status, 200);
  assert.equal((await get('/failed')).status, 503);
  await until('a second line is written', async () => (await lines()).length > 1);
  assert.deepEqual(
    (await lines()).map(({ path }) => path),
    ['/seen', '/failed'],
  );
});
