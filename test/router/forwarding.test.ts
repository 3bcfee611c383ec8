import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Fields } from '../../src/router/fields.ts';
import { forwardedFields, originOf } from '../../src/router/forwarding.ts';

const proxies = new Set(['10.0.0.1', '10.0.0.2', '2001:db8::1']);
const isTrusted = (address: string) => proxies.has(address);
const stranger = { peer: '203.0.113.9', is_trusted: false, is_tls: false, local_port: 8080 };
const proxy = { peer: '10.0.0.1', is_trusted: true, is_tls: false, local_port: 8080 };

const lies = [
  'X-Forwarded-For',
  '198.51.100.1',
  'X-Forwarded-Proto',
  'https',
  'X-Forwarded-Host',
  'evil.example',
  'X-Forwarded-Port',
  '1',
  'Forwarded',
  'for=198.51.100.1;proto=https;host=evil.example',
  'X-Real-IP',
  '198.51.100.1',
  'X-Forwarded-Prefix',
  '/evil',
  'X_Forwarded_For',
  '198.51.100.1',
  'X_REAL-IP',
  '198.51.100.1',
];

function valuesIn(fields: Fields, wanted: RegExp): Record<string, string> {
  const found: Record<string, string> = {};
  for (let at = 0; at < fields.length; at += 2)
    if (wanted.test(fields[at] as string)) found[fields[at] as string] = fields[at + 1] as string;
  return found;
}

test('nothing that a stranger says of where he comes from is believed or passed on', () => {
  const origin = originOf(lies, stranger, 'example.org:8080', isTrusted);
  assert.deepEqual(origin, {
    client: '203.0.113.9',
    chain: ['203.0.113.9'],
    proto: 'http',
    host: 'example.org:8080',
    port: 8080,
  });
  assert.deepEqual(valuesIn(forwardedFields(lies, origin, 'example.org:8080', false), /./), {
    Host: 'example.org:8080',
    'X-Forwarded-For': '203.0.113.9',
    'X-Forwarded-Proto': 'http',
    'X-Forwarded-Port': '8080',
    'X-Forwarded-Host': 'example.org:8080',
    Forwarded: 'for=203.0.113.9;host="example.org:8080";proto=http',
  });
});

test('a trusted proxy is believed, but for addresses only up to the first that is no trusted proxy', () => {
  const said = [
    'X-Forwarded-For',
    '192.0.2.66, 198.51.100.7:4711, 10.0.0.2',
    'X-Forwarded-Proto',
    'HTTPS',
    'X-Forwarded-Host',
    'shop.example',
    'X-Forwarded-Port',
    '443',
    'X-Forwarded-Prefix',
    '/shop',
  ];
  const origin = originOf(said, proxy, 'inner', isTrusted);
  assert.deepEqual(origin, {
    client: '198.51.100.7',
    chain: ['198.51.100.7', '10.0.0.2', '10.0.0.1'],
    proto: 'https',
    host: 'shop.example',
    port: 443,
  });
  assert.deepEqual(valuesIn(forwardedFields(said, origin, 'inner', true), /./), {
    Host: 'inner',
    'X-Forwarded-For': '198.51.100.7, 10.0.0.2, 10.0.0.1',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Port': '443',
    'X-Forwarded-Host': 'shop.example',
    'X-Forwarded-Prefix': '/shop',
    Forwarded: 'for=198.51.100.7;host=shop.example;proto=https, for=10.0.0.2, for=10.0.0.1',
  });
});

test('Forwarded counts where a trusted proxy writes only that', () => {
  const said = ['Forwarded', 'for=evil, For="[2001:DB8::5]:80";Proto=https', 'Forwarded', 'for=10.0.0.2'];
  const { client, chain, proto } = originOf(said, proxy, 'a', isTrusted);
  assert.deepEqual([client, chain], ['2001:db8::5', ['2001:db8::5', '10.0.0.2', '10.0.0.1']]);
  assert.equal(proto, 'http', 'the nearest proxy does not say that it was https');
  const beside = [...said, 'X-Forwarded-For', '192.0.2.1'];
  assert.equal(originOf(beside, proxy, 'a', isTrusted).client, '192.0.2.1', 'X-Forwarded-For comes first');
});

test('what is no address ends what is believed', () => {
  for (const junk of ['unknown', '_hidden', '', '1.2.3', '<script>', '1.2.3.4.5', '10.0.0.2.evil.example']) {
    const { client, chain } = originOf(['X-Forwarded-For', `192.0.2.1, ${junk}`], proxy, 'a', isTrusted);
    assert.deepEqual([client, chain], ['10.0.0.1', ['10.0.0.1']], junk);
  }
});

