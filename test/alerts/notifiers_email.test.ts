import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import type { SMTPServerOptions } from 'smtp-server';
import { DeliveryFailure } from '../../src/alerts/notifiers/delivery_failure.ts';
import { makeNotifier, type NotifierDefinition } from '../../src/alerts/notifiers/make_notifier.ts';
import { TargetGuard } from '../../src/alerts/notifiers/target_guard.ts';
import { alertsField } from '../../src/config/alerts.ts';
import { freePort } from '../helpers/free_port.ts';
import { startMailServer } from '../helpers/mail_server.ts';
import { sampleAlert, sampleNotification } from '../helpers/notification.ts';
import { type CertificateFiles, makeCertificate } from '../helpers/server_certificates.ts';

const run = async () => assert.fail('nothing is to be run');
const never = new AbortController().signal;
const password = 'correct-horse-battery';

let folder: string;
let files: CertificateFiles;
let password_file: string;
let certificate: { readonly cert: Buffer; readonly key: Buffer };

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-notifier-'));
  files = makeCertificate(folder, 'mail', ['localhost']);
  certificate = { cert: readFileSync(files.cert_file), key: readFileSync(files.key_file) };
  password_file = join(folder, 'password');
  await writeFile(password_file, `${password}\n`);
});

function email(fields: Record<string, unknown>, guard: TargetGuard | null = null) {
  const [definition] = alertsField.parse({
    notifiers: [
      {
        name: 'mail',
        type: 'email',
        host: 'localhost',
        from: 'davit@example.org',
        to: ['ops@example.org'],
        ...fields,
      },
    ],
  }).notifiers;
  return makeNotifier(definition as NotifierDefinition, { run, guard });
}

const withLogin = (): SMTPServerOptions => ({
  ...certificate,
  authOptional: false,
  onAuth: (auth, _session, callback) =>
    auth.username === 'davit' && auth.password === password
      ? callback(null, { user: 'davit' })
      : callback(new Error(`no such user ${auth.password}`)),
});

async function failureOf(work: Promise<unknown>): Promise<DeliveryFailure> {
  const error = await work.then(
    () => assert.fail('it succeeded'),
    (each: unknown) => each,
  );
  assert.ok(error instanceof DeliveryFailure, String(error));
  return error;
}

test('a message goes over STARTTLS with a login, in two forms, and says the same each time by its id', async () => {
  await using server = await startMailServer(withLogin());
  const mail = email({ port: server.port, ca_file: files.cert_file, username: 'davit', password_file });
  const { outcome, problem } = await mail.deliver(sampleNotification(), never);
  assert.deepEqual([outcome, problem], ['accepted for 1 of 1', null]);
  await mail.deliver(sampleNotification(), never);
  await mail.deliver(sampleNotification({ id: 'n-2' }), never);
  const [first, again, other] = server.received.map(({ text }) => text);
  const { from, to, isSecure, user } = await server.message(1);
  assert.deepEqual([from, to, isSecure, user], ['davit@example.org', ['ops@example.org'], true, 'davit']);
  for (const part of [
    /^Subject: \[davit\] Service web has failed\r$/m,
    /^Content-Type: multipart\/alternative;/m,
    /^Auto-Submitted: auto-generated\r$/m,
    /^X-Davit-Delivery: n-1\r$/m,
    /^Date: Sat, 31 Jan 2026 12:00:01 \+0000\r$/m,
    /Instance 2 exited with code 1/,
    /Error: no database/,
    /<h2>Service web has failed<\/h2>/,
  ])
    assert.match(first ?? '', part);
  const idOf = (text = '') => /^Message-ID: (<[^>]+@host-a>)\r$/m.exec(text)?.[1] ?? assert.fail(text);
  const threadOf = (text = '') => /^References: (<[^>]+>)\r$/m.exec(text)?.[1] ?? assert.fail(text);
  assert.equal(idOf(first), idOf(again));
  assert.notEqual(idOf(first), idOf(other));
  assert.equal(threadOf(first), threadOf(other));
});

test('tls from the first byte', async () => {
  await using server = await startMailServer({ ...withLogin(), secure: true });
  const mail = email({
    port: server.port,
    security: 'tls',
    ca_file: files.cert_file,
    username: 'davit',
    password_file,
  });
  await mail.deliver(sampleNotification(), never);
  assert.ok((await server.message(1)).isSecure);
});

test('a server without STARTTLS is sent nothing, unless that is wanted', async () => {
  await using server = await startMailServer({ disabledCommands: ['STARTTLS', 'AUTH'] });
  const failure = await failureOf(email({ port: server.port }).deliver(sampleNotification(), never));
  assert.deepEqual([failure.retry, failure.message], [true, 'the server does not offer STARTTLS (500)']);
  assert.equal(server.received.length, 0);
  await email({ port: server.port, security: 'none' }).deliver(sampleNotification(), never);
  assert.equal((await server.message(1)).isSecure, false);
});

