import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { Notification } from '../../src/contract/alerts.ts';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { freePort } from '../helpers/free_port.ts';
import { type HttpReceiver, type ReceivedRequest, startHttpReceiver } from '../helpers/http_receiver.ts';
import { startMailServer } from '../helpers/mail_server.ts';
import { makeCertificate } from '../helpers/server_certificates.ts';
import { until } from '../helpers/system.ts';

/** A service that writes secrets, and is not started again when it has died. */
const fragile = {
  command: 'echo "key is $KEY"; echo "login password=hunter2"; exec sleep 1000',
  env: { KEY: 'a-secret-of-web' },
  min_uptime: '0s',
  restart: { policy: 'never' },
};

async function deployAndKill(agent: RunningAgent, service = 'web'): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${service}/deploy`, fragile);
  assert.equal(status, 200, JSON.stringify(body));
  await agent.until('GET', `/service/${service}/logs`, ({ lines }) => lines.length === 2);
  process.kill((await agent.call('GET', `/service/${service}/status`)).body.pid, 'SIGKILL');
}

async function davit(agent: RunningAgent, input: string, ...words: string[]) {
  const [program, ...first] = davitCommand;
  const child = spawn(program, [...first, ...words], {
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', DAVIT_DATA: agent.data },
  });
  child.stdin.end(input);
  const [exit, out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { code: exit[0], out, err };
}

const notificationOf = ({ body }: ReceivedRequest): Notification => JSON.parse(body);

/** The first that came of an alert in this state. */
async function told(receiver: HttpReceiver, state: string): Promise<ReceivedRequest> {
  for (let number = 1; ; number += 1) {
    const request = await receiver.request(number);
    if (notificationOf(request).alerts.some((alert) => alert.state === state)) return request;
  }
}

test('an alert reaches a signed webhook, a mail server by STARTTLS and a command, though another notifier is down', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'davit-notifiers-'));
  const files = makeCertificate(folder, 'mail', ['localhost']);
  const [secret_file, password_file, out] = ['secret', 'password', 'out'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  await writeFile(secret_file, 'signing-key\n');
  await writeFile(password_file, 'mail-password\n');
  await using receiver = await startHttpReceiver();
  await using hanging = await startHttpReceiver(() => {});
  await using mail = await startMailServer({
    cert: readFileSync(files.cert_file),
    key: readFileSync(files.key_file),
    authOptional: false,
    onAuth: ({ username, password }, _session, callback) =>
      username === 'davit' && password === 'mail-password'
        ? callback(null, { user: 'davit' })
        : callback(new Error('no')),
  });
  const notifiers = [
    { name: 'hangs', type: 'webhook', url: hanging.url },
    { name: 'down', type: 'webhook', url: `http://127.0.0.1:${await freePort()}` },
    { name: 'hook', type: 'webhook', url: receiver.url, secret_file },
    {
      name: 'mail',
      type: 'email',
      host: 'localhost',
      port: mail.port,
      username: 'davit',
      password_file,
      ca_file: files.cert_file,
      from: 'davit@example.org',
      to: ['ops@example.org'],
    },
    { name: 'script', type: 'exec', command: ['/bin/sh', '-c', `cat > ${out}.new; mv ${out}.new ${out}`] },
  ];
  const rules = [{ name: 'delivery_failing', event: 'delivery_failing', enabled: false }];
  await using agent = await startAgent({ config: { alerts: { notifiers, rules, group_interval: '200ms' } } });
  await deployAndKill(agent);

  const request = await told(receiver, 'firing');
  const [alert] = notificationOf(request).alerts;
  assert.equal(alert?.rule, 'service_failed');
  assert.match(alert?.why[0] ?? '', /SIGKILL/);
  assert.deepEqual(alert?.last_lines, ['key is [redacted]', 'login password=[redacted]']);
  const { 'x-davit-timestamp': time, 'x-davit-signature': signature } = request.headers;
  const digest = createHmac('sha256', 'signing-key').update(`${time}.${request.body}`).digest('hex');
  assert.equal(signature, `sha256=${digest}`);

  const message = await mail.message(1);
  assert.deepEqual([message.isSecure, message.user, message.to], [true, 'davit', ['ops@example.org']]);
  assert.match(message.text, /SIGKILL/);
  assert.match(message.text, /key is \[redacted\]/);
  assert.doesNotMatch(message.text, /a-secret-of-web|hunter2/);

  let written = '';
  await until('the command has run', async () => {
    written = await readFile(out, 'utf8').catch(() => '');
    return written !== '';
  });
  assert.equal((JSON.parse(written) as Notification).alerts[0]?.id, alert?.id);

  const listed = await agent.until('GET', '/api/v1/notifiers', ({ notifiers: all }) =>
    ['hook', 'mail', 'script'].every((name) =>
      all.some(
        (each: { name: string; last_delivered_at: string | null }) =>
          each.name === name && each.last_delivered_at !== null,
      ),
    ),
  );
  const down = listed.notifiers.find(({ name }: { name: string }) => name === 'down');
  assert.match(down.last_error, /ECONNREFUSED/);
  assert.ok(down.waiting > 0);
  await agent.call('POST', '/api/v1/services/web/start');
  assert.equal(notificationOf(await told(receiver, 'resolved')).alerts[0]?.id, alert?.id);
  const { body: metrics } = await agent.call('GET', '/metrics');
  assert.match(metrics, /davit_notifications_total\{notifier="hook",outcome="delivered"\} [1-9]/);
  assert.match(metrics, /davit_notifications_waiting\{notifier="down"\} [1-9]/);
});

