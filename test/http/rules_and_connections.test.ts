import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { Connection } from '../../src/contract/connections.ts';
import type { Event } from '../../src/contract/events.ts';
import { newRule } from '../../src/contract/rules.ts';
import type { Scope } from '../../src/contract/scalars.ts';
import { connectionHandlers } from '../../src/http/connection_handlers.ts';
import { LiveStreams } from '../../src/http/live_streams.ts';
import type { Principal } from '../../src/http/permission.ts';
import { ruleHandlers } from '../../src/http/rule_handlers.ts';
import { EventLog } from '../../src/services/event_log.ts';
import { migrations } from '../../src/services/schema.ts';
import { until } from '../helpers/system.ts';
import { type FakeRouter, trafficOf, World } from '../traffic/world.ts';

function principal(scope: Scope, services: readonly string[] | null = null): Principal {
  return { actor: 'key:test', name: 'test', grants: [{ scope, services }], expires_at: null };
}

const admin = principal('admin');
const ofTeam = (scope: Scope) => principal(scope, ['team-*']);

/** The handlers over a world, called as the dispatch calls them once a call may be made at all. */
class Desk implements Disposable {
  readonly world = new World();
  readonly told: Event[] = [];
  readonly #database = new DatabaseSync(':memory:');
  readonly #rules;
  readonly #connections;

