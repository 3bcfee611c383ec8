import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { freePort } from '../helpers/free_port.ts';
import { until, untilGone } from '../helpers/system.ts';

const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
const skip = hasRedis ? false : 'redis-server is not installed';
const shop = resolve(import.meta.dirname, '../fixtures/shop');

let home: string;
let data: string;
let agent: RunningAgent;
let port: number;

before(async () => {
  home = mkdtempSync(join(tmpdir(), 'davit-stack-'));
  data = join(home, 'data');
  port = await freePort();
  writeFileSync(join(home, 'davit.yaml'), stack());
  agent = await startAgent({ data });
});
after(async () => {
  await agent[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

/** A database, an API that needs it, a worker that needs both, and a job, here each second instead of each night. */
const stack = () => `
name: shop
defaults:
  cwd: ${home}
  env: {DATABASE_PORT: "${port}"}
  restart: {backoff: {initial: 10ms, max: 1s}, limit: {count: 100}}
services:
  worker:
    command: ["${process.execPath}", "${shop}/worker.mjs"]
    ready_log: the worker is ready
    depends_on: {database: healthy, api: started}
  api:
    command: ["${process.execPath}", "${shop}/api.mjs"]
    port: auto
    instances: 2
    readiness: {type: http, path: /health, interval: 200ms}
    depends_on: {database: healthy}
  database:
    command: [redis-server, --port, "\${PORT}", --bind, 127.0.0.1, --dir, "${home}", --appendonly, "yes", --appendfsync, always]
    port: ${port}
    readiness: {type: exec, command: "redis-cli -p $PORT ping | grep -q PONG", interval: 200ms}
    liveness: {type: tcp, interval: 200ms}
  nightly:
    type: task
    command: "redis-cli -p $DATABASE_PORT incr nights"
    schedule: {cron: "* * * * * *", time_zone: Europe/Berlin}
    depends_on: {database: healthy}
`;

async function davit(...words: string[]): Promise<string> {
  const [program, ...first] = davitCommand;
  const child = spawn(program, [...first, ...words], {
    cwd: home,
    env: { PATH: process.env['PATH'] ?? '', HOME: home, DAVIT_DATA: data },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [exit, out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  assert.equal(exit[0], 0, out + err);
  return out;
}

async function isWhole(): Promise<boolean> {
  const { database, api, worker, nightly } = (await agent.call('GET', '/services')).body;
  const ready = [database, api, worker].map(({ instances }) => instances.ready);
  return ready.join() === '1,2,1' && nightly.wanted === 'running';
}

const untilWhole = () => until('all of the stack is ready', isWhole);
const asked = (key: string) =>
  Number(execFileSync('redis-cli', ['-p', String(port), 'get', key], { encoding: 'utf8' }));

async function order(): Promise<void> {
  const { instances } = (await agent.call('GET', '/api/v1/services/api/instances')).body;
  for (const { port } of instances) await (await fetch(`http://127.0.0.1:${port}/`)).text();
}

async function pidsOf(service: string): Promise<number[]> {
  const { instances } = (await agent.call('GET', `/api/v1/services/${service}/instances`)).body;
  return instances.map(({ pid }: { pid: number }) => pid);
}

/** Kills a member of the stack and waits until all is there again. Who loses the database ends with it. */
async function lose(service: string): Promise<void> {
  const [pid = 0, ...others] = await pidsOf(service);
  const withIt = service === 'database' ? [...(await pidsOf('api')), ...(await pidsOf('worker'))] : [];
  process.kill(pid, 'SIGKILL');
  for (const lost of [pid, ...withIt]) await untilGone(lost);
  await until(`${service} is there again`, async () => {
    const now = await pidsOf(service);
    return !now.includes(pid) && others.every((other) => service === 'database' || now.includes(other));
  });
  await untilWhole();
}

test('a declared stack of real services comes up in order with one command', { skip }, async () => {
  await davit('apply', '-f', 'davit.yaml', '--yes');
  await untilWhole();
  const { events } = (await agent.call('GET', '/api/v1/events?limit=1000')).body;
  const first = (service: string, type: string) =>
    events.findIndex(
      (event: { service: string; type: string }) => event.service === service && event.type === type,
    );
  assert.ok(first('database', 'service.ready') < first('api', 'service.starting'));
  assert.ok(first('api', 'service.started') < first('worker', 'service.starting'));
  await order();
  await until('what was ordered has been sent', async () => asked('sent') === 2);
  await until('the job has run', async () => asked('nights') > 0);
});

test('it survives the crash of any member, and every restart is explained', { skip }, async () => {
  for (const service of ['worker', 'api', 'database', 'api', 'database', 'worker']) await lose(service);
  const before = asked('taken');
  await order();
  await until('what was ordered has been sent', async () => asked('sent') === before + 2);
  const { events } = (await agent.call('GET', '/api/v1/events?limit=1000')).body;
  type Told = { id: number; cause: number | null; type: string };
  const byId = new Map<number, Told>(events.map((event: Told) => [event.id, event]));
  const restarts = events.filter(({ type }: Told) => type === 'service.restarting');
  assert.ok(restarts.length >= 6);
  for (const { cause } of restarts) {
    const { type } = byId.get(cause ?? 0) ?? {};
    assert.match(type ?? 'nothing', /^service\.(exited|stopped|start_failed)$/);
  }
  assert.match(await davit('why', 'database'), /SIGKILL/);
});

test('it survives the death of the agent and of its database while no agent is there', { skip }, async () => {
  const { pid } = (await agent.call('GET', '/service/database/status')).body;
  await agent.end('SIGKILL');
  process.kill(pid, 'SIGKILL');
  await untilGone(pid);
  agent = await startAgent({ data });
  await untilWhole();
  const before = asked('taken');
  await order();
  await until('what was ordered has been sent', async () => asked('sent') === before + 2);
  assert.match(await davit('why', 'database'), /no agent was watching/);
});

test('it ends in the reverse order, and starts again in order', { skip }, async () => {
  await davit('stop', 'database', 'api', 'worker', 'nightly');
  const { events } = (await agent.call('GET', '/api/v1/events?limit=1000')).body;
  const last = (service: string) =>
    events.findLastIndex(
      (event: { service: string; type: string }) =>
        event.service === service && event.type === 'service.stopped',
    );
  assert.ok(last('worker') < last('api'));
  assert.ok(last('api') < last('database'));
  await davit('start', 'worker', 'api', 'database', 'nightly');
  await untilWhole();
});