test('what could not be delivered is delivered by the next agent after kill -9, in order and with the same id', async () => {
  const port = await freePort();
  const notifiers = [{ name: 'hook', type: 'webhook', url: `http://127.0.0.1:${port}` }];
  const config = { alerts: { notifiers, group_interval: '200ms' } };
  const first = await startAgent({ config });
  await deployAndKill(first);
  const waits = (count: number) => (body: { notifiers: { waiting: number }[] }) =>
    (body.notifiers[0]?.waiting ?? 0) >= count;
  await first.until('GET', '/api/v1/notifiers', waits(1));
  await first.call('POST', '/api/v1/services/web/start');
  await first.until('GET', '/api/v1/notifiers', waits(2));
  await first.end('SIGKILL');

  let isBroken = true;
  await using receiver = await startHttpReceiver((response) => {
    // The first one was taken, but nobody is told.
    if (isBroken) response.destroy();
    else response.end('ok');
    isBroken = false;
  }, port);
  await using _second = await startAgent({ config, data: first.data });
  const one = await receiver.request(1);
  await told(receiver, 'resolved');
  const idOf = ({ headers }: ReceivedRequest) => headers['x-davit-delivery'];
  const same = receiver.received.filter((request) => idOf(request) === idOf(one));
  assert.deepEqual(
    same.map(({ body }) => body),
    [one.body, one.body],
  );
  const states = receiver.received.flatMap((request) =>
    notificationOf(request)
      .alerts.filter(({ service }) => service === 'web')
      .map(({ state }) => state),
  );
  assert.ok(states.indexOf('firing') < states.indexOf('resolved') && states[0] === 'firing', states.join());
});

