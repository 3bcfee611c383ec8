import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import type { Alert } from '../../src/contract/alerts.ts';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { receiveWebhooks, type WebhookReceiver } from '../helpers/webhook_receiver.ts';

let receiver: WebhookReceiver;
let agent: RunningAgent;

before(async () => {
  receiver = await receiveWebhooks();
  agent = await startAgent({ config: settings() });
});
after(async () => {
  await agent[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

function settings() {
  const notifiers = [{ name: 'hook', type: 'webhook', url: receiver.url }];
  // Each test is told by itself.
  return { alerts: { notifiers, group_by: 'alert', group_interval: '200ms' } };
}

/** A service that is not started again when it has died. */
const fragile = { command: 'exec sleep 1000', min_uptime: '0s', restart: { policy: 'never' } };

async function deploy(service: string, spec: object = fragile): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${service}/deploy`, spec);
  assert.equal(status, 200, JSON.stringify(body));
}

/** Returns when it was killed, in milliseconds since the epoch. */
async function crash(service: string): Promise<number> {
  const { pid } = (await agent.call('GET', `/service/${service}/status`)).body;
  process.kill(pid, 'SIGKILL');
  return Date.now();
}

async function alertsOf(service: string, query = ''): Promise<Alert[]> {
  const { status, body } = await agent.call('GET', `/api/v1/alerts?service=${service}${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body.alerts;
}

const firing =
  (service: string, rule = 'service_failed') =>
  (body: { alerts: Alert[] }) =>
    body.alerts.some((alert) => alert.service === service && alert.rule === rule && alert.state === 'firing');

const isTold = (service: string, state: string) => (alert: Alert) =>
  alert.service === service && alert.state === state;

async function davit(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const [program, ...first] = davitCommand;
  const child = spawn(program, [...first, ...words], {
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', DAVIT_DATA: agent.data },
  });
  child.stdin.end();
  const [exit, out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { code: exit[0], out, err };
}

test('a service that dies is told with what led to it and its last lines, without secrets, and told when it is back', async () => {
  await deploy('web', {
    ...fragile,
    command: 'echo "connecting with $KEY"; exec sleep 1000',
    env: { KEY: 'a-secret-of-web' },
  });
  await agent.until('GET', '/service/web/logs', ({ lines }) => lines.length > 0);
  await crash('web');
  const told = await receiver.told(isTold('web', 'firing'));
  assert.equal(told.rule, 'service_failed');
  assert.equal(told.severity, 'critical');
  assert.match(told.summary, /^web has failed: Process was ended by SIGKILL/);
  assert.match(told.why[0] ?? '', /^Process was ended by SIGKILL/);
  assert.match(told.why.at(-1) ?? '', /^Deployment of release 1 started \(by key:/);
  assert.deepEqual(told.last_lines, ['connecting with [redacted]']);
  await agent.call('POST', '/api/v1/services/web/start');
  const over = await receiver.told(isTold('web', 'resolved'));
  assert.equal(over.id, told.id);
  const [kept] = await alertsOf('web', '&state=resolved');
  assert.equal(kept?.id, told.id);
  const { body } = await agent.call('GET', `/api/v1/alerts/${told.id}`);
  assert.deepEqual(body.last_lines, told.last_lines);
  const { chain } = (await agent.call('GET', '/api/v1/services/web/why')).body;
  assert.equal(chain[0].event.type, 'service.started', 'alerts change nothing of why');
});

test('what is over is given page by page, the newest first, and by the command line', async () => {
  await deploy('paged');
  for (const count of [1, 2, 3]) {
    await crash('paged');
    await agent.until('GET', '/api/v1/alerts', firing('paged'));
    await agent.call('POST', '/api/v1/services/paged/start');
    const over = '/api/v1/alerts?service=paged&state=resolved';
    await agent.until('GET', over, ({ alerts }) => alerts.length === count);
  }
  const page = async (query: string) =>
    (await agent.call('GET', `/api/v1/alerts?service=paged&state=resolved${query}`)).body;
  const whole = await page('');
  assert.equal(whole.next, null);
  const first = await page('&limit=2');
  const second = await page(`&limit=2&before=${first.next}`);
  assert.deepEqual([...first.alerts, ...second.alerts], whole.alerts);
  assert.equal(second.next, null);
  for (const query of [`before=${first.next}`, 'state=resolved&before=now']) {
    const { status, body } = await agent.call('GET', `/api/v1/alerts?${query}`);
    assert.deepEqual([status, body.details[0].path], [400, 'before'], query);
  }

  const listed = await davit('alerts', '--all', '--service', 'paged', '--limit', '2');
  assert.match(listed.err, new RegExp(`--before ${first.next.replace('.', '\\.')}`));
  const older = await davit('alerts', '--service', 'paged', '--before', first.next, '--json');
  assert.deepEqual(JSON.parse(older.out), second);
});

test('a crash loop, a deployment that fails and one that succeeds', async () => {
  await deploy('loop', {
    command: 'sleep 0.05; exit 1',
    min_uptime: '0s',
    restart: { backoff: { initial: '10ms' }, limit: { count: 4 } },
  });
  await agent.until('GET', '/api/v1/alerts', firing('loop', 'restart_loop'));
  await agent.until('GET', '/api/v1/alerts', firing('loop'));
  const { status } = await agent.call('POST', '/service/loop/deploy', {
    command: 'exit 1',
    min_uptime: '1s',
  });
  assert.equal(status, 422);
  await agent.until('GET', '/api/v1/alerts', firing('loop', 'deployment_failed'));
  await deploy('loop', { command: 'exec sleep 1000', min_uptime: '0s' });
  await agent.until('GET', '/api/v1/alerts?service=loop', ({ alerts }) => alerts.length === 0);
});

test('after kill -9 of the agent an alert is the same and told once, and what is over meanwhile is told as over', async () => {
  for (const service of ['stays', 'goes']) {
    await deploy(service);
    await crash(service);
    await receiver.told(isTold(service, 'firing'));
  }
  const before = await alertsOf('stays');
  await agent.end('SIGKILL');
  const { data } = agent;
  agent = await startAgent({ data, config: settings() });
  await receiver.told(({ rule, state }) => rule === 'agent_restarted' && state === 'firing');
  const [alert] = await alertsOf('stays');
  assert.deepEqual([alert], before);
  await agent.call('POST', '/api/v1/services/goes/start');
  await receiver.told(isTold('goes', 'resolved'));
  const told = receiver.received.flatMap(({ notification }) => notification.alerts);
  assert.equal(told.filter(isTold('stays', 'firing')).length, 1);
});

test('what is silenced is not told until somebody ends that', async () => {
  await deploy('quiet');
  const wanted = { service: 'quiet', duration: '1h', comment: 'new disks' };
  const { id } = (await agent.call('POST', '/api/v1/silences', wanted)).body;
  await crash('quiet');
  await agent.until('GET', '/api/v1/alerts', firing('quiet'));
  assert.equal((await alertsOf('quiet'))[0]?.silenced_by, id);
  // What comes later is told first.
  await deploy('loud');
  await crash('loud');
  await receiver.told(isTold('loud', 'firing'));
  assert.deepEqual(
    receiver.received.flatMap(({ notification }) => notification.alerts).filter(isTold('quiet', 'firing')),
    [],
  );
  const { out, err } = await davit('alert', 'unsilence', id);
  assert.equal(out, `Silence ${id} has ended: every rule, service quiet\n`, err);
  await receiver.told(isTold('quiet', 'firing'));
  assert.equal((await agent.call('DELETE', `/api/v1/silences/${id}`)).body.code, 'silence_not_found');
});

test('an alert that a dependency explains is told only when that is over', async () => {
  await deploy('db');
  await deploy('app', { ...fragile, depends_on: { db: 'started' }, on_dependency_failure: 'ignore' });
  await crash('db');
  await receiver.told(isTold('db', 'firing'));
  await crash('app');
  await agent.until('GET', '/api/v1/alerts', firing('app'));
  const [[app], [db]] = [await alertsOf('app'), await alertsOf('db')];
  assert.equal(app?.inhibited_by, db?.id);
  assert.equal(app?.notified_at, null);
  await agent.call('POST', '/api/v1/services/db/start');
  await receiver.told(isTold('app', 'firing'));
});

test('rules are made, changed and deleted, but for those that are ready-made', async () => {
  const rule = { name: 'busy', series: 'service.cpu', above: 100, services: ['web'], for: '1m' };
  const { status, body } = await agent.call('POST', '/api/v1/alert_rules', rule);
  assert.equal(status, 201, JSON.stringify(body));
  assert.equal((await agent.call('POST', '/api/v1/alert_rules', rule)).body.code, 'alert_rule_exists');
  const { name: _name, ...rest } = rule;
  const changed = await agent.call('PUT', '/api/v1/alert_rules/busy', { ...rest, above: 50 });
  assert.equal(changed.body.above, 50);
  assert.equal((await agent.call('DELETE', '/api/v1/alert_rules/busy')).body.deleted.above, 50);
  assert.equal((await agent.call('GET', '/api/v1/alert_rules/busy')).body.code, 'alert_rule_not_found');
  assert.equal((await agent.call('DELETE', '/api/v1/alert_rules/unhealthy')).body.code, 'state_conflict');
  const bad = await agent.call('POST', '/api/v1/alert_rules', {
    name: 'bad',
    series: 'host.cpu',
    event: 'disk_low',
  });
  assert.equal(bad.status, 400);
  assert.match(JSON.stringify(bad.body.details), /either `event` or `series`/);
});

test('a key that is confined to services sees, makes and silences only what is of them', async () => {
  const created = await agent.call('POST', '/api/v1/keys', {
    name: 'team',
    scopes: ['deploy'],
    services: ['team-*'],
  });
  const headers = { authorization: `Bearer ${created.body.key}` };
  const asTeam = (method: string, path: string, body?: unknown) => agent.call(method, path, body, headers);
  for (const service of ['team-a', 'other']) {
    await deploy(service);
    await crash(service);
    await agent.until('GET', '/api/v1/alerts', firing(service));
  }
  const seen = (await asTeam('GET', '/api/v1/alerts')).body.alerts;
  assert.deepEqual([...new Set(seen.map(({ service }: Alert) => service))], ['team-a']);
  const hidden = { name: 'other-slow', series: 'service.cpu', above: 100, services: ['other'] };
  await agent.call('POST', '/api/v1/alert_rules', hidden);
  for (const name of ['other-slow', 'other-slo', 'team-none'])
    assert.equal(
      (await asTeam('GET', `/api/v1/alert_rules/${name}`)).body.error,
      `there is no alert rule "${name}"`,
    );
  const [other] = await alertsOf('other');
  assert.equal((await asTeam('GET', `/api/v1/alerts/${other?.id}`)).status, 404);
  const ruleOn = (name: string, services: string[] | undefined, rest: object = { event: 'unhealthy' }) =>
    asTeam('POST', '/api/v1/alert_rules', { name, ...rest, ...(services && { services }) });
  assert.equal((await ruleOn('team-1', ['team-*'])).status, 201);
  assert.equal((await ruleOn('team-2', ['team-a', 'other'])).status, 403);
  assert.equal((await ruleOn('team-3', ['*'])).status, 403);
  assert.equal((await ruleOn('team-4', undefined)).status, 403);
  assert.equal((await ruleOn('team-5', ['t*'])).status, 403);
  assert.equal((await ruleOn('team-6', ['team-a'], { event: 'disk_low' })).status, 403);
  assert.equal((await ruleOn('team-7', ['team-a'], { series: 'host.cpu', above: 1 })).status, 403);
  await agent.call('POST', '/api/v1/alert_rules', {
    name: 'secret',
    event: 'unhealthy',
    services: ['other'],
  });
  const rules = (await asTeam('GET', '/api/v1/alert_rules')).body.rules.map(
    ({ name }: { name: string }) => name,
  );
  assert.ok(rules.includes('team-1') && rules.includes('disk_low') && !rules.includes('secret'));
  assert.equal((await asTeam('DELETE', '/api/v1/alert_rules/secret')).status, 404);
  const takeOver = { event: 'unhealthy', services: ['other'] };
  assert.equal((await asTeam('PUT', '/api/v1/alert_rules/team-1', takeOver)).status, 403);
  assert.equal((await asTeam('DELETE', '/api/v1/alert_rules/team-1')).status, 200);
  const silenceOf = (service: string | null) =>
    asTeam('POST', '/api/v1/silences', { service, duration: '1m' });
  assert.equal((await silenceOf(null)).status, 403);
  assert.equal((await silenceOf('*')).status, 403);
  assert.equal((await silenceOf('other')).status, 403);
  const own = await silenceOf('team-*');
  assert.equal(own.status, 201);
  const foreign = await agent.call('POST', '/api/v1/silences', { service: 'other', duration: '1m' });
  assert.equal((await asTeam('GET', '/api/v1/silences')).body.silences.length, 1);
  assert.equal((await asTeam('DELETE', `/api/v1/silences/${foreign.body.id}`)).status, 404);
  assert.equal((await asTeam('DELETE', `/api/v1/silences/${own.body.id}`)).status, 200);
  assert.equal((await agent.call('DELETE', `/api/v1/silences/${foreign.body.id}`)).status, 200);
});

test('from the crash of a service to the webhook (the median is printed)', async (context) => {
  const taken: number[] = [];
  for (let index = 0; index < 20; index += 1) {
    const service = `crash-${index}`;
    await deploy(service);
    const begin = await crash(service);
    await receiver.told(isTold(service, 'firing'));
    const arrival = receiver.received.find(({ notification }) =>
      notification.alerts.some(isTold(service, 'firing')),
    );
    taken.push((arrival?.at ?? 0) - begin);
  }
  const [median, longest] = [taken.toSorted((a, b) => a - b)[10], Math.max(...taken)];
  context.diagnostic(`crash to webhook: median ${median} ms, longest ${longest} ms, of ${taken.length}`);
});
