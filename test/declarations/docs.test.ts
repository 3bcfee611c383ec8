import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { configSchema } from '../../src/config/schema.ts';
import { declarationJsonSchema, plannedActions } from '../../src/contract/declaration.ts';
import { Draft } from '../../src/declarations/draft.ts';
import type { DavitError } from '../../src/lib/errors.ts';

const docs = resolve(import.meta.dirname, '../../docs');
const page = readFileSync(resolve(docs, 'declared.md'), 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(([, block = '']) => block);
const [example = '', wrong = '', settings = ''] = blocks('yaml');
const nothing = { specOf: () => null, others: new Map(), mayName: () => true };

test('the example of docs/declared.md is right', () => {
  const { name, services } = new Draft(example, 'davit.yaml').resolve(nothing);
  assert.equal(name, 'shop');
  assert.deepEqual([...services.keys()], ['db', 'migrate', 'api', 'nightly']);
});

test('what docs/declared.md says is wrong with its other example is what is told', () => {
  const [said = ''] = blocks('text');
  assert.throws(
    () => new Draft(wrong, 'davit.yaml').resolve(nothing),
    (error: DavitError) => {
      const told = error.details.map(
        ({ line, column, path, message }) => `davit.yaml:${line}:${column}: ${path}: ${message}\n`,
      );
      assert.equal(told.join(''), said);
      return true;
    },
  );
});

test('the settings of docs/declared.md are settings', () => {
  assert.equal(configSchema.partial().safeParse(parse(settings)).success, true);
});

test('docs/declared.md has every action of a plan', () => {
  const listed = [...page.matchAll(/^\| ([a-z]+) \|/gm)].map((match) => match[1]);
  const actions = plannedActions.filter((action) => action !== 'none');
  assert.deepEqual(
    actions.filter((action) => !listed.includes(action)),
    [],
  );
});

test('the JSON Schema that is published is that of this version', () => {
  const published = JSON.parse(readFileSync(resolve(docs, 'davit.schema.json'), 'utf8'));
  const advice = 'davit schema > docs/davit.schema.json && npx biome format --write docs/davit.schema.json';
  assert.deepEqual(published, declarationJsonSchema(), advice);
});
