import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DeliveryFailure } from '../../src/alerts/notifiers/delivery_failure.ts';
import { makeNotifier, type NotifierDefinition } from '../../src/alerts/notifiers/make_notifier.ts';
import { TargetGuard } from '../../src/alerts/notifiers/target_guard.ts';
import { alertsField } from '../../src/config/alerts.ts';
import { newNotifier } from '../../src/contract/notifiers.ts';
import { freePort } from '../helpers/free_port.ts';
import { startHttpReceiver } from '../helpers/http_receiver.ts';
import { sampleNotification } from '../helpers/notification.ts';
import { makeCertificate } from '../helpers/server_certificates.ts';

const run = async () => assert.fail('nothing is to be run');
const never = new AbortController().signal;

function webhook(fields: Record<string, unknown>, guard: TargetGuard | null = null) {
  const [definition] = alertsField.parse({
    notifiers: [{ name: 'hook', type: 'webhook', ...fields }],
  }).notifiers;
  return makeNotifier(definition as NotifierDefinition, { run, guard });
}

async function failureOf(work: Promise<unknown>): Promise<DeliveryFailure> {
  const error = await work.then(
    () => assert.fail('it succeeded'),
    (each: unknown) => each,
  );
  assert.ok(error instanceof DeliveryFailure, String(error));
  return error;
}

test('a notification is posted with its id, and the beginning of the answer is returned', async () => {
  await using receiver = await startHttpReceiver((response) => response.end('x'.repeat(10_000)));
  const hook = webhook({ url: `${receiver.url}/in?a=b`, headers: { 'X-Token': 'abc', 'User-Agent': 'me' } });
  const { outcome, answer } = await hook.deliver(sampleNotification(), never);
  assert.deepEqual([outcome, answer.length], ['status 200', 2_048]);
  const { method, path, headers, body } = await receiver.request(1);
  assert.deepEqual([method, path, headers['x-token']], ['POST', '/in?a=b', 'abc']);
  assert.deepEqual([headers['x-davit-delivery'], headers['x-davit-notifier']], ['n-1', 'hook']);
  assert.equal(headers['user-agent'], 'me');
  assert.deepEqual(JSON.parse(body), sampleNotification());
});

test('the status says whether another try can help', async () => {
  let status = 200;
  await using receiver = await startHttpReceiver((response) => {
    response.writeHead(status, { 'retry-after': '7' }).end('inside information');
  });
  const hook = webhook({ url: receiver.url });
  for (const [code, retry] of [
    [400, false],
    [401, false],
    [404, false],
    [408, true],
    [410, false],
    [425, true],
    [429, true],
    [500, true],
    [503, true],
  ] as const) {
    status = code;
    const failure = await failureOf(hook.deliver(sampleNotification(), never));
    assert.equal(failure.retry, retry, String(code));
    assert.equal(failure.message, `it answered ${code}`);
    assert.equal(failure.answer, 'inside information');
    assert.equal(failure.retry_after_ms, 7_000);
  }
});

test('redirects are not followed', async () => {
  await using inner = await startHttpReceiver();
  await using receiver = await startHttpReceiver((response) =>
    response.writeHead(307, { location: inner.url }).end(),
  );
  const failure = await failureOf(webhook({ url: receiver.url }).deliver(sampleNotification(), never));
  assert.ok(!failure.retry && /307/.test(failure.message) && !failure.message.includes(inner.url));
  assert.equal(inner.received.length, 0);
});

test('an answer that never ends, or breaks off, counts by its status', async () => {
  await using endless = await startHttpReceiver((response) => {
    const more = () => response.write('x'.repeat(1_000), () => setImmediate(more));
    more();
  });
  assert.equal(
    (await webhook({ url: endless.url }).deliver(sampleNotification(), never)).outcome,
    'status 200',
  );
  await using broken = await startHttpReceiver((response) => {
    response.writeHead(200, { 'content-length': '100' }).write('x', () => response.destroy());
  });
  assert.equal(
    (await webhook({ url: broken.url }).deliver(sampleNotification(), never)).outcome,
    'status 200',
  );
});

test('a receiver that is down, hangs or speaks nonsense is tried again', async () => {
  const down = webhook({ url: `http://127.0.0.1:${await freePort()}` });
  const refused = await failureOf(down.deliver(sampleNotification(), never));
  assert.ok(refused.retry && /ECONNREFUSED/.test(refused.message), refused.message);
  await using hanging = await startHttpReceiver(() => {});
  const late = await failureOf(
    webhook({ url: hanging.url, timeout: '200ms' }).deliver(sampleNotification(), never),
  );
  assert.deepEqual([late.retry, late.message], [true, 'it does not answer within 0.2 s']);
  const nonsense = createTcpServer((socket) => void socket.on('error', () => {}).end('nonsense\r\n\r\n'));
  nonsense.listen(0, '127.0.0.1');
  await once(nonsense, 'listening');
  const { port } = nonsense.address() as AddressInfo;
  assert.ok(
    (await failureOf(webhook({ url: `http://127.0.0.1:${port}` }).deliver(sampleNotification(), never)))
      .retry,
  );
  nonsense.close();
});

test('a try ends when it is to', async () => {
  await using hanging = await startHttpReceiver(() => {});
  const abort = new AbortController();
  const trying = failureOf(webhook({ url: hanging.url }).deliver(sampleNotification(), abort.signal));
  await hanging.request(1);
  abort.abort();
  assert.ok((await trying).retry);
});