test('what a trusted proxy says in a form that it must not have does not count', () => {
  const said = ['X-Forwarded-Proto', 'javascript', 'X-Forwarded-Host', 'a b"c', 'X-Forwarded-Port', '80; x'];
  const { proto, host, port } = originOf(said, { ...proxy, is_tls: true }, 'real', isTrusted);
  assert.deepEqual([proto, host, port], ['https', 'real', 8080]);
});

test('an IPv6 address is written as each form wants it', () => {
  const origin = originOf([], { ...stranger, peer: '2001:db8::7', is_tls: true }, '[::1]:1', isTrusted);
  const fields = valuesIn(forwardedFields([], origin, '[::1]:1', false), /^(X-Forwarded-For|Forwarded)$/);
  assert.deepEqual(fields, {
    'X-Forwarded-For': '2001:db8::7',
    Forwarded: 'for="[2001:db8::7]";host="[::1]:1";proto=https',
  });
});

test('fields of this hop are dropped, also those that Connection names, and all others stay as they came', () => {
  const said = [
    'Accept',
    'a',
    'ConNection',
    'x-one , X-Two,close',
    'X-One',
    '1',
    'x-two',
    '2',
    'Accept',
    'b',
    'Expect',
    'x',
  ];
  const hop = ['Keep-Alive', 'Proxy-Authorization', 'Proxy-Connection', 'TE', 'Transfer-Encoding', 'Upgrade'];
  const all = [...said, ...hop.flatMap((name) => [name, 'x'])];
  const origin = originOf(all, stranger, '', isTrusted);
  assert.deepEqual(forwardedFields(all, origin, 'h', false).slice(0, 6), [
    'Accept',
    'a',
    'Accept',
    'b',
    'Host',
    'h',
  ]);
});

for (const [said, passed] of [
  ['a=1; davit_session_0a1b2c3d=secret; b=2', 'a=1; b=2'],
  ['davit_session_0a1b2c3d=secret; b=2', 'b=2'],
  ['__Host-davit_session_0a1b2c3d=secret', undefined],
  ['a=1;__Host-davit_session_00000000=x;davit_session_1=y', 'a=1'],
  ['my_davit_session_=1; a="davit_session_x"', 'my_davit_session_=1; a="davit_session_x"'],
] as const) {
  test(`of the cookies ${said} a service gets ${passed ?? 'none'}`, () => {
    const fields = ['cookie', said, 'X-Text', 'davit_session_'];
    const origin = originOf(fields, stranger, 'h', isTrusted);
    const kept = valuesIn(forwardedFields(fields, origin, 'h', false), /^(cookie|X-Text)$/);
    assert.deepEqual(kept, { ...(passed !== undefined && { cookie: passed }), 'X-Text': 'davit_session_' });
  });
}

test('Connection cannot take away what the router itself says, nor how long the body is', () => {
  const said = ['Connection', 'X-Forwarded-For, Host, Content-Length, Forwarded', 'Content-Length', '3'];
  const origin = originOf(said, stranger, 'h', isTrusted);
  const fields = forwardedFields(said, origin, 'h', false);
  assert.equal(valuesIn(fields, /^X-Forwarded-For$/)['X-Forwarded-For'], '203.0.113.9');
  assert.equal(valuesIn(fields, /^Content-Length$/)['Content-Length'], '3');
});

test('whatever a stranger sends, the client is his address and the fields say so once', () => {
  const name = fc.constantFrom(
    'X-Forwarded-For',
    'x-forwarded-for',
    'Forwarded',
    'X_Forwarded-For',
    'Connection',
    'X-Real-Ip',
  );
  const value = fc.constantFrom('10.0.0.1', 'for=10.0.0.1', 'X-Forwarded-For', '203.0.113.9', 'close', '');
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value)), (pairs) => {
      const fields = pairs.flat();
      const origin = originOf(fields, stranger, 'h', isTrusted);
      assert.equal(origin.client, '203.0.113.9');
      const sent = forwardedFields(fields, origin, 'h', false);
      const told = sent.filter(
        (_, at) => at % 2 === 0 && /^(x.forwarded.for|forwarded|x.real.ip)$/i.test(sent[at] as string),
      );
      assert.deepEqual(told, ['X-Forwarded-For', 'Forwarded']);
    }),
  );
});
