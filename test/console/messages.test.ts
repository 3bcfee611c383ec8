import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import en from '../../src/console/messages/en/index.ts';
import zh from '../../src/console/messages/zh/index.ts';

const source = resolve(import.meta.dirname, '../../src/console');
const english = flatten(en);
const chinese = flatten(zh);

function flatten(messages: object, path = ''): Map<string, string> {
  return new Map(
    Object.entries(messages).flatMap(([key, value]) =>
      typeof value === 'string' ? [[path + key, value] as const] : [...flatten(value, `${path}${key}.`)],
    ),
  );
}

function placeholders(text: string): string[] {
  return [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name))].sort();
}

/** Every file of the console, with what its source says. */
function sources(): { name: string; text: string }[] {
  return readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(vue|ts)$/.test(name) && !name.startsWith('messages'))
    .map((name) => ({ name, text: readFileSync(join(source, name), 'utf8') }));
}

test('every sentence is there in both languages, with the same parts', () => {
  assert.deepEqual([...chinese.keys()].sort(), [...english.keys()].sort());
  const different = [...english].filter(
    ([key, text]) => placeholders(text).join() !== placeholders(chinese.get(key) ?? '').join(),
  );
  assert.deepEqual(different, []);
});

test('no sentence is empty', () => {
  for (const [key, text] of [...english, ...chinese]) assert.notEqual(text.trim(), '', key);
});

test('every sentence that a page asks for is there', () => {
  const missing = sources().flatMap(({ name, text }) =>
    [...text.matchAll(/(?<![\w$])(?:t|te|tc)\(\s*'([a-z_]+\.[\w.]+)'/g)]
      .filter(([, key = '']) => !english.has(key))
      .map(([, key]) => `${name}: ${key}`),
  );
  assert.deepEqual(missing, []);
});

test('every sentence is asked for somewhere', () => {
  const texts = sources().map(({ text }) => text);
  const all = texts.join('\n');
  const dynamic = [...all.matchAll(/`([a-z_.]+[._])\$\{/g)].map(([, prefix = '']) => prefix);
  const unused = [...english.keys()].filter(
    (key) => !all.includes(`'${key}'`) && !dynamic.some((prefix) => key.startsWith(prefix)),
  );
  assert.deepEqual(unused, []);
});

test('no page writes a sentence of its own into its template', () => {
  const own = sources()
    .filter(({ name }) => name.endsWith('.vue'))
    .flatMap(({ name, text }) => {
      const template = /<template>(.*)<\/template>/s.exec(text)?.[1] ?? '';
      const plain = template
        .replaceAll(/<!--.*?-->/gs, '')
        .replaceAll(/<code[^>]*>.*?<\/code>/gs, '')
        .replaceAll(/\{\{.*?\}\}/gs, '')
        .replaceAll(/<(?:"[^"]*"|[^>"])*>/gs, '\n');
      return plain
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => /[A-Za-z]{3,} [A-Za-z]{2,}/.test(line))
        .map((line) => `${name}: ${line}`);
    });
  assert.deepEqual(own, []);
});
