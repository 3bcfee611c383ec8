import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metricsField } from '../../src/config/metrics.ts';

const url = 'https://prometheus.example.com/api/v1/write';

function complaints(given: Record<string, unknown>): string[] {
  const { success, error } = metricsField.safeParse({ remote_write: [{ name: 'main', url, ...given }] });
  return success ? [] : error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('a receiver needs a name and an address, and has sensible settings else', () => {
  const { remote_write } = metricsField.parse({ remote_write: [{ name: 'main', url }] });
  assert.deepEqual(remote_write, [
    { name: 'main', url, headers: {}, timeout: '30s', queue_size: '256MB', queue_age: '2h', labels: {} },
  ]);
});

test('a receiver knows the agent by a token, by a name and a password, or not at all', () => {
  const [token_file, password_file] = ['/etc/davit/token', '/etc/davit/password'];
  assert.deepEqual(complaints({ token_file }), []);
  assert.deepEqual(complaints({ username: 'metrics', password_file }), []);
  for (const given of [
    { token_file, username: 'metrics' },
    { token_file, password_file },
    { password_file },
    { username: 'metrics' },
  ])
    assert.match(complaints(given).join(), /^remote_write\.0\.username: must be there with/);
});

test('secrets stand in no address, no name of a folder leads elsewhere, and no header breaks a request', () => {
  for (const given of [
    { url: 'https://user:password@example.com/' },
    { url: 'file:///etc/passwd' },
    { name: '..' },
    { name: 'a/b' },
    { headers: { 'Content-Length': '5' } },
    { headers: { host: 'example.com' } },
    { headers: { 'X-A': 'one\r\nX-B: two' } },
    { headers: { 'X A': 'one' } },
    { labels: { __name__: 'x' } },
    { labels: { 'a-b': 'x' } },
    { username: 'a:b', password_file: '/x' },
    { timeout: '0s' },
    { timeout: '30d' },
    { token_file: 'relative' },
  ])
    assert.equal(complaints(given).length, 1, JSON.stringify(given));
});
