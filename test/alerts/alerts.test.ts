import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alertRule } from '../../src/contract/alerts.ts';
import { World } from './world.ts';

const minute = 60_000;
const hour = 60 * minute;

test('a service that fails is told once, with what led to it and its last lines, and told again when it is over', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  world.fail('web', 'Process exited with code 3; password hunter22');
  await world.pass(250);
  assert.deepEqual(world.titles(), []);
  await world.pass(100);
  const [told] = world.told;
  assert.equal(told?.notification.status, 'firing');
  assert.equal(
    told?.notification.title,
    '[CRITICAL] web has failed: Process exited with code 3; password [redacted]',
  );
  const [alert] = told?.notification.alerts ?? [];
  assert.equal(alert?.state, 'firing');
  assert.deepEqual(alert?.why, ['Process exited with code 3; password [redacted]']);
  assert.deepEqual(alert?.last_lines, ['one', 'two']);
  world.told.length = 0;
  await world.pass(2 * hour);
  assert.deepEqual(world.titles(), []);
  world.mend('web');
  await world.pass(1_000);
  assert.deepEqual(world.titles(), [
    '[RESOLVED] web has failed: Process exited with code 3; password [redacted]',
  ]);
  assert.deepEqual(world.live(), []);
  assert.equal(world.over()[0]?.id, alert?.id);
  assert.deepEqual(world.problems, []);
});

test('each change of an alert is an event that names what led to it', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  world.fail('web');
  await world.settle();
  world.mend('web');
  await world.settle();
  const events = world.events.list({ limit: 100, visible: ({ type }) => type.startsWith('alert.') });
  assert.deepEqual(
    events.map(({ type, service }) => [type, service]),
    [
      ['alert.firing', 'web'],
      ['alert.resolved', 'web'],
    ],
  );
  const [firing, resolved] = events;
  assert.equal(world.events.find(firing?.cause ?? 0)?.type, 'service.failed');
  assert.equal(resolved?.cause, firing?.id);
});

test('it is told again after `repeat` for as long as it fires', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  world.fail('web');
  await world.pass(1_000);
  await world.pass(8 * hour);
  assert.equal(world.titles().length, 3);
});

test('a service that was stopped or deleted has not failed any more', async (context) => {
  const world = new World(context);
  for (const id of ['web', 'api']) world.create(id);
  await world.begin();
  for (const id of ['web', 'api']) world.fail(id);
  await world.settle();
  assert.equal(world.live().length, 2);
  world.registry.update('web', { wanted: 'stopped' });
  world.registry.remove('api');
  await world.settle();
  assert.equal(world.live().length, 0);
  assert.equal(world.over().length, 2);
});

test('what waits for its time fires at that time, without anything having happened', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  world.set('web', { state: 'running', readiness: 'unhealthy' });
  await world.settle();
  assert.equal(world.live()[0]?.state, 'pending');
  await world.pass(59_000);
  assert.equal(world.live()[0]?.state, 'pending');
  await world.pass(1_500);
  assert.equal(world.live()[0]?.state, 'firing');
  assert.equal(world.titles().length, 1);
});

test('what is over before its time is forgotten', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  world.set('web', { state: 'running', readiness: 'unhealthy' });
  await world.pass(30_000);
  world.set('web', { readiness: 'healthy' });
  await world.pass(2 * minute);
  assert.deepEqual([...world.live(), ...world.over()], []);
  assert.equal(world.database.prepare('SELECT count(*) AS n FROM alerts').get()?.['n'], 0);
});

test('restarts that follow each other are a loop until they are long ago', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  const restart = () =>
    world.events.record({ type: 'service.restarting', service: 'web', instance: 1, message: 'again' });
  restart();
  restart();
  await world.pass(minute);
  assert.deepEqual(world.live(), []);
  restart();
  await world.pass(1_000);
  assert.equal(world.live()[0]?.rule, 'restart_loop');
  assert.equal(world.live()[0]?.value, 3);
  await world.startAgain({ orderly: true });
  assert.equal(world.live()[0]?.rule, 'restart_loop');
  await world.pass(5 * minute);
  assert.deepEqual(world.live(), []);
  restart();
  restart();
  world.events.record({ type: 'service.starting', service: 'web', actor: 'key:a', message: 'by hand' });
  restart();
  await world.pass(1_000);
  assert.deepEqual(world.live(), []);
});