test('a receiver that complains in the body of a success is heard, and what it says is apart', async () => {
  await using receiver = await startHttpReceiver((response) =>
    response.end('{"code":19021,"msg":"sign match fail"}'),
  );
  const failure = await failureOf(
    webhook({ url: receiver.url, format: 'feishu' }).deliver(sampleNotification(), never),
  );
  assert.deepEqual([failure.retry, failure.message], [false, 'the answer has code 19021']);
  assert.match(failure.answer, /sign match fail/);
});

test('files of secrets are read at each try, and one that is missing is told and may come', async () => {
  await using receiver = await startHttpReceiver();
  const folder = await mkdtemp(join(tmpdir(), 'davit-notifier-'));
  const [url_file, secret_file] = [join(folder, 'url'), join(folder, 'secret')];
  const hook = webhook({ url_file, secret_file });
  await writeFile(secret_file, 'one\n');
  const missing = await failureOf(hook.deliver(sampleNotification(), never));
  assert.ok(missing.retry && missing.message.includes(url_file), missing.message);
  await writeFile(url_file, 'file:///etc/passwd');
  const wrong = await failureOf(hook.deliver(sampleNotification(), never));
  assert.ok(wrong.retry && !wrong.message.includes('passwd'));
  await writeFile(url_file, `${receiver.url}\n`);
  await hook.deliver(sampleNotification(), never);
  await writeFile(secret_file, 'two\n');
  await hook.deliver(sampleNotification(), never);
  const [first, second] = receiver.received;
  assert.notEqual(first?.headers['x-davit-signature'], second?.headers['x-davit-signature']);
});

test('an answer that says secrets again is not believed to be harmless', async () => {
  await using receiver = await startHttpReceiver((response, { path, headers }) =>
    response.end(
      `you sent ${path}, key-12345, ${headers['x-key']}, ${new URLSearchParams(path.split('?')[1])}`,
    ),
  );
  const folder = await mkdtemp(join(tmpdir(), 'davit-notifier-'));
  const secret_file = join(folder, 'secret');
  await writeFile(secret_file, 'key-12345');
  const url = `${receiver.url}/services/T0/path-12345?k=query-12345`;
  const headers = { 'X-Key': 'header-12345' };
  const { answer } = await webhook({ url, headers, secret_file }).deliver(sampleNotification(), never);
  assert.match(answer, /^you sent /);
  assert.ok(!answer.includes('12345'), answer);
});

test('certificates are checked, by the usual authorities or those of a file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'davit-notifier-'));
  const files = makeCertificate(folder, 'hook', ['localhost']);
  const server = createServer(
    { cert: readFileSync(files.cert_file), key: readFileSync(files.key_file) },
    (request, response) => void request.resume().on('end', () => response.end('ok')),
  ).listen(0);
  await once(server, 'listening');
  const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
  const refused = await failureOf(webhook({ url }).deliver(sampleNotification(), never));
  assert.ok(refused.retry && /certificate/.test(refused.message), refused.message);
  const trusted = webhook({ url, ca_file: files.cert_file });
  assert.equal((await trusted.deliver(sampleNotification(), never)).outcome, 'status 200');
  server.close();
});

test('one of the API leads to no private network, neither by number nor by name', async () => {
  await using receiver = await startHttpReceiver();
  const closed = new TargetGuard({ allowed: [] });
  for (const url of [
    receiver.url,
    `http://2130706433:${receiver.port}`,
    `http://localhost:${receiver.port}`,
  ]) {
    const failure = await failureOf(webhook({ url }, closed).deliver(sampleNotification(), never));
    assert.ok(!failure.retry && /not public/.test(failure.message), failure.message);
  }
  const open = new TargetGuard({ allowed: ['127.0.0.0/8'] });
  await webhook({ url: receiver.url }, open).deliver(sampleNotification(), never);
  assert.equal(receiver.received.length, 1);
});

test('a name that leads elsewhere when it is resolved again gains nothing', async () => {
  await using receiver = await startHttpReceiver();
  let asked = 0;
  const resolve = (_host: string, _options: object, callback: (error: null, found: object[]) => void) => {
    asked += 1;
    callback(null, [{ address: asked === 1 ? '127.0.0.1' : '169.254.169.254', family: 4 }]);
  };
  const guard = new TargetGuard({ allowed: ['127.0.0.0/8'], resolve: resolve as never });
  const hook = webhook({ url: `http://rebinding.example:${receiver.port}` }, guard);
  await hook.deliver(sampleNotification(), never);
  assert.deepEqual([asked, receiver.received.length], [1, 1]);
  const failure = await failureOf(hook.deliver(sampleNotification(), never));
  assert.ok(/not public/.test(failure.message) && !failure.message.includes('169.254'), failure.message);
});

test('headers that belong to the connection or to davit cannot be set', () => {
  for (const header of [
    'Host',
    'content-length',
    'Transfer-Encoding',
    'connection',
    'X-Davit-Delivery',
    'proxy-authorization',
  ])
    assert.ok(
      !newNotifier.safeParse({
        name: 'x',
        type: 'webhook',
        url: 'https://example.org',
        headers: { [header]: 'x' },
      }).success,
      header,
    );
  const fields = { name: 'x', type: 'webhook', url: 'https://example.org' };
  assert.ok(!newNotifier.safeParse({ ...fields, headers: { 'x-a': 'b\r\nc: d' } }).success);
  assert.ok(!newNotifier.safeParse({ ...fields, format: 'template' }).success);
  assert.ok(!newNotifier.safeParse({ ...fields, body: 'x' }).success);
  assert.ok(!newNotifier.safeParse({ ...fields, type: 'exec', command: ['true'] }).success);
  for (const url of ['file:///etc/passwd', 'ftp://x', 'https://user:pass@example.org', 'gopher://x'])
    assert.ok(!newNotifier.safeParse({ ...fields, url }).success, url);
});
