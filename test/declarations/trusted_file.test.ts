import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { readTrusted } from '../../src/declarations/trusted_file.ts';

let home: string;
let file: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'davit-trusted-'));
  mkdirSync(join(home, 'folder'), { mode: 0o755 });
  file = join(home, 'folder', 'davit.yaml');
  writeFileSync(file, 'text', { mode: 0o644 });
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const refused = (why: RegExp, path = file) => assert.rejects(readTrusted(path, 1_000_000), why);

test('a file of ours in folders of ours is read, also below a folder with the sticky bit', async () => {
  assert.equal(await readTrusted(file, 1_000_000), 'text');
});

for (const mode of [0o664, 0o646]) {
  test(`a file of mode ${mode.toString(8)} is refused`, async () => {
    chmodSync(file, mode);
    await refused(/davit\.yaml can be written by others: chmod go-w/);
  });
}

test('a folder that others can write is refused, however far above', async () => {
  chmodSync(home, 0o775);
  await refused(/davit-trusted-\w+ can be written by others/);
});

test('a file of another user is refused', { skip: process.getuid?.() !== 0 }, async () => {
  chownSync(file, 12_345, 12_345);
  await refused(/belongs to the user 12345/);
});

test('a folder of another user is refused', { skip: process.getuid?.() !== 0 }, async () => {
  chownSync(join(home, 'folder'), 12_345, 12_345);
  await refused(/folder belongs to the user 12345/);
});

test('a link is refused, be it the file or a folder on the way', async () => {
  symlinkSync(file, join(home, 'link.yaml'));
  await refused(/link\.yaml is a link/, join(home, 'link.yaml'));
  symlinkSync(join(home, 'folder'), join(home, 'other'));
  await refused(/other is a link/, join(home, 'other', 'davit.yaml'));
});

test('what is no file is refused without waiting for it', async () => {
  const pipe = join(home, 'folder', 'pipe.yaml');
  execFileSync('mkfifo', ['-m', '644', pipe]);
  await refused(/is no file/, pipe);
});

test('a file that is too large is refused', async () => {
  await assert.rejects(readTrusted(file, 3), /is larger than/);
});