test('a deployment that failed fires until one succeeds', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  const deploy = (status: 'failed' | 'succeeded', code?: string) => {
    const id = world.deployments.add({ service: 'web', actor: 'key:a' });
    world.deployments.update(id, { release: 2, previous_release: 1 });
    world.deployments.end(id, status, status === 'failed' ? 'it is bad' : null, code);
  };
  deploy('failed', 'not_ready');
  deploy('failed', 'release_worse');
  await world.settle();
  assert.deepEqual(
    world
      .live()
      .map(({ rule }) => rule)
      .sort(),
    ['deployment_failed', 'deployment_rolled_back'],
  );
  await world.startAgain({ orderly: true });
  assert.equal(world.live().length, 2);
  deploy('succeeded');
  await world.settle();
  assert.equal(world.live().length, 0);
});

test('a series fires by its threshold, its duration and its hysteresis', async (context) => {
  const rules = [{ name: 'hot', series: 'service.cpu', above: 2, clear: 1, for: '20s' }];
  const world = new World(context, { rules });
  world.create('web');
  await world.begin();
  const measure = async (value: number) => {
    world.measure({ 'service.cpu:web': value });
    await world.pass(10_000);
  };
  await measure(3);
  assert.equal(world.live()[0]?.state, 'pending');
  await measure(1.5);
  assert.deepEqual(world.live(), []);
  await measure(3);
  await measure(3);
  await measure(3);
  assert.equal(world.live()[0]?.state, 'firing');
  await measure(1.5);
  assert.equal(world.live()[0]?.state, 'firing');
  assert.equal(world.live()[0]?.value, 1.5);
  await measure(1);
  assert.deepEqual(world.live(), []);
  assert.equal(world.over().length, 1);
  await measure(3);
  await measure(3);
  await measure(3);
  world.measure({});
  await world.settle();
  assert.deepEqual(world.live(), [], 'a service that is not measured does nothing');
});

test('an agent that is killed and started again keeps what fires, and tells nobody twice', async (context) => {
  const world = new World(context);
  world.create('web');
  world.create('api');
  await world.begin();
  world.fail('web');
  world.fail('api');
  await world.pass(1_000);
  assert.equal(world.titles().length, 1);
  const before = world.live();
  await world.startAgain({ meanwhile: () => world.mend('api') });
  const [kept] = world.live().filter(({ rule }) => rule === 'service_failed');
  const { id, started_at, notified_at } = before.find(({ service }) => service === 'web') ?? {};
  assert.deepEqual([kept?.id, kept?.started_at, kept?.notified_at], [id, started_at, notified_at]);
  await world.pass(2 * minute);
  const titles = world.titles();
  assert.equal(titles.filter((title) => title.includes('the agent was started again')).length, 1);
  // The group is told that one is over; the other one, which goes on, stands beside it.
  assert.equal(titles.filter((title) => title.includes('1 over')).length, 1);
  await world.pass(hour);
  assert.deepEqual(
    world.titles().filter((title) => !title.startsWith('[RESOLVED] the agent')),
    [],
  );
});

test('an agent that is killed before it could tell has the next one tell', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  world.fail('web');
  await world.settle();
  await world.startAgain({ orderly: true });
  await world.pass(500);
  assert.equal(world.titles().length, 1);
  world.mend('web');
  await world.settle();
  await world.startAgain({ orderly: true });
  await world.pass(minute);
  assert.match(world.titles()[0] ?? '', /^\[RESOLVED\]/);
  await world.startAgain({ orderly: true });
  await world.pass(minute);
  assert.deepEqual(world.titles(), []);
});

