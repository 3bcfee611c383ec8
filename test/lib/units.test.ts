import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, milliseconds } from '../../src/lib/units.ts';

test('durations are read in every unit', () => {
  const cases = { '0s': 0, '500ms': 500, '5s': 5000, '2m': 120_000, '1.5h': 5_400_000, '7d': 604_800_000 };
  for (const [text, expected] of Object.entries(cases)) assert.equal(milliseconds(text), expected, text);
});

test('sizes are read in every unit', () => {
  const cases = {
    '0B': 0,
    '512KB': 512_000,
    '10MB': 1e7,
    '1.5GB': 1.5e9,
    '1KiB': 1024,
    '10MiB': 10_485_760,
    '1GiB': 2 ** 30,
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(bytes(text), expected, text);
});

test('a bare number, an unknown unit and a sign are refused', () => {
  for (const text of ['5', '', 's', '5 s', '-5s', '5sec', '1e3ms', '.5s', '5s ']) {
    assert.throws(() => milliseconds(text), RangeError, text);
    assert.throws(() => bytes(text.replace('s', 'B')), RangeError, text);
  }
});
