import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { closeFrame, FrameBoundary } from '../../src/router/frame_boundary.ts';

interface Frame {
  readonly opcode: number;
  readonly length: number;
  readonly masked: boolean;
}

/** With the length in the form that a receiver must take too, though a sender need not choose it. */
function encode({ opcode, length, masked }: Frame): Buffer {
  const [short, extended] =
    length < 126
      ? [length, Buffer.alloc(0)]
      : length < 65_536
        ? [126, Buffer.alloc(2)]
        : [127, Buffer.alloc(8)];
  if (extended.length === 2) extended.writeUInt16BE(length);
  if (extended.length === 8) extended.writeBigUInt64BE(BigInt(length));
  const head = Buffer.from([0x80 | opcode, (masked ? 0x80 : 0) | short]);
  return Buffer.concat([head, extended, Buffer.alloc(masked ? 4 : 0, 7), Buffer.alloc(length, 0x88)]);
}

const frame = fc.record({
  opcode: fc.constantFrom(0, 1, 2, 9, 10),
  length: fc.oneof(fc.nat(300), fc.constantFrom(125, 126, 127, 65_535, 65_536, 65_537)),
  masked: fc.boolean(),
});

/** `bytes` in pieces that end at these places, taken modulo its length. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

test('it is between two frames exactly where one has ended, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 6 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (frames, places) => {
        const encoded = frames.map(encode);
        const ends = new Set([0]);
        for (const each of encoded) ends.add(Math.max(...ends) + each.length);
        const boundary = new FrameBoundary();
        let at = 0;
        for (const piece of cut(Buffer.concat(encoded), places)) {
          boundary.advance(piece);
          at += piece.length;
          assert.equal(boundary.isBetween, ends.has(at), `at ${at}`);
        }
        assert.equal(boundary.isClosed, false);
      },
    ),
    { numRuns: 300 },
  );
});

test('it is told byte by byte', () => {
  const bytes = encode({ opcode: 2, length: 65_536, masked: false });
  const boundary = new FrameBoundary();
  for (const [at, byte] of bytes.entries()) {
    boundary.advance(Uint8Array.of(byte));
    assert.equal(boundary.isBetween, at === bytes.length - 1);
  }
});

test('finishing goes as far as the end of the frame under way, and no further', () => {
  fc.assert(
    fc.property(frame, frame, fc.nat(), (first, second, place) => {
      const [one, other] = [encode(first), encode(second)];
      const begun = 1 + (place % (one.length - 1));
      const boundary = new FrameBoundary();
      boundary.advance(one.subarray(0, begun));
      const rest = Buffer.concat([one.subarray(begun), other]);
      assert.equal(boundary.finish(rest), one.length - begun);
      assert.equal(boundary.isBetween, true);
      assert.equal(boundary.finish(rest), 0);
    }),
  );
});

test('finishing takes all of a piece in which the frame does not end', () => {
  const boundary = new FrameBoundary();
  boundary.advance(encode({ opcode: 1, length: 1_000, masked: false }).subarray(0, 10));
  assert.equal(boundary.finish(Buffer.alloc(100)), 100);
  assert.equal(boundary.isBetween, false);
});

test('a Close frame is seen from its first byte on, and only where a frame begins', () => {
  const boundary = new FrameBoundary();
  boundary.advance(encode({ opcode: 2, length: 10, masked: false }));
  assert.equal(boundary.isClosed, false);
  boundary.advance(Uint8Array.of(0x88));
  assert.equal(boundary.isClosed, true);
  assert.equal(boundary.isBetween, false);
});

test('a frame of absurd length never ends, and nothing breaks', () => {
  const boundary = new FrameBoundary();
  boundary.advance(Buffer.from('827fffffffffffffffff', 'hex'));
  boundary.advance(Buffer.alloc(100_000));
  assert.equal(boundary.isBetween, false);
});

test('a Close frame of ours carries its code and reason, unmasked', () => {
  const bytes = closeFrame(1012, 'service restart');
  assert.deepEqual([...bytes.subarray(0, 4)], [0x88, 17, 0x03, 0xf4]);
  assert.equal(bytes.toString('utf8', 4), 'service restart');
  const boundary = new FrameBoundary();
  boundary.advance(bytes);
  assert.equal(boundary.isBetween && boundary.isClosed, true);
});

test('messages are counted and the code of the Close frame is read, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(
        frame.filter(({ masked }) => !masked),
        { maxLength: 6 },
      ),
      fc.integer({ min: 1_000, max: 4_999 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (frames, code, places) => {
        const boundary = new FrameBoundary();
        const bytes = Buffer.concat([...frames.map(encode), closeFrame(code, 'over')]);
        for (const piece of cut(bytes, places)) boundary.advance(piece);
        assert.equal(boundary.messages, frames.filter(({ opcode }) => opcode === 1 || opcode === 2).length);
        assert.equal(boundary.closeCode, code);
      },
    ),
    { numRuns: 300 },
  );
});

test('a Close frame without a code, or with half of one, has none', () => {
  for (const bytes of [
    [0x88, 0x00],
    [0x88, 0x02, 0x03],
    [0x88, 0x82, 1, 2, 3, 4, 5, 6],
  ]) {
    const boundary = new FrameBoundary();
    boundary.advance(Uint8Array.from(bytes));
    assert.equal(boundary.isClosed, true);
    assert.equal(boundary.closeCode, null);
  }
});
