import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { certificateText, makeCertificate } from '../helpers/server_certificates.ts';
import { until } from '../helpers/system.ts';
import { Forwarded, numbered, range } from './forwarded.ts';
import { LineReceiver, take } from './line_receiver.ts';

const central = (receiver: LineReceiver, more: object = {}) =>
  ({ name: 'central', type: 'http', url: receiver.url, ...more }) as const;

test('lines of several services arrive in few requests, in their order, each with what it is', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  forwarded.begin(central(receiver, { labels: { site: 'north' }, headers: { 'X-Scope-OrgID': 'shop' } }));
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 500));
  forwarded.write('worker', 'ERROR: no paper\n', { stream: 'stderr' });
  await receiver.untilReceived(501);
  const web = receiver.lines.filter(({ service }) => service === 'web');
  assert.deepEqual(
    web.map(({ message }) => Number(message)),
    range(1, 500),
  );
  const [worker] = receiver.lines.filter(({ service }) => service === 'worker');
  assert.deepEqual(
    { ...worker, timestamp: '', host: '' },
    {
      ...{ timestamp: '', message: 'ERROR: no paper', host: '', service: 'worker', instance: 1, release: 1 },
      ...{ stream: 'stderr', level: 'error', site: 'north', id: '1.stderr.16' },
    },
  );
  assert.ok(receiver.requests.length < 10, String(receiver.requests.length));
  assert.equal(receiver.requests[0]?.headers['x-scope-orgid'], 'shop');
  assert.equal(receiver.requests[0]?.headers['content-encoding'], 'gzip');
  await until('it is counted', () => forwarded.counts().lines === 501);
  assert.equal(forwarded.counts().lag_bytes, 0);
  assert.notEqual(forwarded.counts().last_success_at, null);
});

test('what was written before the first time is sent only where that is asked for', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  forwarded.write('web', numbered(1, 3));
  forwarded.begin(
    central(receiver),
    central(receiver, { name: 'all', from: 'beginning', labels: { of: 'all' } }),
  );
  await forwarded.untilBegun();
  await forwarded.untilBegun('all');
  forwarded.write('web', numbered(4, 5));
  await receiver.untilReceived(7);
  const numbersOf = (of: string | undefined) =>
    receiver.lines.filter((line) => line['of'] === of).map(({ message }) => Number(message));
  assert.deepEqual(numbersOf(undefined), [4, 5]);
  assert.deepEqual(numbersOf('all'), range(1, 5));
});

test('a service that comes later is sent from its first line, also one that came while no agent ran', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  forwarded.begin(central(receiver, { services: ['web*'] }));
  await forwarded.untilBegun();
  await forwarded.forwarding.close();
  forwarded.write('web-2', numbered(1, 3));
  forwarded.write('other', numbered(100, 103));
  await forwarded.stopAndStart();
  forwarded.write('web-3', numbered(4, 6));
  await receiver.untilReceived(6);
  assert.deepEqual(
    receiver.numbers.toSorted((one, other) => one - other),
    range(1, 6),
  );
});

test('a receiver that is down loses nothing, and an agent that is killed meanwhile neither', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  forwarded.begin(central(receiver));
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 10));
  await receiver.untilReceived(10);
  await receiver.down();
  forwarded.write('web', numbered(11, 20));
  await until('it is told', () => typeof forwarded.failing.get('central') === 'string');
  assert.match(forwarded.forwarding.warnings.join(), /logs cannot be forwarded to "central": .*ECONNREFUSED/);
  await forwarded.killAndStart();
  forwarded.write('web', numbered(21, 30));
  await forwarded.endRun('web');
  forwarded.write('web', numbered(31, 40), { run: 2 });
  await receiver.up();
  await until('all have come', () => receiver.numbers.includes(40));
  assert.deepEqual([...new Set(receiver.numbers)], range(1, 40));
  await until('it is told that it is over', () => forwarded.forwarding.warnings.length === 0);
  const ids = receiver.lines.map(({ message, id }) => `${message} ${id}`);
  assert.equal(new Set(ids).size, 40, 'what came twice has the same id');
});

