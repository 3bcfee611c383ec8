import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';
import { sentLabels, seriesValues, targetLabels } from '../../../src/metrics/remote_write/series.ts';
import { SeriesEnds } from '../../../src/metrics/remote_write/series_ends.ts';

/** What a registry says in the text format: series and value. */
async function textLines(registry: Registry): Promise<string[]> {
  const text = await registry.metrics();
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

test('series have the names, labels and values that they have in the text format', async () => {
  const registry = new Registry();
  const registers = [registry];
  new Counter({ name: 'a_total', help: 'a', labelNames: ['x'], registers }).inc({ x: 'one' }, 3);
  new Gauge({ name: 'b', help: 'b', registers }).set(-1.5);
  const histogram = new Histogram({
    name: 'c',
    help: 'c',
    labelNames: ['x'],
    buckets: [0.005, 1, 2.5],
    registers,
  });
  histogram.observe({ x: 'two' }, 0.7);
  histogram.observe({ x: 'two' }, 7);
  new Summary({ name: 'd', help: 'd', percentiles: [0.5, 0.99], registers }).observe(4);
  const values = (await registry.getMetricsAsJSON()).flatMap(seriesValues);
  const lines = values.map(({ labels, value }) => {
    const [[, name] = [], ...others] = labels;
    const inner = others.map(([label, text]) => `${label}="${text}"`).join(',');
    return `${name}${inner === '' ? '' : `{${inner}}`} ${value}`;
  });
  assert.deepEqual(lines.sort(), (await textLines(registry)).sort());
  assert.equal(lines.filter((line) => line.startsWith('c_bucket')).length, 4);
  assert.equal(new Set(values.map(({ key }) => key)).size, values.length, 'each key is there once');
});

test('a label without a value is as good as none, and text is made valid Unicode', async () => {
  const registry = new Registry();
  const gauge = new Gauge({ name: 'a', help: 'a', labelNames: ['x', 'y'], registers: [registry] });
  gauge.set({ x: '', y: 'b\ud800' }, 1);
  const [series] = seriesValues(await gauge.get());
  assert.deepEqual(series?.labels, [
    ['__name__', 'a'],
    ['y', 'b\ufffd'],
  ]);
});

test('labels are sorted by name, and instance and job are always there', () => {
  const target = targetLabels({ zone: 'b', Area: 'c' }, 'host-1');
  assert.deepEqual(
    sentLabels(
      [
        ['__name__', 'up'],
        ['service', 'web'],
      ],
      target,
    ),
    [
      ['Area', 'c'],
      ['__name__', 'up'],
      ['instance', 'host-1'],
      ['job', 'davit'],
      ['service', 'web'],
      ['zone', 'b'],
    ],
  );
});

test('a label of a metric that is called instance or job is kept as a scrape keeps it', () => {
  const target = targetLabels({ instance: 'here', job: 'agents' }, 'host-1');
  assert.deepEqual(
    sentLabels(
      [
        ['__name__', 'cpu'],
        ['instance', '2'],
        ['exported_instance', 'odd'],
      ],
      target,
    ),
    [
      ['__name__', 'cpu'],
      ['exported_exported_instance', '2'],
      ['exported_instance', 'odd'],
      ['instance', 'here'],
      ['job', 'agents'],
    ],
  );
});

test('another label of the configuration gives way to that of a metric, so that no bucket loses its bound', () => {
  const target = targetLabels({ le: 'x', job: '' }, 'host-1');
  assert.deepEqual(
    sentLabels(
      [
        ['__name__', 'a_bucket'],
        ['le', '0.5'],
      ],
      target,
    ),
    [
      ['__name__', 'a_bucket'],
      ['instance', 'host-1'],
      ['le', '0.5'],
    ],
  );
});

test('a series that is gone is told once, and again after it was back', () => {
  const ends = new SeriesEnds();
  const series = (name: string) => ({ key: name, labels: [['__name__', name]] as const, value: 1 });
  const names = (...present: string[]) => ends.take(present.map(series)).map(([label]) => label?.[1]);
  assert.deepEqual(names('a', 'b'), []);
  assert.deepEqual(names('a'), ['b']);
  assert.deepEqual(names('a'), []);
  assert.deepEqual(names('a', 'b'), []);
  assert.deepEqual(names(), ['a', 'b']);
});
