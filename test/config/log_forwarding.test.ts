import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logForwardingField } from '../../src/config/log_forwarding.ts';

const http = { name: 'central', type: 'http', url: 'https://logs.example.org/' };
const syslog = { name: 'central', type: 'syslog', address: 'logs.example.org:6514' };

/** Where something is wrong, as `0.labels.stream`. */
function wrongIn(target: object, ...more: object[]): string[] {
  const { error } = logForwardingField.safeParse([target, ...more]);
  return [...new Set((error?.issues ?? []).map(({ path }) => path.join('.')))];
}

test('a target needs little more than where it is', () => {
  assert.deepEqual(wrongIn(http, { ...syslog, name: 'second' }), []);
  const [target] = logForwardingField.parse([http]);
  assert.deepEqual([target?.services, target?.from, target?.timeout], [['*'], 'now', '30s']);
});

test('what cannot be meant is refused, and where it stands is told', () => {
  const wrong: [object, string][] = [
    [{ ...http, name: 'Central' }, '0.name'],
    [{ ...http, url: 'https://user:secret@logs.example.org/' }, '0.url'],
    [{ ...http, url: 'file:///etc/passwd' }, '0.url'],
    [{ ...http, labels: { stream: 'x' } }, '0.labels.stream'],
    [{ ...http, headers: { 'X-A': 'one\r\nX-B: two' } }, '0.headers.X-A'],
    [{ ...http, token_file: '/a', username: 'b' }, '0.username'],
    [{ ...http, password_file: '/a' }, '0.username'],
    [{ ...http, token_file: 'relative' }, '0.token_file'],
    [{ ...http, batch_size: '1GB' }, '0.batch_size'],
    [{ ...http, batch_size: '1KB' }, '0.batch_size'],
    [{ ...http, timeout: '1ms' }, '0.timeout'],
    [{ ...syslog, address: 'logs.example.org' }, '0.address'],
    [{ ...syslog, facility: 24 }, '0.facility'],
    [{ ...syslog, framing: 'none' }, '0.framing'],
  ];
  for (const [target, place] of wrong) assert.deepEqual(wrongIn(target), [place]);
});

test('two targets cannot have the same name', () => {
  assert.deepEqual(wrongIn(http, syslog), ['']);
});