test('only an agent that was not stopped is told as started again, for ten minutes', async (context) => {
  const world = new World(context);
  await world.begin();
  assert.deepEqual(world.live(), []);
  await world.startAgain({ orderly: true });
  assert.deepEqual(world.live(), []);
  await world.startAgain();
  assert.equal(world.live()[0]?.rule, 'agent_restarted');
  await world.pass(11 * minute);
  assert.deepEqual(world.live(), []);
});

test('many that fail together are told together, and more only after the interval', async (context) => {
  const world = new World(context);
  const ids = Array.from({ length: 100 }, (_, index) => `s${index}`);
  for (const id of [...ids, 'late']) world.create(id);
  await world.begin();
  for (const id of ids) world.fail(id);
  await world.pass(500);
  const [told, ...more] = world.told.splice(0);
  assert.deepEqual(more, []);
  assert.match(told?.notification.title ?? '', /, and 99 more$/);
  assert.equal(told?.notification.alerts.length, 50);
  world.fail('late');
  await world.pass(58_000);
  assert.equal(world.told.length, 0);
  await world.pass(3_000);
  assert.equal(world.told[0]?.notification.alerts[0]?.service, 'late');
});

test('what comes and goes floods nobody', async (context) => {
  for (const group_by of ['rule', 'service', 'alert']) {
    await context.test(group_by, async (inner) => {
      const world = new World(inner, { group_by });
      world.create('web');
      await world.begin();
      for (let times = 0; times < 100; times += 1) {
        world.fail('web');
        await world.pass(1_000, 500);
        world.mend('web');
        await world.pass(1_000, 500);
      }
      // In 200 seconds, with an interval of one minute.
      assert.ok(world.told.length <= 5, `${world.told.length}`);
    });
  }
});

test('by service, and by alert, each is told by itself', async (context) => {
  for (const [group_by, count] of [
    ['service', 2],
    ['alert', 3],
  ] as const) {
    await context.test(group_by, async (inner) => {
      const world = new World(inner, {
        group_by,
        rules: [{ name: 'also', event: 'service_failed', services: ['web'] }],
      });
      for (const id of ['web', 'api']) world.create(id);
      await world.begin();
      for (const id of ['web', 'api']) world.fail(id);
      await world.pass(500);
      assert.equal(world.told.length, count);
    });
  }
});

test('what is silenced is found and not told, until the silence ends by itself', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  const silence = world.alerts.silences.create(
    { rule: '*', service: 'web', duration: '10m', comment: 'new disks' },
    'key:a',
  );
  world.fail('web');
  await world.pass(9 * minute);
  assert.deepEqual(world.titles(), []);
  assert.equal(world.live()[0]?.silenced_by, silence.id);
  await world.startAgain({ orderly: true });
  assert.equal(world.live()[0]?.silenced_by, silence.id);
  await world.pass(2 * minute);
  assert.equal(world.titles().length, 1);
  assert.deepEqual(world.alerts.silences.all(), []);
  assert.equal(world.live()[0]?.silenced_by, null);
  const types = world.events.list({ limit: 100, visible: ({ type }) => type.startsWith('silence.') });
  assert.deepEqual(
    types.map(({ type, service }) => [type, service]),
    [
      ['silence.created', 'web'],
      ['silence.ended', 'web'],
    ],
  );
});

test('a silence that somebody ends lets what fires be told', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  const { id } = world.alerts.silences.create(
    { rule: 'service_*', service: null, duration: '1d', comment: '' },
    'key:a',
  );
  world.fail('web');
  await world.pass(minute);
  world.alerts.silences.end(id, 'key:a');
  await world.pass(500);
  assert.equal(world.titles().length, 1);
});

test('that something is over which was told before is told also while it is silenced', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  world.fail('web');
  await world.pass(minute);
  world.alerts.silences.create({ rule: '*', service: null, duration: '1d', comment: '' }, 'key:a');
  world.mend('web');
  await world.pass(minute);
  assert.deepEqual(
    world.titles().map((title) => title.slice(0, 10)),
    ['[CRITICAL]', '[RESOLVED]'],
  );
});

