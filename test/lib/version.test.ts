import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commit, version } from '../../src/lib/version.ts';

const root = join(import.meta.dirname, '../..');

test('the version is that of package.json', () => {
  assert.equal(version, JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version);
});

const skip = existsSync(join(root, '.git/HEAD')) ? false : 'not a plain clone';

test('the commit is the one that git names', { skip }, () => {
  const fullHash = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' });
  assert.match(commit, /^[0-9a-f]{7}$/);
  assert.ok(fullHash.startsWith(commit));
});
