import assert from 'node:assert/strict';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { writePrivateFile } from '../../src/lib/private_file.ts';

test('a private file can be read by its owner only, and replaces what was there', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'davit-private-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'secret');
  writeFileSync(file, 'before', { mode: 0o644 });
  writePrivateFile(file, 'after');
  assert.equal(readFileSync(file, 'utf8'), 'after');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ['secret']);
});

test('a symbolic link is replaced, what it leads to is not touched', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'davit-private-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const victim = join(folder, 'victim');
  writeFileSync(victim, 'untouched');
  symlinkSync(victim, join(folder, 'secret'));
  writePrivateFile(join(folder, 'secret'), 'after');
  assert.equal(readFileSync(victim, 'utf8'), 'untouched');
});

test('nothing is left behind when it fails', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'davit-private-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'secret', 'deeper');
  assert.throws(() => writePrivateFile(file, 'x'), { code: 'ENOENT' });
  assert.throws(() => writePrivateFile(folder, 'x'), /EISDIR|EEXIST|ENOTEMPTY/);
  assert.deepEqual(readdirSync(folder), []);
});
