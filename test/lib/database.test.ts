import assert from 'node:assert/strict';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, test } from 'node:test';
import { backUp, type DatabaseOptions, openDatabase } from '../../src/lib/database.ts';

const first = 'CREATE TABLE notes (text TEXT)';
const second = 'ALTER TABLE notes ADD COLUMN pages INTEGER';

let folder: string;
let options: DatabaseOptions;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-database-'));
  options = { file: join(folder, 'state.db'), backups: join(folder, 'backups'), migrations: [first] };
});
afterEach(() => rmSync(folder, { recursive: true }));

function notes(database: DatabaseSync): unknown[] {
  return database
    .prepare('SELECT text FROM notes')
    .all()
    .map((row) => row['text']);
}

/** A state that holds `one` in a backup and `one`, `two` in the file. */
async function stateWithBackup(): Promise<void> {
  const { database } = openDatabase(options);
  database.exec("INSERT INTO notes VALUES ('one')");
  await backUp(database, options.backups, 5);
  database.exec("INSERT INTO notes VALUES ('two')");
  database.close();
}

function keptFiles(kind: string): string[] {
  return readdirSync(folder).filter(
    (name) => name.startsWith(`state.db.${kind}-`) && !/-(wal|shm)$/.test(name),
  );
}

test('a new state is made, and found again', () => {
  const made = openDatabase(options);
  made.database.exec("INSERT INTO notes VALUES ('one')");
  made.database.close();
  const found = openDatabase(options);
  assert.deepEqual(notes(found.database), ['one']);
  assert.deepEqual(found.problems, []);
  assert.equal(statSync(options.file).mode & 0o777, 0o600);
  found.database.close();
});

test('an older state is brought to the present version with what it holds', () => {
  const old = openDatabase(options);
  old.database.exec("INSERT INTO notes VALUES ('one')");
  old.database.close();
  const { database } = openDatabase({ ...options, migrations: [first, second] });
  assert.deepEqual({ ...database.prepare('SELECT * FROM notes').get() }, { text: 'one', pages: null });
  database.close();
});

test('a damaged state is kept aside and the newest good backup takes its place', async () => {
  await stateWithBackup();
  writeFileSync(
    options.file,
    'this is no database at all, but it is long enough to be looked at '.repeat(100),
  );
  const { database, problems } = openDatabase(options);
  assert.deepEqual(notes(database), ['one']);
  const [kept] = keptFiles('damaged');
  assert.match(readFileSync(join(folder, kept ?? ''), 'utf8'), /^this is no database/);
  assert.match(
    problems.join('\n'),
    /state\.db is damaged .*kept as .*state\.db\.damaged-.*\n.*started with the backup/,
  );
  database.close();
});

test('a state whose pages are damaged is noticed', async () => {
  await stateWithBackup();
  const bytes = readFileSync(options.file);
  bytes.fill(0xff, 4096);
  writeFileSync(options.file, bytes);
  const { database, problems } = openDatabase(options);
  assert.deepEqual(notes(database), ['one']);
  assert.equal(problems.length, 2);
  database.close();
});

test('a state that was cut to nothing is noticed when there are backups', async () => {
  await stateWithBackup();
  truncateSync(options.file, 0);
  const { database, problems } = openDatabase(options);
  assert.deepEqual(notes(database), ['one']);
  assert.match(problems.join('\n'), /is empty/);
  database.close();
});

test('a state of a newer version is kept aside untouched', async () => {
  await stateWithBackup();
  const newer = new DatabaseSync(options.file);
  newer.exec('PRAGMA user_version = 9');
  newer.close();
  const { database, problems } = openDatabase(options);
  assert.deepEqual(notes(database), ['one']);
  assert.match(problems.join('\n'), /newer version \(state version 9, this one reads up to 1\)/);
  const kept = new DatabaseSync(join(folder, keptFiles('newer')[0] ?? ''));
  assert.deepEqual(notes(kept), ['one', 'two']);
  kept.close();
  database.close();
});

test('a damaged backup is passed over for an older good one', async () => {
  await stateWithBackup();
  writeFileSync(join(options.backups, '9999-01-01T00-00-00.000Z.db'), 'damaged too'.repeat(1000));
  writeFileSync(options.file, 'damaged'.repeat(1000));
  const { database } = openDatabase(options);
  assert.deepEqual(notes(database), ['one']);
  database.close();
});

test('a damaged state without any backup begins anew, and says so', () => {
  writeFileSync(options.file, 'damaged'.repeat(1000));
  const { database, problems } = openDatabase(options);
  assert.deepEqual(notes(database), []);
  assert.match(problems.join('\n'), /no good backup/);
  database.close();
});

test('a state that cannot be opened for another reason is left alone', () => {
  const missing = join(folder, 'missing', 'state.db');
  assert.throws(() => openDatabase({ ...options, file: missing }), {
    code: 'storage_unavailable',
    message: /missing\/state\.db/,
  });
  assert.equal(existsSync(missing), false);
});

test('only so many backups are kept, the newest', async () => {
  const { database } = openDatabase(options);
  for (const text of ['a', 'b', 'c', 'd']) {
    database.exec(`INSERT INTO notes VALUES ('${text}')`);
    await backUp(database, options.backups, 2);
  }
  database.close();
  const newest = readdirSync(options.backups).sort().at(-1) ?? '';
  assert.equal(readdirSync(options.backups).length, 2);
  const copy = new DatabaseSync(join(options.backups, newest));
  assert.deepEqual(notes(copy), ['a', 'b', 'c', 'd']);
  copy.close();
});