test('an agent that is stopped sends nothing twice', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  forwarded.begin(central(receiver));
  await forwarded.untilBegun();
  for (let from = 1; from <= 50; from += 10) {
    forwarded.write('web', numbered(from, from + 9));
    await forwarded.stopAndStart();
  }
  await receiver.untilReceived(50);
  assert.deepEqual(receiver.numbers, range(1, 50));
});

test('a receiver that breaks off, answers 503 or answers nothing gets the lines again', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  const troubles = [
    ({ response }: { response: import('node:http').ServerResponse }) => response.destroy(),
    ({ response }: { response: import('node:http').ServerResponse }) => response.writeHead(503).end('busy'),
    ({ response }: { response: import('node:http').ServerResponse }) =>
      response.writeHead(302, { location: '/elsewhere' }).end(),
    () => undefined,
  ];
  receiver.behaviour = (request, response) => {
    const trouble = troubles.shift();
    if (trouble) trouble({ response });
    else take(request, response);
  };
  forwarded.begin(central(receiver, { timeout: '500ms' }));
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 10));
  await receiver.untilReceived(10);
  assert.deepEqual(receiver.numbers, range(1, 10));
  assert.ok(receiver.requests.every(({ url }) => url === '/'));
});

test('a receiver that never answers keeps no agent from its end', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  receiver.behaviour = () => undefined;
  forwarded.begin(central(receiver, { timeout: '10m' }));
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 10));
  await until('it is asked', () => receiver.requests.length > 0);
  await forwarded.forwarding.close();
});

test('what a service writes last before the agent is stopped is sent before its end', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  forwarded.begin(central(receiver));
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 10));
  await forwarded.endRun('web');
  await forwarded.forwarding.close();
  assert.deepEqual(receiver.numbers, range(1, 10));
});

test('a line that is refused is left out, and the others arrive', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  receiver.behaviour = (request, response) => {
    if (request.body.includes('bad')) response.writeHead(400).end('I do not like\nthat');
    else take(request, response);
  };
  forwarded.begin(central(receiver));
  await forwarded.untilBegun();
  forwarded.write('web', `${numbered(1, 20)}bad\n${numbered(21, 40)}`);
  await receiver.untilReceived(40);
  assert.deepEqual(receiver.numbers, range(1, 40));
  await until('it is counted', () => forwarded.counts().dropped_lines === 1);
  assert.match(forwarded.problems.join('\n'), /does not take a line of "web".*I do not like that/);
  forwarded.write('web', numbered(41, 42));
  await receiver.untilReceived(42);
});

test('a receiver to which it is too much at once gets less at once', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  receiver.behaviour = (request, response) => {
    if (request.body.length > 50_000) response.writeHead(413).end();
    else take(request, response);
  };
  forwarded.begin(central(receiver));
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 5_000));
  await receiver.untilReceived(5_000);
  assert.deepEqual(receiver.numbers, range(1, 5_000));
  assert.equal(forwarded.counts().dropped_lines, 0);
});

test('a receiver that refuses everything loses nothing while it is put right', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  receiver.behaviour = (_, response) => response.writeHead(400).end('wrong address');
  forwarded.begin(central(receiver));
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 10));
  await until('it is told', () => /wrong address/.test(String(forwarded.failing.get('central'))));
  receiver.behaviour = take;
  await receiver.untilReceived(10);
  assert.deepEqual(receiver.numbers, range(1, 10));
  assert.equal(forwarded.counts().dropped_lines, 0);
});

