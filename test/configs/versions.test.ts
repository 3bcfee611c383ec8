import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Versions } from '../../src/configs/versions.ts';

const written = { actor: 'key:k', origin: 'written', restored_from: null } as const;

function place(t: TestContext): { folder: string; versions: Versions } {
  const folder = mkdtempSync(join(tmpdir(), 'davit-versions-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return { folder, versions: new Versions(join(folder, 'configs')) };
}

test('a number is never given twice, also after a version was dropped', (t) => {
  const { folder, versions } = place(t);
  assert.deepEqual(versions.list('web', 'app'), []);
  versions.add('web', 'app', Buffer.from('one'), written);
  const { version } = versions.add('web', 'app', Buffer.from('two'), written);
  versions.drop('web', 'app', version);
  assert.equal(versions.add('web', 'app', Buffer.from('three'), written).version, 3);
  assert.deepEqual(
    versions.list('web', 'app').map((kept) => kept.version),
    [1, 3],
  );
  assert.deepEqual(readdirSync(join(folder, 'configs', 'web', 'app')).sort(), ['1', '3', 'index.json']);
  assert.throws(() => versions.content('web', 'app', 2), { code: 'config_not_found' });
  assert.equal(versions.content('web', 'app', 3).toString(), 'three');
});

test('what an agent left that died before it had noted it is removed', (t) => {
  const { folder, versions } = place(t);
  versions.add('web', 'app', Buffer.from('one'), written);
  const stray = join(folder, 'configs', 'web', 'app', '2.0123456789ab');
  writeFileSync(stray, 'half');
  versions.add('web', 'app', Buffer.from('two'), written);
  assert.ok(!existsSync(stray));
});

test('a damaged content or index is told as such, and nothing is made up', (t) => {
  const { folder, versions } = place(t);
  versions.add('web', 'app', Buffer.from('one'), written);
  writeFileSync(join(folder, 'configs', 'web', 'app', '1'), 'two');
  assert.throws(() => versions.content('web', 'app', 1), { code: 'storage_unavailable', message: /damaged/ });
  writeFileSync(join(folder, 'configs', 'web', 'app', 'index.json'), '{');
  assert.throws(() => versions.list('web', 'app'), { code: 'storage_unavailable', message: /index\.json/ });
  assert.throws(() => versions.add('web', 'app', Buffer.from('x'), written), { code: 'storage_unavailable' });
});

test('services keep nothing of each other, and what no service has goes', (t) => {
  const { folder, versions } = place(t);
  for (const service of ['a', 'b', 'c']) versions.add(service, 'app', Buffer.from(service), written);
  versions.keepOnly(new Set(['a', 'c']));
  versions.removeAll('c');
  assert.deepEqual(readdirSync(join(folder, 'configs')), ['a']);
  assert.equal(versions.content('a', 'app', 1).toString(), 'a');
});

test('names that specs had once are kept up to a limit, the one written longest ago goes first', (t) => {
  const { folder, versions } = place(t);
  for (let n = 0; n < 205; n++) versions.add('web', `name-${n}`, Buffer.from('x'), written);
  const left = readdirSync(join(folder, 'configs', 'web'));
  assert.equal(left.length, 200);
  assert.ok(left.includes('name-204'));
});