test('the API makes notifiers that lead only where they may, and shows no secret', async () => {
  await using receiver = await startHttpReceiver((response) => response.end('inside information'));
  const allowed = `127.0.0.1`;
  await using agent = await startAgent({ config: { alerts: { allowed_targets: [allowed] } } });
  const key = async (scope: string) => {
    const { body } = await agent.call('POST', '/api/v1/keys', { name: scope, scopes: [scope] });
    return { authorization: `Bearer ${body.key}` };
  };
  const [deployer, operator] = [await key('deploy'), await key('operate')];
  const hook = (url: string) => ({
    name: 'hook',
    type: 'webhook',
    url: `${url}/secret-path`,
    secret: 'secret-key',
    headers: { 'X-Token': 'secret-header' },
  });
  const refused = [
    'http://169.254.169.254',
    'http://[fd00:ec2::254]',
    'http://10.0.0.1',
    'http://localhost',
    agent.url,
  ];
  for (const url of refused) {
    const { status, body } = await agent.call('POST', '/api/v1/notifiers', hook(url), deployer);
    assert.deepEqual([status, body.code], [403, 'target_not_allowed'], url);
  }
  const made = await agent.call('POST', '/api/v1/notifiers', hook(receiver.url), deployer);
  assert.deepEqual([made.status, made.body.target], [201, receiver.url]);

  const byAdmin = await agent.call('POST', '/api/v1/notifiers/hook/test');
  assert.equal(byAdmin.status, 200, JSON.stringify(byAdmin.body));
  assert.deepEqual([byAdmin.body.outcome, byAdmin.body.answer], ['status 200', 'inside information']);
  const byOperator = await agent.call('POST', '/api/v1/notifiers/hook/test', undefined, operator);
  assert.deepEqual([byOperator.body.outcome, byOperator.body.answer], ['status 200', '']);
  assert.equal(notificationOf(await receiver.request(1)).status, 'test');

  const down = `http://127.0.0.1:${await freePort()}`;
  const { name: _name, ...others } = hook(down);
  assert.equal((await agent.call('PUT', '/api/v1/notifiers/hook', others, deployer)).status, 200);
  const failed = await agent.call('POST', '/api/v1/notifiers/hook/test', undefined, operator);
  assert.deepEqual([failed.status, failed.body.code], [422, 'notification_failed']);
  assert.match(failed.body.error, /ECONNREFUSED/);

  const wrong = {
    name: 'x',
    type: 'webhook',
    url: 'https://example.org',
    format: 'template',
    body: '{{#alerts}}',
  };
  const { status, body } = await agent.call('POST', '/api/v1/notifiers', wrong);
  assert.deepEqual([status, body.details[0].path], [400, 'body']);
  const exec = { name: 'x', type: 'exec', command: ['true'] };
  assert.equal((await agent.call('POST', '/api/v1/notifiers', exec)).status, 400);

  for (const path of ['/api/v1/notifiers', '/api/v1/events', '/api/v1/audit', '/api/v1/agent']) {
    const shown = JSON.stringify((await agent.call('GET', path)).body);
    assert.ok(!/secret-(path|key|header)/.test(shown), `${path}: ${shown}`);
  }
  assert.ok(!/secret-(path|key|header)/.test(JSON.stringify(agent.log)), 'the log shows it');
  const { events } = (await agent.call('GET', '/api/v1/events')).body;
  const types = events
    .map(({ type }: { type: string }) => type)
    .filter((type: string) => type.startsWith('notifier.'));
  assert.deepEqual(types, ['notifier.created', 'notifier.updated']);
  assert.equal((await agent.call('DELETE', '/api/v1/notifiers/hook', undefined, deployer)).status, 200);
  assert.equal((await agent.call('DELETE', '/api/v1/notifiers/hook', undefined, deployer)).status, 404);
});

test('the command line makes a notifier and tries it', async () => {
  await using receiver = await startHttpReceiver();
  await using agent = await startAgent({ config: { alerts: { allowed_targets: ['127.0.0.1'] } } });
  const yaml = `name: ops\ntype: webhook\nurl: ${receiver.url}/x\n`;
  const added = await davit(agent, yaml, 'alert', 'notifier', 'add', '-');
  assert.deepEqual(
    [added.code, added.out],
    [0, `Notifier ops was made: webhook to ${receiver.url}\n`],
    added.err,
  );
  const tested = await davit(agent, '', 'alert', 'test', 'ops');
  assert.match(tested.out, /^Delivered to ops in \d+ ms: status 200\nok\n$/);
});
