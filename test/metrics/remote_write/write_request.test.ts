import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import snappy from 'snappyjs';
import { type Sample, WriteRequests } from '../../../src/metrics/remote_write/write_request.ts';
import { readWriteRequest } from './recording_receiver.ts';

const requests = new WriteRequests();

function samples(count: number, text = 'web'): Sample[] {
  return Array.from({ length: count }, (_, index) => ({
    labels: [
      ['__name__', 'a_total'],
      ['number', String(index)],
      ['service', text],
    ],
    value: index,
  }));
}

test('any value, label and time comes out as it went in', () => {
  const sample = fc.record({ text: fc.string({ unit: 'binary' }), value: fc.double() });
  fc.assert(
    fc.property(fc.array(sample, { minLength: 1 }), fc.integer({ min: 0, max: 8.64e15 }), (all, at) => {
      const [request, ...more] = requests.encode(
        all.map(({ text, value }) => ({ labels: [['__name__', text.toWellFormed()]], value })),
        at,
      );
      assert.equal(more.length, 0);
      assert.deepEqual(
        readWriteRequest(request?.body ?? Buffer.of()).map(({ name, value, at: time }) => [
          name,
          value,
          time,
        ]),
        all.map(({ text, value }) => [text.toWellFormed(), value, at]),
      );
    }),
    { numRuns: 200 },
  );
});

test('the end of a series has the bits that Prometheus gives it, and a NaN of its own has not', () => {
  const bits = (value: Sample['value']) => {
    const [request] = requests.encode([{ labels: [], value }], 1);
    return Buffer.from(snappy.uncompress(request?.body ?? Buffer.of())).toString('hex');
  };
  // timeseries { samples { value: fixed 64 bits, timestamp: 1 } }
  for (let times = 0; times < 10_000; times += 1) bits('stale');
  assert.equal(bits('stale'), `0a0d120b09${'020000000000f07f'}1001`);
  assert.equal(bits(Number.NaN), `0a0d120b09${'000000000000f87f'}1001`);
  assert.equal(bits(-0), `0a0d120b09${'0000000000000080'}1001`);
});

test('many samples become several requests, in their order', () => {
  const parts = requests.encode(samples(4_500), 7);
  assert.deepEqual(
    parts.map((part) => part.samples),
    [2_000, 2_000, 500],
  );
  const values = parts.flatMap(({ body }) => readWriteRequest(body).map(({ value }) => value));
  assert.deepEqual(
    values,
    samples(4_500).map(({ value }) => value),
  );
});

test('no request is larger than a megabyte before it is compressed', () => {
  const parts = requests.encode(samples(2_000, 'ü'.repeat(1_000)), 7);
  assert.ok(parts.length > 4);
  for (const { body } of parts) assert.ok(snappy.uncompress(body).length <= 1_000_000);
  assert.equal(parts.flatMap(({ body }) => readWriteRequest(body)).length, 2_000);
});

test('no samples make no request', () => {
  assert.deepEqual(requests.encode([], 1), []);
});
