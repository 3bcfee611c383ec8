import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { EventStream } from '../helpers/event_stream.ts';
import { until } from '../helpers/system.ts';

let agent: RunningAgent;
before(async () => {
  agent = await startAgent({
    config: { metrics: { interval: '1s' }, rate_limits: { authenticated: { requests: 100_000 } } },
  });
});
after(() => agent[Symbol.asyncDispose]());

const sleeper = { command: 'exec sleep 1000', min_uptime: '0s' };

async function deploy(service: string, body: object = sleeper): Promise<void> {
  const { status, body: answer } = await agent.call('POST', `/service/${service}/deploy`, body);
  assert.equal(status, 200, JSON.stringify(answer));
}

/** What a stream said last of each service. */
function lastOf(stream: EventStream): Map<string, unknown> {
  return new Map(stream.of('service').map(({ id, service }) => [id, service]));
}

async function shown(service: string): Promise<unknown> {
  return (await agent.call('GET', `/api/v1/services/${service}`)).body;
}

/** Waits until the stream knows of a service what is shown of it. */
async function untilSame(stream: EventStream, service: string): Promise<void> {
  let [known, now]: unknown[] = [];
  const isSame = async () => {
    [known, now] = [lastOf(stream).get(service), await shown(service)];
    return JSON.stringify(known) === JSON.stringify(now);
  };
  await until(`the stream tells how ${service} is`, isSame).catch(() => assert.deepEqual(known, now));
}

test('a stream begins with the numbers and the alerts, and tells nothing of services and events before it', async () => {
  await deploy('before');
  using stream = await EventStream.open(agent, '/api/v1/live');
  const stats = await stream.until('stats');
  assert.ok(stats.services.some(({ service }: { service: string }) => service === 'before'));
  assert.ok(Array.isArray((await stream.until('alerts')).alerts));
  await stream.until('stats', ({ at }) => at > stats.at);
  assert.deepEqual([...stream.of('event'), ...stream.of('service')], []);
});

test('a deploy is told: its events, its steps, and the service as it is then', async () => {
  using stream = await EventStream.open(agent, '/api/v1/live');
  await deploy('told');
  await untilSame(stream, 'told');
  const { deployment, service } = await stream.until(
    'deployment',
    (each) => each.service === 'told' && each.deployment.status === 'succeeded',
  );
  const path = `/api/v1/services/${service}/deployments/${deployment.id}`;
  assert.deepEqual(deployment, (await agent.call('GET', path)).body);
  const types = stream.of('event').map(({ type }) => type);
  assert.ok(types.includes('deployment.started') && types.includes('deployment.succeeded'), String(types));
  await agent.call('POST', '/service/told/stop', {});
  await untilSame(stream, 'told');
  await agent.call('DELETE', '/api/v1/services/told');
  await stream.until('service', (each) => each.id === 'told' && each.service === null);
});

test('what is no event is told too: readiness, and a service that is only registered', async () => {
  using stream = await EventStream.open(agent, '/api/v1/live');
  await agent.call('POST', '/api/v1/services', { id: 'registered', command: 'true' });
  await untilSame(stream, 'registered');
  await deploy('probed', {
    ...sleeper,
    readiness: { type: 'exec', command: 'true', interval: '100ms' },
  });
  await stream.until('service', (each) => each.id === 'probed' && each.service?.status.instances.ready === 1);
  await untilSame(stream, 'probed');
  await agent.call('PATCH', '/api/v1/services/probed', { env: { A: 'secret' } });
  await untilSame(stream, 'probed');
  assert.ok(!JSON.stringify(stream.messages).includes('secret'));
});

test('a stream that is taken up tells the events that were missed, each once', async () => {
  const first = await EventStream.open(agent, '/api/v1/live');
  await until('it has its place', () => first.lastId !== '');
  first[Symbol.dispose]();
  await deploy('missed');
  using second = await EventStream.open(agent, '/api/v1/live', { after: first.lastId });
  await deploy('missed-too');
  const isOver = (name: string) => (event: { type: string; service: string }) =>
    event.type === 'deployment.succeeded' && event.service === name;
  await second.until('event', isOver('missed'));
  await second.until('event', isOver('missed-too'));
  const ids = second.of('event').map(({ id }) => id);
  assert.deepEqual(
    ids,
    Array.from({ length: ids.length }, (_, n) => Number(first.lastId) + 1 + n),
  );
  assert.deepEqual(second.of('skipped'), []);
});

