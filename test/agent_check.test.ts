import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, test } from 'node:test';
import { checkAgent } from '../src/agent_check.ts';
import { type Config, configSchema } from '../src/config/schema.ts';
import { openDatabase, stateVersion } from '../src/lib/database.ts';
import { migrations } from '../src/services/schema.ts';

let data: string;
let config: Config;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'davit-check-'));
  config = configSchema.parse({ data });
});
afterEach(() => {
  chmodSync(data, 0o700);
  rmSync(data, { recursive: true });
});

const stateFile = () => join(data, 'davit.db');

/** A state with one service, whose only release is this spec; open until it is closed. */
function stateWith(spec: unknown): DatabaseSync {
  const { database } = openDatabase({ file: stateFile(), backups: join(data, 'backups'), migrations });
  const record = JSON.stringify({ id: 'web', current_release: 1, state: 'stopped' });
  database.prepare('INSERT INTO services (id, record) VALUES (?, ?)').run('web', record);
  database
    .prepare(
      "INSERT INTO releases (service, release, spec, reason, outcome, created_at, created_by) VALUES ('web', 1, ?, 'create', 'succeeded', 0, 'key:x')",
    )
    .run(JSON.stringify(spec));
  return database;
}

/** Every file of the data directory with what it holds. */
function everything(): Record<string, string> {
  const files = readdirSync(data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const names = files.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return Object.fromEntries(names.map((name) => [name, readFileSync(name, 'latin1')]));
}

test('a state is read while its agent has it open, and nothing of it changes', () => {
  using database = stateWith({ command: 'true' });
  database.exec("BEGIN IMMEDIATE; DELETE FROM services WHERE id = 'web'");
  const before = everything();
  const { services, releases, state_version, next_state_version } = checkAgent(config);
  assert.deepEqual({ services, releases }, { services: 1, releases: 1 });
  assert.deepEqual([state_version, next_state_version], [migrations.length, migrations.length]);
  assert.deepEqual(everything(), before);
  database.exec('ROLLBACK');
});

test('the state of an agent that has ended is read without a trace, too', () => {
  stateWith({ command: 'true' }).close();
  const before = everything();
  assert.equal(checkAgent(config).services, 1);
  assert.deepEqual(everything(), before);
});

test('without any state there is nothing in the way, and none is made', () => {
  config = configSchema.parse({ data: join(data, 'later') });
  assert.equal(checkAgent(config).state_version, null);
  assert.deepEqual(readdirSync(data), []);
});

test('a state that a newer version wrote is refused and left alone', () => {
  stateWith({ command: 'true' }).close();
  const newer = new DatabaseSync(stateFile());
  newer.exec('PRAGMA user_version = 99');
  newer.close();
  const before = everything();
  assert.throws(() => checkAgent(config), {
    code: 'state_newer',
    message: /davit\.db was written by a newer version \(state version 99, davit .* reads up to \d+\)/,
  });
  assert.deepEqual(everything(), before);
  assert.equal(stateVersion(stateFile()), 99);
});

test('a release that cannot be read is told', () => {
  stateWith({ command: 7 }).close();
  assert.throws(() => checkAgent(config), { code: 'state_unreadable', message: /davit\.db cannot be read/ });
  assert.deepEqual(readdirSync(data).sort(), ['backups', 'davit.db']);
});

test('a damaged state is told and left alone', () => {
  writeFileSync(stateFile(), 'damaged'.repeat(1000));
  const before = everything();
  assert.throws(() => checkAgent(config), { code: 'storage_unavailable', message: /davit\.db/ });
  assert.deepEqual(everything(), before);
});

test('a certificate that cannot be read is told', () => {
  const files = { cert_file: join(data, 'no.pem'), key_file: join(data, 'no.key') };
  config = configSchema.parse({ data, tls: files });
  assert.throws(() => checkAgent(config), { code: 'invalid_request', message: /no\.pem/ });
});

test('what a killed check left is taken away, and that of a running one stays', () => {
  stateWith({ command: 'true' }).close();
  // The highest pid that Linux gives is 2^22.
  mkdirSync(join(data, 'check-4999999-abcdef'));
  mkdirSync(join(data, `check-${process.pid}-abcdef`));
  checkAgent(config);
  assert.deepEqual(
    readdirSync(data).filter((name) => name.startsWith('check-')),
    [`check-${process.pid}-abcdef`],
  );
});
