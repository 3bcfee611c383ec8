import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { stringify } from 'yaml';
import type { RouterInformation, RouterList } from '../../src/contract/traffic.ts';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { freePort } from '../helpers/free_port.ts';
import { fixture } from '../helpers/processes.ts';
import { isRunning, until } from '../helpers/system.ts';

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** A WebSocket connection through the router, to an instance that echoes. */
class Echo {
  readonly socket: WebSocket;
  readonly #received: string[] = [];
  readonly #closed: Promise<number>;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (message) => this.#received.push(String(message)));
    this.#closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
  }

  /** Resolves when what is sent has come back. */
  async says(word: string): Promise<void> {
    this.socket.send(word);
    await until(`"${word}" comes back`, () => this.#received.includes(word));
  }

  /** What it was closed with. */
  get closed(): Promise<number> {
    return this.#closed;
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }
}

let port = 0;
let agent: RunningAgent;
let config: Record<string, unknown>;

before(async () => {
  port = await freePort();
  const listeners = [{ address: `127.0.0.1:${port}` }];
  config = { router: { listeners, processes: 2, drain_timeout: '2s' } };
  agent = await startAgent({ config, data: await mkdtemp(join(tmpdir(), 'davit-router-')) });
  await deploy('web', { VERSION: 'web' }, [{ hosts: ['web.test'] }]);
  await deploy('chat', { VERSION: 'chat' }, [{ hosts: ['web.test'], path_prefix: '/chat' }], {
    rewrite_prefix: '/',
  });
});
after(() => agent[Symbol.asyncDispose]());

