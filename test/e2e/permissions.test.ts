import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Scope, scopes } from '../../src/contract/scalars.ts';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';

/** What each operation must ask for; a route that is not here, or an operation without a route, fails the test. */
const needed: Readonly<Record<string, { scope: Scope | 'public'; on: 'service' | 'agent' | 'some' }>> = {
  'get /health': { scope: 'public', on: 'agent' },
  'get /metrics': { scope: 'metrics', on: 'agent' },
  'post /service/{id}/deploy': { scope: 'deploy', on: 'service' },
  'post /service/{id}/restart': { scope: 'operate', on: 'service' },
  'post /service/{id}/stop': { scope: 'operate', on: 'service' },
  'get /service/{id}/status': { scope: 'read', on: 'service' },
  'get /service/{id}/logs': { scope: 'read', on: 'service' },
  'get /services': { scope: 'read', on: 'some' },
  'get /api/v1/services': { scope: 'read', on: 'some' },
  'post /api/v1/services': { scope: 'deploy', on: 'service' },
  'get /api/v1/services/{id}': { scope: 'read', on: 'service' },
  'patch /api/v1/services/{id}': { scope: 'deploy', on: 'service' },
  'delete /api/v1/services/{id}': { scope: 'deploy', on: 'service' },
  'post /api/v1/services/{id}/deploy': { scope: 'deploy', on: 'service' },
  'post /api/v1/services/{id}/start': { scope: 'operate', on: 'service' },
  'post /api/v1/services/{id}/stop': { scope: 'operate', on: 'service' },
  'post /api/v1/services/{id}/restart': { scope: 'operate', on: 'service' },
  'post /api/v1/services/{id}/signal': { scope: 'operate', on: 'service' },
  'post /api/v1/services/{id}/pause': { scope: 'operate', on: 'service' },
  'post /api/v1/services/{id}/resume': { scope: 'operate', on: 'service' },
  'post /api/v1/services/{id}/rollback': { scope: 'deploy', on: 'service' },
  'get /api/v1/services/{id}/status': { scope: 'read', on: 'service' },
  'get /api/v1/services/{id}/logs': { scope: 'read', on: 'service' },
  'post /api/v1/services/{id}/scale': { scope: 'operate', on: 'service' },
  'get /api/v1/services/{id}/instances': { scope: 'read', on: 'service' },
  'post /api/v1/services/{id}/instances/{instance}/restart': { scope: 'operate', on: 'service' },
  'get /api/v1/services/{id}/why': { scope: 'read', on: 'service' },
  'get /api/v1/services/{id}/health': { scope: 'read', on: 'service' },
  'get /api/v1/services/{id}/runs': { scope: 'read', on: 'service' },
  'get /api/v1/services/{id}/processes': { scope: 'read', on: 'service' },
  'get /api/v1/services/{id}/deployments': { scope: 'read', on: 'service' },
  'get /api/v1/services/{id}/deployments/{deployment}': { scope: 'read', on: 'service' },
  'post /api/v1/services/{id}/deployments/{deployment}/cancel': { scope: 'deploy', on: 'service' },
  'post /api/v1/services/{id}/deployments/{deployment}/promote': { scope: 'deploy', on: 'service' },
  'get /api/v1/services/{id}/releases': { scope: 'read', on: 'service' },
  'get /api/v1/services/{id}/releases/{release}': { scope: 'read', on: 'service' },
  'get /api/v1/services/{id}/artifacts': { scope: 'read', on: 'service' },
  'post /api/v1/services/{id}/artifact': { scope: 'deploy', on: 'service' },
  'get /api/v1/services/{id}/configs': { scope: 'read', on: 'service' },
  'get /api/v1/services/{id}/configs/{name}': { scope: 'deploy', on: 'service' },
  'put /api/v1/services/{id}/configs/{name}': { scope: 'deploy', on: 'service' },
  'get /api/v1/services/{id}/configs/{name}/versions': { scope: 'read', on: 'service' },
  'get /api/v1/services/{id}/configs/{name}/versions/{version}': { scope: 'deploy', on: 'service' },
  'get /api/v1/services/{id}/configs/{name}/diff': { scope: 'deploy', on: 'service' },
  'post /api/v1/services/{id}/configs/{name}/rollback': { scope: 'deploy', on: 'service' },
  'post /api/v1/plan': { scope: 'deploy', on: 'some' },
  'post /api/v1/apply': { scope: 'deploy', on: 'some' },
  'post /api/v1/batch': { scope: 'operate', on: 'some' },
  'get /api/v1/rules': { scope: 'read', on: 'some' },
  'post /api/v1/rules': { scope: 'deploy', on: 'some' },
  'put /api/v1/rules/order': { scope: 'deploy', on: 'some' },
  'post /api/v1/rules/test': { scope: 'read', on: 'some' },
  'get /api/v1/rules/{rule_id}': { scope: 'read', on: 'some' },
  'put /api/v1/rules/{rule_id}': { scope: 'deploy', on: 'some' },
  'delete /api/v1/rules/{rule_id}': { scope: 'deploy', on: 'some' },
  'post /api/v1/rules/{rule_id}/enable': { scope: 'deploy', on: 'some' },
  'post /api/v1/rules/{rule_id}/disable': { scope: 'deploy', on: 'some' },
  'get /api/v1/connections': { scope: 'read', on: 'some' },
  'delete /api/v1/connections': { scope: 'operate', on: 'some' },
  'delete /api/v1/connections/{connection_id}': { scope: 'operate', on: 'some' },
  'get /api/v1/traffic': { scope: 'read', on: 'some' },
  'get /api/v1/services/{id}/traffic': { scope: 'read', on: 'service' },
  'get /api/v1/routers': { scope: 'read', on: 'some' },
  'get /api/v1/alerts': { scope: 'read', on: 'some' },
  'get /api/v1/alerts/{alert_id}': { scope: 'read', on: 'some' },
  'get /api/v1/alert_rules': { scope: 'read', on: 'some' },
  'post /api/v1/alert_rules': { scope: 'deploy', on: 'some' },
  'get /api/v1/alert_rules/{rule_name}': { scope: 'read', on: 'some' },
  'put /api/v1/alert_rules/{rule_name}': { scope: 'deploy', on: 'some' },
  'delete /api/v1/alert_rules/{rule_name}': { scope: 'deploy', on: 'some' },
  'get /api/v1/silences': { scope: 'read', on: 'some' },
  'post /api/v1/silences': { scope: 'operate', on: 'some' },
  'delete /api/v1/silences/{silence_id}': { scope: 'operate', on: 'some' },
  'get /api/v1/notifiers': { scope: 'read', on: 'agent' },
  'post /api/v1/notifiers': { scope: 'deploy', on: 'agent' },
  'put /api/v1/notifiers/{notifier_name}': { scope: 'deploy', on: 'agent' },
  'delete /api/v1/notifiers/{notifier_name}': { scope: 'deploy', on: 'agent' },
  'post /api/v1/notifiers/{notifier_name}/test': { scope: 'operate', on: 'agent' },
  'get /api/v1/events': { scope: 'read', on: 'some' },
  'get /api/v1/live': { scope: 'read', on: 'some' },
  'get /api/v1/logs': { scope: 'read', on: 'some' },
  'get /api/v1/metrics/query': { scope: 'read', on: 'some' },
  'get /api/v1/metrics/series': { scope: 'read', on: 'some' },
  'get /api/v1/stats': { scope: 'read', on: 'some' },
  'get /api/v1/agent': { scope: 'read', on: 'some' },
  'get /api/v1/agent/configuration': { scope: 'admin', on: 'agent' },
  'get /api/v1/agent/doctor': { scope: 'admin', on: 'agent' },
  'put /api/v1/agent/log_level': { scope: 'admin', on: 'agent' },
  'get /api/v1/orphans': { scope: 'admin', on: 'agent' },
  'post /api/v1/orphans/{instance_id}/stop': { scope: 'admin', on: 'agent' },
  'post /api/v1/session': { scope: 'public', on: 'agent' },
  'get /api/v1/session': { scope: 'metrics', on: 'some' },
  'delete /api/v1/session': { scope: 'metrics', on: 'some' },
  'delete /api/v1/sessions': { scope: 'metrics', on: 'some' },
  'get /api/v1/keys': { scope: 'admin', on: 'agent' },
  'post /api/v1/keys': { scope: 'admin', on: 'agent' },
  'delete /api/v1/keys/{key_id}': { scope: 'admin', on: 'agent' },
  'get /api/v1/audit': { scope: 'admin', on: 'agent' },
};

