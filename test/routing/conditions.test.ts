import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuleMatch } from '../../src/contract/rules.ts';
import { conditionsOf } from '../../src/routing/conditions.ts';
import { factsOf, matchOf, type RequestParts } from './requests.ts';

/** What of a request differs from what is asked for; null: it fits. */
function difference(match: Partial<RuleMatch>, request: RequestParts): string | null {
  const facts = factsOf(request);
  const failing = conditionsOf(matchOf(match)).find((condition) => !condition.holds(facts));
  return failing?.differs(facts) ?? null;
}

const cases: [match: Partial<RuleMatch>, request: RequestParts, difference: string | null][] = [
  [{}, {}, null],

  [{ hosts: ['example.org'] }, { host: 'example.org' }, null],
  [{ hosts: ['example.org'] }, { host: 'www.example.org' }, 'the host is "www.example.org", not example.org'],
  [{ hosts: ['example.org'] }, { host: '' }, 'the host is "", not example.org'],
  [{ hosts: ['*.example.org'] }, { host: 'a.b.example.org' }, null],
  [{ hosts: ['*.example.org'] }, { host: 'example.org' }, 'the host is "example.org", not *.example.org'],
  [
    { hosts: ['*.example.org'] },
    { host: 'badexample.org' },
    'the host is "badexample.org", not *.example.org',
  ],
  [{ hosts: ['*.example.org'] }, { host: '.example.org' }, 'the host is ".example.org", not *.example.org'],
  [{ hosts: ['*'] }, { host: 'anything' }, null],
  [{ hosts: ['a.org', '*'] }, { host: '' }, null],
  [{ hosts: ['a.org', 'b.org'] }, { host: 'b.org' }, null],
  [{ hosts: ['a.org', 'b.org'] }, { host: 'c.org' }, 'the host is "c.org", not a.org or b.org'],
  [
    { hosts: ['a.a', 'b.a', 'c.a', 'd.a', 'e.a', 'f.a', 'g.a'] },
    { host: 'x' },
    'the host is "x", not a.a or b.a or c.a or d.a or e.a or one of 2 more',
  ],
  [{ hosts: ['[::1]'] }, { host: '[::1]' }, null],

  [{ path: '/a' }, { path: '/a' }, null],
  [{ path: '/a' }, { path: '/%61' }, null],
  [{ path: '/a' }, { path: '/a/' }, 'the path is "/a/", not /a'],
  [{ path: '/%61' }, { path: '/a' }, null],
  [{ path: '/é' }, { path: '/%C3%A9' }, 'the path is "/é", not /é'],
  [{ path: '/%C3%A9' }, { path: '/%c3%a9' }, null],
  [{ path: '/a%2Fb' }, { path: '/a%2Fb' }, 'the path is "", not /a%2Fb'],
  [{ path_prefix: '/a' }, { path: '/a/b' }, null],
  [{ path_prefix: '/a' }, { path: '/x/../a/b' }, null],
  [{ path_prefix: '/a' }, { path: '/ab' }, 'the path is "/ab", not /a or below it'],
  [{ path_prefix: '/a' }, { path: '/a%2Fb' }, 'the path is "", not /a or below it'],
  [{ path_regex: '^/v[0-9]+/' }, { path: '/v12/x' }, null],
  [{ path_regex: '^/v[0-9]+/' }, { path: '/vx/x' }, 'the path is "/vx/x", which ^/v[0-9]+/ does not match'],
  [{ path_regex: 'min$' }, { path: '/%61dmin' }, null],
  [{ path_regex: '.*' }, { path: '/..' }, 'the path is "", which .* does not match'],

  [{ methods: ['GET', 'HEAD'] }, { method: 'HEAD' }, null],
  [{ methods: ['GET', 'HEAD'] }, { method: 'POST' }, 'the method is "POST", not GET or HEAD'],
  [{ methods: ['GET'] }, { method: 'get' }, 'the method is "get", not GET'],

  [{ headers: { 'x-a': '1' } }, { headers: { 'x-a': '1' } }, null],
  [{ headers: { 'x-a': '1' } }, { headers: { 'x-a': '2' } }, 'the header x-a is "2" and must be "1"'],
  [{ headers: { 'x-a': '1' } }, {}, 'the header x-a is absent and must be "1"'],
  [{ headers: { 'x-a': { present: true } } }, { headers: { 'x-a': '' } }, null],
  [{ headers: { 'x-a': { present: true } } }, {}, 'the header x-a is absent and must be there'],
  [{ headers: { 'x-a': { present: false } } }, {}, null],
  [
    { headers: { 'x-a': { present: false } } },
    { headers: { 'x-a': '' } },
    'the header x-a is "" and must be absent',
  ],
  [{ headers: { 'x-a': { regex: '^a+$' } } }, { headers: { 'x-a': 'aaa' } }, null],
  [
    { headers: { 'x-a': { regex: '^a+$' } } },
    { headers: { 'x-a': 'ab' } },
    'the header x-a is "ab" and must match ^a+$',
  ],
  [{ headers: { 'x-a': { regex: '^a*$' } } }, {}, 'the header x-a is absent and must match ^a*$'],

  [{ query: { q: 'a b' } }, { query: 'q=a+b' }, null],
  [{ query: { q: 'a b' } }, { query: 'q=a%20b' }, null],
  [{ query: { q: '1' } }, { query: 'q=0&q=1' }, null],
  [{ query: { q: '1' } }, { query: 'q=1&q=0' }, null],
  [{ query: { q: '1' } }, { query: 'q=0&q=2' }, 'the parameter q is "0" and "2" and must be "1"'],
  [{ query: { q: { present: true } } }, { query: 'q' }, null],
  [{ query: { q: { present: false } } }, { query: 'p=q' }, null],
  [
    { query: { constructor: { present: true } } },
    { query: '' },
    'the parameter constructor is absent and must be there',
  ],

  [{ cookies: { a: '1' } }, { headers: { cookie: 'b=2; a=1' } }, null],
  [{ cookies: { a: '1' } }, { headers: { cookie: 'a=2;a=1' } }, null],
  [{ cookies: { a: 'x=y' } }, { headers: { cookie: 'a=x=y' } }, null],
  [{ cookies: { a: '1' } }, { headers: { cookie: 'aa=1; a; =1' } }, 'the cookie a is absent and must be "1"'],
  [{ cookies: { a: '1' } }, {}, 'the cookie a is absent and must be "1"'],
  [
    { cookies: { constructor: { present: true } } },
    { headers: { cookie: 'a=1' } },
    'the cookie constructor is absent and must be there',
  ],

  [{ networks: ['10.0.0.0/8'] }, { client: '10.1.2.3' }, null],
  [{ networks: ['10.0.0.0/8'] }, { client: '11.1.2.3' }, 'the client is 11.1.2.3, not in 10.0.0.0/8'],
  [{ networks: ['10.0.0.0/8', '2001:db8::/32'] }, { client: '2001:db8::1' }, null],
  [{ networks: ['10.0.0.0/8'] }, { client: '' }, 'the client is , not in 10.0.0.0/8'],

  [{ tags: ['gpu'] }, { headers: { 'x-davit-tag': 'GPU' } }, null],
  [{ tags: ['gpu', 'region:eu'] }, { headers: { 'x-davit-tag': 'x, region:eu ,gpu,' } }, null],
  [
    { tags: ['gpu', 'region:eu'] },
    { headers: { 'x-davit-tag': 'gpu' } },
    'the request does not ask for the tag region:eu',
  ],
  [{ tags: ['gpu', 'region:eu'] }, {}, 'the request does not ask for the tag gpu and region:eu'],
];

