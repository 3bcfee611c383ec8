import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
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
import {
  backUp,
  backUpVersion,
  copyDatabase,
  type DatabaseOptions,
  openDatabase,
  restoreVersion,
  stateVersion,
} from '../../src/lib/database.ts';

const first = 'CREATE TABLE notes (text TEXT)';
const second = 'ALTER TABLE notes ADD COLUMN pages INTEGER';

let folder: string;
let options: DatabaseOptions & { readonly backups: string };

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

test('a state of a newer version is left alone when there is no backup to start from', async () => {
  const later = { ...options, migrations: [first, second] };
  const { database } = openDatabase(later);
  await backUp(database, options.backups, 5);
  database.close();
  assert.throws(() => openDatabase(options), {
    code: 'state_newer',
    message: /state\.db was written by a newer version .*, and there is no backup that this one can read/,
  });
  assert.deepEqual([stateVersion(options.file), keptFiles('newer')], [2, []]);
});

test('a state that is gone is taken from the newest good backup', async () => {
  await stateWithBackup();
  rmSync(options.file);
  const { database, problems } = openDatabase(options);
  assert.deepEqual(notes(database), ['one']);
  assert.match(problems.join('\n'), /^started with the backup/);
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

/** The backups that tell their version, oldest first. */
function versionBackups(): string[] {
  return readdirSync(options.backups)
    .filter((name) => name.includes('version-'))
    .sort();
}

function stateWith(text: string): void {
  const { database } = openDatabase(options);
  database.exec(`INSERT INTO notes VALUES ('${text}')`);
  database.close();
}

test('a migration leaves the state from before it as a backup that tells its version', () => {
  stateWith('one');
  openDatabase({ ...options, migrations: [first, second] }).database.close();
  const [name, ...others] = versionBackups();
  assert.match(name ?? '', /^\d{4}-\d\d-\d\dT[\d-]+\.\d{3}Z\.version-1\.db$/);
  assert.deepEqual(others, []);
  const file = join(options.backups, name ?? '');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const copy = new DatabaseSync(file);
  assert.deepEqual(notes(copy), ['one']);
  copy.close();
  assert.equal(stateVersion(file), 1);
  openDatabase({ ...options, migrations: [first, second] }).database.close();
  assert.equal(versionBackups().length, 1);
});

test('a new state needs no backup', () => {
  openDatabase({ ...options, migrations: [first, second] }).database.close();
  assert.deepEqual(readdirSync(options.backups), []);
});

test('without a backup there is no migration', () => {
  stateWith('one');
  mkdirSync(join(options.backups, 'partial-version'));
  assert.throws(() => openDatabase({ ...options, migrations: [first, second] }), {
    code: 'storage_unavailable',
  });
  assert.equal(stateVersion(options.file), 1);
});

test('a migration that fails changes nothing', () => {
  stateWith('one');
  assert.throws(() => openDatabase({ ...options, migrations: [first, second, 'NO SQL AT ALL'] }));
  const { database, problems } = openDatabase(options);
  assert.deepEqual([notes(database), problems], [['one'], []]);
  database.close();
});

test('an older version that meets a migrated state starts with the backup from before the migration', async () => {
  stateWith('one');
  const newer = openDatabase({ ...options, migrations: [first, second] });
  newer.database.exec("INSERT INTO notes VALUES ('two', 7)");
  await backUp(newer.database, options.backups, 5);
  newer.database.close();
  const { database, problems } = openDatabase(options);
  assert.deepEqual(notes(database), ['one']);
  assert.match(
    problems.join('\n'),
    /newer version .*kept as(.|\n)*started with the backup .*\.version-1\.db/,
  );
  const kept = new DatabaseSync(join(folder, keptFiles('newer')[0] ?? ''));
  assert.deepEqual(notes(kept), ['one', 'two']);
  kept.close();
  database.close();
});

test('a restored version has what its newest backup held, and the state that it replaces stays', () => {
  stateWith('one');
  backUpVersion(options.file, options.backups);
  stateWith('two');
  const newer = openDatabase({ ...options, migrations: [first, second] });
  newer.database.exec("INSERT INTO notes VALUES ('three', 7)");
  // Whoever was killed has closed nothing: what it wrote last stands in the log beside the file.
  for (const suffix of ['', '-wal', '-shm'])
    copyFileSync(options.file + suffix, join(folder, `killed.db${suffix}`));
  newer.database.close();
  const killed = join(folder, 'killed.db');

  const done = restoreVersion(killed, options.backups, 1);
  assert.match(done?.restored ?? '', /\.version-1\.db$/);
  const restored = openDatabase({ ...options, file: killed });
  assert.deepEqual([notes(restored.database), restored.problems], [['one', 'two'], []]);
  restored.database.close();
  const kept = new DatabaseSync(done?.kept ?? '');
  assert.deepEqual(notes(kept), ['one', 'two', 'three']);
  kept.close();
});

test('a version of which there is no good backup is not restored, and nothing changes', () => {
  stateWith('one');
  writeFileSync(join(options.backups, '9999-01-01T00-00-00.000Z.version-1.db'), 'damaged'.repeat(1000));
  assert.equal(restoreVersion(options.file, options.backups, 1), null);
  assert.equal(restoreVersion(options.file, join(folder, 'missing'), 1), null);
  assert.equal(stateVersion(options.file), 1);
});

test('three backups of versions are kept, and they take no place of the others', async () => {
  const { database } = openDatabase(options);
  await backUp(database, options.backups, 1);
  for (const text of ['a', 'b', 'c', 'd']) {
    database.exec(`INSERT INTO notes VALUES ('${text}')`);
    backUpVersion(options.file, options.backups);
    await backUp(database, options.backups, 1);
  }
  database.close();
  assert.equal(versionBackups().length, 3);
  assert.equal(readdirSync(options.backups).length, 4);
  const newest = new DatabaseSync(join(options.backups, versionBackups().at(-1) ?? ''));
  assert.deepEqual(notes(newest), ['a', 'b', 'c', 'd']);
  newest.close();
});

test('a copy is consistent while somebody writes, and leaves nothing beside the original', () => {
  const { database } = openDatabase(options);
  database.exec("INSERT INTO notes VALUES ('one'); BEGIN IMMEDIATE; INSERT INTO notes VALUES ('half done')");
  const target = join(folder, 'copy.db');
  copyDatabase(options.file, target);
  database.exec('ROLLBACK');
  database.close();
  const copy = new DatabaseSync(target);
  assert.deepEqual(notes(copy), ['one']);
  copy.close();
  const before = readdirSync(folder);
  copyDatabase(options.file, target);
  assert.equal(stateVersion(options.file), 1);
  assert.deepEqual(readdirSync(folder), before);
});

test('without backups a damaged file is put aside and begun anew, and a newer one is left alone', () => {
  const alone = { ...options, backups: null };
  openDatabase(alone).database.close();
  writeFileSync(options.file, 'this is no database, and longer than what would be taken for an empty one');
  const { database, problems } = openDatabase(alone);
  assert.equal(problems.length, 1);
  assert.match(problems.join(), /is damaged .* kept as .*, and begins anew$/);
  assert.deepEqual(notes(database), []);
  database.exec('PRAGMA user_version = 9');
  database.close();
  assert.throws(() => openDatabase(alone), { code: 'state_newer' });
  assert.equal(existsSync(options.backups), false);
});
