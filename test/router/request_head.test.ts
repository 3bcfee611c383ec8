import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import fc from 'fast-check';
import { readHttp1Head, readHttp2Head } from '../../src/router/request_head.ts';

function http1(url: string, rawHeaders: string[] = ['Host', 'a'], httpVersion = '1.1', method = 'GET') {
  return readHttp1Head({ method, url, rawHeaders, httpVersion } as IncomingMessage);
}

/** The status of a refusal, or null. */
function refusal(head: ReturnType<typeof readHttp1Head>): number | null {
  return 'message' in head ? head.status : null;
}

test('a host is read without port and final dot, in lower case', () => {
  const hosts = {
    'Example.ORG': 'example.org',
    'example.org.:8080': 'example.org',
    'example.org:': 'example.org',
    '[2001:DB8::1]:443': '[2001:db8::1]',
    '127.0.0.1': '127.0.0.1',
    a_b: 'a_b',
  };
  for (const [given, host] of Object.entries(hosts)) {
    const head = http1('/', ['Host', given]);
    assert.ok('host' in head, given);
    assert.deepEqual([head.host, head.authority], [host, given]);
  }
});

test('what is no host is refused', () => {
  const wrong = [
    '',
    '.',
    'a..b',
    '.a',
    'a b',
    'a,b',
    'a/b',
    'a?b',
    'a#b',
    'u@a',
    'a:x',
    'a:65536',
    'a:1:2',
    '::1',
    '[::1',
    'a%2e',
    'ä',
    'a\\b',
    `${'a'.repeat(300)}`,
  ];
  for (const host of wrong) assert.equal(refusal(http1('/', ['Host', host])), 400, host);
  assert.equal(refusal(http1('/', ['Host', 'a', 'host', 'a'])), 400);
  assert.equal(refusal(http1('/', [])), 400);
});

test('an HTTP/1.0 request may name no host, and no other version is known', () => {
  const head = http1('/', [], '1.0');
  assert.ok('host' in head);
  assert.deepEqual([head.host, head.authority], ['', '']);
  assert.equal(refusal(http1('/', ['Host', 'a'], '2.0')), 505);
});

test('a target in absolute form wins over the Host header', () => {
  const targets = {
    'http://B:81/x?y': ['b', '/x', 'y'],
    'HTTPS://b': ['b', '/', ''],
    'http://b?y': ['b', '/', 'y'],
    'http://b/http://c/': ['b', '/http://c/', ''],
  };
  for (const [target, expected] of Object.entries(targets)) {
    const head = http1(target);
    assert.ok('host' in head, target);
    assert.deepEqual([head.host, head.path, head.query], expected);
  }
  for (const target of ['ftp://b/', 'http:///x', 'http://u@b/', '//', 'b/', '*', ''])
    assert.equal(refusal(http1(target)), target === '//' ? null : 400, target);
});

test('the path has no dot segments, and what follows the first question mark is the query', () => {
  const head = http1('/a/./b/../c?x=/../y?z');
  assert.ok('path' in head);
  assert.deepEqual([head.path, head.query], ['/a/c', 'x=/../y?z']);
  const star = http1('*', ['Host', 'a'], '1.1', 'OPTIONS');
  assert.ok('path' in star);
  assert.equal(star.path, '*');
});

test('the host of HTTP/2 is :authority, with which Host must agree', () => {
  const pseudo = { ':method': 'GET', ':path': '/', ':scheme': 'https' };
  const read = (authority: string | undefined, fields: string[]) =>
    readHttp2Head({ ...pseudo, ...(authority !== undefined && { ':authority': authority }) }, [
      ':method',
      'GET',
      ...fields,
    ]);
  const head = read('a:443', ['host', 'A:443', 'cookie', 'x=1', 'accept', '*/*', 'cookie', 'y=2']);
  assert.ok('host' in head);
  assert.deepEqual(head.fields, ['host', 'A:443', 'accept', '*/*', 'cookie', 'x=1; y=2']);
  assert.equal(refusal(read('a', ['host', 'b'])), 400);
  assert.equal(refusal(read(undefined, [])), 400);
  assert.equal(refusal(read(undefined, ['host', 'a'])), null);
  assert.equal(refusal(readHttp2Head({ ':method': 'CONNECT', ':authority': 'a:1' }, [])), 405);
});

test('whatever target and fields there are, the head is refused or safe to write', () => {
  const text = fc.string({
    unit: fc.constantFrom('/', '.', '%2e', '\\', 'a', ':', '@', '?', '#', ' ', '\r\n', '\0', 'http://', 'é'),
  });
  const name = fc.constantFrom('Host', 'Content-Length', 'Transfer-Encoding', 'X');
  fc.assert(
    fc.property(text, fc.array(fc.tuple(name, text)), (target, pairs) => {
      const head = http1(target, ['Host', 'a', ...pairs.flat()]);
      if ('message' in head) return;
      assert.match(head.path, /^\/[!-~]*$|^\*$/);
      assert.match(head.query, /^[\x21-\x7e\x80-\xff]*$/);
      assert.ok(!/(^|\/)\.\.(\/|$)/.test(head.path));
      assert.equal(head.authority, target.startsWith('http://') ? head.authority : 'a');
    }),
  );
});