  constructor() {
    for (const migration of migrations) this.#database.exec(migration);
    const events = new EventLog(this.#database, assert.fail);
    events.subscribe((event) => this.told.push(event));
    const { traffic, registry } = this.world;
    this.#rules = ruleHandlers(traffic, events);
    this.#connections = connectionHandlers({ traffic, registry, events, streams: new LiveStreams() });
    for (const id of ['team-web', 'team-api', 'other'])
      this.world.add(id, { routes: [{ hosts: [`${id}.test`] }] });
  }

  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects
  async rules(name: keyof ReturnType<typeof ruleHandlers>, who: Principal, call: object = {}): Promise<any> {
    return await this.#rules[name]({ principal: who, ...call } as never);
  }

  async connections(
    name: keyof ReturnType<typeof connectionHandlers>,
    who: Principal,
    call: object = {},
    // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects
  ): Promise<any> {
    return await this.#connections[name]({ principal: who, query: {}, ...call } as never);
  }

  [Symbol.dispose](): void {
    this.world[Symbol.dispose]();
  }
}

const to = (service: string) => ({ type: 'route', service });
const ruleOf = (id: string, action: object, more: object = {}) => newRule.parse({ id, action, ...more });
const split = {
  type: 'split',
  services: [
    { service: 'team-web', weight: 1 },
    { service: 'other', weight: 1 },
  ],
};

test('a rule that leads to services takes the right to deploy each of them', async () => {
  using desk = new Desk();
  await desk.rules('create', ofTeam('deploy'), { body: ruleOf('own', to('team-web')) });
  for (const action of [to('other'), split, { type: 'deny' }, { type: 'answer' }])
    await assert.rejects(desk.rules('create', ofTeam('deploy'), { body: ruleOf('x', action) }), {
      code: 'forbidden',
    });
  for (const action of [{ type: 'redirect', to: '/' }, split])
    await assert.rejects(desk.rules('create', ofTeam('admin'), { body: ruleOf('x', action) }), {
      code: 'forbidden',
    });
  await assert.rejects(desk.rules('create', principal('deploy'), { body: ruleOf('x', { type: 'deny' }) }), {
    code: 'forbidden',
  });
  await desk.rules('create', principal('deploy'), { body: ruleOf('both', split) });
  await desk.rules('create', admin, { body: ruleOf('closed', { type: 'deny' }) });
});

test('a rule can be turned neither to nor away from a service without the right to deploy it', async () => {
  using desk = new Desk();
  const team = ofTeam('deploy');
  await desk.rules('create', team, { body: ruleOf('own', to('team-web')) });
  await desk.rules('create', admin, { body: ruleOf('foreign', to('other')) });
  const { id: _, ...body } = ruleOf('own', to('other'));
  await assert.rejects(desk.rules('replace', team, { path: { rule_id: 'own' }, body }), {
    code: 'forbidden',
  });
  // What one may not see is as if it were not there.
  for (const name of ['replace', 'remove', 'enable', 'disable', 'show'] as const)
    await assert.rejects(desk.rules(name, team, { path: { rule_id: 'foreign' }, body }), {
      code: 'rule_not_found',
    });
  await assert.rejects(desk.rules('order', team, { body: { ids: ['own', 'foreign'] } }), {
    code: 'rule_not_found',
  });
  const reader = principal('read');
  await assert.rejects(desk.rules('remove', reader, { path: { rule_id: 'own' } }), { code: 'forbidden' });
  assert.equal(desk.world.traffic.rules.get('own').action.type, 'route');
});

test('rules are shown to those who may read every service that they lead to', async () => {
  using desk = new Desk();
  await desk.rules('create', admin, { body: ruleOf('both', split) });
  await desk.rules('create', admin, { body: ruleOf('closed', { type: 'deny' }) });
  const seen = async (who: Principal) =>
    (await desk.rules('list', who)).rules.map(({ id }: { id: string }) => id).sort();
  assert.deepEqual(await seen(ofTeam('read')), ['team-api/1', 'team-web/1']);
  assert.deepEqual(await seen(principal('read')), ['both', 'closed', 'other/1', 'team-api/1', 'team-web/1']);
});

test('a route of a service is shown as a rule and changed only with the service', async () => {
  using desk = new Desk();
  const path = { rule_id: 'other/1' };
  assert.equal((await desk.rules('show', admin, { path })).declared_by, 'other');
  for (const name of ['remove', 'enable', 'disable'] as const)
    await assert.rejects(desk.rules(name, admin, { path }), { code: 'state_conflict' });
});

test('what a request would get is told to those who may see the rule, without those that they may not', async () => {
  using desk = new Desk();
  const body = (url: string) => ({ body: { method: 'GET', url, headers: {}, client: '127.0.0.1' } });
  await desk.rules('create', admin, {
    body: ruleOf('closed', { type: 'deny' }, { match: { path: '/closed' }, priority: 9 }),
  });
  const found = await desk.rules('test', ofTeam('read'), body('http://team-web.test/'));
  assert.equal(found.service, 'team-web');
  assert.deepEqual(
    found.tried.map(({ rule }: { rule: string }) => rule),
    ['team-api/1', 'team-web/1'],
  );
  for (const url of ['http://other.test/', 'http://team-web.test/closed'])
    await assert.rejects(desk.rules('test', ofTeam('read'), body(url)), { code: 'forbidden' });
});

test('each change of a rule is an event, of the service that it is about', async () => {
  using desk = new Desk();
  await desk.rules('create', admin, { body: ruleOf('own', to('team-web')) });
  await desk.rules('disable', admin, { path: { rule_id: 'own' } });
  await desk.rules('enable', admin, { path: { rule_id: 'own' } });
  await desk.rules('create', admin, { body: ruleOf('both', split) });
  await desk.rules('order', admin, { body: { ids: ['own', 'both'] } });
  await desk.rules('remove', admin, { path: { rule_id: 'own' } });
  assert.deepEqual(
    desk.told.map(({ type, service }) => [type, service]),
    [
      ['rule.created', 'team-web'],
      ['rule.disabled', 'team-web'],
      ['rule.enabled', 'team-web'],
      ['rule.created', null],
      ['rule.updated', 'team-web'],
      ['rule.updated', null],
      ['rule.deleted', 'team-web'],
    ],
  );
});

/** A router with three connections, which says that it closes as many as it is asked to. */
async function routerWithConnections({ world }: Desk): Promise<FakeRouter> {
  const router = await world.router();
  await router.table(() => true);
  const all = ['team-web', 'other', null].map((service, index) => shown(`r-${index + 1}`, service));
  router.onQuestion = (question) => {
    if (question.type === 'table') return null;
    const { ids, service } = question.filter;
    const fitting = all.filter(
      (each) => (ids?.includes(each.id) ?? true) && (service ?? each.service) === each.service,
    );
    const { query } = question;
    return question.type === 'list'
      ? { type: 'connections', query, connections: fitting, total: fitting.length }
      : { type: 'closed', query, count: fitting.length };
  };
  return router;
}

function shown(id: string, service: string | null): Connection {
  return {
    id,
    protocol: 'http/1.1',
    client: '10.0.0.1',
    host: null,
    path: null,
    service,
    instance: service === null ? null : 1,
    release: service === null ? null : 1,
    rule: null,
    active: false,
    started_at: new Date(0).toISOString(),
    last_activity_at: new Date(0).toISOString(),
    bytes_in: 0,
    bytes_out: 0,
  };
}

test('connections are shown to those who may read their service, and counted no further', async () => {
  using desk = new Desk();
  await routerWithConnections(desk);
  const { connections, total } = await desk.connections('list', ofTeam('read'));
  assert.deepEqual([connections.map(({ id }: Connection) => id), total], [['r-1'], 1]);
  assert.equal((await desk.connections('list', admin)).total, 3);
});

test('connections are closed by those who may operate their service, and only those', async () => {
  using desk = new Desk();
  const router = await routerWithConnections(desk);
  const close = (who: Principal, query: object) => desk.connections('close', who, { query });
  await assert.rejects(close(admin, {}), { code: 'invalid_request' });
  await assert.rejects(close(ofTeam('operate'), { service: 'other' }), { code: 'forbidden' });
  assert.equal((await close(ofTeam('operate'), { all: 'true' })).closed, 1);
  const asked = router.asked.filter(({ type }) => type === 'close');
  assert.deepEqual(
    asked.map((question) => question.type === 'close' && question.filter),
    [{ service: 'team-web' }, { service: 'team-api' }],
  );
  assert.equal((await close(ofTeam('read'), { all: 'true' })).closed, 0);
  assert.equal((await close(admin, { all: 'true' })).closed, 3);
  const one = (who: Principal, connection_id: string) =>
    desk.connections('closeOne', who, { path: { connection_id } });
  assert.equal((await one(ofTeam('operate'), 'r-1')).closed, 1);
  await assert.rejects(one(ofTeam('read'), 'r-1'), { code: 'forbidden' });
  await assert.rejects(one(ofTeam('operate'), 'r-2'), { code: 'connection_not_found' });
  await assert.rejects(one(admin, 'r-9'), { code: 'connection_not_found' });
  assert.deepEqual(
    desk.told.map(({ type, message }) => `${type}: ${message}`),
    [
      'connection.closed: 1 connection is closed',
      'connection.closed: 3 connections are closed',
      'connection.closed: 1 connection is closed',
    ],
  );
});

test('connections that are named are closed together, and those that are gone are told', async () => {
  using desk = new Desk();
  const router = await routerWithConnections(desk);
  const close = (who: Principal, query: object) => desk.connections('close', who, { query });
  assert.deepEqual(await close(admin, { ids: 'r-1,r-3,r-9,r-1' }), { closed: 2, gone: ['r-9'] });
  assert.deepEqual(await close(admin, { ids: 'r-1,r-2', service: 'other' }), { closed: 1, gone: [] });
  // What one may not see is as if it were not there.
  assert.deepEqual(await close(ofTeam('operate'), { ids: 'r-1,r-2,r-3' }), {
    closed: 1,
    gone: ['r-2', 'r-3'],
  });
  await assert.rejects(close(ofTeam('read'), { ids: 'r-1' }), { code: 'forbidden' });
  const asked = router.asked.flatMap((question) => (question.type === 'close' ? [question.filter] : []));
  assert.deepEqual(asked, [{ ids: ['r-1'] }, { ids: ['r-3'] }, { ids: ['r-2'] }, { ids: ['r-1'] }]);
  assert.deepEqual(
    desk.told.map(({ service }) => service),
    ['team-web', null, 'other', 'team-web'],
  );
});

test('what went through is shown of the services that one may read, and summed over those', async () => {
  using desk = new Desk();
  const router = await desk.world.router();
  for (const service of ['team-web', 'other'])
    router.tell(trafficOf({ service, instance_id: desk.world.instanceId(service, 1), requests: 5 }));
  await until('both are known', () => desk.world.traffic.facts.services().length === 2);
  const own = await desk.connections('traffic', ofTeam('read'));
  assert.deepEqual(
    [own.services.map(({ service }: { service: string }) => service), own.total.requests],
    [['team-web'], 5],
  );
  assert.equal((await desk.connections('traffic', admin)).total.requests, 10);
});
