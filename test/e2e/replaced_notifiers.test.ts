import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import type { ShownNotifier } from '../../src/contract/notifiers.ts';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { startHttpReceiver } from '../helpers/http_receiver.ts';
import { startMailServer } from '../helpers/mail_server.ts';

const config = { alerts: { allowed_targets: ['127.0.0.1'] } };
const list = '/api/v1/notifiers';
const hook = `${list}/hook`;

async function shown(agent: RunningAgent, name: string): Promise<ShownNotifier> {
  const { body } = await agent.call('GET', list);
  return body.notifiers.find((each: ShownNotifier) => each.name === name);
}

/** What was wrong with a replacement that was refused. */
async function refusal(agent: RunningAgent, path: string, body: object): Promise<string> {
  const answer = await agent.call('PUT', path, body);
  assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_request'], JSON.stringify(answer.body));
  return `${answer.body.details[0].path}: ${answer.body.details[0].message}`;
}

test('a webhook is changed without its secrets, which go on to the address that they were for', async () => {
  await using receiver = await startHttpReceiver();
  await using agent = await startAgent({ config });
  const made = await agent.call('POST', list, {
    name: 'hook',
    type: 'webhook',
    url: `${receiver.url}/secret-path?key=secret-query`,
    secret: 'secret-key',
    headers: { 'X-Token': 'secret-token', 'X-Team': 'secret-team' },
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const notifier = await shown(agent, 'hook');
  assert.deepEqual(notifier.webhook, { format: 'davit', content_type: 'application/json' });
  assert.deepEqual([notifier.email, notifier.timeout, notifier.keep_trying], [null, '10s', '24h']);
  assert.deepEqual(notifier.secrets.toSorted(), ['headers.X-Team', 'headers.X-Token', 'secret', 'url']);

  const replaced = await agent.call('PUT', hook, {
    type: 'webhook',
    timeout: '3s',
    headers: { 'X-More': 'more' },
    keep: ['url', 'secret', 'headers.X-Token'],
  });
  assert.equal(replaced.status, 200, JSON.stringify(replaced.body));
  assert.equal(replaced.body.timeout, '3s');
  assert.deepEqual(replaced.body.secrets.toSorted(), ['headers.X-More', 'headers.X-Token', 'secret', 'url']);
  assert.ok(!/secret-/.test(JSON.stringify(replaced.body)), JSON.stringify(replaced.body));
  assert.equal((await agent.call('POST', `${hook}/test`)).status, 200);
  const { path, headers, body } = await receiver.request(1);
  assert.equal(path, '/secret-path?key=secret-query');
  assert.deepEqual(
    [headers['x-token'], headers['x-more'], headers['x-team']],
    ['secret-token', 'more', undefined],
  );
  const digest = createHmac('sha256', 'secret-key').update(`${headers['x-davit-timestamp']}.${body}`);
  assert.equal(headers['x-davit-signature'], `sha256=${digest.digest('hex')}`);

  // What is neither sent nor kept is gone.
  const plain = await agent.call('PUT', hook, { type: 'webhook', keep: ['url'] });
  assert.deepEqual(plain.body.secrets, ['url']);
});

test('no secret is kept for another address, another server or another kind', async () => {
  await using receiver = await startHttpReceiver();
  await using agent = await startAgent({ config });
  const hooks = {
    name: 'hook',
    type: 'webhook',
    url: receiver.url,
    secret: 'k',
    headers: { 'X-Token': 't' },
  };
  assert.equal((await agent.call('POST', list, hooks)).status, 201);
  const elsewhere = { type: 'webhook', url: `${receiver.url}/elsewhere` };
  for (const secret of ['secret', 'headers.X-Token'])
    assert.match(await refusal(agent, hook, { ...elsewhere, keep: [secret] }), /^keep: needs `url` too/);
  assert.match(await refusal(agent, hook, { ...elsewhere, keep: ['url'] }), /^keep: .*`url`, which is sent/);
  assert.match(await refusal(agent, hook, { type: 'webhook' }), /^url: .*missing/);
  const twice = { type: 'webhook', headers: { 'x-token': 'u' }, keep: ['url', 'headers.X-Token'] };
  assert.match(await refusal(agent, hook, twice), /^keep: .*which is sent as well/);
  const unknown = { type: 'webhook', keep: ['url', 'headers.X-Other'] };
  assert.match(
    await refusal(agent, hook, unknown),
    /"headers\.X-Other", which notifier "hook" does not have/,
  );
  const untemplated = { type: 'webhook', format: 'template', keep: ['url'] };
  assert.match(await refusal(agent, hook, untemplated), /^body: /);

  const login = { username: 'davit', password: 'p' };
  const server = { host: '127.0.0.1', port: 2525, security: 'none' };
  const mail = { type: 'email', ...server, from: 'a@example.org', to: ['b@example.org'] };
  const other = await refusal(agent, hook, { ...mail, keep: ['password'] });
  assert.match(other, /"password", which notifier "hook" does not have/);
  assert.equal((await agent.call('POST', list, { name: 'mail', ...mail, ...login })).status, 201);
  const path = `${list}/mail`;
  const { email, secrets } = await shown(agent, 'mail');
  assert.deepEqual(email, { ...server, from: 'a@example.org', to: ['b@example.org'] });
  assert.deepEqual(secrets.toSorted(), ['password', 'username']);
  for (const change of [{ host: '127.0.0.2' }, { port: 2526 }, { security: 'starttls' }]) {
    const [field = ''] = Object.keys(change);
    const why = await refusal(agent, path, { ...mail, ...change, keep: ['username', 'password'] });
    assert.ok(why.startsWith(`keep: cannot hold where \`${field}\` is another`), why);
  }
  const changed = await agent.call('PUT', path, {
    ...mail,
    to: ['c@example.org'],
    keep: ['username', 'password'],
  });
  assert.equal(changed.status, 200, JSON.stringify(changed.body));
  assert.deepEqual([changed.body.target, changed.body.secrets.length], ['c@example.org', 2]);
});

test('a mail server gets the login that was kept, and a template its text', async () => {
  await using mail = await startMailServer({
    authOptional: false,
    allowInsecureAuth: true,
    onAuth: ({ username, password }, _session, callback) =>
      username === 'davit' && password === 'p'
        ? callback(null, { user: 'davit' })
        : callback(new Error('no')),
  });
  await using receiver = await startHttpReceiver();
  await using agent = await startAgent({ config });
  const plain = {
    type: 'email',
    host: '127.0.0.1',
    port: mail.port,
    security: 'none',
    from: 'a@example.org',
  };
  const given = { ...plain, name: 'mail', to: ['b@example.org'], username: 'davit', password: 'p' };
  assert.equal((await agent.call('POST', list, given)).status, 201);
  const next = { ...plain, to: ['c@example.org'], keep: ['username', 'password'] };
  assert.equal((await agent.call('PUT', `${list}/mail`, next)).status, 200);
  const tested = await agent.call('POST', `${list}/mail/test`);
  assert.equal(tested.status, 200, JSON.stringify(tested.body));
  const message = await mail.message(1);
  assert.deepEqual([message.user, message.to], ['davit', ['c@example.org']]);

  const text = '{"routing_key": "secret-route", "text": "{{title}}"}';
  const template = { type: 'webhook', format: 'template', url: receiver.url, body: text };
  assert.equal((await agent.call('POST', list, { name: 'hook', ...template })).status, 201);
  const kept = { type: 'webhook', format: 'template', keep: ['url', 'body'], severities: ['critical'] };
  const replaced = await agent.call('PUT', hook, kept);
  assert.equal(replaced.status, 200, JSON.stringify(replaced.body));
  assert.ok(!JSON.stringify(replaced.body).includes('secret-route'));
  assert.equal((await agent.call('POST', `${hook}/test`)).status, 200);
  assert.equal(JSON.parse((await receiver.request(1)).body).routing_key, 'secret-route');
});
