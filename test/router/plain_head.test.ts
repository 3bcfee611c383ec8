import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findHeader, type PlainHead, plainHost, readPlainHead } from '../../src/router/plain_head.ts';

function read(text: string): PlainHead | 'incomplete' | 'not_plain' {
  return readPlainHead(Buffer.from(text, 'latin1'), 0);
}

function plain(text: string): PlainHead {
  const head = read(text);
  assert.ok(typeof head === 'object', `${JSON.stringify(text)} is ${head}`);
  return head;
}

const withField = (line: string) => `GET / HTTP/1.1\r\nHost: a.test\r\n${line}\r\n\r\n`;

test('a plain head is taken apart, and its lines are kept as they came', () => {
  const text =
    'GET /a/b?x=1&y HTTP/1.1\r\nHost: Shop.test:8080\r\nUser-Agent: curl/8\r\nConnection: Keep-Alive\r\nAccept: */*\r\n\r\n';
  const { bytes, lines_start, lines_end, ...head } = plain(`${text}GET`);
  assert.deepEqual(head, {
    method: 'GET',
    target: '/a/b?x=1&y',
    path: '/a/b',
    query: 'x=1&y',
    authority: 'Shop.test:8080',
    closes: false,
    lines: 'User-Agent: curl/8\r\nAccept: */*\r\n',
    proxy_lines: '',
    length: text.length,
  });
  assert.equal(
    bytes.toString('latin1', lines_start, lines_end),
    text.slice('GET /a/b?x=1&y HTTP/1.1\r\n'.length, -2),
  );
});

test('a head with a session of the console is not plain: no service is to get it', () => {
  assert.equal(read(withField('Cookie: a=1; davit_session_0a1b2c3d=secret')), 'not_plain');
  assert.equal(read(withField('cookie: __Host-davit_session_0a1b2c3d=secret')), 'not_plain');
});

test('it may begin anywhere among the bytes', () => {
  const text = 'HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
  const head = readPlainHead(Buffer.from(`before${text}`, 'latin1'), 6);
  assert.ok(typeof head === 'object');
  assert.deepEqual([head.method, head.closes, head.length], ['HEAD', true, text.length]);
});

test('what tells of proxies is kept apart', () => {
  const lines =
    'X-Forwarded-For: 1.2.3.4\r\nX-FORWARDED-Something: x\r\nForwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4';
  const head = plain(`GET / HTTP/1.1\r\nA: 1\r\n${lines}\r\nHost: a\r\nB: 2\r\n\r\n`);
  assert.deepEqual([head.lines, head.proxy_lines], ['A: 1\r\nB: 2\r\n', `${lines}\r\n`]);
});

test('a head is incomplete for as long as it may become plain', () => {
  const text = 'GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n';
  for (let length = 1; length < text.length; length++)
    assert.equal(read(text.slice(0, length)), 'incomplete', text.slice(0, length));
  for (const start of [
    'P',
    'GEt',
    'GET  ',
    'GET h',
    '\r\n',
    '\x16\x03\x01',
    'PRI * HTTP/2.0',
    'HEAD  ',
    'get /',
  ])
    assert.equal(read(start), 'not_plain', start);
});

for (const [what, line] of [
  ['a second Host', 'Host: a.test'],
  ['a length', 'Content-Length: 0'],
  ['a transfer coding', 'Transfer-Encoding: chunked'],
  ['a transfer coding in odd letters', 'tRANSFER-eNCODING: chunked'],
  ['an expectation', 'Expect: 100-continue'],
  ['an upgrade', 'Upgrade: websocket'],
  ['trailers that are asked for', 'TE: trailers'],
  ['trailers', 'Trailer: X'],
  ['Keep-Alive', 'Keep-Alive: timeout=5'],
  ['a header about the connection to a proxy', 'Proxy-Connection: keep-alive'],
  ['a word about the authentication at a proxy', 'Proxy-Authentication-Info: x'],
  ['settings of HTTP/2', 'HTTP2-Settings: AAMAAABkAAQAAP__'],
  ['another option of the connection', 'Connection: upgrade'],
  ['several options of the connection', 'Connection: keep-alive, X-Secret'],
  ['two Connection lines', 'Connection: close\r\nConnection: close'],
  ['no space after the colon', 'A:b'],
  ['two spaces after the colon', 'A:  b'],
  ['a space before the colon', 'A : b'],
  ['a space at the end', 'A: b '],
  ['a tab', 'A: b\tc'],
  ['no value', 'A: '],
  ['no name', ': b'],
  ['no colon', 'A'],
  ['a line that goes on', 'A: b\r\n c'],
  ['a line feed alone', 'A: b\nC: d'],
  ['a carriage return alone', 'A: b\rC: d'],
  ['a null', 'A: b\0c'],
  ['a letter beyond ASCII', 'A: \xe9'],
  ['an underscore in a name', 'X_Forwarded_For: 1.2.3.4'],
  ['a dot in a name', 'A.B: c'],
  ['a space in a name', 'A B: c'],
] as const)
  test(`a head with ${what} is not plain`, () => assert.equal(read(withField(line)), 'not_plain'));

