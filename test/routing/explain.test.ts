import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Routing, routing } from '../../src/contract/balancing.ts';
import type {
  RoutingTable,
  TableInstance,
  TableRule,
  TableService,
} from '../../src/contract/routing_table.ts';
import { ruleTest } from '../../src/contract/rule_requests.ts';
import type { RuleMatch } from '../../src/contract/rules.ts';
import { explain, type InstanceLoad } from '../../src/routing/explain.ts';
import { matchOf, type RequestParts, requestOf } from './requests.ts';

function instance(number: number, parts: Partial<TableInstance> = {}): TableInstance {
  const base = { id: `i-${number}`, number, release: 1, host: '127.0.0.1', port: 4_000 + number, tags: [] };
  return { ...base, ready_at: 0, draining: null, ...parts };
}

function service(id: string, own: object, parts: Partial<TableService> = {}): TableService {
  const instances = [instance(1, { id: `${id}-1` }), instance(2, { id: `${id}-2` })];
  return { id, routing: routing.parse(own) as Routing, hold: null, shares: null, instances, ...parts };
}

function rule(id: string, match: Partial<RuleMatch>, action?: TableRule['action']): TableRule {
  return {
    id,
    match: matchOf(match),
    action: action ?? { type: 'route', service: 'web', rewrite_prefix: null },
  };
}

interface World {
  readonly rules?: TableRule[];
  readonly services?: TableService[];
  readonly loads?: Record<string, InstanceLoad>;
}

/** What is explained of a request, which is of the form that the API answers. */
function explained(
  request: RequestParts,
  { rules = [rule('all', {})], services = [service('web', {})], loads = {} }: World,
) {
  const table: RoutingTable = {
    format: 1,
    epoch: 1,
    version: 1,
    settings: {} as RoutingTable['settings'],
    affinity_key: 'ab'.repeat(32),
    services,
    rules,
  };
  const answer = explain(table, requestOf(request), new Map(Object.entries(loads)), {
    now: 1e9,
    random: () => 0.5,
  });
  return ruleTest.parse(answer);
}

test('the rules before the one that decides are told with what does not fit, and none after it', () => {
  const { rule: decides, tried } = explained(
    { path: '/api' },
    {
      rules: [
        rule('post', { methods: ['POST'] }),
        rule('web', { path: '/web' }),
        rule('all', {}),
        rule('more', {}),
      ],
    },
  );
  assert.equal(decides, 'all');
  assert.deepEqual(tried, [
    { rule: 'post', fits: false, reason: 'the method is "GET", not POST' },
    { rule: 'web', fits: false, reason: 'the path is "/api", not /web' },
    { rule: 'all', fits: true, reason: 'all that it asks for holds' },
  ]);
});

test('a request that no rule fits goes nowhere', () => {
  const answer = explained({}, { rules: [rule('post', { methods: ['POST'] })] });
  assert.deepEqual([answer.kind, answer.status, answer.rule, answer.tried.length], ['nowhere', 404, null, 1]);
});

test('an ambiguous path is refused before any rule is looked at', () => {
  const answer = explained({ path: '/x/..%2fadmin' }, {});
  assert.deepEqual([answer.kind, answer.status, answer.tried], ['answer', 400, []]);
});

test('denials, redirects and answers are told with their status', () => {
  const of = (action: TableRule['action']) => {
    const { kind, status, message } = explained({ path: '/a' }, { rules: [rule('r', {}, action)] });
    return [kind, status, message];
  };
  assert.deepEqual(of({ type: 'deny', status: 404 }), ['deny', 404, 'The rule r denies it with 404.']);
  const to = 'https://x.org/';
  assert.deepEqual(of({ type: 'redirect', to, status: 308 }), [
    'redirect',
    308,
    'It is sent to https://x.org/.',
  ]);
  const answer = { type: 'answer', status: 200, body: 'ok', content_type: 'text/plain' } as const;
  assert.deepEqual(of(answer), ['answer', 200, 'The rule r answers it with 200.']);
});

test('a route is told with the instance, its release and the path that it is asked for', () => {
  const action = { type: 'route', service: 'web', rewrite_prefix: '/v2' } as const;
  const answer = explained({ path: '/api/x' }, { rules: [rule('r', { path_prefix: '/api' }, action)] });
  assert.deepEqual([answer.service, answer.instance, answer.release, answer.path], ['web', 1, 1, '/v2/x']);
  assert.equal(answer.message, 'The rule r sends it to instance 1 of web, release 1.');
  assert.match(answer.reasons.join(), /round_robin takes one after the other/);
});

