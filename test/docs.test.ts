import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import type { z } from 'zod';
import { routes } from '../src/app.ts';
import { configSchema } from '../src/config/schema.ts';
import { errorStatus } from '../src/contract/error_codes.ts';
import { spec } from '../src/contract/spec.ts';

const root = resolve(import.meta.dirname, '..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** The first cell of each row of the tables of a page that holds one code word, without its backticks. */
function firstCells(page: string): string[] {
  return [...read(page).matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? '');
}

/** Every option of a schema, as `stop.signal`. */
function options(schema: z.ZodObject, deep: boolean): string[] {
  return Object.entries(schema.shape).flatMap(([name, field]) => {
    let inner = field as { unwrap?: () => unknown; shape?: unknown };
    while (deep && inner.shape === undefined && typeof inner.unwrap === 'function')
      inner = inner.unwrap() as typeof inner;
    return inner.shape && deep
      ? options(inner as z.ZodObject, deep).map((option) => `${name}.${option}`)
      : [name];
  });
}

test('docs/api.md has every error code with its status, and no other', () => {
  const rows = [...read('docs/api.md').matchAll(/^\| `([a-z_]+)` \| (\d+) \|/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ]);
  assert.deepEqual(Object.fromEntries(rows), errorStatus);
});

test('docs/api.md has every route, and no other', () => {
  const listed = firstCells('docs/api.md').filter((cell) => cell.includes(' /'));
  const any = new Proxy({}, { get: () => any }) as never;
  const real = routes(any).map(({ verb, path }) => `${verb.toUpperCase()} ${path}`);
  const plain = (line: string) => line.replace(/:id/, '{id}');
  assert.deepEqual(listed.map(plain).sort(), real.sort());
});

test('docs/services.md has every field of a spec, and no other', () => {
  const table = read('docs/services.md').split('## Deploys merge')[0] ?? '';
  const listed = [...table.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]);
  assert.deepEqual(listed.sort(), options(spec, true).sort());
});

test('docs/configuration.md has every setting, and no other', () => {
  const table = read('docs/configuration.md').split('## The data directory')[0] ?? '';
  const listed = [...table.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]);
  assert.deepEqual(listed.sort(), options(configSchema, false).sort());
});

for (const page of pages) {
  test(`every link of ${page} leads somewhere`, () => {
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^https?:/.test(target)) continue;
      assert.ok(existsSync(join(root, dirname(page), target)), `${target} is not there`);
    }
  });
}
