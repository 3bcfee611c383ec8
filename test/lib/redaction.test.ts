import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { redact, redacted, redactText } from '../../src/lib/redaction.ts';

const line = (text: string, secrets: readonly string[] = []) => redactText(text, secrets);

test('values are taken out wherever they stand, also within an address or JSON', () => {
  const secret = 's3cr%t&"x';
  assert.equal(line(`a ${secret} b`, [secret]), `a ${redacted} b`);
  assert.equal(line(`GET /?q=${encodeURIComponent(secret)}`, [secret]), `GET /?q=${redacted}`);
  assert.equal(line(JSON.stringify({ q: secret }), [secret]), `{"q":"${redacted}"}`);
});

test('values of several lines are taken out line by line, and as JSON writes them', () => {
  const secret = 'first line\nsecond line\nx';
  assert.deepEqual(redact(['> first line', 'second line <', 'x'], [secret]), [
    `> ${redacted}`,
    `${redacted} <`,
    'x',
  ]);
  assert.equal(line(JSON.stringify(secret), [secret]), `"${redacted}"`);
});

test('values that are short, or that say what everybody says, stay', () => {
  const secrets = ['12345', 'production', '127.0.0.1', ''];
  assert.equal(
    line('port 12345 of production at 127.0.0.1', secrets),
    'port 12345 of production at 127.0.0.1',
  );
});

test('of two values of which one is part of the other, nothing of the longer one stays', () => {
  assert.equal(line('x abcdefghij y', ['abcdef', 'abcdefghij']), `x ${redacted} y`);
});

test('a value may hold what means something to a replacement or an expression', () => {
  assert.equal(line("a $&$1$'.* b", ["$&$1$'.*"]), `a ${redacted} b`);
});

test('well-known forms of secrets are taken out, and what is around them stays', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['Authorization: Bearer abc.def-ghi', 'Authorization: [redacted]'],
    ['authorization: Basic Zm9vOmJhcg==', 'authorization: [redacted]'],
    ['{"authorization":"Bearer abc"}', '{"authorization":"[redacted]"}'],
    ["curl -H 'Authorization: token abc' http://x/", "curl -H 'Authorization: [redacted]' http://x/"],
    ['sent Bearer abcdefgh.ijk to it', 'sent Bearer [redacted] to it'],
    ['Set-Cookie: sid=abc; Path=/', 'Set-Cookie: [redacted]'],
    ['postgres://user:p4ss@db:5432/x?y=1', 'postgres://[redacted]@db:5432/x?y=1'],
    ['redis://:p@ss@db', 'redis://[redacted]@db'],
    ['password=hunter2 user=joe', 'password=[redacted] user=joe'],
    ['DB_PASSWORD: hunter2', 'DB_PASSWORD: [redacted]'],
    ['?token=abc&x=1', '?token=[redacted]&x=1'],
    ['{"api_key": "a b", "x": 1}', '{"api_key": "[redacted]", "x": 1}'],
    [String.raw`{"password":"a\"b","x":1}`, '{"password":"[redacted]","x":1}'],
    [
      String.raw`{"m":"{\"secret\":\"a\\\"b\",\"x\":1}"}`,
      String.raw`{"m":"{\"secret\":\"[redacted]\",\"x\":1}"}`,
    ],
    ["client_secret='it\\'s' x", "client_secret='[redacted]' x"],
    ['{ apiKey => abc }', '{ apiKey => [redacted] }'],
    ['run --token abc --verbose', 'run --token [redacted] --verbose'],
    ['key AKIAIOSFODNN7EXAMPLE used', 'key [redacted] used'],
    [`ghp_${'a1'.repeat(18)} pushed`, '[redacted] pushed'],
    [`github_pat_${'a1'.repeat(20)}`, '[redacted]'],
    [`glpat-${'a1'.repeat(10)}`, '[redacted]'],
    ['xoxb-1234567890-abcdef', '[redacted]'],
    [`sk_live_${'a1'.repeat(12)}`, '[redacted]'],
    [`AIza${'a'.repeat(35)}`, '[redacted]'],
    [
      'https://hooks.slack.com/services/T000/B000/xyz failed',
      'https://hooks.slack.com/services/[redacted] failed',
    ],
    ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def_x ok', '[redacted] ok'],
  ];
  for (const [given, wanted] of cases) assert.equal(line(given), wanted);
});

test('what merely speaks of secrets stays', () => {
  for (const text of ['the token is expired', 'password_file is missing', 'GET http://x/@y', 'tokens used 5'])
    assert.equal(line(text), text);
});

test('private keys are taken out, also those of which the beginning or the end is missing', () => {
  const key = ['MIIEvQIBADANBgkqhkiG9w0BAQEFAASC', 'BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj'];
  const [begin, end] = ['-----BEGIN PRIVATE KEY-----', '-----END PRIVATE KEY-----'];
  assert.deepEqual(redact(['a', begin, ...key, end, 'b']), ['a', begin, redacted, redacted, redacted, 'b']);
  assert.deepEqual(redact(['a', begin, ...key]), ['a', begin, redacted, redacted]);
  assert.deepEqual(redact([...key, end, 'b']), [redacted, redacted, end, 'b']);
  assert.deepEqual(redact([`${begin} x`, 'next line']), [`${begin}${redacted}`, 'next line']);
  const onOneLine = line(`"${begin}\\n${key.join('\\n')}\\n${end}\\n" then`);
  assert.ok(!key.some((part) => onOneLine.includes(part)), onOneLine);
  assert.ok(onOneLine.endsWith('then'));
});

test('no value that is looked for is ever left, whatever stands around it', () => {
  const secret = fc.string({ minLength: 12, maxLength: 40 }).filter((text) => /^[^\s[\]]{12,}$/.test(text));
  fc.assert(
    fc.property(secret, fc.string(), fc.string(), (value, before, after) => {
      const shown = redactText(`${before}${value}${after}`, [value]);
      assert.ok(!shown.includes(value), shown);
    }),
  );
});

test('lines stay as many as they were, whatever is in them', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), fc.array(fc.string()), (lines, secrets) => {
      const once = redact(lines, secrets);
      assert.equal(once.length, lines.length);
    }),
  );
});

test('a secret where a line is cut is not shown in part', () => {
  const secret = 'abcdefghijklmnopqrstuvwxyz';
  for (const before of [16_370, 16_384, 65_520]) {
    const shown = line('-'.repeat(before) + secret.repeat(10), [secret]);
    assert.ok(!shown.includes('abc'), String(before));
  }
  assert.ok(!line(secret.repeat(10_000), [secret]).includes('abc'));
});

test('a key whose end is missing takes nothing with it that comes after', () => {
  const [begin, end] = ['-----BEGIN PRIVATE KEY-----', '-----END PRIVATE KEY-----'];
  assert.deepEqual(redact([begin, 'a b', begin, 'c', end, 'd e']), [
    begin,
    'a b',
    begin,
    redacted,
    redacted,
    'd e',
  ]);
  const many = [begin, ...Array.from({ length: 400 }, () => 'a b'), end];
  assert.ok(redact(many).includes('a b'));
});

test('a line that goes on for long is cut, and takes no longer than others', () => {
  for (const part of [
    'eyJ-',
    'password=',
    '://a@',
    'authorization: ',
    'a@',
    '-----BEGIN PRIVATE KEY-----',
    '\\"',
  ])
    assert.ok(redactText(part.repeat(300_000)).length < 100_000);
});
