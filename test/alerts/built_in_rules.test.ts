import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { builtInRules } from '../../src/alerts/built_in_rules.ts';
import { watchedRule } from '../../src/alerts/watched_rule.ts';
import { alertEventNames, alertRule } from '../../src/contract/alerts.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/alerts.md'), 'utf8');

test('there is a ready-made rule for each event, which bears its name', () => {
  assert.deepEqual(
    builtInRules.map(({ name, event }) => [name, event]),
    alertEventNames.map((event) => [event, event]),
  );
});

test('docs/alerts.md has every ready-made rule as it is, and no other', () => {
  const rows = [...page.matchAll(/^\| `([a-z_]+)` \| (critical|warning|info) \| (at once|\w+) \|/gm)];
  assert.deepEqual(
    rows.map(([, ...cells]) => cells),
    builtInRules.map(({ name, severity, for: holds }) => [
      name,
      severity,
      holds === '0s' ? 'at once' : holds,
    ]),
  );
});

test('docs/alerts.md has every field of a rule', () => {
  const table = page.split('## Rules')[1]?.split('## ')[0] ?? '';
  const cells = [...table.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(
    ([, cell = '']) => cell.match(/\w+(?=`)/g) ?? [],
  );
  assert.deepEqual(cells.sort(), Object.keys(alertRule.shape).sort());
});

test('a rule is made ready with its durations in milliseconds', () => {
  const rule = watchedRule(
    alertRule.parse({
      name: 'x',
      series: 'service.ready',
      below: 2,
      clear: 3,
      for: '2m',
      keep_firing_for: '10s',
      repeat: '1h',
      services: ['web', 'team-*'],
    }),
  );
  assert.deepEqual(rule.watched, {
    kind: 'series',
    series: 'service.ready',
    side: 'below',
    threshold: 2,
    clear: 3,
  });
  assert.deepEqual([rule.hold_ms, rule.keep_ms, rule.repeat_ms], [120_000, 10_000, 3_600_000]);
  assert.deepEqual(['web', 'team-a', 'other'].map(rule.fits), [true, true, false]);
  assert.equal(rule.isOfServices, true);
});

test('what is no rule is refused with what would be one', () => {
  const problems = (rule: object) =>
    alertRule
      .safeParse({ name: 'x', ...rule })
      .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  assert.deepEqual(problems({}), ['event: a rule needs either `event` or `series`']);
  assert.deepEqual(problems({ series: 'host.cpu' }), [
    'above: a rule on a series needs either `above` or `below`',
  ]);
  assert.deepEqual(problems({ event: 'disk_low', above: 1 }), ['above: belongs to a rule on a `series`']);
  assert.deepEqual(problems({ series: 'host.cpu', above: 1, clear: 2 }), [
    'clear: must not be greater than `above`',
  ]);
  assert.deepEqual(problems({ series: 'host.cpu', below: 2, clear: 1 }), [
    'clear: must not be less than `below`',
  ]);
});
