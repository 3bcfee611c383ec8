import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { parse } from 'yaml';
import { metricsField } from '../../../src/config/metrics.ts';
import { MetricSet } from '../../../src/metrics/exposition/metric_set.ts';
import { addOwnMetrics } from '../../../src/metrics/remote_write/own_metrics.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../../docs/remote-write.md'), 'utf8');

test('every example of docs/remote-write.md is a configuration', () => {
  const examples = [...page.matchAll(/^```yaml\n(metrics:.*?)^```/gms)].map(([, text = '']) => text);
  assert.equal(examples.length, 5);
  for (const example of examples) assert.ok(metricsField.safeParse(parse(example).metrics).success, example);
});

test('docs/remote-write.md has every setting of a receiver, and no other', () => {
  const table = page.slice(page.indexOf('| setting |'), page.indexOf('`instance` is the name'));
  const told = [...table.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) => [
    ...cell.matchAll(/`(\w+)`/g),
  ]);
  const { remote_write } = metricsField.unwrap().shape;
  const settings = Object.keys(remote_write.unwrap().element.shape);
  assert.deepEqual(told.map(([, name]) => name).sort(), settings.sort());
});

test('docs/remote-write.md has every metric of remote write, and no other', () => {
  const registry = new Registry();
  addOwnMetrics(new MetricSet(registry), () => []);
  const told = [...page.matchAll(/^\| `(davit_\w+)` \| (\w+) \|/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  );
  const metrics = registry.getMetricsAsArray() as unknown as { name: string; type: string }[];
  assert.deepEqual(told.sort(), metrics.map(({ name, type }) => `${name} ${type}`).sort());
});
