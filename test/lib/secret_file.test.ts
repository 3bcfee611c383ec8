import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readSecret, readSmallFile } from '../../src/lib/secret_file.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-secret-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function fileWith(text: string): string {
  const file = join(folder, 'secret');
  writeFileSync(file, text);
  return file;
}

test('a secret is read without the white space around it', async () => {
  for (const text of ['s3cret', 's3cret\n', '\r\n s3cret\t\r\n', '\ufeffs3cret'])
    assert.equal(await readSecret(fileWith(text)), 's3cret');
  assert.equal(await readSecret(fileWith('two wörds\n')), 'two wörds');
});

test('what is no secret is told by the name of its file, and not by what stands in it', async () => {
  for (const text of ['', ' \n', 'pässword\nsecond', 'nul\0byte', `x\u001b[31m`, 'y'.repeat(70_000)]) {
    const file = fileWith(text);
    await assert.rejects(readSecret(file), (error: Error) => {
      assert.ok(error.message.startsWith(file), error.message);
      assert.doesNotMatch(error.message.slice(file.length), /pässword|second|nul.byte|\[31m|yyy/);
      return true;
    });
  }
});

test('what is missing, a folder and a pipe are errors at once', async () => {
  const [missing, directory, pipe] = ['missing', 'folder', 'pipe'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(directory);
  await assert.rejects(readSecret(missing), /missing cannot be read: ENOENT/);
  await assert.rejects(readSecret(directory), /cannot be read: /);
  if (process.platform === 'win32' || spawnSync('mkfifo', [pipe]).status !== 0) return;
  await assert.rejects(readSmallFile(pipe, 10), /it is not a file/);
});
