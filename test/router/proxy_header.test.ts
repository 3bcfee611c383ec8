import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readProxyHeader } from '../../src/router/proxy_header.ts';

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** @param command 1: PROXY, 0: LOCAL */
function version2(family: number, rest: Buffer, command = 1): Buffer {
  const head = Buffer.from([0x20 | command, family, rest.length >> 8, rest.length & 255]);
  return Buffer.concat([signature, head, rest]);
}

const ports = Buffer.from([0x12, 0x34, 0x01, 0xbb]);
const ipv4 = Buffer.concat([Buffer.from([192, 0, 2, 7, 198, 51, 100, 1]), ports]);
const ipv6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000007', 'hex'),
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  ports,
]);

test('version 1 says where a connection comes from', () => {
  const line = 'PROXY TCP4 192.0.2.7 198.51.100.1 4660 443\r\n';
  assert.deepEqual(readProxyHeader(Buffer.from(`${line}GET / HTTP/1.1\r\n`)), {
    length: line.length,
    source: { address: '192.0.2.7', port: 4660 },
    port: 443,
  });
  const other = 'PROXY TCP6 2001:DB8:0::7 2001:db8::1 4660 443\r\n';
  assert.deepEqual(readProxyHeader(Buffer.from(other)), {
    length: other.length,
    source: { address: '2001:db8::7', port: 4660 },
    port: 443,
  });
});

test('version 1 may say that it does not know', () => {
  for (const line of ['PROXY UNKNOWN\r\n', 'PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n'])
    assert.deepEqual(readProxyHeader(Buffer.from(line)), { length: line.length, source: null, port: null });
});

test('version 2 says where a connection comes from, with whatever a proxy adds', () => {
  const expected = { source: { address: '192.0.2.7', port: 4660 }, port: 443 };
  assert.deepEqual(readProxyHeader(version2(0x11, ipv4)), { length: 28, ...expected });
  const added = Buffer.concat([ipv4, Buffer.from([3, 0, 4, 1, 2, 3, 4])]);
  assert.deepEqual(readProxyHeader(Buffer.concat([version2(0x11, added), Buffer.from('rest')])), {
    length: 35,
    ...expected,
  });
  assert.deepEqual(readProxyHeader(version2(0x21, ipv6)), {
    length: 52,
    source: { address: '2001:db8::7', port: 4660 },
    port: 443,
  });
});

test('an IPv4 address as IPv6 is the IPv4 address', () => {
  const mapped = Buffer.concat([Buffer.from(`${'0'.repeat(20)}ffffc0000207`.repeat(2), 'hex'), ports]);
  const header = readProxyHeader(version2(0x21, mapped));
  assert.ok(typeof header === 'object');
  assert.equal(header.source?.address, '192.0.2.7');
});

test('a check of the proxy itself, another transport and a unix socket come from the proxy', () => {
  const own = { source: null, port: null };
  assert.deepEqual(readProxyHeader(version2(0x00, Buffer.alloc(0), 0)), { length: 16, ...own });
  assert.deepEqual(readProxyHeader(version2(0x11, ipv4, 0)), { length: 28, ...own });
  for (const family of [0x00, 0x12, 0x22])
    assert.deepEqual(readProxyHeader(version2(family, ipv6)), { length: 52, ...own });
  assert.deepEqual(readProxyHeader(version2(0x31, Buffer.alloc(216))), { length: 232, ...own });
});

test('what is no header is known as soon as it can be', () => {
  const wrong = [
    'GET / HTTP/1.1\r\n',
    'proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n',
    'PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 1 2 \r\n',
    'PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n',
    'PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n',
    'PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n',
    'PROXY TCP4 192.0.2.7 example.org 1 2\r\n',
    'PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n\r\n',
    `PROXY UNKNOWN ${'x'.repeat(107)}`,
    'PROXZ',
    '\r\n\r\n\0\r\nQUIX',
    'x',
  ];
  for (const text of wrong) assert.equal(readProxyHeader(Buffer.from(text, 'latin1')), 'malformed', text);
  const short = version2(0x11, ipv4.subarray(0, 8));
  const otherVersion = Buffer.concat([signature, Buffer.from([0x11, 0x11, 0, 12]), ipv4]);
  const otherCommand = Buffer.concat([signature, Buffer.from([0x22, 0x11, 0, 12]), ipv4]);
  const tooLong = Buffer.concat([signature, Buffer.from([0x21, 0x11, 0xff, 0xff])]);
  for (const bytes of [short, otherVersion, otherCommand, tooLong])
    assert.equal(readProxyHeader(bytes), 'malformed');
});

test('every beginning of a header is incomplete, and nothing behind it counts', () => {
  const headers = [
    Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 4660 443\r\n'),
    version2(0x11, ipv4),
    version2(0x21, ipv6),
  ];
  for (const header of headers) {
    for (let length = 0; length < header.length; length += 1)
      assert.equal(
        readProxyHeader(header.subarray(0, length)),
        'incomplete',
        `${length} of ${header.length}`,
      );
    const whole = readProxyHeader(header);
    assert.deepEqual(readProxyHeader(Buffer.concat([header, header])), whole);
  }
});

test('no bytes make it fail', () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(bytes, fc.constantFrom(signature, Buffer.from('PROXY '), Buffer.alloc(0)), (rest, start) => {
      const input = Buffer.concat([start, rest]);
      const header = readProxyHeader(input);
      if (typeof header === 'object') assert.ok(header.length <= input.length);
    }),
  );
});
