import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { asAddress, isWithin, matchPath, withoutDots, withPrefix } from '../../src/routing/path.ts';

const same = [
  '/',
  '/a',
  '/a/',
  '/a/b.c',
  '/admin',
  '/~me/@x:y',
  "/a!$&'()*+,=b",
  '/.well-known/x',
  '/a.b./c..d',
  '/...',
];
for (const path of same)
  test(`${path} is matched as it is`, () => {
    assert.equal(matchPath(path), path);
  });

const normal: [raw: string, path: string][] = [
  ['/%61dmin', '/admin'],
  ['/%41', '/A'],
  ['/x/../admin', '/admin'],
  ['/x/%2e%2e/admin', '/admin'],
  ['/x/.%2E/admin', '/admin'],
  ['/./admin', '/admin'],
  ['/admin/.', '/admin/'],
  ['/admin/x/..', '/admin/'],
  ['//admin', '/admin'],
  ['///', '/'],
  ['//', '/'],
  ['/admin//', '/admin/'],
  ['/a//b', '/a/b'],
  ['/.', '/'],
  ['/a/..', '/'],
  ['/admin;x=1', '/admin'],
  ['/admin;/x', '/admin/x'],
  ['/;x/admin', '/admin'],
  ['/a;b/../admin', '/admin'],
  ['/caf%C3%A9', '/café'],
  ['/a%20b', '/a b'],
  ['/100%25', '/100%'],
  ['/a%3Bb', '/a;b'],
  ['/a%3Fb', '/a?b'],
  ['/a"<>^`{|}', '/a"<>^`{|}'],
];
for (const [raw, path] of normal)
  test(`${raw} is matched as ${path}`, () => {
    assert.equal(matchPath(raw), path);
  });

const ambiguous: [raw: string, why: string][] = [
  ['', 'is no path'],
  ['*', 'is no path'],
  ['admin', 'does not begin with a slash'],
  ['/..', 'climbs above the root'],
  ['/../admin', 'climbs above the root'],
  ['/a/../../admin', 'climbs above the root'],
  ['/a/%2e%2e/%2e%2e/admin', 'climbs above the root'],
  ['//..', 'climbs from an empty segment'],
  ['/admin//../x', 'climbs from an empty segment'],
  ['/admin/;x/../x', 'climbs from an empty segment'],
  ['/x%2fadmin', 'holds an encoded slash'],
  ['/x%2Fadmin', 'holds an encoded slash'],
  ['/..%2fadmin', 'holds an encoded slash'],
  ['/x%5cadmin', 'holds an encoded backslash'],
  ['/x\\..\\admin', 'holds a backslash'],
  ['/admin%00', 'holds an encoded NUL'],
  ['/admin%0d%0ax', 'holds an encoded line end'],
  ['/admin%7f', 'holds an encoded control character'],
  ['/x/..;/admin', 'climbs with parameters'],
  ['/x/..;a=1/admin', 'climbs with parameters'],
  ['/x/%2e%2e;/admin', 'climbs with parameters'],
  ['/x/..%3b/admin', 'climbs with encoded parameters'],
  ['/x/.;/admin', 'has a dot segment with parameters'],
  ['/%', 'is badly encoded'],
  ['/%4', 'is badly encoded'],
  ['/%zz', 'is badly encoded'],
  ['/%u0061dmin', 'is badly encoded'],
  ['/%c0%af', 'holds an overlong encoding'],
  ['/%c0%ae%c0%ae/admin', 'holds an overlong encoding'],
  ['/caf%e9', 'is no UTF-8'],
  ['/%ed%a0%80', 'is no UTF-8'],
  ['/café', 'is not ASCII'],
  ['/a b', 'holds a space'],
  ['/admin#x', 'holds a fragment'],
  ['/admin?x', 'holds a query'],
  ['/admin\t', 'holds a control character'],
  ['/admin\0', 'holds NUL'],
  ['/admin\r\n', 'holds a line end'],
];
for (const [raw, why] of ambiguous)
  test(`${JSON.stringify(raw)} is refused because it ${why}`, () => {
    assert.equal(matchPath(raw), null);
  });

const segment = fc.constantFrom(
  '',
  '.',
  '..',
  'a',
  'admin',
  '%61dmin',
  '%2e',
  '%2E%2e',
  '.%2e',
  ';',
  'a;b',
  '..;',
  '%2f',
  '%5c',
  '%25',
  '%',
  '%ff',
  '...',
  '..a',
  '%C3%A9',
  '.a',
);
const rawPath = fc.array(segment, { maxLength: 8 }).map((segments) => `/${segments.join('/')}`);