/** Bodies that are right as far as the check of the permission goes; the services do not exist. */
const bodies: Readonly<Record<string, (service: string) => unknown>> = {
  'post /api/v1/services': (service) => ({ id: service, command: 'true' }),
  'post /api/v1/services/{id}/signal': () => ({ signal: 'SIGHUP' }),
};

/** A stream that would never end: its head is asked for, which needs the same. */
const endless: ReadonlySet<string> = new Set(['get /api/v1/live']);

const reach = ['every service', 'its own service'] as const;
const keys = new Map<string, string>();
let agent: RunningAgent;

before(async () => {
  // Each route is called without a key too, and there are more of them than attempts in a minute.
  agent = await startAgent({ config: { rate_limits: { failed_authentications: { requests: 1_000 } } } });
  for (const scope of scopes) {
    for (const kind of reach) {
      const services = kind === 'every service' ? null : ['own-*'];
      const { body } = await agent.call('POST', '/api/v1/keys', {
        name: `${scope} ${kind}`,
        scopes: [scope],
        services,
      });
      keys.set(`${scope} ${kind}`, body.key);
    }
  }
});
after(() => agent[Symbol.asyncDispose]());

/** Sends a call that is refused for its permission or for something later, never one that acts. */
async function attempt(line: string, service: string, key: string | undefined): Promise<number> {
  const [verb = '', template = ''] = line.split(' ');
  const path = template
    .replace('{id}', service)
    .replace('{release}', '1')
    .replace('{deployment}', '1')
    .replace('{key_id}', 'nosuchkey')
    .replace('{rule_id}', 'nosuchrule')
    .replace('{connection_id}', 'a-1')
    .replace('{alert_id}', 'nosuchalert')
    .replace('{rule_name}', 'nosuchrule')
    .replace('{silence_id}', 'nosuchsilence')
    .replace('{notifier_name}', 'nosuchnotifier')
    .replace('{name}', 'app')
    .replace('{version}', '1')
    .replace('{instance}', '1')
    .replace('{instance_id}', '00000000-00000000-0000-0000-0000-000000000000');
  const body = verb === 'get' || verb === 'delete' ? undefined : (bodies[line]?.(service) ?? {});
  const method = endless.has(line) ? 'HEAD' : verb.toUpperCase();
  const { status } = await agent.call(method, path, body, {
    authorization: key ? `Bearer ${key}` : '',
  });
  return status;
}