test('a silence needs an end that is not over and not in ages', async (context) => {
  const world = new World(context);
  const make = (end: object) => () =>
    world.alerts.silences.create({ rule: '*', service: null, comment: '', ...end }, 'key:a');
  assert.throws(make({ duration: '0s' }), { code: 'invalid_request' });
  assert.throws(make({ duration: '400d' }), { code: 'invalid_request' });
  assert.throws(make({ duration: '999999999d' }), { code: 'invalid_request' });
  assert.throws(make({ ends_at: '2025-01-01T00:00:00Z' }), { code: 'invalid_request' });
  assert.ok(make({ ends_at: '2026-01-02T00:00:00Z' })());
  assert.throws(() => world.alerts.silences.get('nosuch'), { code: 'silence_not_found' });
});

test('an alert is not told while one of what its service needs explains it, and is told when that is over', async (context) => {
  const world = new World(context);
  world.create('db');
  world.create('api', { depends_on: { db: 'started' } });
  world.create('web', { depends_on: { api: 'started' } });
  await world.begin();
  world.fail('web');
  world.fail('db');
  await world.pass(minute);
  assert.deepEqual(
    world.told.splice(0).flatMap(({ notification }) => notification.alerts.map(({ service }) => service)),
    ['db'],
  );
  const [web, db] = ['web', 'db'].map((id) => world.live().find(({ service }) => service === id));
  assert.equal(web?.inhibited_by, db?.id);
  world.mend('db');
  await world.pass(2 * minute);
  const after = world.told.flatMap(({ notification }) =>
    notification.alerts.map(({ service, state }) => [service, state]),
  );
  assert.ok(after.some(([service, state]) => service === 'web' && state === 'firing'));
});

test('what fires of a service that works, or of one that needs it back, explains nothing', async (context) => {
  const world = new World(context, {
    rules: [{ name: 'memory', series: 'service.memory', above: 1, severity: 'critical' }],
  });
  world.create('db', { depends_on: { web: 'started' } });
  world.create('web', { depends_on: { db: 'started' } });
  world.create('cache');
  world.create('api', { depends_on: { cache: 'started' } });
  await world.begin();
  world.measure({ 'service.memory:cache': 2 });
  for (const id of ['db', 'web', 'api']) world.fail(id);
  await world.settle();
  assert.deepEqual(
    world.live().filter(({ inhibited_by }) => inhibited_by !== null),
    [],
  );
});

test('other rules keep the state of those that stay, and end what is found by those that go', async (context) => {
  const world = new World(context, { rules: [{ name: 'mine', event: 'service_failed', services: ['w*'] }] });
  world.create('web');
  await world.begin();
  world.fail('web');
  await world.pass(minute);
  world.told.length = 0;
  const [kept] = world.live().filter(({ rule }) => rule === 'service_failed');
  world.config = { ...world.config, rules: [] };
  world.alerts.reload();
  await world.pass(minute);
  assert.deepEqual(
    world.live().map(({ id }) => id),
    [kept?.id],
  );
  assert.deepEqual(
    world.told.map(({ notification }) => [notification.status, notification.group.rule]),
    [['resolved', 'mine']],
  );
  world.config = { ...world.config, built_in: false };
  world.alerts.reload();
  await world.settle();
  assert.deepEqual(world.live(), []);
});

test('a rule of the configuration takes the place of a ready-made one, and one of the API of none', async (context) => {
  const world = new World(context, {
    rules: [{ name: 'service_failed', event: 'service_failed', severity: 'info', summary: 'look at it' }],
  });
  const { rules } = world.alerts;
  assert.equal(rules.get('service_failed').origin, 'configuration');
  assert.equal(rules.get('unhealthy').origin, 'built_in');
  for (const name of ['service_failed', 'unhealthy'])
    assert.throws(() => rules.create(alertRule.parse({ name, event: 'unhealthy' })), {
      code: 'alert_rule_exists',
    });
  assert.throws(() => rules.remove('unhealthy'), { code: 'state_conflict' });
  assert.throws(() => rules.get('unhealty'), { code: 'alert_rule_not_found', message: /did you mean/ });
  const own = alertRule.parse({ name: 'own', event: 'service_failed', services: ['web'] });
  rules.create(own);
  assert.throws(() => rules.create(own), { code: 'alert_rule_exists' });
  world.create('web');
  await world.begin();
  world.fail('web');
  await world.settle();
  assert.deepEqual(
    world.live().map(({ rule, severity, summary }) => [rule, severity, summary === 'look at it']),
    [
      ['own', 'warning', false],
      ['service_failed', 'info', true],
    ],
  );
  await world.startAgain({ orderly: true });
  assert.equal(world.live().length, 2);
  rules.remove('own');
});