test('a secret is read anew for each try, and one that is missing is told and waited for', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  const token_file = join(forwarded.folder, 'token');
  receiver.behaviour = (request, response) => {
    if (request.headers.authorization === 'Bearer second') take(request, response);
    else response.writeHead(401).end();
  };
  forwarded.begin(central(receiver, { token_file }));
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 3));
  await until('it is told', () => /token cannot be read/.test(String(forwarded.failing.get('central'))));
  writeFileSync(token_file, 'first\n');
  await until('it is told', () => /401/.test(String(forwarded.failing.get('central'))));
  writeFileSync(token_file, 'second\n');
  await receiver.untilReceived(3);
  assert.ok(!forwarded.problems.join().includes('first'));
});

test('a certificate has to bear the name of the receiver and come from whom one believes', async () => {
  await using forwarded = new Forwarded();
  const own = makeCertificate(forwarded.folder, 'own', ['localhost']);
  const other = makeCertificate(forwarded.folder, 'other', ['example.org']);
  await using receiver = await LineReceiver.start({
    cert: certificateText(own),
    key: readFileSync(own.key_file, 'utf8'),
  });
  await using misnamed = await LineReceiver.start({
    cert: certificateText(other),
    key: readFileSync(other.key_file, 'utf8'),
  });
  forwarded.begin(
    central(receiver, { ca_file: own.cert_file }),
    central(receiver, { name: 'stranger' }),
    central(misnamed, { name: 'misnamed', ca_file: other.cert_file }),
  );
  for (const name of ['central', 'stranger', 'misnamed']) await forwarded.untilBegun(name);
  forwarded.write('web', numbered(1, 3));
  await receiver.untilReceived(3);
  await until('both fail', () => ['stranger', 'misnamed'].every((name) => forwarded.failing.get(name)));
  assert.match(String(forwarded.failing.get('stranger')), /self.signed/);
  assert.match(String(forwarded.failing.get('misnamed')), /altnames|localhost/);
  assert.equal(receiver.lines.length, 3);
  assert.equal(misnamed.requests.length, 0);
});

test('what retention removes before it could be sent is told, and the rest arrives', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  receiver.behaviour = (_, response) => response.writeHead(503).end();
  forwarded.begin(central(receiver));
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 100));
  await until('it is told', () => typeof forwarded.failing.get('central') === 'string');
  await forwarded.endRun('web');
  forwarded.write('web', numbered(101, 200), { run: 2 });
  const { retention } = forwarded;
  forwarded.retention = { ...retention, max_bytes: 0 };
  await forwarded.logs.sweep();
  forwarded.retention = retention;
  forwarded.write('web', numbered(201, 202), { run: 2 });
  receiver.behaviour = take;
  await until('the last has come', () => receiver.numbers.includes(202));
  assert.ok(!receiver.numbers.includes(1));
  assert.match(
    forwarded.problems.join('\n'),
    /output of "web" was removed before it could be forwarded to "central"/,
  );
});

test('the last lines of a service that is deleted arrive, and one that comes after it begins anew', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  forwarded.begin(central(receiver));
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 1_000));
  await forwarded.endRun('web');
  await forwarded.logs.remove('web');
  assert.deepEqual(receiver.numbers, range(1, 1_000));
  forwarded.write('web', numbered(1_001, 1_003));
  await receiver.untilReceived(1_003);
  await forwarded.endRun('web');
  await forwarded.logs.remove('web');
  await until('its place is forgotten', () => forwarded.cursors().every(({ service }) => service === ''));
});

test('a receiver that never answers keeps no service from being deleted', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  receiver.behaviour = () => undefined;
  forwarded.begin(central(receiver, { timeout: '10m' }));
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 10));
  await until('it is asked', () => receiver.requests.length > 0);
  for (let count = 0; count < 100; count++) {
    forwarded.write(`web-${count}`, numbered(1, 10));
    await forwarded.endRun(`web-${count}`);
  }
  for (let count = 0; count < 100; count++) await forwarded.logs.remove(`web-${count}`);
});

