import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { NotifierOutbox } from '../../src/alerts/delivery/outbox.ts';
import { alertsField } from '../../src/config/alerts.ts';
import {
  type NewNotifier,
  newNotifier,
  type ReplaceNotifier,
  replaceNotifier,
} from '../../src/contract/notifiers.ts';
import { DavitError } from '../../src/lib/errors.ts';
import { migrations } from '../../src/services/schema.ts';
import { freePort } from '../helpers/free_port.ts';
import { startHttpReceiver } from '../helpers/http_receiver.ts';
import { sampleNotification } from '../helpers/notification.ts';
import { until } from '../helpers/system.ts';

const url = 'https://hooks.example.org/services/secret-path?key=secret-query';
const api = (fields: Record<string, unknown> = {}): NewNotifier =>
  newNotifier.parse({ name: 'api', type: 'webhook', url, ...fields });
const replacement = (fields: Record<string, unknown> = {}): ReplaceNotifier =>
  replaceNotifier.parse({ type: 'webhook', url, ...fields });

function makeOutbox(alerts: Record<string, unknown> = {}, given?: DatabaseSync) {
  const database = given ?? new DatabaseSync(':memory:');
  if (given === undefined) for (const migration of migrations) database.exec(migration);
  const problems: string[] = [];
  const failing: [string, string | null][] = [];
  const state = { settings: alertsField.parse(alerts) };
  const outbox = new NotifierOutbox({
    database,
    settings: () => state.settings,
    run: async () => ({ code: 0, signal: null, timed_out: false, output: 'done' }),
    ownPorts: () => [8888],
    url: () => 'http://127.0.0.1:8888',
    onFailing: (name, message) => failing.push([name, message]),
    onProblem: (problem) => problems.push(problem),
  });
  const reload = (next: Record<string, unknown>) => {
    state.settings = alertsField.parse(next);
    outbox.reload();
  };
  return { outbox, database, problems, failing, reload };
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof DavitError) return error.code;
    throw error;
  }
  return assert.fail('it was not refused');
}

test('who is told: by name, service, severity, and whether it is over', () => {
  const { outbox } = makeOutbox({
    notifiers: [
      { name: 'all', type: 'exec', command: ['true'] },
      { name: 'web', type: 'exec', command: ['true'], services: ['web', 'api-*'], severities: ['critical'] },
      { name: 'once', type: 'exec', command: ['true'], send_resolved: false },
    ],
  });
  const told = (change: Partial<Parameters<NotifierOutbox['recipients']>[0]>) =>
    outbox.recipients({ notify: null, service: 'web', severity: 'critical', status: 'firing', ...change });
  assert.deepEqual(told({}), ['all', 'web', 'once']);
  assert.deepEqual(told({ severity: 'warning' }), ['all', 'once']);
  assert.deepEqual(told({ service: 'other' }), ['all', 'once']);
  assert.deepEqual(told({ service: 'api-2' }), ['all', 'web', 'once']);
  assert.deepEqual(told({ service: null }), ['all', 'web', 'once']);
  assert.deepEqual(told({ status: 'resolved' }), ['all', 'web']);
  assert.deepEqual(told({ notify: ['web', 'nobody'] }), ['web']);
  assert.deepEqual(told({ notify: [] }), []);
});

test('a notifier that is down holds up none of the others', async () => {
  await using receiver = await startHttpReceiver();
  await using hanging = await startHttpReceiver(() => {});
  const { outbox } = makeOutbox({
    notifiers: [
      { name: 'hangs', type: 'webhook', url: hanging.url },
      { name: 'down', type: 'webhook', url: `http://127.0.0.1:${await freePort()}` },
      { name: 'up', type: 'webhook', url: receiver.url },
    ],
  });
  outbox.begin();
  for (const name of ['hangs', 'down', 'up', 'nobody']) outbox.post(name, sampleNotification());
  await receiver.request(1);
  await until('it is counted', () =>
    outbox.counts.some(({ notifier, delivered }) => notifier === 'up' && delivered === 1),
  );
  const waiting = outbox.list().map(({ name, waiting }) => [name, waiting]);
  assert.deepEqual(waiting, [
    ['hangs', 1],
    ['down', 1],
    ['up', 0],
  ]);
  await outbox.close();
});

test('secrets are never shown', () => {
  const { outbox } = makeOutbox({
    notifiers: [
      { name: 'exec', type: 'exec', command: ['/opt/tell', 'secret-argument'] },
      { name: 'file', type: 'webhook', url_file: '/run/secret' },
    ],
  });
  outbox.create(api({ secret: 'secret-key', headers: { Authorization: 'secret-header' } }));
  outbox.create(
    newNotifier.parse({
      name: 'mail',
      type: 'email',
      host: 'mail.example.org',
      username: 'secret-user',
      password: 'secret-password',
      from: 'a@example.org',
      to: ['b@example.org'],
    }),
  );
  assert.doesNotMatch(JSON.stringify(outbox.list()), /secret-|\/run/);
  assert.deepEqual(
    outbox.list().map(({ secrets }) => secrets),
    [[], ['url'], ['url', 'secret', 'headers.Authorization'], ['username', 'password']],
  );
  assert.deepEqual(
    outbox.list().map(({ target }) => target),
    ['/opt/tell', 'an address in a file', 'https://hooks.example.org', 'b@example.org'],
  );
});

