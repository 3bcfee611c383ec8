import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatTraceparent, NewTraces, parseTraceparent } from '../../src/lib/trace_context.ts';

const trace_id = '4bf92f3577b34da6a3ce929d0e0e4736';
const parent_id = '00f067aa0ba902b7';
const of = (version: string, flags: string, rest = '') =>
  `${version}-${trace_id}-${parent_id}-${flags}${rest}`;

for (const [what, value, is_sampled] of [
  ['a sampled one', of('00', '01'), true],
  ['one that is not sampled', of('00', '00'), false],
  ['flags that are not known, sampled', of('00', 'ff'), true],
  ['flags that are not known, not sampled', of('00', '02'), false],
  ['a later version', of('01', '01'), true],
  ['a later version with more', of('cc', '00', '-what-the-future-will-be-like'), false],
  ['a later version with more that is empty', of('01', '01', '-'), true],
] as const)
  test(`${what} is valid`, () => {
    assert.deepEqual(parseTraceparent(value), { trace_id, parent_id, is_sampled });
  });

const zeros = (length: number) => '0'.repeat(length);

for (const [what, value] of [
  ['nothing', undefined],
  ['null', null],
  ['an empty text', ''],
  ['the version ff', of('ff', '01')],
  ['a version that is no number', of('0x', '01')],
  ['a version of one digit', of('0', '01')],
  ['version 00 with more', of('00', '01', '-more')],
  ['version 00 with an end', of('00', '01', '-')],
  ['a later version whose flags go on', of('01', '011')],
  ['a later version with something else than a hyphen', of('01', '01', '.what')],
  ['a trace id of zeros', `00-${zeros(32)}-${parent_id}-01`],
  ['a parent id of zeros', `00-${trace_id}-${zeros(16)}-01`],
  ['capital letters in the trace id', `00-${trace_id.toUpperCase()}-${parent_id}-01`],
  ['capital letters in the parent id', `00-${trace_id}-${parent_id.toUpperCase()}-01`],
  ['capital letters in the version', of('CC', '01')],
  ['capital letters in the flags', of('00', '0A')],
  ['a short trace id', `00-${trace_id.slice(1)}-${parent_id}-01`],
  ['a long trace id', `00-${trace_id}a-${parent_id}-01`],
  ['a short parent id', `00-${trace_id}-${parent_id.slice(1)}-01`],
  ['one flag', of('00', '1')],
  ['no flags', `00-${trace_id}-${parent_id}`],
  ['a letter beyond f', `00-${'g'.repeat(32)}-${parent_id}-01`],
  ['a space before it', ` ${of('00', '01')}`],
  ['a space behind it', `${of('00', '01')} `],
  ['a line end behind it', `${of('00', '01')}\n`],
  ['other separators', of('00', '01').replaceAll('-', '_')],
  ['two of them', `${of('00', '01')}, ${of('00', '01')}`],
  ['two of a later version', `${of('01', '01')}-, ${of('01', '01')}`],
] as const)
  test(`${what} is not valid`, () => {
    assert.equal(parseTraceparent(value), null);
  });

test('what is begun can be read, and is never the same', () => {
  const traces = new NewTraces();
  const ids = new Set<string>();
  for (let each = 0; each < 1_000; each++) {
    const trace = traces.next(each % 2 === 0);
    assert.deepEqual(parseTraceparent(formatTraceparent(trace)), trace);
    ids.add(trace.trace_id);
  }
  assert.equal(ids.size, 1_000);
});

test('whatever is read, what is written of it is read alike, and nothing throws', () => {
  const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
  const near = fc.tuple(digits(2), digits(32), digits(16), digits(2)).map((parts) => parts.join('-'));
  fc.assert(
    fc.property(
      fc.oneof(near, fc.string(), fc.string({ unit: 'binary', minLength: 50, maxLength: 70 })),
      (value) => {
        const read = parseTraceparent(value);
        if (read === null) return;
        assert.deepEqual(parseTraceparent(formatTraceparent(read)), read);
        assert.ok(value.includes(read.trace_id) && value.includes(read.parent_id));
      },
    ),
  );
});
