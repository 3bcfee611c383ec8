import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, test } from 'node:test';
import { createdApiKey } from '../../src/contract/keys.ts';
import { ensureAdminKey } from '../../src/http/admin_key.ts';
import { ApiKeys, type NewApiKey } from '../../src/http/api_keys.ts';
import { migrations } from '../../src/services/schema.ts';

let database: DatabaseSync;
let now: number;
let revoked: string[];
let problems: string[];
let keys: ApiKeys;

beforeEach(() => {
  database = new DatabaseSync(':memory:');
  for (const migration of migrations) database.exec(migration);
  now = Date.parse('2026-01-01T00:00:00Z');
  revoked = [];
  problems = [];
  keys = open();
});

function open(): ApiKeys {
  return new ApiKeys({
    database,
    now: () => now,
    onRevoked: ({ actor }) => revoked.push(actor),
    onProblem: (message) => problems.push(message),
  });
}

const wanted = (changes: Partial<NewApiKey> = {}): NewApiKey => ({
  name: 'pipeline',
  scopes: ['deploy'],
  services: null,
  expires_at: null,
  ...changes,
});

test('a key is shown once, and says who it belongs to ever after', () => {
  const created = keys.create(wanted({ scopes: ['deploy', 'read', 'read'], services: ['web-*'] }));
  createdApiKey.parse(created);
  assert.match(created.key, /^davit_[a-z0-9]{10}_[A-Za-z0-9_-]{43}$/);
  assert.equal(created.key.split('_')[1], created.id);
  assert.deepEqual(created.scopes, ['read', 'deploy']);
  const expected = {
    actor: `key:${created.id}`,
    name: 'pipeline',
    grants: [{ scope: 'deploy', services: ['web-*'] }],
    expires_at: null,
  };
  assert.deepEqual(keys.verify(created.key), expected);
  assert.deepEqual(open().verify(created.key), expected);
  assert.ok(!JSON.stringify(keys.list()).includes(created.key.slice(-43)));
});

test('the secret is nowhere in the state', () => {
  const { key } = keys.create(wanted());
  const rows = database.prepare('SELECT * FROM api_keys').all();
  const hex = Buffer.from(key).toString('hex');
  for (const value of Object.values(rows[0] ?? {})) {
    const text = value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
    assert.ok(!text.includes(key.slice(-43)) && !text.includes(hex));
  }
});

test('whatever is not exactly a key that was given out belongs to nobody', () => {
  const { key, id } = keys.create(wanted());
  const other = keys.create(wanted()).key;
  const last = key.at(-1) === 'A' ? 'B' : 'A';
  const wrong = [
    '',
    'davit',
    `${key} `,
    ` ${key}`,
    key.slice(0, -1),
    key.slice(0, -1) + last,
    key.toUpperCase(),
    `davit_${id}_${other.slice(-43)}`,
    `davit_aaaaaaaaaa_${key.slice(-43)}`,
    `davit___proto___${key.slice(-43)}`,
    'x'.repeat(100_000),
  ];
  for (const text of wrong) assert.equal(keys.verify(text), null, text.slice(0, 80));
});

test('a key ends at its time', () => {
  const { key } = keys.create(wanted({ expires_at: now + 1000 }));
  assert.ok(keys.verify(key));
  now += 1000;
  assert.equal(keys.verify(key), null);
});

test('a revoked key is worth nothing, now and after a restart, and is told of once', () => {
  const { key, id } = keys.create(wanted());
  assert.ok(keys.verify(key));
  const answer = keys.revoke(id);
  assert.equal(answer.revoked_at, '2026-01-01T00:00:00.000Z');
  now += 5000;
  assert.deepEqual(keys.revoke(id), answer);
  assert.deepEqual(revoked, [`key:${id}`]);
  assert.equal(keys.verify(key), null);
  assert.equal(open().verify(key), null);
  assert.throws(() => keys.revoke('nosuchkey'), { code: 'key_not_found' });
});

test('the last valid admin key cannot be revoked', () => {
  const first = keys.create(wanted({ scopes: ['admin'] }));
  keys.create(wanted({ scopes: ['admin'], services: ['web'] }));
  keys.create(wanted({ scopes: ['deploy'] }));
  const expiring = keys.create(wanted({ scopes: ['admin'], expires_at: now + 1000 }));
  now += 1000;
  assert.throws(() => keys.revoke(first.id), { code: 'state_conflict', message: /last valid admin key/ });
  assert.ok(keys.verify(first.key));
  keys.revoke(expiring.id);
  const second = keys.create(wanted({ scopes: ['admin'] }));
  keys.revoke(first.id);
  assert.throws(() => keys.revoke(second.id), { code: 'state_conflict' });
});

