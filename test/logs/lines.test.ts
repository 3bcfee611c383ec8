import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { characterStart, cutLines, lineText, longestLine } from '../../src/logs/lines.ts';

test('whatever bytes are cut, the lines are all of them, in order, and none is too long', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 30 }),
    fc.constant(Buffer.from('\n')),
    fc.constant(Buffer.alloc(70_000, 0xc3)),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.nat(1e9), (pieces, offset) => {
      const bytes = Buffer.concat(pieces);
      const lines = cutLines(bytes, offset);
      assert.ok(Buffer.concat(lines.map((line) => line.bytes)).equals(bytes));
      let place = offset;
      for (const line of lines) {
        assert.equal(line.start, place);
        assert.equal(line.end - line.start, line.bytes.length);
        assert.ok(line.bytes.length <= longestLine && line.bytes.length > 0);
        assert.equal(line.bytes.indexOf('\n'), line.isWhole ? line.bytes.length - 1 : -1);
        place = line.end;
      }
    }),
  );
});

test('a character is not cut in two', () => {
  const lines = cutLines(Buffer.from(`x${'🚢'.repeat(40_000)}`), 0);
  assert.ok(lines.length > 1);
  for (const { bytes } of lines) assert.ok(!lineText(bytes).includes('\ufffd'));
  assert.equal(characterStart(Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80]), 5), 5);
});

test('a line is shown without its break, and bytes that are no text as what they are not', () => {
  assert.equal(lineText(Buffer.from('one\r\n')), 'one');
  assert.equal(lineText(Buffer.from('one\r')), 'one\r');
  assert.equal(lineText(Buffer.from([0x61, 0xff, 0x00, 0x1b, 0x5b, 0x0a])), 'a\ufffd\u0000\u001b[');
  assert.equal(lineText(Buffer.from('\n')), '');
});
