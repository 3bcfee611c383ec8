import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { probe } from '../../src/contract/probe.ts';
import { spec } from '../../src/contract/spec.ts';
import { checkPatterns } from '../../src/health/pattern.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/health.md'), 'utf8');
const examples = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text);

for (const example of examples) {
  test(`docs/health.md shows what a service can be given: ${example.split('\n')[0]}`, () => {
    const { readiness, liveness } = spec.parse({ command: 'x', port: 'auto', ...parse(example) });
    for (const each of [readiness, liveness]) if (each !== null) checkPatterns(each, 'readiness');
    assert.ok(readiness !== null || liveness !== null);
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

test('a pattern that is none is refused with its place', () => {
  const given = probe.parse({ type: 'websocket', expect: '(' });
  assert.throws(() => checkPatterns(given, 'liveness'), {
    code: 'invalid_request',
    message: /^liveness\.expect is not a regular expression in RE2's syntax: .*missing closing \)/,
  });
});
