import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission, networkOf } from '../../src/router/admission.ts';
import { openBackend, openFront, RawClient, settings, until } from '../helpers/http_front.ts';
import { openRecordingBackend } from '../helpers/recording_backend.ts';

const plain = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

test('no more connections are let in than may be open, and one that ends makes room', () => {
  const admission = new Admission();
  admission.limits = { connections: 2, connections_per_address: 10 };
  const leave = admission.enter();
  assert.ok(leave && admission.enter());
  assert.equal(admission.enter(), null);
  assert.deepEqual([admission.open, admission.refused], [2, 1]);
  leave();
  assert.ok(admission.enter());
});

test('an address, or one /64 of IPv6, has no more connections than it may', () => {
  const admission = new Admission();
  admission.limits = { connections: 100, connections_per_address: 1 };
  const leave = admission.enterFrom('2001:db8::1');
  assert.equal(admission.enterFrom('2001:db8::2:3:4:5'), null);
  assert.ok(admission.enterFrom('2001:db8:0:1::1'));
  assert.ok(admission.enterFrom('192.0.2.1'));
  assert.equal(admission.enterFrom('192.0.2.1'), null);
  leave?.();
  assert.ok(admission.enterFrom('2001:db8::2:3:4:5'));
});

test('the /64 of an address is that of its first four groups', () => {
  const networks = {
    '192.0.2.1': '192.0.2.1',
    '::1': '0:0:0:0::/64',
    '::': '0:0:0:0::/64',
    '2001:db8::': '2001:db8:0:0::/64',
    '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
    '2001:db8:1::5:6': '2001:db8:1:0::/64',
    '2001:db8:1:2:3::': '2001:db8:1:2::/64',
    '1::2:3:4:5:6:7': '1:0:2:3::/64',
  };
  for (const [address, network] of Object.entries(networks))
    assert.equal(networkOf(address), network, address);
});

test('a connection above the limit is answered with 503 and closed, and costs no instance anything', async (t) => {
  const backend = await openRecordingBackend(t);
  for (const limits of [{ connections: 2 }, { connections_per_address: 2 }]) {
    const { port, front } = await openFront(t, [backend.port], settings({}, limits));
    const kept = [await RawClient.open(t, port), await RawClient.open(t, port)];
    await until(() => front.facts().connections === 2);
    const above = await RawClient.open(t, port);
    const text = await above.closed();
    assert.match(text, /^HTTP\/1\.1 503 Service Unavailable\r\nConnection: close\r\n/);
    assert.match(text, /\r\nRetry-After: 5\r\n/);
    assert.equal(front.facts().refused, 1);
    kept[0]?.socket.destroy();
    await until(() => front.facts().connections === 1);
    const next = await RawClient.open(t, port);
    await next.write(plain).until((answer) => answer.endsWith('ok'));
  }
});

test('the connections of a trusted proxy are those of many clients', async (t) => {
  const given = settings({ trusted_proxies: ['127.0.0.1'] }, { connections_per_address: 1 });
  const { port, front } = await openFront(t, [], given);
  await Promise.all([RawClient.open(t, port), RawClient.open(t, port), RawClient.open(t, port)]);
  await until(() => front.facts().connections === 3);
  assert.equal(front.facts().refused, 0);
});

test('limits that are set anew hold for what comes from then on', async (t) => {
  const backend = await openBackend(t, (_request, response) => response.end('ok'));
  const { port, front } = await openFront(t, [backend.port]);
  const client = await RawClient.open(t, port);
  const large = `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(4_000)}\r\n\r\n`;
  await client.write(large).until((text) => text.endsWith('ok'));
  const listeners = [{ address: '127.0.0.1:0', tls: false, proxy_protocol: false }];
  await front.apply(settings({ listeners }, { header_size: 2_000, connections: 2 }));
  assert.deepEqual(front.facts().listening, [`127.0.0.1:${port}`]);
  const other = await RawClient.open(t, port);
  assert.match(await other.write(large).closed(), /^HTTP\/1\.1 431 /);
});

test('a head that is larger than may be is refused, wherever it is large', async (t) => {
  const backend = await openRecordingBackend(t);
  const { port } = await openFront(t, [backend.port], settings({}, { header_size: 4_096 }));
  const heads = [
    `GET /${'x'.repeat(5_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(5_000)}\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: a\r\n${'x'.repeat(5_000)}: 1\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: a\r\n${'X: 1\r\n'.repeat(1_000)}\r\n`,
  ];
  for (const head of heads) {
    const client = await RawClient.open(t, port);
    assert.match(await client.write(head).closed(), /^HTTP\/1\.1 431 /);
  }
  assert.deepEqual(backend.bytes, []);
});

test('no field of a request is left out, however many there are', async (t) => {
  const backend = await openRecordingBackend(t);
  const { port } = await openFront(t, [backend.port], settings({}, { header_size: 60_000 }));
  const client = await RawClient.open(t, port);
  const many = Array.from({ length: 3_000 }, (_, at) => `X-${at}: 1\r\n`).join('');
  await client.write(`GET / HTTP/1.1\r\nHost: a\r\n${many}\r\n`).until((text) => text.endsWith('ok'));
  assert.equal(backend.requests()[0]?.headers.filter((header) => header.startsWith('X-')).length, 3_000 + 4);
});

test('trailers and chunk extensions of a request are bounded too', async (t) => {
  const backend = await openRecordingBackend(t);
  const { port } = await openFront(t, [backend.port]);
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  for (const rest of [
    `2;${'x'.repeat(40_000)}\r\nab\r\n0\r\n\r\n`,
    `0\r\n${'X: 1\r\n'.repeat(10_000)}\r\n`,
  ]) {
    const client = await RawClient.open(t, port);
    assert.match(await client.write(head + rest).closed(), /^$|^HTTP\/1\.1 4(13|31|00) /);
  }
});

test('a client that sends requests without end, and reads no answer, is cut off', async (t) => {
  const backend = await openRecordingBackend(t);
  const { port, service } = await openFront(t, [backend.port]);
  const client = await RawClient.open(t, port);
  await client.write(plain.repeat(5_000)).closed();
  await until(() => service.open_leases === 0);
  assert.ok(backend.requests().length < 200);
});

test('a connection that rests is closed after a while', async (t) => {
  const backend = await openRecordingBackend(t);
  const { port } = await openFront(t, [backend.port], settings({}, { idle_timeout: 50 }));
  const client = await RawClient.open(t, port);
  await client.write(plain).until((text) => text.endsWith('ok'));
  await client.closed();
});
