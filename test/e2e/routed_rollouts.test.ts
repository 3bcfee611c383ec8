import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Deployment } from '../../src/contract/deployments.ts';
import type { InstanceStatus } from '../../src/contract/instances.ts';
import { type Answer, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { freePort } from '../helpers/free_port.ts';
import { fixture } from '../helpers/processes.ts';
import { isRunning, untilGone } from '../helpers/system.ts';

let agent: RunningAgent;
let url = '';
before(async () => {
  const address = `127.0.0.1:${await freePort()}`;
  url = `http://${address}`;
  agent = await startAgent({ config: { router: { listeners: [{ address }], processes: 1 } } });
  await agent.until('GET', '/api/v1/routers', ({ routers }) => routers.length === 1);
});
after(() => agent[Symbol.asyncDispose]());

/** What every service here has. Its path is its name. */
function specOf(service: string, rollout: object, more: object = {}): object {
  return {
    command: fixture('versioned_service.mjs'),
    port: 'auto',
    min_uptime: '0s',
    ready_log: 'ready',
    routes: [{ path_prefix: `/${service}` }],
    rollout: { drain_timeout: '2s', drain_spread: '100ms', bake: '0s', ...rollout },
    ...more,
  };
}

function deploy(service: string, body: object): Promise<Answer> {
  return agent.call('POST', `/service/${service}/deploy`, body);
}

async function deployed(service: string, body: object): Promise<void> {
  const { status, body: answer } = await deploy(service, body);
  assert.equal(status, 200, JSON.stringify(answer));
}

/** What a service says through the router: its version, or the status that is none of its own. */
async function ask(service: string, path = ''): Promise<string> {
  const response = await fetch(`${url}/${service}${path}`);
  return response.ok ? response.text() : `status ${response.status}`;
}

/** Asks again and again until it is ended; returns how often each answer came. */
function askAllTheTime(service: string): { end(): Promise<Map<string, number>> } {
  const answers = new Map<string, number>();
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      const answer = await ask(service).catch((error: Error) => `${error}: ${error.cause}`);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
  })();
  return {
    async end() {
      isOver = true;
      await asking;
      return answers;
    },
  };
}

async function instances(service: string): Promise<InstanceStatus[]> {
  return (await agent.call('GET', `/api/v1/services/${service}/instances`)).body.instances;
}

async function newest(service: string): Promise<Deployment> {
  return (await agent.call('GET', `/api/v1/services/${service}/deployments`)).body.deployments[0];
}

for (const strategy of ['rolling', 'blue_green', 'canary'] as const)
  test(`a release whose requests fail is taken back by itself: ${strategy}`, async () => {
    const name = strategy.replace('_', '-');
    const tolerance = { requests: 10 };
    const canary = { weight: 50 };
    await deployed(
      name,
      specOf(name, { strategy, bake: '60s', tolerance, canary }, { env: { VERSION: 'good' } }),
    );
    const asking = askAllTheTime(name);
    const { status, body } = await deploy(name, { env: { VERSION: 'bad', FAILS: '1' } });
    const answers = await asking.end();
    assert.deepEqual([status, body.code], [422, 'release_worse'], JSON.stringify(body));
    // A router that has others to send requests to keeps them from an instance that fails again and again.
    assert.match(body.error, /of its requests fail, and 0\.0 %|requests are kept from them/);
    assert.equal(body.restored.release, 1);
    assert.deepEqual([...answers.keys()].sort(), ['good', 'status 500']);
    assert.equal(await ask(name), 'good');
    assert.equal((await newest(name)).status, 'failed');
    await agent.until(
      'GET',
      `/api/v1/services/${name}/instances`,
      ({ instances: left }) => left.length === 1,
    );
  });

test('a release that is slower than it may be is taken back by itself', async () => {
  const rollout = { bake: '60s', tolerance: { requests: 20 } };
  await deployed('slow', specOf('slow', rollout, { env: { VERSION: 'fast' } }));
  for (let count = 0; count < 25; count++) await ask('slow');
  const asking = askAllTheTime('slow');
  const { status, body } = await deploy('slow', { env: { VERSION: 'slow', DELAY: '150' } });
  await asking.end();
  assert.deepEqual([status, body.code], [422, 'release_worse'], JSON.stringify(body));
  assert.match(body.error, /one of ten answers takes longer than/);
  assert.equal(await ask('slow'), 'fast');
});

test('a release that does worse stays where its rollout says so', async () => {
  const rollout = { bake: '60s', auto_rollback: false, tolerance: { requests: 10 } };
  await deployed('kept', specOf('kept', rollout, { env: { VERSION: 'good' } }));
  const asking = askAllTheTime('kept');
  await deployed('kept', { env: { VERSION: 'bad', FAILS: '1' } });
  await asking.end();
  assert.equal(await ask('kept'), 'status 500');
  const { status, steps } = await newest('kept');
  assert.equal(status, 'succeeded');
  assert.match(
    steps.at(-2)?.message ?? '',
    /does worse than the one before: .*; it stays, as its rollout says/,
  );
});

