import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PlainAnswer, readPlainAnswer } from '../../src/router/plain_answer.ts';

function read(text: string, isBodyless = false): PlainAnswer | 'incomplete' | 'malformed' {
  const bytes = Buffer.from(text, 'latin1');
  return readPlainAnswer(bytes, 0, bytes.length, isBodyless);
}

function plain(lines: string, isBodyless = false): PlainAnswer {
  const answer = read(`${lines}\r\n\r\n`, isBodyless);
  assert.ok(typeof answer === 'object', `${JSON.stringify(lines)} is ${answer}`);
  return answer;
}

/** What is left of a head without its cuts. */
function passedOn(text: string): string {
  const answer = plain(text);
  let kept = '';
  let from = 0;
  for (let index = 0; index < answer.cuts.length; index += 2) {
    kept += text.slice(from, answer.cuts[index]);
    from = answer.cuts[index + 1] ?? 0;
  }
  return `${kept}${`${text}\r\n`.slice(from, answer.end)}`;
}

test('the head of an answer says where its body ends', () => {
  const ends: [string, string, number][] = [
    ['HTTP/1.1 200 OK\r\nContent-Length: 12', 'length', 12],
    ['HTTP/1.1 200 OK\r\ncontent-length:12', 'length', 12],
    ['HTTP/1.1 200 OK\r\nContent-Length: \t12 ', 'length', 12],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0', 'at_once', 0],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked', 'chunks', 0],
    ['HTTP/1.1 200 OK', 'close', 0],
    ['HTTP/1.1 200', 'close', 0],
    ['HTTP/1.0 200 OK', 'close', 0],
    ['HTTP/1.1 204 No Content\r\nContent-Length: 5', 'at_once', 5],
    ['HTTP/1.1 304 Not Modified\r\nContent-Length: 5', 'at_once', 5],
    ['HTTP/1.1 103 Early Hints', 'at_once', 0],
  ];
  for (const [text, end, length] of ends) {
    const { body_end, body_length } = plain(text);
    assert.deepEqual([body_end, body_length], [end, length], text);
  }
});

test('the answer to HEAD has no body, whatever it says', () => {
  for (const line of ['Content-Length: 12', 'Transfer-Encoding: chunked', 'A: b'])
    assert.equal(plain(`HTTP/1.1 200 OK\r\n${line}`, true).body_end, 'at_once', line);
});

test('a connection is kept only where nothing speaks against it', () => {
  const keeps = (text: string) => plain(text).keeps;
  assert.equal(keeps('HTTP/1.1 200 OK\r\nContent-Length: 1'), true);
  assert.equal(keeps('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive'), true);
  assert.equal(keeps('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: Close'), false);
  assert.equal(keeps('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: x, close'), false);
  assert.equal(keeps('HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive'), false);
  assert.equal(keeps('HTTP/1.1 200 OK'), false);
});

test('how long the instance keeps a connection is read, and what it does not say is not made up', () => {
  const keepsFor = (value: string) => plain(`HTTP/1.1 200 OK\r\nKeep-Alive: ${value}`).keeps_for;
  assert.equal(keepsFor('timeout=5'), 5_000);
  assert.equal(keepsFor('timeout=5, max=100'), 5_000);
  assert.equal(keepsFor('max=100, Timeout=7'), 7_000);
  assert.equal(keepsFor('max=100'), null);
  assert.equal(keepsFor('timeout=x'), null);
});

test('what speaks of this connection alone goes no further', () => {
  const status = 'HTTP/1.1 200 OK\r\n';
  assert.equal(
    passedOn(
      `${status}A: 1\r\nConnection: keep-alive, X-Own\r\nKeep-Alive: timeout=5\r\nB: 2\r\nx-own: 3\r\nUpgrade: h2c\r\nContent-Length: 3`,
    ),
    `${status}A: 1\r\nB: 2\r\nContent-Length: 3\r\n`,
  );
  assert.equal(passedOn(`${status}Transfer-Encoding: chunked\r\nA: 1`), `${status}A: 1\r\n`);
  assert.equal(
    passedOn(`${status}Connection: content-length\r\nContent-Length: 3`),
    `${status}Content-Length: 3\r\n`,
  );
  assert.equal(passedOn('HTTP/1.1 204 No Content\r\nContent-Length: 3'), 'HTTP/1.1 204 No Content\r\n');
});

test('values may hold what the grammar lets them', () => {
  for (const line of ['A:', 'A: ', 'A:b', "!#$%&'*+-.^_`|~1: b", 'A: \xe9\xff', 'A: b\tc', 'A:   b   '])
    assert.equal(passedOn(`HTTP/1.1 200 OK\r\n${line}`), `HTTP/1.1 200 OK\r\n${line}\r\n`);
});

for (const [what, text] of [
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1'],
  ['a list of lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1, 1'],
  ['a length with a sign', 'HTTP/1.1 200 OK\r\nContent-Length: +1'],
  ['no length where one is named', 'HTTP/1.1 200 OK\r\nContent-Length: '],
  ['a length beyond all measure', 'HTTP/1.1 200 OK\r\nContent-Length: 1234567890123456'],
  ['a length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked'],
  ['another coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked'],
  ['two codings', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked'],
  ['chunks of HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked'],
  ['a switch of protocols', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x'],
  ['another version', 'HTTP/2.0 200 OK'],
  ['an unknown minor version', 'HTTP/1.2 200 OK'],
  ['a status of two digits', 'HTTP/1.1 20 OK'],
  ['a status of four digits', 'HTTP/1.1 2000 OK'],
  ['a status below 100', 'HTTP/1.1 099 OK'],
  ['two spaces before the status', 'HTTP/1.1  200 OK'],
  ['a line that goes on', 'HTTP/1.1 200 OK\r\nA: b\r\n c'],
  ['a space before the colon', 'HTTP/1.1 200 OK\r\nA : b'],
  ['a line without colon', 'HTTP/1.1 200 OK\r\nA'],
  ['a line feed alone', 'HTTP/1.1 200 OK\r\nA: b\nC: d'],
  ['a carriage return alone', 'HTTP/1.1 200 OK\r\nA: b\rC: d'],
  ['a null', 'HTTP/1.1 200 OK\r\nA: b\0'],
  ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2p1'],
] as const)
  test(`an answer with ${what} is malformed`, () => assert.equal(read(`${text}\r\n\r\n`), 'malformed'));

test('an answer is incomplete up to its last byte, and what stands behind it in memory does not count', () => {
  const text = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n';
  const bytes = Buffer.from(text, 'latin1');
  for (let end = 0; end < bytes.length; end++)
    assert.equal(readPlainAnswer(bytes, 0, end, false), 'incomplete');
  assert.equal(typeof readPlainAnswer(bytes, 0, bytes.length, false), 'object');
});
