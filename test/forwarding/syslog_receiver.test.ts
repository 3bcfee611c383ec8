import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { queuedBytes } from '../../src/forwarding/unacknowledged.ts';
import { certificateText, makeCertificate } from '../helpers/server_certificates.ts';
import { until } from '../helpers/system.ts';
import { Forwarded, numbered, range } from './forwarded.ts';
import { SyslogListener } from './syslog_listener.ts';

const central = (listener: SyslogListener, more: object = {}) =>
  ({ name: 'central', type: 'syslog', address: `127.0.0.1:${listener.port}`, ...more }) as const;

test('lines arrive over TCP, and what was sent before an orderly stop is not sent again', async () => {
  await using listener = await SyslogListener.start();
  await using forwarded = new Forwarded();
  forwarded.begin(central(listener));
  await forwarded.untilBegun();
  for (let from = 1; from <= 300; from += 100) {
    forwarded.write('web', numbered(from, from + 99));
    await listener.untilReceived(from + 99);
    await forwarded.stopAndStart();
  }
  assert.deepEqual(listener.numbers, range(1, 300));
});

test('a receiver that is killed and comes back misses nothing, and gets again what may not have arrived', async () => {
  await using listener = await SyslogListener.start();
  await using forwarded = new Forwarded();
  forwarded.begin(central(listener));
  await forwarded.untilBegun();
  for (let from = 1; from <= 300; from += 100) {
    forwarded.write('web', numbered(from, from + 99));
    await listener.untilReceived(from + 99);
    await listener.down();
    await listener.up();
  }
  forwarded.write('web', numbered(301, 302));
  await listener.untilReceived(302);
  assert.deepEqual([...new Set(listener.numbers)], range(1, 302));
});

test('what a receiver took and did not read is sent again', async () => {
  await using listener = await SyslogListener.start();
  await using forwarded = new Forwarded();
  listener.isReading = false;
  forwarded.begin(central(listener));
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 5_000));
  await until('it is written', () => forwarded.counts().lines > 0);
  listener.isReading = true;
  await listener.down();
  await listener.up();
  await listener.untilReceived(5_000);
  assert.deepEqual([...new Set(listener.numbers)], range(1, 5_000));
});

test('a receiver that takes nothing any more is told, and left', async () => {
  await using listener = await SyslogListener.start();
  await using forwarded = new Forwarded();
  listener.isReading = false;
  forwarded.begin(central(listener, { timeout: '300ms' }));
  await forwarded.untilBegun();
  forwarded.write('web', `${'x'.repeat(8_000)}\n`.repeat(4_000));
  await until('it is told', () => /took nothing for 300 ms/.test(String(forwarded.failing.get('central'))));
});

test('a receiver that takes nothing keeps no agent from its end', async () => {
  await using listener = await SyslogListener.start();
  await using forwarded = new Forwarded();
  listener.isReading = false;
  forwarded.begin(central(listener, { timeout: '10m' }));
  await forwarded.untilBegun();
  forwarded.write('web', `${'x'.repeat(8_000)}\n`.repeat(4_000));
  await until('some is written', () => forwarded.counts().lines > 0);
  await forwarded.forwarding.close();
});

test('an agent that is killed sends again what it had not noted as arrived', async () => {
  await using listener = await SyslogListener.start();
  await using forwarded = new Forwarded();
  forwarded.begin(central(listener));
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 100));
  await listener.untilReceived(100);
  await forwarded.killAndStart();
  forwarded.write('web', numbered(101, 200));
  await listener.untilReceived(200);
  assert.deepEqual([...new Set(listener.numbers)], range(1, 200));
});

test('what the other host has acknowledged for a while is noted as arrived', async () => {
  await using listener = await SyslogListener.start();
  await using forwarded = new Forwarded(100);
  forwarded.begin(central(listener));
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 100));
  await listener.untilReceived(100);
  await until('all has arrived', () =>
    forwarded.cursors().some(({ service, cursor }) => service === 'web' && cursor === '1.292.0'),
  );
});

test('over TLS the name of the receiver is proven', async () => {
  await using forwarded = new Forwarded(100);
  const own = makeCertificate(forwarded.folder, 'own', ['localhost']);
  await using listener = await SyslogListener.start({
    cert: certificateText(own),
    key: readFileSync(own.key_file, 'utf8'),
  });
  const address = `localhost:${listener.port}`;
  forwarded.begin(
    central(listener, { tls: true, ca_file: own.cert_file, address }),
    central(listener, { tls: true, ca_file: own.cert_file, name: 'misnamed' }),
    central(listener, { tls: true, address, name: 'stranger' }),
  );
  for (const name of ['central', 'misnamed', 'stranger']) await forwarded.untilBegun(name);
  forwarded.write('web', numbered(1, 100));
  await listener.untilReceived(100);
  await until('the others fail', () => ['misnamed', 'stranger'].every((name) => forwarded.failing.get(name)));
  assert.match(String(forwarded.failing.get('misnamed')), /altnames|does not match/);
  assert.match(String(forwarded.failing.get('stranger')), /self.signed/);
  await until('all has arrived', () =>
    forwarded.cursors().some(({ target, cursor }) => target === 'central' && cursor === '1.292.0'),
  );
  assert.deepEqual(listener.numbers, range(1, 100));
});

test('the send queue of a connection is found by its ports', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1',
    '   1: 0100007F:9C40 0100007F:1F90 01 00001000:00000000 01:00000014 00000000     0        0 2 2',
    '   2: 0200007F:9C40 0100007F:1F90 06 00002000:00000000 01:00000014 00000000     0        0 3 2',
  ].join('\n');
  assert.equal(queuedBytes(table, 40_000, 8_080), 4_096);
  assert.equal(queuedBytes(table, 8_080, 40_000), null);
});