function mayPass(line: string, scope: Scope, confined: boolean, service: string): boolean {
  const rule = needed[line];
  if (rule === undefined) return false;
  if (rule.scope === 'public') return true;
  if (scopes.indexOf(scope) < scopes.indexOf(rule.scope)) return false;
  if (!confined || rule.on === 'some') return true;
  return rule.on === 'service' && service.startsWith('own-');
}

test('every route of the document is in the table of this test, and the other way round', async () => {
  const { paths } = (await agent.call('GET', '/openapi.json')).body;
  const lines = Object.entries<Record<string, unknown>>(paths).flatMap(([path, verbs]) =>
    Object.keys(verbs).map((verb) => `${verb} ${path}`),
  );
  assert.deepEqual(lines.sort(), Object.keys(needed).sort());
});

for (const line of Object.keys(needed)) {
  test(`${line}: every scope, on an own and on a foreign service`, async () => {
    for (const scope of scopes) {
      for (const kind of reach) {
        for (const service of ['own-service', 'foreign']) {
          const status = await attempt(line, service, keys.get(`${scope} ${kind}`));
          const who = `${scope} on ${kind} → ${service}`;
          if (mayPass(line, scope, kind === 'its own service', service)) {
            assert.ok(status !== 401 && status !== 403, `${who} should pass, but is answered ${status}`);
          } else assert.equal(status, 403, `${who} should be refused`);
        }
      }
    }
  });

  test(`${line}: without a key`, async () => {
    const status = await attempt(line, 'own-service', undefined);
    if (needed[line]?.scope === 'public') assert.ok(status !== 401 && status !== 403, `answered ${status}`);
    else assert.equal(status, 401);
  });
}

test('the document, its page and whatever is not there need a key too', async () => {
  const paths = ['/openapi.json', '/docs', '/docs/page.js', '/docs/swagger-ui.css', '/nothing', '/api/v1'];
  for (const path of paths) {
    const { status } = await agent.call('GET', path, undefined, { authorization: '' });
    assert.equal(status, 401, path);
  }
});