test('a reload leaves alone the targets that stay, and keeps by name how far each has got', async () => {
  await using receiver = await LineReceiver.start();
  await using other = await LineReceiver.start();
  await using forwarded = new Forwarded();
  forwarded.begin(central(receiver), central(other, { name: 'second' }));
  await forwarded.untilBegun();
  await forwarded.untilBegun('second');
  forwarded.write('web', numbered(1, 3));
  await receiver.untilReceived(3);
  await other.untilReceived(3);
  forwarded.reload(central(receiver, { labels: { since: 'reload' } }));
  await until('the place of the one that is gone is forgotten', () =>
    forwarded.cursors().every(({ target }) => target === 'central'),
  );
  forwarded.write('web', numbered(4, 6));
  await receiver.untilReceived(6);
  assert.deepEqual(receiver.numbers, range(1, 6));
  assert.equal(receiver.lines.at(-1)?.['since'], 'reload');
  assert.deepEqual(other.numbers, range(1, 3));
});

test('a service that is taken only since a reload begins where it was then', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  forwarded.begin(central(receiver, { services: ['web'] }));
  await forwarded.untilBegun();
  forwarded.write('worker', numbered(1, 3));
  forwarded.reload(central(receiver, { services: ['web', 'worker'] }));
  await until('it is taken', () => forwarded.cursors().some(({ service }) => service === 'worker'));
  forwarded.write('worker', numbered(4, 6));
  await receiver.untilReceived(3);
  assert.deepEqual(receiver.numbers, [4, 5, 6]);
});

test('a service that writes very much keeps the others waiting for one piece of it at most', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  receiver.behaviour = (_, response) => response.writeHead(503).end();
  forwarded.begin(central(receiver, { from: 'beginning' }));
  await forwarded.untilBegun();
  forwarded.write('aloud', `${'x'.repeat(999)}\n`.repeat(5_000));
  forwarded.write('quiet', 'here I am\n');
  await until('it is told', () => typeof forwarded.failing.get('central') === 'string');
  receiver.behaviour = take;
  await until('the quiet one is heard', () => receiver.lines.some(({ service }) => service === 'quiet'));
  assert.ok(receiver.lines.length < 1_500, `after ${receiver.lines.length} lines`);
  await receiver.untilReceived(5_001);
});

test('a database that takes nothing lets lines arrive all the same, and is told once', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  forwarded.begin(central(receiver));
  await forwarded.untilBegun();
  forwarded.database.exec('PRAGMA query_only = ON');
  forwarded.write('web', numbered(1, 10));
  await receiver.untilReceived(10);
  await until('it is told', () =>
    forwarded.problems.some((problem) => problem.includes('cannot be written')),
  );
  forwarded.database.exec('PRAGMA query_only = OFF');
  await until('it is written', () => forwarded.cursors().some(({ cursor }) => cursor === '1.21.0'));
  forwarded.write('web', numbered(11, 12));
  await receiver.untilReceived(12);
  assert.deepEqual(receiver.numbers, range(1, 12));
  assert.equal(forwarded.problems.length, 1, forwarded.problems.join('\n'));
});

test('very short lines arrive in pages that memory can hold, very long ones in pieces', async () => {
  await using receiver = await LineReceiver.start();
  await using forwarded = new Forwarded();
  forwarded.begin(central(receiver, { batch_size: '16KiB' }));
  await forwarded.untilBegun();
  const long = 'ä'.repeat(50_000);
  forwarded.write('web', `${'\n'.repeat(3_000)}${long}\nend\n`);
  await until('the last has come', () => receiver.lines.some(({ message }) => message === 'end'));
  assert.equal(receiver.lines.filter(({ message }) => message === '').length, 3_000);
  const pieces = receiver.lines.filter(({ message }) => message.startsWith('ä'));
  assert.equal(pieces.map(({ message }) => message).join(''), long);
  assert.deepEqual(
    pieces.map((piece) => piece['continues']),
    [true, undefined],
  );
});