test('who is told are those whom the rule names, and none of them when the list is empty', async (context) => {
  const rules = [
    { name: 'service_failed', event: 'service_failed', notify: ['a'] },
    { name: 'quiet', event: 'service_failed', notify: [] },
  ];
  const world = new World(context, { rules });
  world.receivers = ['a', 'b'];
  world.create('web');
  await world.begin();
  world.fail('web');
  await world.pass(minute);
  assert.deepEqual(
    world.told.map(({ notifier }) => notifier),
    ['a'],
  );
  assert.equal(world.live().find(({ rule }) => rule === 'quiet')?.notified_at, null);
});

test('a notifier that is made while something fires is told of it', async (context) => {
  const world = new World(context);
  world.receivers = [];
  world.create('web');
  await world.begin();
  world.fail('web');
  await world.pass(hour);
  world.receivers = ['hook'];
  world.events.record({ type: 'notifier.created', message: 'made' });
  await world.pass(500);
  assert.equal(world.titles().length, 1);
});

test('what led to an alert is waited for, but not for long', async (context) => {
  const world = new World(context);
  world.create('web');
  let read = () => {};
  world.onRead = () => new Promise((resolve) => (read = resolve));
  await world.begin();
  world.fail('web');
  await world.pass(1_000);
  assert.deepEqual(world.titles(), []);
  read();
  await world.pass(50);
  assert.deepEqual(world.told.splice(0)[0]?.notification.alerts[0]?.last_lines, ['one', 'two']);
  world.mend('web');
  await world.pass(3 * minute);
  world.told.length = 0;
  world.fail('web');
  await world.pass(2_500);
  assert.deepEqual(world.told[0]?.notification.alerts[0]?.last_lines, []);
});

test('a receiver that cannot be told fires after five minutes, and is over when it can be told', async (context) => {
  const world = new World(context);
  await world.begin();
  world.alerts.deliveryFailing('notifier ops', 'connection refused');
  await world.pass(6 * minute);
  assert.equal(world.live()[0]?.state, 'firing');
  assert.equal(world.live()[0]?.subject, 'notifier ops');
  world.alerts.deliveryFailing('notifier ops', null);
  assert.deepEqual(world.live(), []);
});

test('a router that is missing fires after half a minute', async (context) => {
  const world = new World(context);
  world.routers = { configured: true, connected: 1 };
  await world.begin();
  await world.pass(minute);
  assert.deepEqual(world.live(), []);
  world.routers = { configured: true, connected: 0 };
  await world.pass(20_000);
  assert.equal(world.live()[0]?.state, 'pending');
  await world.pass(20_000);
  assert.equal(world.live()[0]?.state, 'firing');
  world.routers = { configured: true, connected: 1 };
  await world.pass(10_000);
  assert.deepEqual(world.live(), []);
});

