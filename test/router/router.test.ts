import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect, createServer as createNetServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import pino from 'pino';
import { Router } from '../../src/router/router.ts';
import { until } from '../helpers/system.ts';
import { settingsOf, World } from '../traffic/world.ts';

async function freePort(): Promise<number> {
  const server = createNetServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** An instance that says its name, after `hold` resolves. */
async function instance(name: string, hold: Promise<void> = Promise.resolve()) {
  const server = createServer((_request, response) => void hold.then(() => response.end(name)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    server,
    [Symbol.dispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function ask(port: number): Promise<{ status: number; body: string }> {
  const sent = request({ port, host: '127.0.0.1', headers: { host: 'web.test' }, agent: false }).end();
  const [response] = await once(sent, 'response');
  return { status: response.statusCode, body: await text(response) };
}

/** A router in this process, with what it has logged. */
function startRouter(directory: string) {
  const lines: { level: string; msg: string }[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const router = new Router({ directory, log });
  router.start();
  return { router, lines, isReady: () => lines.some(({ msg }) => msg === 'routing') };
}

async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once('connect', () => resolve(false)).once('error', () => resolve(true));
  const answer = await promise;
  socket.destroy();
  return answer;
}

async function worldWithRouter(port: number, drain_timeout = '2s') {
  const world = new World();
  world.settings = settingsOf(port, { drain_timeout });
  world.add('web', { routes: [{ hosts: ['web.test'] }] });
  return world;
}

test('a router serves by the table of the agent, and by what it kept when there is none', async () => {
  const port = await freePort();
  using web = await instance('web');
  using world = await worldWithRouter(port);
  world.registry.updateInstance('web', 1, { port: web.port });
  const first = startRouter(world.directory);
  await until('it is ready', first.isReady);
  assert.deepEqual(await ask(port), { status: 200, body: 'web' });
  world.registry.updateInstance('web', 1, { readiness: 'unhealthy' });
  await world.traffic.applied('web');
  assert.equal((await ask(port)).status, 503);
  world.registry.updateInstance('web', 1, { readiness: 'healthy' });
  await world.traffic.applied('web');
  assert.equal((await ask(port)).status, 200);
  await first.router.stop();
  // No agent is there any more.
  world.traffic.close();
  const second = startRouter(world.directory);
  await until('it is ready', second.isReady);
  assert.deepEqual(await ask(port), { status: 200, body: 'web' });
  await second.router.stop();
});

test('a table that is older than what it has does not count', async () => {
  const port = await freePort();
  using web = await instance('web');
  using world = await worldWithRouter(port);
  world.registry.updateInstance('web', 1, { port: web.port });
  const kept = world.traffic.publisher.table();
  assert.ok(kept !== null);
  const later = { ...kept, epoch: kept.epoch + 1_000_000, version: 9, rules: [] };
  writeFileSync(join(world.directory, `table.${later.epoch}.9.json`), JSON.stringify(later));
  const { router, isReady } = startRouter(world.directory);
  await until('it is ready', isReady);
  // The agent learns of the later one, and makes its own the latest.
  await until('the rules of the agent count', async () => (await ask(port)).status === 200);
  assert.ok((world.traffic.list().table?.epoch ?? 0) > later.epoch);
  await router.stop();
});

test('a table that was kept and cannot be gone by keeps no router from the one of the agent', async () => {
  const port = await freePort();
  using web = await instance('web');
  using world = await worldWithRouter(port);
  world.registry.updateInstance('web', 1, { port: web.port });
  const table = { format: 1, epoch: 1, version: 1, settings: {}, services: [{}], rules: [] };
  writeFileSync(join(world.directory, 'table.1.1.json'), JSON.stringify(table));
  const { router, isReady, lines } = startRouter(world.directory);
  await until('it is ready', isReady);
  assert.match(lines[0]?.msg ?? '', /^the table that was kept cannot be gone by/);
  assert.equal((await ask(port)).status, 200);
  await router.stop();
});

test('a router that ends accepts nothing new, and lets what is under way finish', async () => {
  const port = await freePort();
  const { promise: hold, resolve: release } = Promise.withResolvers<void>();
  using web = await instance('late', hold);
  using world = await worldWithRouter(port, '20s');
  world.registry.updateInstance('web', 1, { port: web.port });
  const { router, isReady } = startRouter(world.directory);
  await until('it is ready', isReady);
  const underWay = ask(port);
  await until('the request has come', () => world.traffic.facts.service('web').total.open_requests === 1);
  const stopped = router.stop();
  await until('it accepts nothing new', async () => await isRefused(port));
  release();
  assert.deepEqual(await underWay, { status: 200, body: 'late' });
  await stopped;
});

test('what does not end in time is cut off', async () => {
  const port = await freePort();
  using web = await instance('never', new Promise(() => {}));
  using world = await worldWithRouter(port, '100ms');
  world.registry.updateInstance('web', 1, { port: web.port });
  const { router, isReady, lines } = startRouter(world.directory);
  await until('it is ready', isReady);
  const underWay = assert.rejects(ask(port));
  await until('the request has come', () => world.traffic.facts.service('web').total.open_requests === 1);
  await router.stop();
  await underWay;
  assert.ok(lines.some(({ msg }) => /^1 connections? .*cut off/.test(msg)));
});

test('a port that is taken is told, and opened when it is free', async () => {
  const port = await freePort();
  const other = createNetServer().listen(port, '127.0.0.1');
  await once(other, 'listening');
  using world = await worldWithRouter(port);
  const { router, isReady } = startRouter(world.directory);
  const problems = () => world.traffic.list().routers[0]?.problems ?? [];
  await until('it is told', () => problems().includes(`it does not listen on 127.0.0.1:${port}`));
  assert.equal(isReady(), false);
  other.close();
  await until('it is ready', isReady);
  await until('that is told too', () => !problems().some((each) => each.startsWith('it does not listen')));
  await router.stop();
});