for (const line of [
  'GET  / HTTP/1.1',
  'GET / HTTP/1.0',
  'GET / HTTP/1.2',
  'GET / HTTP/2.0',
  'GET / http/1.1',
  'GET / HTTP/1.1 ',
  'GET /',
  'GET /a b HTTP/1.1',
  'GET /a#b HTTP/1.1',
  'GET /a? HTTP/1.1',
  'GET /\xe9 HTTP/1.1',
  'GET /a\\b HTTP/1.1',
  'GET /a"b HTTP/1.1',
  'GET /a/../b HTTP/1.1',
  'GET /a/. HTTP/1.1',
  'GET /a/%2e%2e/b HTTP/1.1',
  'GET /a%2fb HTTP/1.1',
  'GET /a%00 HTTP/1.1',
  'GET /%zz HTTP/1.1',
  'GET http://a.test/ HTTP/1.1',
  'GET * HTTP/1.1',
  'GET\t/ HTTP/1.1',
  'get / HTTP/1.1',
  'GET / HTTP/1.1\n',
])
  test(`${JSON.stringify(line)} is no plain request line`, () =>
    assert.equal(read(`${line}\r\nHost: a.test\r\n\r\n`), 'not_plain'));

test('a request without Host is not plain', () => {
  assert.equal(read('GET / HTTP/1.1\r\n\r\n'), 'not_plain');
  assert.equal(read('GET / HTTP/1.1\r\nA: b\r\n\r\n'), 'not_plain');
});

test('paths that everybody reads in the same way are plain', () => {
  for (const path of ['/', '//', '/.well-known/x', '/a%20b', '/a;b', '/a..b', '/%C3%BC', '/[x]'])
    assert.equal(plain(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).path, path);
});

test('the host of an authority', () => {
  const hosts = {
    'Shop.Test': 'shop.test',
    'shop.test.:80': 'shop.test',
    my_service: 'my_service',
    '10.0.0.1:65535': '10.0.0.1',
    '[::1]:8080': '[::1]',
    '[2001:DB8::1]': '[2001:db8::1]',
    'a.test:65536': null,
    'a.test:': null,
    'a.test:80:80': null,
    'a..test': null,
    '.test': null,
    '[::1].': null,
    '[::1': null,
    'user@a.test': null,
    'a.test/x': null,
    'a,b': null,
    ['a'.repeat(256)]: null,
  };
  for (const [authority, host] of Object.entries(hosts)) assert.equal(plainHost(authority), host, authority);
});

test('headers are found among lines by their name, whatever its letters, and joined where there are several', () => {
  const lines = 'Accept: a\r\nX-Accept: b\r\nCookie: c=1\r\nACCEPT: d\r\ncookie: e=2\r\nXAccept: f\r\n';
  assert.equal(findHeader(lines, 'accept'), 'a, d');
  assert.equal(findHeader(lines, 'cookie'), 'c=1; e=2');
  assert.equal(findHeader(lines, 'x-accept'), 'b');
  assert.equal(findHeader(lines, 'ccept'), undefined);
  assert.equal(findHeader('', 'accept'), undefined);
});

test('whatever the bytes are, what is plain is made of them line by line', () => {
  const word = fc.constantFrom(
    'GET',
    'HEAD',
    ' ',
    '/',
    'HTTP/1.1',
    '\r\n',
    '\r',
    '\n',
    ':',
    ': ',
    'Host',
    'a',
    '\0',
    '\xff',
    '\t',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 40 }), (words) => {
      const text = `GET / HTTP/1.1\r\nHost: a\r\n${words.join('')}\r\n\r\n`;
      const head = read(text);
      if (typeof head === 'string') return;
      const own = text.slice(0, head.length);
      assert.match(own, /^(GET|HEAD) \/\S* HTTP\/1\.1\r\n(?:[A-Za-z0-9-]+: [ -~]+\r\n)+\r\n$/);
      assert.equal(own.match(/^Host: /gim)?.length, 1);
    }),
    { numRuns: 2_000 },
  );
});
