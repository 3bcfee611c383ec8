import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { untilGone } from '../helpers/system.ts';
import type { Load } from './load.ts';
import { clientPorts } from './proc.ts';
import type { Stage } from './stage.ts';
import { until } from './until.ts';

/** SIGKILL to the agent, and the next one: nobody notices either. */
export async function killAgent(stage: Stage, load: Load): Promise<void> {
  const before = { routers: stage.routerPids(), service: stage.servicePids() };
  await stage.killAgent();
  await load.http.versions();
  await load.webSockets.allEcho();
  await stage.startAgent();
  await load.http.versions();
  await load.webSockets.allEcho();
  load.assertNothingFailed();
  assert.deepEqual({ routers: stage.routerPids(), service: stage.servicePids() }, before);
}

/** SIGKILL to the agent while it replaces a release by another one: the next one goes on with that. */
export async function killAgentInDeploy(stage: Stage, load: Load): Promise<void> {
  const version = `after-${performance.now().toFixed(0)}`;
  const before = new Set(stage.servicePids());
  const answered = stage.deploy(version, 'good').catch(() => null);
  await until('a new instance is started', () => stage.servicePids().some((pid) => !before.has(pid)));
  await stage.killAgent();
  await answered;
  await load.http.versions();
  await stage.startAgent();
  await until(
    'the next agent has gone on with it',
    () => !stage.servicePids().some((pid) => before.has(pid)),
  );
  await stage.isWhole();
  assert.deepEqual(await load.http.versions(), [version]);
  await load.webSockets.allEcho();
  load.assertNothingFailed();
}

/** SIGKILL to one of the routers: its own connections break, those of the other do not, and another one takes its place. */
export async function killRouter(stage: Stage, load: Load): Promise<void> {
  const [killed = 0, other = 0] = stage.routerPids();
  await bothCarry(stage, load);
  const kept = clientPorts(other, stage.port);
  const others = load.webSockets.connections.filter(({ port }) => kept.has(port ?? 0));
  process.kill(killed, 'SIGKILL');
  const gone = await whenGone(killed);
  await load.webSockets.allEcho();
  await load.http.versions();
  await stage.routersAreUp();
  assert.ok(stage.routerPids().includes(other));
  // While it dies, the kernel still gives it new connections; and a client may use one that is gone before it hears of that.
  const foreign = {
    http: load.http
      .takeFailures()
      .filter(({ exchange: { port, began, opened } }) => kept.has(port ?? 0) || (opened ?? began) > gone),
    webSockets: load.webSockets.takeFailures().filter(({ port }) => kept.has(port ?? 0)),
  };
  assert.deepEqual(foreign, { http: [], webSockets: [] });
  assertStill(others, load);
}

/** SIGTERM to one of the routers: it lets requests finish and tells WebSocket clients to come back, and another one takes its place. */
export async function endRouter(stage: Stage, load: Load): Promise<void> {
  const [ended = 0] = stage.routerPids();
  await bothCarry(stage, load);
  const { returns } = load.webSockets;
  process.kill(ended, 'SIGTERM');
  await untilGone(ended);
  await load.webSockets.allEcho();
  await load.http.versions();
  await stage.routersAreUp();
  load.assertNothingFailed();
  assert.ok(load.webSockets.returns > returns);
}

/** SIGKILL to an instance: what was under way on it breaks, and nothing else does. */
export async function killInstance(stage: Stage, load: Load): Promise<void> {
  await load.webSockets.reopen();
  const [killed = 0] = stage.servicePids();
  const others = load.webSockets.connections.filter(({ pid }) => pid !== killed);
  process.kill(killed, 'SIGKILL');
  const gone = await whenGone(killed);
  await load.webSockets.allEcho();
  await load.http.versions();
  await stage.isWhole();
  const foreign = {
    http: load.http.takeFailures().filter(({ exchange }) => exchange.began > gone),
    webSockets: load.webSockets.takeFailures().filter(({ pid }) => pid !== killed),
  };
  assert.deepEqual(foreign, { http: [], webSockets: [] });
  assertStill(others, load);
}

/** Each router has connections, or its end would prove nothing. */
async function bothCarry(stage: Stage, load: Load): Promise<void> {
  await load.webSockets.reopen();
  await until('both routers have connections', () =>
    stage.routerPids().every((pid) => clientPorts(pid, stage.port).size > 0),
  );
}

/** Resolves with the moment when a process is gone with all its threads: a zombie may have some that still hold its sockets. */
async function whenGone(pid: number): Promise<number> {
  await until(`process ${pid} is gone`, () => !existsSync(`/proc/${pid}`));
  return performance.now();
}

/** These connections still stand. */
function assertStill(connections: readonly { readonly port: number | null }[], load: Load): void {
  const still = new Set(load.webSockets.connections.map(({ port }) => port));
  assert.deepEqual(
    connections.filter(({ port }) => !still.has(port)),
    [],
  );
}
