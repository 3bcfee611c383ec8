import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

type Packages = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

const lockfile = join(import.meta.dirname, '../../package-lock.json');
const packages: Packages = JSON.parse(readFileSync(lockfile, 'utf8')).packages;

/** Whether what stands at `path` finds the package `name`, as Node looks for it: in its own folder and in each above. */
function finds(path: string, name: string): boolean {
  if (`${path === '' ? '' : `${path}/`}node_modules/${name}` in packages) return true;
  if (path === '') return false;
  const above = path.lastIndexOf('/node_modules/');
  return finds(above === -1 ? '' : path.slice(0, above), name);
}

test('the lockfile names every package for every platform, or "npm ci" would refuse it on a fresh clone', () => {
  const missing = Object.entries(packages).flatMap(([path, locked]) => {
    const kinds = ['dependencies', 'optionalDependencies', ...(path === '' ? ['devDependencies'] : [])];
    const names = kinds.flatMap((kind) => Object.keys(locked[kind] ?? {}));
    return names.filter((name) => !finds(path, name)).map((name) => `${path} → ${name}`);
  });
  assert.deepEqual(missing, []);
});

test('the lockfile has a hash of every package, and no address', () => {
  const { '': _root, ...locked } = packages;
  const loose = Object.entries(locked).filter(([, entry]) => !entry['integrity'] || entry['resolved']);
  assert.deepEqual(loose, []);
});