async function deploy(id: string, env: Record<string, string>, routes: object[], more = {}): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${id}/deploy`, {
    command: fixture('traffic_service.mjs'),
    env,
    port: 'auto',
    instances: 2,
    min_uptime: '0s',
    readiness: { type: 'http', path: '/ready', interval: '100ms' },
    rollout: { drain_timeout: '1s', drain_spread: '100ms', bake: '0s' },
    routes: routes.map((route) => ({ ...route, ...more })),
  });
  assert.equal(status, 200, JSON.stringify(body));
}

/** A request through the router, on a connection of its own. */
async function get(host: string, path: string, headers: Record<string, string> = {}): Promise<Reply> {
  const sent = request({ port, path, headers: { host, ...headers }, agent: false });
  sent.end();
  const [response] = await once(sent, 'response');
  return { status: response.statusCode, headers: response.headers, text: await text(response) };
}

/** Whether requests are answered on the port of now. */
function isServed(): Promise<boolean> {
  return get('web.test', '/plain').then(
    ({ status }) => status === 200,
    () => false,
  );
}

async function connect(host: string, path: string): Promise<Echo> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: { host } });
  const echo = new Echo(socket);
  await once(socket, 'open');
  return echo;
}

async function routerPids(): Promise<number[]> {
  const { instances } = (await agent.call('GET', '/api/v1/services/davit.router/instances')).body;
  return instances.flatMap(({ pid }: { pid?: number }) => pid ?? []);
}

/** Resolves when both routers are connected and act by the newest table, however long their processes take to start. */
function routersAreUpToDate(): Promise<void> {
  return routersAre(({ up_to_date }) => up_to_date);
}

async function routersAre(fits: (router: RouterInformation) => boolean): Promise<void> {
  for (;;) {
    const { routers }: RouterList = (await agent.call('GET', '/api/v1/routers')).body;
    if (routers.length === 2 && routers.every(fits)) return;
    await sleep(20);
  }
}

test('requests and WebSockets go to services by host and path', async () => {
  await routersAreUpToDate();
  assert.equal((await get('web.test', '/plain')).headers['x-version'], 'web');
  assert.equal((await get('web.test', '/chat/plain')).headers['x-version'], 'chat');
  assert.equal((await get('web.test', '/chat/plain')).text, 'chat');
  assert.equal((await get('nobody.test', '/plain')).status, 404);
  const echo = await connect('web.test', '/chat');
  await echo.says('hello');
  echo.socket.close();
});

test('a rule of the API holds when the call has been answered, and leaves connections by other rules alone', async () => {
  const echo = await connect('web.test', '/chat');
  await echo.says('before');
  const rule = {
    id: 'beta',
    match: { headers: { 'x-beta': '1' } },
    action: { type: 'route', service: 'chat' },
  };
  const made = await agent.call('POST', '/api/v1/rules', { ...rule, priority: 5 });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  await routersAreUpToDate();
  assert.equal((await get('web.test', '/plain', { 'x-beta': '1' })).text, 'chat');
  assert.equal((await get('web.test', '/plain')).text, 'web');
  assert.equal((await agent.call('POST', '/api/v1/rules/beta/disable', {})).status, 200);
  await routersAreUpToDate();
  assert.equal((await get('web.test', '/plain', { 'x-beta': '1' })).text, 'web');
  assert.equal((await agent.call('DELETE', '/api/v1/rules/beta')).status, 200);
  await routersAreUpToDate();
  await echo.says('after');
  echo.socket.close();
  const { events } = (await agent.call('GET', '/api/v1/events?limit=1000')).body;
  const types = events.map(({ type }: { type: string }) => type).filter((type: string) => /^rule/.test(type));
  assert.deepEqual(types, ['rule.created', 'rule.disabled', 'rule.deleted']);
});

test('a request can be tried without being sent', async () => {
  const { status, body } = await agent.call('POST', '/api/v1/rules/test', { url: 'http://web.test/chat/x' });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.rule, 'chat/1');
  assert.equal(body.service, 'chat');
  assert.equal(body.path, '/x');
  assert.ok([1, 2].includes(body.instance));
  const nowhere = (await agent.call('POST', '/api/v1/rules/test', { url: 'http://nobody.test/' })).body;
  assert.equal(nowhere.kind, 'nowhere');
});

test('connections are listed with their bytes, and closed one by one or by what they have in common', async () => {
  const [one, other] = await Promise.all([connect('web.test', '/chat'), connect('web.test', '/plain')]);
  await Promise.all([one.says('hello'), other.says('hello')]);
  const path = '/api/v1/connections?protocol=websocket';
  const { connections, total } = await agent.until('GET', path, (body) => body.total === 2);
  assert.equal(total, 2);
  for (const each of connections) {
    assert.equal(each.host, 'web.test');
    assert.equal(each.client, '127.0.0.1');
    assert.equal(each.active, true);
    assert.ok(each.bytes_in > 0 && each.bytes_out > 0, JSON.stringify(each));
  }
  const chat = connections.find(({ service }: { service: string }) => service === 'chat');
  assert.equal(chat.rule, 'chat/1');
  assert.equal((await agent.call('DELETE', `/api/v1/connections/${chat.id}`)).body.closed, 1);
  await one.closed;
  assert.ok(other.isOpen);
  assert.equal((await agent.call('DELETE', '/api/v1/connections')).status, 400);
  assert.equal((await agent.call('DELETE', '/api/v1/connections?service=web')).body.closed, 1);
  await other.closed;
  await agent.until('GET', path, (body) => body.total === 0);
  assert.equal((await agent.call('DELETE', `/api/v1/connections/${chat.id}`)).status, 404);
});

test('connections are closed by their ids, many at once', async () => {
  const opened = await Promise.all(['/a', '/b', '/c'].map((path) => connect('web.test', path)));
  await Promise.all(opened.map((one) => one.says('hello')));
  const path = '/api/v1/connections?protocol=websocket';
  const { connections } = await agent.until('GET', path, (body) => body.total === 3);
  const meant = connections.filter((each: { path: string }) => each.path !== '/b');
  const [first = '', second = ''] = meant.map(({ id }: { id: string }) => id);
  const gone = first.replace(/-\d+$/, '-999999');
  const answer = await agent.call('DELETE', `/api/v1/connections?ids=${first},${gone},${second}`);
  assert.deepEqual([answer.status, answer.body], [200, { closed: 2, gone: [gone] }]);
  await Promise.all([opened[0]?.closed, opened[2]?.closed]);
  assert.ok(opened[1]?.isOpen);
  const many = Array.from({ length: 301 }, (_, number) => `a-${number}`).join(',');
  for (const ids of ['', 'a1b2', many])
    assert.equal((await agent.call('DELETE', `/api/v1/connections?ids=${ids}`)).status, 400, ids);
  await agent.call('DELETE', '/api/v1/connections?all=true');
  await opened[1]?.closed;
  await agent.until('GET', path, (body) => body.total === 0);
});

test('a stream tells which connections open, change and close', async () => {
  const end = new AbortController();
  const headers = { authorization: `Bearer ${agent.key}` };
  const path = '/api/v1/connections?follow=true&service=chat';
  const response = await fetch(agent.url + path, { headers, signal: end.signal });
  assert.equal(response.status, 200);
  let seen = '';
  const reading = (async () => {
    for await (const chunk of response.body ?? []) seen += Buffer.from(chunk).toString();
  })().catch(() => {});
  const echo = await connect('web.test', '/chat');
  await until('it is opened', () => /^event: opened$/m.test(seen));
  await echo.says('hello');
  await until('it has changed', () => /^event: changed$/m.test(seen));
  echo.socket.close();
  await until('it is closed', () => /^event: closed$/m.test(seen));
  const [, data = ''] = /^event: closed\n.*\ndata: (.*)$/m.exec(seen) ?? [];
  assert.equal(JSON.parse(data).service, 'chat');
  end.abort();
  await reading;
});

test('what goes through is counted by service and instance', async () => {
  await deploy('counted', { VERSION: 'counted' }, [{ hosts: ['counted.test'] }]);
  for (let count = 0; count < 10; count++) await get('counted.test', '/plain');
  const path = '/api/v1/services/counted/traffic';
  const traffic = await agent.until('GET', path, ({ total }) => total.requests >= 10);
  assert.equal(traffic.total.requests, 10);
  assert.equal(traffic.total.by_status[1], 10);
  assert.equal(traffic.total.bytes_out, 10 * 'counted'.length);
  const byInstance = traffic.instances.map(({ requests }: { requests: number }) => requests);
  assert.equal(byInstance.length, 2);
  assert.ok(
    byInstance.every((requests: number) => requests > 0),
    String(byInstance),
  );
  const { services } = (await agent.call('GET', '/api/v1/traffic')).body;
  assert.deepEqual(
    services.map(({ service }: { service: string }) => service),
    ['chat', 'counted', 'web'],
  );
});

test('an agent that is killed drops no connection, and the next one adopts the routers and tells them of changes', async () => {
  const echo = await connect('web.test', '/chat');
  const pids = await routerPids();
  assert.equal(pids.length, 2);
  await agent.end('SIGKILL');
  assert.equal((await get('web.test', '/plain')).text, 'web');
  await echo.says('while no agent runs');
  agent = await startAgent({ config, data: agent.data });
  await routersAreUpToDate();
  assert.deepEqual(await routerPids(), pids);
  await deploy('late', { VERSION: 'late' }, [{ hosts: ['late.test'] }]);
  await routersAreUpToDate();
  assert.equal((await get('late.test', '/plain')).text, 'late');
  await echo.says('with the next agent');
  echo.socket.close();
});

test('routers that are killed are started again', async () => {
  const before = await routerPids();
  for (const pid of before) process.kill(pid, 'SIGKILL');
  await routersAre(({ pid }) => !before.includes(pid));
  assert.equal((await get('web.test', '/plain')).text, 'web');
});

test('a router that begins while no agent runs serves by what the last one kept', async () => {
  const before = await routerPids();
  await agent.end('SIGKILL');
  for (const pid of before) process.kill(pid, 'SIGKILL');
  const [program, ...words] = davitCommand;
  const child = spawn(program, [...words, 'router', '--directory', join(agent.data, 'router')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stderr });
  const [line] = await once(lines, 'line');
  assert.equal(JSON.parse(line).msg, 'routing');
  assert.equal((await get('web.test', '/plain')).text, 'web');
  const echo = await connect('web.test', '/chat');
  child.kill('SIGTERM');
  await once(lines, 'line');
  // As the next agent asks it to end whose predecessor died meanwhile.
  child.kill('SIGTERM');
  assert.equal(await echo.closed, 1012);
  assert.deepEqual(await exited, [0, null]);
  agent = await startAgent({ config, data: agent.data });
  await routersAreUpToDate();
});

test('a new release gets the requests without one that fails, and WebSockets of the old one are told to come back', async () => {
  const echo = await connect('web.test', '/plain');
  await echo.says('hello');
  const failures: string[] = [];
  let isDone = false;
  const load = (async () => {
    while (!isDone) {
      const { status } = await get('web.test', '/plain').catch((error) => ({ status: String(error) }));
      if (status !== 200) failures.push(String(status));
    }
  })();
  await deploy('web', { VERSION: 'newer' }, [{ hosts: ['web.test'] }]);
  assert.equal(await echo.closed, 1012);
  isDone = true;
  await load;
  assert.deepEqual(failures, []);
  assert.equal((await get('web.test', '/plain')).text, 'newer');
});

test('listeners come and go with the configuration, and connections of the others stay', async () => {
  await agent.end();
  const [configFile, other] = [join(agent.data, 'davit.yaml'), await freePort()];
  const write = (router: object | null) => {
    writeFileSync(configFile, stringify({ listen: '127.0.0.1:0', router }));
    agent.child.kill('SIGHUP');
  };
  const settings = config['router'] as { listeners: object[] };
  write(settings);
  agent = await startAgent({ configFile, data: agent.data });
  await routersAreUpToDate();
  const pids = await routerPids();
  const echo = await connect('web.test', '/chat');
  write({ ...settings, listeners: [...settings.listeners, { address: `127.0.0.1:${other}` }] });
  const first = port;
  port = other;
  await until('the other port is open', isServed);
  write(settings);
  await until('the other port is closed', async () => !(await isServed()));
  port = first;
  await echo.says('still here');
  assert.deepEqual(await routerPids(), pids);
  write(null);
  assert.equal(await echo.closed, 1012);
  await until('the routers have ended', () => !pids.some(isRunning));
  await agent.until('GET', '/services', (services) => !('davit.router' in services));
  const listed = await agent.call('GET', '/api/v1/connections');
  assert.equal(listed.status, 503);
  assert.equal(listed.body.code, 'router_unavailable');
  assert.equal((await agent.call('GET', '/api/v1/routers')).body.configured, false);
});
