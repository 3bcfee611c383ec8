import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openBackend, openFront, openRawBackend, RawClient, settings, until } from '../helpers/http_front.ts';
import { openRecordingBackend } from '../helpers/recording_backend.ts';

test('refused with 408: a head that comes too slowly (slowloris)', async (t) => {
  const backend = await openRecordingBackend(t);
  const { port, front } = await openFront(t, [backend.port], settings({}, { header_timeout: 500 }));
  const client = await RawClient.open(t, port);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n');
  const drip = setInterval(() => client.socket.write('X: 1\r\n'), 50);
  t.after(() => clearInterval(drip));
  assert.match(await client.closed(), /^HTTP\/1\.1 408 Request Timeout\r\n/);
  clearInterval(drip);
  assert.deepEqual(backend.bytes, []);
  await until(() => front.facts().connections === 0);
});

test('refused: a second head that comes too slowly, after a first one that was served', async (t) => {
  const backend = await openRecordingBackend(t);
  const { port } = await openFront(t, [backend.port], settings({}, { header_timeout: 500 }));
  const client = await RawClient.open(t, port);
  await client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n').until((text) => text.endsWith('ok'));
  client.write('GET /slow HTTP/1.1\r\nHost: a\r\n');
  await client.closed();
  assert.equal(backend.requests().length, 1);
});

test('closed: connections on which nothing is ever sent (idle flood)', async (t) => {
  const { port, front } = await openFront(t, [], settings({}, { header_timeout: 500 }));
  const clients = await Promise.all(Array.from({ length: 200 }, () => RawClient.open(t, port)));
  await until(() => front.facts().connections === 200);
  await Promise.all(clients.map((client) => client.closed()));
  await until(() => front.facts().connections === 0);
});

test('refused with 408, and never whole for the backend: a body that comes too slowly', async (t) => {
  const backend = await openRecordingBackend(t);
  const { port, service } = await openFront(t, [backend.port], settings({}, { body_timeout: 100 }));
  for (const head of ['Content-Length: 10', 'Transfer-Encoding: chunked']) {
    const client = await RawClient.open(t, port);
    client.write(`POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n3\r\nabc`);
    assert.match(await client.closed(), /^HTTP\/1\.1 408 Request Timeout\r\n.*Connection: close\r\n/s);
  }
  assert.throws(() => backend.requests());
  assert.ok(!service.facts.some(({ fact }) => fact === 'failed'), 'that is no fault of the instance');
});

test('served: a body that comes slowly, but goes on', async (t) => {
  const backend = await openRecordingBackend(t);
  const { port } = await openFront(t, [backend.port], settings({}, { body_timeout: 2_000 }));
  const client = await RawClient.open(t, port);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n');
  for (const byte of 'abcd') {
    client.write(byte);
    await until(() => backend.bytes.join('').endsWith(byte));
  }
  await client.until((text) => text.endsWith('ok'));
  assert.equal(backend.requests()[0]?.body, 'abcd');
});

test('bounded and cut off: an answer that the client does not read (slow read)', async (t) => {
  let written = 0;
  const backend = await openBackend(t, (_request, response) => {
    const chunk = Buffer.alloc(65_536);
    const pump = () => {
      do written += chunk.length;
      while (response.write(chunk));
    };
    response.on('drain', pump);
    pump();
  });
  const { port, service, front } = await openFront(t, [backend.port], settings({}, { body_timeout: 500 }));
  const client = await RawClient.open(t, port);
  client.socket.pause();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => service.open_leases === 1);
  await until(() => service.open_leases === 0 && front.facts().connections === 0);
  assert.ok(
    written < 64_000_000,
    `${written} bytes were read of the instance, the rest is in buffers of the kernel`,
  );
  assert.ok(!service.facts.some(({ fact }) => fact === 'failed'));
});

test('not cut off: an answer that the client reads slowly', async (t) => {
  const size = 12_000_000;
  const backend = await openBackend(t, (_request, response) => response.end(Buffer.alloc(size, 'x')));
  const { port } = await openFront(t, [backend.port], settings({}, { body_timeout: 300 }));
  const client = await RawClient.open(t, port);
  client.socket.pause();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  let got = 0;
  client.socket.removeAllListeners('data').on('data', (chunk) => {
    got += chunk.length;
  });
  const reading = setInterval(() => {
    client.socket.resume();
    setImmediate(() => client.socket.pause());
  }, 20);
  t.after(() => clearInterval(reading));
  await until(() => got > size || client.is_closed);
  assert.ok(got > size, `${got} of ${size} bytes`);
});

test('refused: a client that ends its side in the middle of a request', async (t) => {
  const backend = await openRecordingBackend(t);
  const { port, front } = await openFront(t, [backend.port]);
  for (const text of [
    '',
    'GET / HTTP/1.1\r\nHo',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc',
  ]) {
    const client = await RawClient.open(t, port);
    client.socket.end(text);
    assert.match(await client.closed(), /^$|^HTTP\/1\.1 400 /);
  }
  await until(() => front.facts().connections === 0);
  assert.ok(
    !backend.bytes.join('').includes('\r\n\r\nabc') ||
      backend.bytes.every((bytes) => !bytes.endsWith('abcabc')),
  );
});

test('bounded: an instance that never reads a body takes no memory here', async (t) => {
  let sent = 0;
  const deaf = await openRawBackend(t, (socket) => socket.pause());
  const { port, service } = await openFront(t, [deaf], settings({}, { body_timeout: 60_000 }));
  const client = await RawClient.open(t, port);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n');
  const chunk = Buffer.alloc(65_536);
  while (client.socket.write(chunk) || sent < 1_000_000) sent += chunk.length;
  await until(() => service.open_leases === 1);
  assert.ok(sent < 64_000_000);
  client.socket.destroy();
  await until(() => service.open_leases === 0);
});

test('whatever a client sends, and whenever it goes, nothing stays behind', async (t) => {
  const backend = await openBackend(t, (request, response) => {
    request.resume().on('end', () => response.end('x'.repeat(1_000)));
  });
  const { port, front, service, open, problems } = await openFront(t, [backend.port]);
  const pieces = fc.constantFrom(
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
    'hello',
    '5\r\nhello\r\n',
    '0\r\n\r\n',
    'Connection: close\r\n',
    '\r\n',
    '\0',
    'x'.repeat(20_000),
  );
  const play = async (sent: readonly string[], at: number) => {
    const client = await RawClient.open(t, port);
    for (const piece of sent) {
      client.write(piece);
      if (at % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (at % 2 === 0) client.socket.destroy();
    else client.socket.resetAndDestroy();
  };
  const all = fc.sample(fc.array(pieces, { maxLength: 8 }), { numRuns: 300, seed: 1 });
  await Promise.all(all.map(play));
  await until(() => front.facts().connections === 0 && open.count === 0 && service.open_leases === 0);
  assert.deepEqual(problems, []);
});
