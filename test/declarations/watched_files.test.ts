import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { DeclarationMemory } from '../../src/declarations/memory.ts';
import {
  findWatchedFiles,
  readWatched,
  slug,
  type WatchedFile,
} from '../../src/declarations/watched_files.ts';

let home: string;
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'davit-watched-')));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function write(...names: string[]): string {
  const file = join(home, ...names);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, '');
  return file;
}

const nothing = { specOf: () => null, others: new Map(), mayName: () => true };
const read = (file: string, kind: WatchedFile['kind'], source: string) =>
  readWatched({ file, kind, signature: '' }, source)?.resolve(nothing);

test('the name of a folder becomes an id', () => {
  const names = ['web', 'My Shop', 'Über_2', '.hidden', 'a--b', '--', 'x!'];
  assert.deepEqual(names.map(slug), ['web', 'my-shop', 'ber_2', 'hidden', 'a--b', '', 'x']);
});

test('YAML files of a folder are found, and of each subfolder of a workspace the first that counts', async () => {
  const declared = [write('d', 'a.yaml'), write('d', 'b.yml')];
  for (const other of ['c.txt', '.hidden.yaml', 'a.yaml.swp']) write('d', other);
  const own = [write('w', 'both', 'davit.yaml'), write('w', 'node', 'package.json')];
  write('w', 'both', 'package.json');
  write('w', 'empty', 'readme');
  write('w', 'davit.yaml');
  const { files, folders } = await findWatchedFiles({
    declarations: join(home, 'd'),
    workspace: join(home, 'w'),
  });
  assert.deepEqual(
    files.map(({ file }) => file),
    [...declared, ...own],
  );
  assert.deepEqual(folders, [join(home, 'd'), join(home, 'w')]);
});

test('the signature of a file is another one when the file is', async () => {
  const file = write('d', 'a.yaml');
  const look = async () =>
    (await findWatchedFiles({ declarations: join(home, 'd'), workspace: null })).files[0]?.signature;
  const before = await look();
  assert.equal(await look(), before);
  writeFileSync(file, 'services: {}');
  assert.notEqual(await look(), before);
});

test('a folder that is not there is told, for nothing is known of what it holds', async () => {
  await assert.rejects(findWatchedFiles({ declarations: join(home, 'nowhere'), workspace: null }), /ENOENT/);
});

test('a declaration has the name of its file, unless it says otherwise', () => {
  assert.equal(read('/d/Shop.yaml', 'declaration', 'services: {}')?.name, 'shop');
  assert.equal(read('/d/shop.yaml', 'declaration', 'name: other\nservices: {}')?.name, 'other');
});

test('a folder with the fields of one service is that service, and runs in the folder', () => {
  const found = read(
    '/srv/apps/web/davit.yaml',
    'folder',
    'command: ./server\nenv_file: [a.env, /etc/b.env]\n',
  );
  const web = found?.services.get('web');
  assert.equal(found?.name, 'web');
  assert.equal(web?.cwd, '/srv/apps/web');
  assert.deepEqual(web?.env_file, ['/srv/apps/web/a.env', '/etc/b.env']);
});

test('a folder with services has several, each of which runs in the folder unless it says otherwise', () => {
  const source = 'services:\n  a: {command: x}\n  b: {command: x, cwd: sub}\n  c: {command: x, cwd: /opt}\n';
  const found = read('/srv/apps/web/davit.yaml', 'folder', source);
  assert.deepEqual(
    [...(found?.services ?? [])].map(([id, { cwd }]) => `${id} ${cwd}`),
    ['a /srv/apps/web', 'b /srv/apps/web/sub', 'c /opt'],
  );
});

test('a package is started as npm would, unless it says otherwise', () => {
  const file = '/srv/apps/web/package.json';
  const npm = read(file, 'package', '{"scripts": {"start": "node ."}, "davit": {}}');
  assert.deepEqual(npm?.services.get('web')?.command, ['npm', 'start']);
  const own = read(file, 'package', '{"scripts": {"start": "node ."}, "davit": {"command": "node own.js"}}');
  assert.equal(own?.services.get('web')?.command, 'node own.js');
  assert.throws(() => read(file, 'package', '{"davit": {}}'), /davit\.command: is missing/);
});

test('a package without "davit" declares nothing, and one that is cut off is wrong', () => {
  assert.equal(
    readWatched({ file: '/w/web/package.json', kind: 'package', signature: '' }, '{"name": "x"}'),
    null,
  );
  assert.throws(() => read('/w/web/package.json', 'package', '{"davit": {"command": "x"'));
});

test('a folder whose name cannot be an id is refused', () => {
  assert.throws(
    () => read('/srv/apps/日本/davit.yaml', 'folder', 'command: x'),
    /cannot be made the id of a service/,
  );
});

test('what was applied is remembered, in a file that only the agent may read', () => {
  const file = join(home, 'declarations.json');
  const problems: string[] = [];
  const memory = new DeclarationMemory(file, (message) => problems.push(message));
  memory.note('/a.yaml', { hash: 'x', name: 'a' });
  memory.note('/b.yaml', { hash: 'y', name: 'b' });
  memory.forget('/a.yaml');
  const next = new DeclarationMemory(file, (message) => problems.push(message));
  assert.equal(next.planKey, memory.planKey);
  assert.deepEqual(next.applied, { '/b.yaml': { hash: 'y', name: 'b' } });
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(problems.length, 0);
  writeFileSync(file, '{');
  assert.deepEqual(new DeclarationMemory(file, (message) => problems.push(message)).applied, {});
  assert.match(problems[0] ?? '', /cannot be read and is made anew/);
  assert.match(readFileSync(file, 'utf8'), /plan_key/);
});
