import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { installationGap } from '../../src/packaging/installed_packages.mjs';

const root = join(import.meta.dirname, '../..');
const foreign = { os: process.platform === 'linux' ? 'win32' : 'linux', cpu: process.arch };
const native = { os: process.platform, cpu: process.arch };

interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly optional?: boolean;
  readonly os?: string;
  readonly cpu?: string;
  readonly libc?: readonly string[];
}

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-installed-'));
  declare({ a: '1.0.0' }, { a: { version: '1.0.0', integrity: 'sha512-a' } });
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Writes package.json and package-lock.json. */
function declare(dependencies: Record<string, string>, packages: Record<string, Locked>): void {
  write('package.json', { dependencies });
  write('package-lock.json', { packages: { '': { dependencies }, ...inNodeModules(packages) } });
}

/** Writes what npm leaves behind: the packages' folders, and its own lockfile. */
function install(packages: Record<string, Locked>): void {
  for (const name of Object.keys(packages)) write(`node_modules/${name}/package.json`, {});
  write('node_modules/.package-lock.json', { packages: inNodeModules(packages) });
}

function inNodeModules(packages: Record<string, Locked>) {
  return Object.fromEntries(
    Object.entries(packages).map(([name, locked]) => [`node_modules/${name}`, locked]),
  );
}

function write(path: string, content: object): void {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), JSON.stringify(content));
}

test('a fresh clone has nothing installed', () => {
  assert.equal(installationGap(folder), 'nothing is installed yet');
});

test('an installation that was interrupted counts as none', () => {
  write('node_modules/a/package.json', {});
  assert.equal(installationGap(folder), 'nothing is installed yet');
});

test('what the lockfile asks for leaves no gap', () => {
  install({ a: { version: '1.0.0', integrity: 'sha512-a' } });
  assert.equal(installationGap(folder), undefined);
});

test('another version, another content, a missing and a superfluous package are each named', () => {
  const a = { version: '1.0.0', integrity: 'sha512-a' };
  install({ a: { ...a, version: '1.0.1' } });
  assert.equal(installationGap(folder), 'a is 1.0.1, not 1.0.0');
  install({ a: { ...a, integrity: 'sha512-other' } });
  assert.equal(installationGap(folder), 'a has another content than the lockfile names');
  install({});
  assert.equal(installationGap(folder), 'a is missing');
  install({ a, '@b/c': a });
  assert.equal(installationGap(folder), '@b/c is no longer wanted');
});

test('a package whose folder was deleted is missing', () => {
  install({ a: { version: '1.0.0', integrity: 'sha512-a' } });
  rmSync(join(folder, 'node_modules/a'), { recursive: true });
  assert.equal(installationGap(folder), 'a is missing');
});

test('a dependency that was added without the lockfile is a gap', () => {
  install({ a: { version: '1.0.0', integrity: 'sha512-a' } });
  write('package.json', { dependencies: { a: '1.0.0', b: '1.0.0' } });
  assert.equal(installationGap(folder), 'package.json and package-lock.json differ');
});

test('an optional package may be absent, unless it is for this very platform', () => {
  const optional = { version: '1.0.0', optional: true };
  declare(
    {},
    { other: { ...optional, ...foreign }, inner: optional, musl: { ...optional, ...native, libc: ['musl'] } },
  );
  install({});
  assert.equal(installationGap(folder), undefined);
  declare({}, { node: { ...optional, ...native } });
  assert.equal(installationGap(folder), 'node is missing');
});

test('npm itself leaves no gap after an installation', () => {
  rmSync(join(folder, 'package-lock.json'));
  write('package.json', { dependencies: { b: 'file:b' } });
  write('b/package.json', { name: 'b', version: '1.0.0' });
  execFileSync('npm', ['install', '--offline', '--ignore-scripts'], { cwd: folder, stdio: 'ignore' });
  assert.equal(installationGap(folder), undefined);
});

test('setup is silent when everything is there', () => {
  const run = spawnSync(process.execPath, [join(root, 'src/packaging/setup.mjs')], { encoding: 'utf8' });
  assert.deepEqual([run.status, run.stdout, run.stderr], [0, '', '']);
});