test('of a canary, each step gets its share of the requests', async () => {
  const rollout = { strategy: 'canary', bake: 'manual', canary: { weight: 20 } };
  await deployed('share', specOf('share', rollout, { env: { VERSION: 'old' } }));
  await deployed('share', { env: { VERSION: 'new' } });
  const answers: string[] = [];
  for (let count = 0; count < 300; count++) answers.push(await ask('share'));
  const share = answers.filter((answer) => answer === 'new').length;
  assert.ok(share > 20 && share < 120, `${share} of 300 went to the canary`);
  assert.deepEqual([...new Set(answers)].sort(), ['new', 'old']);
  const { id } = await newest('share');
  await agent.call('POST', `/api/v1/services/share/deployments/${id}/promote`, {});
  await agent.until('GET', '/service/share/status', ({ release }) => release === 2);
  assert.equal(await ask('share'), 'new');
});

test('while the one process of a service with a fixed port is replaced, its requests wait', async () => {
  const port = await freePort();
  const rollout = { hold: true, hold_timeout: '20s' };
  await deployed('one', specOf('one', rollout, { port, env: { VERSION: 'first' } }));
  assert.equal(await ask('one'), 'first');
  const asking = askAllTheTime('one');
  for (const VERSION of ['second', 'third']) await deployed('one', { env: { VERSION } });
  await agent.call('POST', '/service/one/restart');
  const answers = await asking.end();
  answers.delete('first');
  assert.deepEqual([...answers.keys()].sort(), ['second', 'third']);
  assert.equal((await newest('one')).strategy, 'recreate');
});

test('without an instance and without hold, requests are answered 503 at once', async () => {
  await deployed('gone', specOf('gone', {}, { env: { VERSION: 'here' } }));
  await agent.call('POST', '/service/gone/stop');
  const response = await fetch(`${url}/gone`);
  assert.equal(response.status, 503);
  assert.ok(Number(response.headers.get('retry-after')) > 0);
});

test('an instance that is taken out finishes the request that it has, and is gone then', async () => {
  await deployed('busy', specOf('busy', {}, { env: { VERSION: 'old' } }));
  const [{ pid } = { pid: 0 }] = await instances('busy');
  const slow = ask('busy', '/wait');
  await agent.until('GET', '/api/v1/connections?service=busy', ({ connections }) =>
    connections.some(({ active }: { active: boolean }) => active),
  );
  await deployed('busy', { env: { VERSION: 'new' } });
  assert.equal(isRunning(Number(pid)), true);
  assert.equal((await instances('busy')).find((each) => each.pid === pid)?.status, 'draining');
  assert.equal(await ask('busy'), 'new');
  process.kill(Number(pid), 'SIGUSR2');
  assert.equal(await slow, 'old');
  await untilGone(Number(pid));
});

test('a release that fails brings nothing back that was on its way out before', async () => {
  const rollout = { drain_timeout: '60s' };
  await deployed('past', specOf('past', rollout, { env: { VERSION: 'old' } }));
  const [{ pid } = { pid: 0 }] = await instances('past');
  const slow = ask('past', '/wait');
  await agent.until('GET', '/api/v1/connections?service=past', ({ connections }) =>
    connections.some(({ active }: { active: boolean }) => active),
  );
  await deployed('past', { env: { VERSION: 'new' } });
  const { status } = await deploy('past', { command: ['/bin/false'], min_uptime: '10s' });
  assert.equal(status, 422);
  const left = await instances('past');
  assert.equal(left.find((each) => each.pid === pid)?.status, 'draining', JSON.stringify(left));
  for (let count = 0; count < 10; count++) assert.equal(await ask('past'), 'new');
  process.kill(Number(pid), 'SIGUSR2');
  assert.equal(await slow, 'old');
  await untilGone(Number(pid));
});

test('a scale to fewer instances lets those that go finish', async () => {
  await deployed('less', specOf('less', {}, { instances: 2, env: { VERSION: 'same' } }));
  const slow = [ask('less', '/wait'), ask('less', '/wait')];
  await agent.until(
    'GET',
    '/api/v1/traffic',
    ({ services }) =>
      services.find(({ service }: { service: string }) => service === 'less')?.total.open_requests === 2,
  );
  const all = await instances('less');
  assert.equal((await agent.call('POST', '/api/v1/services/less/scale', { instances: 1 })).status, 200);
  assert.equal(await ask('less'), 'same');
  for (const { pid } of all) process.kill(Number(pid), 'SIGUSR2');
  assert.deepEqual(await Promise.all(slow), ['same', 'same']);
  await untilGone(Number(all[1]?.pid));
});