test('those of the API survive the agent, and can be changed and deleted', () => {
  const { outbox, database } = makeOutbox();
  outbox.create(api());
  assert.equal(
    codeOf(() => outbox.create(api())),
    'notifier_exists',
  );
  const next = makeOutbox({}, database).outbox;
  assert.equal(next.show('api').origin, 'api');
  assert.equal(next.replace('api', replacement({ severities: ['info'] })).severities.join(), 'info');
  assert.equal(next.remove('api').name, 'api');
  for (const work of [
    () => next.remove('api'),
    () => next.replace('api', replacement()),
    () => next.show('api'),
  ])
    assert.equal(codeOf(work), 'notifier_not_found');
  assert.deepEqual(makeOutbox({}, database).outbox.list(), []);
});

test('those of the configuration cannot be changed by the API, and come before one of their name', () => {
  const notifiers = [{ name: 'api', type: 'exec', command: ['true'] }];
  const { outbox, database } = makeOutbox();
  outbox.create(api());
  const next = makeOutbox({ notifiers }, database);
  assert.equal(next.outbox.show('api').type, 'exec');
  assert.match(next.outbox.warnings.join(), /notifier "api" of the API does not count/);
  for (const work of [() => next.outbox.remove('api'), () => next.outbox.replace('api', replacement())])
    assert.equal(codeOf(work), 'state_conflict');
  assert.equal(
    codeOf(() => next.outbox.create(api())),
    'notifier_exists',
  );
  next.reload({});
  assert.deepEqual([next.outbox.show('api').type, next.outbox.warnings], ['webhook', []]);
});

test('one of the API is refused where it would lead into this host or a private network', () => {
  const { outbox, reload } = makeOutbox();
  const refused = [
    'http://127.0.0.1/',
    'http://localhost/',
    'http://169.254.169.254/latest/',
    'http://[::1]/',
    'http://0x7f.1/',
  ];
  for (const each of refused)
    assert.equal(
      codeOf(() => outbox.create(api({ url: each }))),
      'target_not_allowed',
    );
  const mail = { name: 'mail', type: 'email', host: '10.0.0.1', from: 'a@b', to: ['a@b'] };
  assert.equal(
    codeOf(() => outbox.create(newNotifier.parse(mail))),
    'target_not_allowed',
  );
  reload({ allowed_targets: ['127.0.0.0/8'] });
  outbox.create(api({ url: 'http://127.0.0.1:9000/' }));
  assert.equal(
    codeOf(() => outbox.replace('api', replacement({ url: 'http://127.0.0.1:8888/' }))),
    'target_not_allowed',
  );
});

test('what is allowed no more is not led to any more', async () => {
  await using receiver = await startHttpReceiver();
  const { outbox, reload } = makeOutbox({ allowed_targets: ['127.0.0.1'] });
  outbox.create(api({ url: receiver.url }));
  outbox.begin();
  const signal = new AbortController().signal;
  await outbox.test('api', signal);
  reload({});
  await assert.rejects(outbox.test('api', signal), /not public/);
  assert.equal(receiver.received.length, 1);
});

test('a reload keeps what waits for those whose name stays, and forgets what waited for the others', async () => {
  await using receiver = await startHttpReceiver();
  const down = `http://127.0.0.1:${await freePort()}`;
  const hook = (name: string, to: string) => ({ name, type: 'webhook', url: to });
  const { outbox, reload, problems, failing } = makeOutbox({ notifiers: [hook('a', down), hook('b', down)] });
  outbox.begin();
  outbox.post('a', sampleNotification({ id: 'kept' }));
  outbox.post('b', sampleNotification({ id: 'gone' }));
  await until('both failed', () => outbox.counts.every(({ failed }) => failed > 0));
  assert.match(outbox.warnings.join(), /notifier "a" fails/);
  reload({ notifiers: [hook('a', receiver.url)] });
  assert.equal((await receiver.request(1)).headers['x-davit-delivery'], 'kept');
  assert.match(problems.join(), /notifier "b" is gone, and 1 notifications that waited for it/);
  assert.deepEqual(
    failing.findLast(([name]) => name === 'b'),
    ['b', null],
  );
  await outbox.close();
});

test('what waited for a notifier that is not there any more is forgotten when the agent starts', () => {
  const notifiers = [{ name: 'a', type: 'exec', command: ['true'] }];
  const { outbox, database } = makeOutbox({ notifiers });
  outbox.post('a', sampleNotification());
  const { outbox: next, problems } = makeOutbox({}, database);
  next.begin();
  assert.match(problems.join(), /notifier "a" is gone/);
  assert.equal(database.prepare('SELECT count(*) AS n FROM deliveries').get()?.['n'], 0);
});

test('a record of the API that cannot be read is told without what is in it', () => {
  const { database } = makeOutbox();
  database.prepare('INSERT INTO notifiers (name, record) VALUES (?, ?)').run('x', '{"secret":"hunter2"}');
  const { outbox, problems } = makeOutbox({}, database);
  assert.deepEqual(outbox.list(), []);
  assert.equal(problems.length, 1);
  assert.ok(!problems[0]?.includes('hunter2'));
});

test('one test of a notifier at a time', async () => {
  await using hanging = await startHttpReceiver(() => {});
  const { outbox } = makeOutbox({ notifiers: [{ name: 'a', type: 'webhook', url: hanging.url }] });
  const abort = new AbortController();
  const first = assert.rejects(outbox.test('a', abort.signal));
  await hanging.request(1);
  await assert.rejects(outbox.test('a', abort.signal), { code: 'state_conflict' });
  abort.abort();
  await first;
});
