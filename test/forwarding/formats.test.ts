import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonLines } from '../../src/forwarding/json_lines.ts';
import { loki } from '../../src/forwarding/loki.ts';
import { line, outgoing } from './sample_lines.ts';

test('a JSON line has the names that Vector knows, the labels, and where it stands', () => {
  const { render, body } = jsonLines('shop-1', { environment: 'live' });
  const [first, second, rest] = body(
    outgoing(render, [line('{"a":"ä"}', 10, { level: 'warn' }), line('long', 20, { continues: true })]),
  ).split('\n');
  assert.deepEqual(JSON.parse(first ?? ''), {
    timestamp: '2026-01-31T12:00:00.123Z',
    message: '{"a":"ä"}',
    host: 'shop-1',
    service: 'web',
    instance: 1,
    release: 3,
    stream: 'stdout',
    level: 'warn',
    environment: 'live',
    id: '1.stdout.10',
  });
  assert.equal(JSON.parse(second ?? '').continues, true);
  assert.equal(rest, '');
});

test('a label named host takes the place of the name of the host', () => {
  const { render, body } = jsonLines('shop-1', { host: 'shop' });
  assert.equal(JSON.parse(body(outgoing(render, [line('x', 2)]))).host, 'shop');
});

test('Loki gets a stream for each output of an instance, with times that differ and never fall', () => {
  const { render, body } = loki('shop-1', { environment: 'live' });
  const lines = [
    line('tick', 999_999),
    line('oops', 5, { stream: 'stderr' }),
    line('tick', 1_000_004),
    line('tick', 1_000_009),
    line('later', 1_000_015, { time: '2026-01-31T12:00:01.000Z' }),
  ];
  const { streams } = JSON.parse(body(outgoing(render, lines)));
  const labels = { service: 'web', instance: '1', host: 'shop-1', environment: 'live' };
  assert.deepEqual(streams[0].stream, { ...labels, stream: 'stdout' });
  assert.deepEqual(streams[1], {
    stream: { ...labels, stream: 'stderr' },
    values: [['1769860800123000005', 'oops']],
  });
  assert.deepEqual(streams[0].values, [
    ['1769860800123999999', 'tick'],
    ['1769860800124000000', 'tick'],
    ['1769860800124000001', 'tick'],
    ['1769860801000000015', 'later'],
  ]);
});

test('Loki gets the same time for a line that is sent once more', () => {
  const { render, body } = loki('shop-1', {});
  const lines = [line('one', 4), line('two', 8), line('three', 14)];
  const timeOf = (sent: readonly (typeof lines)[number][]) =>
    JSON.parse(body(outgoing(render, sent))).streams[0].values.at(-1)[0];
  assert.equal(timeOf(lines), timeOf(lines.slice(1)));
});

test('a clock that was set back is told to Loki as it is', () => {
  const { render, body } = loki('shop-1', {});
  const lines = [line('one', 4), line('two', 8, { time: '2026-01-30T00:00:00.000Z' })];
  const [, second] = JSON.parse(body(outgoing(render, lines))).streams[0].values;
  assert.equal(second[0], '1769731200000000008');
});