test('a certificate that nobody believes is refused, and so is one of another name', async () => {
  await using server = await startMailServer(withLogin());
  const login = { port: server.port, username: 'davit', password_file };
  const unknown = await failureOf(email(login).deliver(sampleNotification(), never));
  assert.ok(unknown.retry && /certificate/.test(unknown.message), unknown.message);
  const other = { ...login, host: '127.0.0.1', ca_file: files.cert_file };
  assert.ok((await failureOf(email(other).deliver(sampleNotification(), never))).retry);
  assert.equal(server.received.length, 0);
});

test('a wrong password is told without it, and the file is read at each try', async () => {
  await using server = await startMailServer(withLogin());
  const file = join(folder, 'later');
  const mail = email({ port: server.port, ca_file: files.cert_file, username: 'davit', password_file: file });
  const missing = await failureOf(mail.deliver(sampleNotification(), never));
  assert.ok(missing.retry && missing.message.includes(file));
  await writeFile(file, 'wrong-password');
  const wrong = await failureOf(mail.deliver(sampleNotification(), never));
  assert.ok(wrong.retry);
  assert.equal(wrong.message, 'the server does not accept the user name and password (535)');
  assert.ok(!`${wrong.message} ${wrong.answer}`.includes('wrong-password'), wrong.answer);
  await writeFile(file, password);
  await mail.deliver(sampleNotification(), never);
});

test('recipients that are refused are told; where all are, it is final, and what may pass is tried again', async () => {
  let code = 550;
  await using server = await startMailServer({
    disabledCommands: ['STARTTLS'],
    onRcptTo: ({ address }, _session, callback) =>
      address.startsWith('ops')
        ? callback()
        : callback(Object.assign(new Error('who?'), { responseCode: code })),
  });
  const fields = { port: server.port, security: 'none' };
  const { outcome, problem } = await email({ ...fields, to: ['ops@example.org', 'x@example.org'] }).deliver(
    sampleNotification(),
    never,
  );
  assert.deepEqual([outcome, problem], ['accepted for 1 of 2', 'not accepted for x@example.org']);
  const nobody = email({ ...fields, to: ['x@example.org'] });
  assert.equal((await failureOf(nobody.deliver(sampleNotification(), never))).retry, false);
  code = 450;
  assert.equal((await failureOf(nobody.deliver(sampleNotification(), never))).retry, true);
});

test('a server that is down or hangs is tried again', async () => {
  const port = await freePort();
  const mail = email({ port, security: 'none' });
  assert.ok((await failureOf(mail.deliver(sampleNotification(), never))).retry);
  await using _server = await startMailServer({ disabledCommands: ['STARTTLS'] }, port);
  await mail.deliver(sampleNotification(), never);
  await using hanging = await startMailServer({ disabledCommands: ['STARTTLS'], onConnect: () => {} });
  const slow = email({ port: hanging.port, security: 'none', timeout: '300ms' });
  assert.equal(
    (await failureOf(slow.deliver(sampleNotification(), never))).message,
    'it takes longer than 0.3 s',
  );
});

test('nothing that services write becomes a header or HTML', async () => {
  await using server = await startMailServer({ disabledCommands: ['STARTTLS'] });
  const evil = 'a\r\nBcc: evil@example.org\r\n\r\n<script>alert(1)</script>\u0000';
  const notification = sampleNotification({
    id: evil,
    title: evil,
    agent: { hostname: evil, version: evil, url: '' },
    alerts: [sampleAlert({ summary: evil, why: [evil], last_lines: [evil] })],
  });
  await email({ port: server.port, security: 'none' }).deliver(notification, never);
  const { to, text } = await server.message(1);
  assert.deepEqual(to, ['ops@example.org']);
  assert.doesNotMatch(text, /^Bcc:/im);
  assert.doesNotMatch(text.slice(text.indexOf('Content-Type: text/html')), /<script/);
});

test('one of the API leads into no private network', async () => {
  await using server = await startMailServer({ disabledCommands: ['STARTTLS'] });
  for (const host of ['127.0.0.1', 'localhost', '2130706433', '::1']) {
    const mail = email({ host, port: server.port, security: 'none' }, new TargetGuard({ allowed: [] }));
    const failure = await failureOf(mail.deliver(sampleNotification(), never));
    assert.ok(!failure.retry && /not public/.test(failure.message), failure.message);
  }
  const open = new TargetGuard({ allowed: ['127.0.0.1'] });
  await email({ host: '127.0.0.1', port: server.port, security: 'none' }, open).deliver(
    sampleNotification(),
    never,
  );
  assert.equal(server.received.length, 1);
});