test('the last use is known at once, and written down when the keys are closed', () => {
  const { key, id } = keys.create(wanted());
  const stored = () => database.prepare('SELECT last_used_at FROM api_keys WHERE id = ?').get(id);
  now += 90_000;
  for (let times = 0; times < 100; times++) keys.verify(key);
  assert.equal(keys.list()[0]?.last_used_at, '2026-01-01T00:01:30.000Z');
  assert.equal(stored()?.['last_used_at'], null);
  keys.close();
  assert.equal(stored()?.['last_used_at'], now);
  assert.equal(open().list()[0]?.last_used_at, '2026-01-01T00:01:30.000Z');
});

test('the last use is written down once a minute', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { key, id } = keys.create(wanted());
  const stored = () =>
    database.prepare('SELECT last_used_at FROM api_keys WHERE id = ?').get(id)?.['last_used_at'];
  keys.verify(key);
  t.mock.timers.tick(59_999);
  assert.equal(stored(), null);
  t.mock.timers.tick(1);
  assert.equal(stored(), now);
  now += 1;
  keys.verify(key);
  t.mock.timers.tick(60_000);
  assert.equal(stored(), now);
});

test('a state that cannot be written refuses new keys, goes on checking, and says so', () => {
  const { key, id } = keys.create(wanted());
  keys.verify(key);
  database.exec('PRAGMA query_only = 1');
  assert.throws(() => keys.create(wanted()), { code: 'storage_unavailable' });
  assert.throws(() => keys.revoke(id), { code: 'storage_unavailable' });
  assert.equal(keys.list().length, 1);
  assert.ok(keys.verify(key));
  keys.close();
  assert.match(problems[0] ?? '', /last use of API keys/);
});

function folder(t: { after(work: () => void): void }): string {
  const name = mkdtempSync(join(tmpdir(), 'davit-admin-key-'));
  t.after(() => rmSync(name, { recursive: true }));
  return join(name, 'admin.key');
}
const read = (file: string) => readFileSync(file, 'utf8').trim();

test('the first start makes an admin key, the second finds it', (t) => {
  const file = folder(t);
  assert.deepEqual(ensureAdminKey(keys, file), { made: true, problem: null });
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(keys.verify(read(file))?.grants, [{ scope: 'admin', services: null }]);
  keys = open();
  assert.deepEqual(ensureAdminKey(keys, file), { made: false, problem: null });
  assert.equal(keys.list().length, 1);
});

test('an admin key that was taken away stays away, and an empty file asks for another', (t) => {
  const file = folder(t);
  ensureAdminKey(keys, file);
  rmSync(file);
  assert.deepEqual(ensureAdminKey(keys, file), { made: false, problem: null });
  assert.equal(existsSync(file), false);
  writeFileSync(file, '\n');
  assert.deepEqual(ensureAdminKey(keys, file), { made: true, problem: null });
  assert.ok(keys.verify(read(file)));
  assert.equal(keys.list().length, 2);
});

test('without any valid admin key a new one is made, whatever the file says', (t) => {
  const file = folder(t);
  writeFileSync(file, 'davit_from_an_earlier_state');
  assert.equal(ensureAdminKey(keys, file).made, true);
  assert.ok(keys.verify(read(file)));
});

test('a key in the file that is not valid any more is named, and left alone', (t) => {
  const file = folder(t);
  ensureAdminKey(keys, file);
  keys.create(wanted({ scopes: ['admin'] }));
  keys.revoke(keys.list()[0]?.id ?? '');
  const before = read(file);
  const { made, problem } = ensureAdminKey(keys, file);
  assert.equal(made, false);
  assert.match(problem ?? '', /admin\.key is not valid any more; empty the file/);
  assert.equal(read(file), before);
});

test('the admin key is not read through a symbolic link', (t) => {
  const file = folder(t);
  symlinkSync('/etc/hostname', file);
  assert.throws(() => ensureAdminKey(keys, file), { code: 'storage_unavailable', message: /admin\.key/ });
});

test('an admin key that cannot be written is not made', (t) => {
  const file = join(folder(t), 'no', 'such', 'folder');
  assert.throws(() => ensureAdminKey(keys, file), { code: 'storage_unavailable' });
  assert.equal(keys.list().length, 0);
});
