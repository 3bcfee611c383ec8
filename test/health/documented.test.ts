import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { probe } from '../../src/contract/probe.ts';
import { spec } from '../../src/contract/spec.ts';
import { checkSpec } from '../../src/services/spec_check.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/health.md'), 'utf8');
const examples = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text);

for (const example of examples) {
  test(`docs/health.md shows what a service can be given: ${example.split('\n')[0]}`, () => {
    const shown = spec.parse({ command: 'x', port: 'auto', ...parse(example) });
    checkSpec(shown);
    assert.ok(shown.readiness !== null || shown.liveness !== null);
  });
}

test('docs/health.md shows every kind of probe, and the fields that all have with their defaults', () => {
  const kinds = probe.options.map(({ shape }) => [...shape.type.values][0]);
  assert.deepEqual(
    kinds.filter((kind) => !new RegExp(`type: ${kind}\\b`).test(page)),
    [],
  );
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name = '', value]) => [name, value]);
  const {
    type: _type,
    max_cpu: _cpu,
    max_memory: _memory,
    ...common
  } = probe.parse({ type: 'process' }) as Readonly<Record<string, unknown>>;
  assert.deepEqual(
    rows,
    Object.entries(common).map(([name, value]) => [name, String(value)]),
  );
});