for (const [match, request, expected] of cases)
  test(`${JSON.stringify(match)} against ${JSON.stringify(request)}: ${expected ?? 'fits'}`, () => {
    assert.equal(difference(match, request), expected);
  });

test('what costs least is asked first', () => {
  const match: Partial<RuleMatch> = {
    networks: ['10.0.0.0/8'],
    cookies: { a: '1' },
    methods: ['GET'],
    hosts: ['a.org'],
  };
  assert.match(difference(match, { method: 'PUT' }) ?? '', /^the host/);
  assert.match(difference(match, { method: 'PUT', host: 'a.org' }) ?? '', /^the method/);
  assert.match(difference(match, { host: 'a.org' }) ?? '', /^the cookie/);
});

test('an expression that is none is refused with its place', () => {
  assert.throws(
    () => conditionsOf(matchOf({ path_regex: '(' })),
    /^Error: path_regex is not a regular expression/,
  );
  assert.throws(
    () => conditionsOf(matchOf({ headers: { 'x-a': { regex: '[' } } })),
    /^Error: header x-a is not a regular/,
  );
  assert.throws(() => conditionsOf(matchOf({ networks: ['10.0.0.0/99'] })), /is not a network/);
});

test('an expression takes time linear in the path, whatever it is', () => {
  const path = `/${'a'.repeat(16_000)}`;
  assert.equal(difference({ path_regex: '^/(a+)+$' }, { path }), null);
  assert.notEqual(difference({ path_regex: '^/(a+)+$' }, { path: `${path}!` }), null);
});

test('what a client sends is cut where a difference is told', () => {
  const words = difference({ headers: { 'x-a': '1' } }, { headers: { 'x-a': 'y'.repeat(9_999) } });
  assert.ok((words ?? '').length < 200);
});