test('who may not read a service sees neither its alerts nor sentences on it', async (context) => {
  const world = new World(context);
  world.create('db');
  world.create('web', { depends_on: { db: 'started' } });
  await world.begin();
  const cause = world.events.record({ type: 'service.failed', service: 'db', message: 'db is gone' }).id;
  const last_event = world.events.record({
    type: 'service.failed',
    service: 'web',
    instance: 1,
    cause,
    message: 'web too',
  }).id;
  world.set('web', { state: 'failed', last_event });
  await world.pass(500);
  const [alert] = world.live();
  const only = (id: string) => (service: string | null) => service === id;
  assert.deepEqual(world.alerts.view.list({ limit: 10, maySee: only('db') }), []);
  assert.throws(() => world.alerts.view.get(alert?.id ?? '', only('db')), { code: 'alert_not_found' });
  assert.deepEqual(world.alerts.view.get(alert?.id ?? '', only('web')).why, ['web too']);
  assert.deepEqual(world.alerts.view.get(alert?.id ?? '', () => true).why, ['web too', 'db: db is gone']);
});

test('nothing that is written keeps alerts from being told, and what could not be is written later', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  world.database.exec('PRAGMA query_only = ON');
  world.fail('web');
  await world.pass(1_000);
  assert.equal(world.titles().length, 1);
  assert.equal(world.live()[0]?.state, 'firing');
  world.database.exec('PRAGMA query_only = OFF');
  await world.pass(10_000);
  const row = world.database.prepare('SELECT state FROM alerts').get();
  assert.equal(row?.['state'], 'firing');
});

test('of what is over, the last thousand are kept', async (context) => {
  const world = new World(context, { group_interval: '1h' });
  world.create('web');
  await world.begin();
  for (let times = 0; times < 1_020; times += 1) {
    world.fail('web');
    await world.settle();
    world.mend('web');
    await world.settle();
  }
  assert.equal(world.database.prepare('SELECT count(*) AS n FROM alerts').get()?.['n'], 1_000);
});

test('there are no more alerts than can be, and that is told once', async (context) => {
  const world = new World(context);
  await world.begin();
  const rules = Array.from({ length: 11 }, (_, index) =>
    alertRule.parse({ name: `r${index}`, series: 'service.cpu', above: 1 }),
  );
  world.config = { ...world.config, rules };
  world.alerts.reload();
  const values: Record<string, number> = {};
  for (let index = 0; index < 1_000; index += 1) {
    world.create(`s${index}`);
    values[`service.cpu:s${index}`] = 2;
  }
  world.measure(values);
  world.measure(values);
  assert.equal(
    world.alerts.firingByRule().reduce((sum, { count }) => sum + count, 0),
    10_000,
  );
  assert.equal(world.problems.filter((problem) => problem.includes('which is the most')).length, 1);
  assert.equal(world.alerts.firing('s1') > 0, true);
});

test('a clock that is set back neither holds back what is to be told nor says it twice', async (context) => {
  const world = new World(context);
  for (const id of ['web', 'api']) world.create(id);
  await world.begin();
  world.fail('web');
  await world.pass(minute);
  assert.equal(world.titles().length, 1);
  world.set('api', { state: 'running', readiness: 'unhealthy' });
  await world.pass(1_000);
  await world.setBack(24 * hour);
  world.fail('api');
  await world.pass(2 * minute);
  const told = world.told.flatMap(({ notification }) => notification.alerts.map(({ service }) => service));
  assert.ok(told.includes('api'));
  assert.ok(world.told.length <= 2, 'what was told in the future is told once more at most');
});

test('rules that come and go leave room for other events', async (context) => {
  const world = new World(context, { rules: [{ name: 'busy', series: 'service.cpu', above: 1 }] });
  for (let index = 0; index < 100; index += 1) world.create(`s${index}`);
  await world.begin();
  for (let times = 0; times < 60; times += 1)
    for (const value of [2, 0])
      world.measure(
        Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`service.cpu:s${index}`, value])),
      );
  const events = world.events.list({ limit: 20_000, visible: ({ type }) => type.startsWith('alert.') });
  assert.equal(events.length, 1_000);
});

test('that something is over is told to those who know of it, also when its rule is gone', async (context) => {
  const world = new World(context, {
    rules: [{ name: 'mine', event: 'service_failed', notify: ['a'] }],
    built_in: false,
  });
  world.receivers = ['a', 'b'];
  world.create('web');
  await world.begin();
  world.fail('web');
  await world.pass(minute);
  world.config = { ...world.config, rules: [] };
  world.alerts.reload();
  await world.pass(minute);
  assert.deepEqual(
    world.told.map(({ notifier, notification }) => [notifier, notification.status]),
    [
      ['a', 'firing'],
      ['a', 'resolved'],
    ],
  );
});