test('where too much was missed, or nobody knows what, that is said instead', async () => {
  await agent.call('POST', '/api/v1/services', { id: 'busy', command: 'true' });
  const [{ id: begin }] = (await agent.call('GET', '/api/v1/events?limit=1')).body.events;
  for (let n = 0; n < 1_001; n++) await agent.call('PATCH', '/api/v1/services/busy', { env: { N: `${n}` } });
  const { events } = (await agent.call('GET', `/api/v1/events?after=${begin}&limit=1000`)).body;
  assert.equal(events.length, 1_000);
  for (const after of [String(begin), '999999999', 'yesterday']) {
    using stream = await EventStream.open(agent, '/api/v1/live', { after });
    await stream.until('skipped');
    await deploy('after-that');
    await stream.until('event', ({ service }) => service === 'after-that');
    assert.ok(stream.of('event').every(({ id }) => id > begin + 1_000));
  }
});

test('a stream goes on after the agent was started again', async () => {
  const config = { metrics: { interval: '1s' } };
  await using other = await startAgent({ config });
  using first = await EventStream.open(other, '/api/v1/live');
  await other.call('POST', '/service/web/deploy', sleeper);
  await first.until('event', ({ type }) => type === 'deployment.succeeded');
  await other.end('SIGKILL');
  await using again = await startAgent({ config, data: other.data });
  using second = await EventStream.open(again, '/api/v1/live', { after: first.lastId });
  await second.until('event', ({ type }) => type === 'service.adopted');
  assert.ok(second.of('event').every(({ id }) => id > Number(first.lastId)));
  assert.deepEqual(second.of('skipped'), []);
});

test('a confined key is told of its own services alone', async () => {
  const { body } = await agent.call('POST', '/api/v1/keys', {
    name: 'confined',
    scopes: ['read'],
    services: ['own-*'],
  });
  using stream = await EventStream.open(agent, '/api/v1/live', { key: body.key });
  await Promise.all([deploy('own-web'), deploy('foreign')]);
  await agent.call('DELETE', '/api/v1/services/foreign');
  await deploy('own-last');
  await stream.until(
    'event',
    (event) => event.service === 'own-last' && event.type === 'deployment.succeeded',
  );
  await stream.until('service', ({ id }) => id === 'own-last');
  const { at } = stream.of('stats').at(-1);
  const stats = await stream.until('stats', (each) => each.at > at);
  assert.equal(stats.host, null);
  assert.deepEqual(
    stats.services.map(({ service }: { service: string }) => service),
    ['own-last', 'own-web'],
  );
  assert.ok(!JSON.stringify(stream.messages).includes('foreign'));
  await agent.call('DELETE', `/api/v1/keys/${body.id}`);
  await until('the stream has ended', () => stream.response.closed);
});

test('alerts are told when they begin and when they are over, as the list shows them', async () => {
  using stream = await EventStream.open(agent, '/api/v1/live');
  await agent.call('POST', '/service/doomed/deploy', {
    command: 'sleep 0.3; exit 1',
    min_uptime: '0s',
    restart: { policy: 'never' },
  });
  const isDoomed = ({ alerts }: { alerts: { service: string; state: string }[] }) =>
    alerts.some(({ service, state }) => service === 'doomed' && state === 'firing');
  await stream.until('alerts', isDoomed);
  await until('the last list is the one that is shown', async () => {
    const list = (await agent.call('GET', '/api/v1/alerts?limit=1000')).body;
    return JSON.stringify(stream.of('alerts').at(-1)) === JSON.stringify(list);
  });
  await agent.call('DELETE', '/api/v1/services/doomed');
  await until('it is over', () => !isDoomed(stream.of('alerts').at(-1)));
});

test('many services that change at once are each told a few times at most, and their last state to everybody', async () => {
  const names = Array.from({ length: 200 }, (_, n) => `many-${n}`);
  const readers = await Promise.all(Array.from({ length: 5 }, () => EventStream.open(agent, '/api/v1/live')));
  // One of them does not read.
  const slow = readers[0];
  slow?.response.pause();
  const register = names.map((service) => ({
    operation: 'deploy',
    service,
    body: { command: 'true', type: 'task' },
  }));
  await agent.call('POST', '/api/v1/batch', { operations: register });
  const changes = 20;
  for (let n = 0; n < changes; n++)
    await Promise.all(
      names
        .slice(0, 20)
        .map((name) => agent.call('PATCH', `/api/v1/services/${name}`, { env: { N: `${n}` } })),
    );
  slow?.response.resume();
  for (const stream of readers) for (const name of names) await untilSame(stream, name);
  const fast = readers[1]?.of('service') ?? [];
  assert.ok(fast.length < names.length * 8, `${fast.length} messages`);
  for (const stream of readers) stream[Symbol.dispose]();
});