test('a service that is not there, or that has no instance, is told as 503', () => {
  const gone = explained({}, { services: [] });
  assert.deepEqual([gone.kind, gone.status, gone.instance], ['service', 503, null]);
  assert.match(gone.message, /there is no service web/);
  const empty = explained({}, { services: [service('web', {}, { instances: [] })] });
  assert.equal(empty.status, 503);
  assert.deepEqual(empty.reasons, ['no instance takes requests']);
});

test('instances that cannot be chosen are told with why', () => {
  const instances = [
    instance(1, { draining: { until: 0, spread: 0 } }),
    instance(2, { release: 2 }),
    instance(3),
    instance(4),
    instance(5),
  ];
  const own = { circuit_breaker: { max_requests: 7 }, strategy: 'least_connections' };
  const services = [service('web', own, { instances, shares: [{ release: 1, weight: 1 }] })];
  const loads = {
    'i-3': { open: 7, ejected: false },
    'i-4': { open: 0, ejected: true },
    'i-5': { open: 2, ejected: false },
  };
  const answer = explained({}, { services, loads });
  assert.equal(answer.instance, 5);
  assert.deepEqual(answer.reasons, [
    'instance 1 of release 1 drains',
    'instance 2 of release 2 gets nothing: its release has no share',
    'instance 3 of release 1 is full: it has 7 open',
    'instance 4 of release 1 is out because it has failed',
    'the shares of the releases are release 1 1: by lot it is release 1',
    'instance 5 of release 1 has the fewest requests and connections for its share: 2',
  ]);
});

test('when all are out or full, that is told', () => {
  const out = { open: 0, ejected: true };
  const answer = explained({}, { loads: { 'web-1': out, 'web-2': out } });
  assert.equal(answer.instance, 1);
  assert.match(answer.reasons.join(), /no other one is left/);
  const full = { open: 1, ejected: false };
  const services = [service('web', { circuit_breaker: { max_requests: 1 } })];
  assert.match(
    explained({}, { services, loads: { 'web-1': full, 'web-2': full } }).reasons.join(),
    /every instance is full/,
  );
});

test('a split is told with its weights, and how the service was chosen', () => {
  const split = (...weights: number[]): TableRule['action'] => ({
    type: 'split',
    services: weights.map((weight, index) => ({ service: index === 0 ? 'web' : 'new', weight })),
    rewrite_prefix: null,
  });
  const services = [service('web', {}), service('new', {})];
  const lot = explained({}, { rules: [rule('r', {}, split(1, 9))], services });
  assert.equal(lot.service, 'new');
  assert.match(lot.reasons.join(), /the weights are web 1, new 9: by lot it is new/);
  const nothing = explained({}, { rules: [rule('r', {}, split(0, 0))], services });
  assert.deepEqual([nothing.status, nothing.service], [503, null]);
  const kept = { affinity: { by: 'address' } };
  const hashed = explained(
    {},
    { rules: [rule('r', {}, split(1, 9))], services: [service('web', kept), service('new', kept)] },
  );
  assert.match(hashed.reasons.join(), /by the hash of the client it is/);
  assert.match(hashed.reasons.join(), /the hash of the client's address leads to/);
});

test('every strategy says why', () => {
  const reasons = (own: object, request: RequestParts = {}) =>
    explained(request, { services: [service('web', own)] }).reasons.join();
  assert.match(reasons({ strategy: 'weighted_round_robin' }), /by weight/);
  assert.match(
    reasons({ strategy: 'weighted_round_robin', weights: { 1: 0 } }),
    /instance 1 of release 1 has the weight 0/,
  );
  assert.match(reasons({ strategy: 'random_of_two' }), /of two drawn by lot/);
  assert.match(reasons({ strategy: 'consistent_hash' }), /the hash of the address leads to/);
  assert.match(
    reasons({ strategy: 'consistent_hash', hash_by: { source: 'header', name: 'x' } }),
    /has no header to go by/,
  );
  assert.match(reasons({ strategy: 'tag_match' }), /asks for no tags/);
  assert.match(
    reasons({ strategy: 'tag_match' }, { headers: { 'x-davit-tag': 'gpu' } }),
    /no instance that takes requests has every tag of gpu/,
  );
});
