import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChunkFrames } from '../../src/router/chunk_frames.ts';

interface Passed {
  readonly passed: string;
  readonly trailers: string;
  readonly isDone: boolean;
  readonly rest: string;
}

/** Passes a text in pieces. Returns what is passed on and what is left of it; null: it is malformed. */
function pass(pieces: readonly string[]): Passed | null {
  const frames = new ChunkFrames();
  const to = Buffer.alloc(200_000);
  let passed = '';
  let rest = '';
  for (const piece of pieces) {
    const from = Buffer.from(piece, 'latin1');
    const result = frames.pass(from, 0, from.length, to, 5);
    if (result === null) return null;
    passed += to.toString('latin1', 5, result.written);
    rest += from.toString('latin1', result.read);
  }
  return { passed, trailers: frames.trailers, isDone: frames.isDone, rest };
}

test('a body in chunks passes as it is, up to the line that ends it', () => {
  const body = '5\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n';
  const whole = { passed: body.slice(0, -2), trailers: '', isDone: true, rest: '' };
  assert.deepEqual(pass([body]), whole);
  assert.deepEqual(pass([...body]), whole);
});

test('what comes behind the end is not taken', () => {
  assert.deepEqual(pass(['0\r\n\r\nHTTP']), { passed: '0\r\n', trailers: '', isDone: true, rest: 'HTTP' });
});

test('extensions are left out, and trailers kept apart', () => {
  const trailers = 'Digest: 1\r\nContent-Length: 7\r\n';
  const body = `5;a=b;c="d"\r\nhello\r\n0;x\r\n${trailers}\r\n`;
  const whole = { passed: '5\r\nhello\r\n0\r\n', trailers, isDone: true, rest: '' };
  assert.deepEqual(pass([body]), whole);
  assert.deepEqual(pass([...body]), whole);
});

for (const body of [
  '\r\n',
  'g\r\n',
  ' 5\r\n',
  '5 \r\n',
  '0x5\r\n',
  '-5\r\n',
  '5\n',
  '5\r5',
  '5;a\nb',
  '5;\0\r\n',
  '1\r\nab',
  '1\r\na\n',
  '1\r\na\rb',
  '1\r\na\r\n\r\n',
  '0\r\n\n',
  '0\r\n\ra',
  '0\r\nA: b\n',
  '0\r\nA: b\ra',
  '0\r\n A: b\r\n\r\n',
  '0\r\nA\r\n\r\n',
  '0\r\n: b\r\n\r\n',
  '1234567890abc\r\n',
  `5;${'a'.repeat(20_000)}\r\n`,
  `0\r\n${'A: b\r\n'.repeat(5_000)}`,
])
  test(`${JSON.stringify(body.slice(0, 20))} is refused as a body in chunks`, () => {
    assert.equal(pass([body]), null);
    assert.equal(pass([...body]), null);
  });

test('however a body is cut into chunks and pieces, the same passes', () => {
  const chunks = fc.array(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 }), { maxLength: 8 });
  fc.assert(
    fc.property(chunks, fc.array(fc.nat(200), { maxLength: 8 }), (parts, cuts) => {
      const body = `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`;
      const places = [0, ...cuts.filter((cut) => cut < body.length).sort((one, other) => one - other)];
      const pieces = places.map((place, index) => body.slice(place, places[index + 1]));
      assert.deepEqual(pass(pieces), { passed: body.slice(0, -2), trailers: '', isDone: true, rest: '' });
    }),
  );
});