test('a key for metrics opens nothing but the metrics, not even the document', async () => {
  const authorization = `Bearer ${keys.get('metrics every service')}`;
  assert.equal((await agent.call('GET', '/metrics', undefined, { authorization })).status, 200);
  assert.equal((await agent.call('HEAD', '/metrics', undefined, { authorization })).status, 200);
  for (const path of ['/openapi.json', '/schema/davit.yaml.json', '/docs', '/services?follow=true'])
    assert.equal((await agent.call('GET', path, undefined, { authorization })).status, 403, path);
  for (const path of ['/api/v1/events', '/api/v1/connections'])
    assert.equal((await agent.call('GET', `${path}?follow=true`, undefined, { authorization })).status, 403);
});

test('a restart that sets a command needs the scope deploy', async () => {
  await agent.call('POST', '/service/own-web/deploy', { command: 'exec sleep 1000', min_uptime: '0s' });
  const bearer = (scope: Scope) => ({ authorization: `Bearer ${keys.get(`${scope} its own service`)}` });
  const body = { command: 'exec sleep 1001' };
  assert.equal((await agent.call('POST', '/service/own-web/restart', body, bearer('operate'))).status, 403);
  assert.equal((await agent.call('POST', '/service/own-web/restart', {}, bearer('operate'))).status, 200);
  assert.equal((await agent.call('POST', '/service/own-web/restart', body, bearer('deploy'))).status, 200);
});

test('a batch gives each operation the permission that its own route asks for', async () => {
  await agent.call('POST', '/service/own-batch/deploy', { command: 'exec sleep 1000', min_uptime: '0s' });
  const headers = { authorization: `Bearer ${keys.get('operate its own service')}` };
  const operations = [
    { operation: 'stop', service: 'own-batch' },
    { operation: 'deploy', service: 'own-batch', body: { command: 'true' } },
    { operation: 'restart', service: 'own-batch', body: { command: 'true' } },
    { operation: 'rollback', service: 'own-batch' },
    { operation: 'delete', service: 'own-batch' },
    { operation: 'stop', service: 'foreign' },
  ];
  const { status, body } = await agent.call('POST', '/api/v1/batch', { operations }, headers);
  assert.equal(status, 200);
  const outcomes = body.results.map((result: { http_status: number }) => result.http_status);
  assert.deepEqual(outcomes, [200, 403, 403, 403, 403, 403]);
});

test('lists and events show a confined key only its own services', async () => {
  await agent.call('POST', '/service/own-seen/deploy', { command: 'exec sleep 1000', min_uptime: '0s' });
  await agent.call('POST', '/service/hidden/deploy', { command: 'exec sleep 1000', min_uptime: '0s' });
  const headers = { authorization: `Bearer ${keys.get('read its own service')}` };
  const statuses = (await agent.call('GET', '/services', undefined, headers)).body;
  assert.ok('own-seen' in statuses && !('hidden' in statuses));
  const { services } = (await agent.call('GET', '/api/v1/services', undefined, headers)).body;
  assert.ok(services.every(({ id }: { id: string }) => id.startsWith('own-')));
  const { events } = (await agent.call('GET', '/api/v1/events?limit=1000', undefined, headers)).body;
  assert.ok(events.length > 0);
  assert.ok(events.every(({ service }: { service: string | null }) => service?.startsWith('own-')));
});

test('values of env are shown to nobody', async () => {
  const secret = 'correct-horse-battery';
  const env = { TOKEN: secret };
  await agent.call('POST', '/service/own-secret/deploy', {
    command: 'exec sleep 1000',
    env,
    min_uptime: '0s',
  });
  const paths = [
    '/api/v1/services',
    '/api/v1/services/own-secret',
    '/api/v1/services/own-secret/releases',
    '/api/v1/audit',
  ];
  for (const path of [...paths, '/api/v1/services/own-secret/releases/1', '/api/v1/events', '/services']) {
    const { status, body } = await agent.call('GET', path);
    assert.equal(status, 200, path);
    assert.ok(!JSON.stringify(body).includes(secret), `${path} shows it`);
  }
  const refused = await agent.call('POST', '/service/own-secret/deploy', { env: { TOKEN: [secret] } });
  assert.equal(refused.status, 400);
  assert.ok(!JSON.stringify(refused.body).includes(secret));
  assert.ok(!JSON.stringify(agent.log).includes(secret), 'the log shows it');
});