test('a service that is made anew under the same name begins without what failed before', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  const id = world.deployments.add({ service: 'web', actor: 'key:a' });
  world.deployments.end(id, 'failed', 'it is bad', 'not_ready');
  await world.settle();
  assert.equal(world.live().length, 1);
  world.registry.remove('web');
  world.deployments.forget('web');
  await world.settle();
  world.create('web');
  world.set('web', { state: 'running' });
  await world.settle();
  assert.deepEqual(world.live(), []);
});

test('what cannot be read of what was kept is told and forgotten, and the rest goes on', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  world.fail('web');
  world.alerts.silences.create({ rule: 'x', service: null, duration: '1h', comment: '' }, 'key:a');
  await world.pass(1_000);
  const insert = (sql: string) => world.database.exec(sql);
  const known = String(world.database.prepare('SELECT record FROM alerts').get()?.['record']);
  const noTime = JSON.stringify({ ...JSON.parse(known), id: 'odd', started_at: 1e300, resolved_at: 1e300 });
  const records = ['{', '{}', 'null', noTime];
  for (const record of records)
    insert(
      `INSERT INTO alerts VALUES ('a${record}', 'x', NULL, 'firing', 0, NULL, '${record}'),
       ('b${record}', 'x', NULL, 'resolved', 0, 0, '${record}');
       INSERT INTO alert_rules VALUES ('r${record}', '${record}');
       INSERT INTO silences VALUES ('s${record}', 0, '${record}')`,
    );
  await world.startAgain({ orderly: true });
  assert.equal(world.live().length, 1);
  assert.equal(world.alerts.silences.all().length, 1);
  assert.deepEqual(world.over(), []);
  assert.equal(world.problems.length, 4 * records.length);
  assert.deepEqual(
    world.problems.filter((problem) => problem.includes('\n')),
    [],
  );
  assert.throws(() => world.alerts.view.get('a{', () => true), { code: 'alert_not_found' });
  assert.deepEqual(world.over(), []);
  assert.equal(world.problems.length, 4 * records.length);
  assert.equal(world.database.prepare('SELECT count(*) AS rows FROM alerts').get()?.['rows'], 1);
});

test('a rule that names a notifier which there is not is a warning', async (context) => {
  const rules = [{ name: 'mine', event: 'service_failed', notify: ['hook', 'hok'] }];
  const world = new World(context, { rules });
  await world.begin();
  assert.deepEqual(world.alerts.warnings, [
    'an alert rule names a notifier that there is not; davit alert rules --json shows them',
  ]);
});

test('an instance that was unhealthy is so for the next agent too, until it has been probed', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  world.set('web', { state: 'running', readiness: 'unhealthy' });
  await world.pass(2 * minute);
  const [before] = world.live();
  assert.equal(before?.state, 'firing');
  world.told.length = 0;
  await world.startAgain({ orderly: true, meanwhile: () => world.set('web', { readiness: 'unknown' }) });
  await world.pass(minute);
  assert.equal(world.live()[0]?.id, before?.id);
  world.set('web', { readiness: 'healthy' });
  await world.pass(minute);
  assert.deepEqual(world.live(), []);
  assert.deepEqual(
    world.told.map(({ notification }) => notification.status),
    ['resolved'],
  );
});

test('a pending alert that an agent left goes on from when it began', async (context) => {
  const world = new World(context);
  world.create('web');
  await world.begin();
  world.set('web', { state: 'running', readiness: 'unhealthy' });
  await world.pass(50_000);
  const [before] = world.live();
  await world.startAgain({ orderly: true });
  assert.deepEqual(world.live(), [before]);
  await world.pass(11_000);
  assert.equal(world.live()[0]?.id, before?.id);
  assert.equal(world.live()[0]?.state, 'firing');
});
