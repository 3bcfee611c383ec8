import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { AffinityCookies } from '../../src/routing/affinity_cookies.ts';
import { AffinityMemory } from '../../src/routing/affinity_memory.ts';
import { factsOf } from './requests.ts';

const key = 'ab'.repeat(32);
const ids = ['a', 'b', 'c'];

function cookiesFor(
  instances = ids,
  { secret = key, service = 'web', name = 'davit_instance' } = {},
): AffinityCookies {
  const cookies = new AffinityCookies(secret, service, name);
  cookies.keep(instances);
  return cookies;
}

const pairOf = (header: string | null) => header?.split(';')[0] ?? '';
const asked = (cookies: AffinityCookies, cookie: string) =>
  cookies.instanceOf(factsOf({ headers: { cookie } }));

test('a cookie leads back to the instance that it was made for', () => {
  const cookies = cookiesFor();
  for (const id of ids) assert.equal(asked(cookies, `x=1; ${pairOf(cookies.headerFor(id, false))}; y=2`), id);
});

test('a cookie cannot be read by scripts, and is sent over TLS only where it came by TLS', () => {
  const plain = cookiesFor().headerFor('a', false);
  assert.match(plain ?? '', /^davit_instance=[0-9a-f]{16}\.[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax$/);
  assert.equal(cookiesFor().headerFor('a', true), `${plain}; Secure`);
});

test('a cookie says nothing of the id, and is the same by every router that has the key', () => {
  const header = cookiesFor(['secret-id']).headerFor('secret-id', false) ?? '';
  assert.ok(!header.includes('secret'));
  assert.equal(cookiesFor(['other', 'secret-id']).headerFor('secret-id', false), header);
});

test('a cookie that was made up leads nowhere', () => {
  const cookies = cookiesFor();
  const [hash = '', signature = ''] = pairOf(cookies.headerFor('a', false))
    .replace('davit_instance=', '')
    .split('.');
  const [, otherSignature = ''] = pairOf(cookies.headerFor('b', false)).split('.');
  const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
  const made = [
    '',
    '.',
    hash,
    `${hash}.`,
    `.${signature}`,
    `${hash}.${otherSignature}`,
    `${hash}.${flipped}`,
    `${hash}.${signature}x`,
    `${hash}.${signature.slice(1)}`,
    `${hash.toUpperCase()}X.${signature}`,
    `${hash}.é${signature.slice(1)}`,
    `a.${signature}`,
    `__proto__.${signature}`,
    `${hash}.${signature}.${signature}`,
  ];
  for (const value of made) assert.equal(asked(cookies, `davit_instance=${value}`), null, value);
  assert.equal(asked(cookies, `davit_instance=${hash}.${signature}`), 'a');
});

test('a cookie of another key, service or name leads nowhere', () => {
  const cookie = pairOf(cookiesFor().headerFor('a', false));
  assert.equal(asked(cookiesFor(ids, { secret: 'cd'.repeat(32) }), cookie), null);
  assert.equal(asked(cookiesFor(ids, { service: 'api' }), cookie), null);
  assert.equal(asked(cookiesFor(ids, { name: 'other' }), cookie), null);
});

test('the good one of several cookies of one name counts', () => {
  const cookies = cookiesFor();
  assert.equal(asked(cookies, `davit_instance=x; ${pairOf(cookies.headerFor('b', false))}`), 'b');
});

test('a cookie of an instance that has gone leads nowhere; the others stay good', () => {
  const cookies = cookiesFor();
  const pairs = ids.map((id) => pairOf(cookies.headerFor(id, false)));
  cookies.keep(['b', 'd']);
  assert.deepEqual(
    pairs.map((pair) => asked(cookies, pair)),
    [null, 'b', null],
  );
  assert.equal(cookies.headerFor('a', false), null);
  assert.ok(cookies.headerFor('d', false));
});

test('the hash in a cookie is of the id', () => {
  const hash = createHash('sha256').update('a').digest('hex').slice(0, 16);
  assert.ok(cookiesFor().headerFor('a', false)?.includes(`=${hash}.`));
});

test('a client is remembered as long as it is seen, and memory is bounded', () => {
  const memory = new AffinityMemory(10);
  memory.remember(1, 'a');
  memory.remember(2, 'b');
  for (let client = 100; client < 1_000; client++) {
    memory.remember(client, 'c');
    assert.equal(memory.instanceOf(1), 'a');
  }
  assert.equal(memory.instanceOf(2), null);
  assert.equal(memory.instanceOf(999), 'c');
  const known = Array.from({ length: 1_000 }, (_, client) => memory.instanceOf(client)).filter(
    (id) => id !== null,
  );
  assert.ok(known.length <= 20, `${known.length}`);
});

test('a client that has moved is remembered where it is now', () => {
  const memory = new AffinityMemory();
  memory.remember(1, 'a');
  memory.remember(1, 'b');
  assert.equal(memory.instanceOf(1), 'b');
});