test('a path by which is matched begins with a slash, and holds no dot segment, empty segment or control character', () => {
  fc.assert(
    fc.property(fc.oneof(rawPath, fc.string(), fc.webPath()), (raw) => {
      const path = matchPath(raw);
      if (path === null) return;
      assert.match(path, /^\//);
      assert.doesNotMatch(path, /\/\/|\/\.\.?(\/|$)|\\|\p{Cc}/u);
    }),
    { numRuns: 5_000 },
  );
});

test('a server that decodes, joins slashes and resolves dots in any order comes to what was matched', () => {
  const decode = (path: string) => decodeURIComponent(path);
  const joinSlashes = (path: string) => path.replace(/\/+/g, '/');
  const resolveDots = (path: string) => new URL(`http://h${path.replace(/^\/+/, '/')}`).pathname;
  const orders = [
    (path: string) => joinSlashes(decode(resolveDots(path))),
    (path: string) => decode(resolveDots(joinSlashes(path))),
    (path: string) => joinSlashes(decode(path)),
    (path: string) => decode(joinSlashes(path)),
  ];
  const cut = (path: string) => joinSlashes(path.replace(/;[^/]*/g, ''));
  fc.assert(
    fc.property(rawPath, (raw) => {
      const path = matchPath(raw);
      if (path === null) return;
      const forwarded = withoutDots(raw);
      for (const order of orders) assert.equal(cut(order(forwarded)), path, `${raw} → ${forwarded}`);
    }),
    { numRuns: 10_000 },
  );
});

test('what is passed on is matched as what came, and changes only where there were dots', () => {
  fc.assert(
    fc.property(rawPath, (raw) => {
      const path = matchPath(raw);
      if (path === null) return;
      const forwarded = withoutDots(raw);
      assert.equal(matchPath(forwarded), path);
      assert.equal(withoutDots(forwarded), forwarded);
      if (!/\/(\.|%2e){1,2}(\/|$)/i.test(raw)) assert.equal(forwarded, raw);
    }),
    { numRuns: 5_000 },
  );
});

test('dot segments are resolved in what is passed on, and nothing else is', () => {
  const cases: [raw: string, forwarded: string][] = [
    ['/a/..', '/'],
    ['/.', '/'],
    ['/a/b/..', '/a/'],
    ['/a/.', '/a/'],
    ['/%2e/%61//b;x/%2E%2e/c%20d/', '/%61//c%20d/'],
    ['/.//a', '//a'],
    ['/...', '/...'],
  ];
  for (const [raw, forwarded] of cases) assert.equal(withoutDots(raw), forwarded, raw);
});

test('nobody gets below a path by another spelling of it', () => {
  fc.assert(
    fc.property(rawPath, (tail) => {
      const raw = `/admin${tail === '/' ? '' : tail}`;
      const path = matchPath(raw);
      if (path === null || isWithin(path, '/admin')) return;
      // It has climbed out: then what is passed on begins elsewhere, too.
      assert.doesNotMatch(withoutDots(raw), /^\/+admin(\/|$)/);
    }),
    { numRuns: 5_000 },
  );
});

test('a prefix takes itself and what is below it', () => {
  const cases: [path: string, prefix: string, isWithin: boolean][] = [
    ['/api', '/api', true],
    ['/api/', '/api', true],
    ['/api/users', '/api', true],
    ['/apis', '/api', false],
    ['/ap', '/api', false],
    ['/', '/api', false],
    ['/anything', '/', true],
    ['/', '/', true],
    ['/api', '/api/', false],
    ['/api/', '/api/', true],
    ['/api/users', '/api/', true],
  ];
  for (const [path, prefix, is] of cases) assert.equal(isWithin(path, prefix), is, `${path} in ${prefix}`);
});

test('a prefix is replaced by another one, and what is below it stays byte for byte', () => {
  const cases: [raw: string, count: number, prefix: string, result: string][] = [
    ['/api/users', 1, '/v2', '/v2/users'],
    ['/api', 1, '/v2', '/v2'],
    ['/api/', 1, '/v2', '/v2/'],
    ['/api/users', 1, '/', '/users'],
    ['/api', 1, '/', '/'],
    ['/api/', 1, '/', '/'],
    ['/api/users', 1, '/v2/', '/v2/users'],
    ['/%61pi/caf%C3%A9;x=1', 1, '/v2', '/v2/caf%C3%A9;x=1'],
    ['//api//users', 1, '/v2', '/v2/users'],
    ['/api//evil.example', 1, '/', '/evil.example'],
    ['/;x/api/users', 1, '/v2', '/v2/users'],
    ['/api;x/users', 1, '/v2', '/v2/users'],
    ['/a/b/c/d', 2, '/x/y/z', '/x/y/z/c/d'],
    ['/users', 0, '/base', '/base/users'],
    ['/', 0, '/base', '/base/'],
  ];
  for (const [raw, count, prefix, result] of cases)
    assert.equal(withPrefix(raw, count, prefix), result, `${raw}, ${count}, ${prefix}`);
});

test('what may not stand in an address is encoded', () => {
  assert.equal(asAddress('/caf\u00e9 \r\n\ud800%20'), '/caf%C3%A9%20%0D%0A%EF%BF%BD%20');
});
