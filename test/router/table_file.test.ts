import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { RoutingTable } from '../../src/contract/routing_table.ts';
import { checkedTable, isNewer, TableFile } from '../../src/router/table_file.ts';

function folder(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'davit-table-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function tableOf(epoch: number, version: number): RoutingTable {
  return {
    format: 1,
    epoch,
    version,
    settings: {} as RoutingTable['settings'],
    affinity_key: '0'.repeat(64),
    services: [],
    rules: [],
  };
}

function fileIn(directory: string, problems: string[] = []): TableFile {
  return new TableFile({ directory, onProblem: (problem) => problems.push(problem) });
}

async function keep(file: TableFile, table: RoutingTable): Promise<void> {
  file.keep(table);
  await file.flush();
}

test('the table that was kept last is read, for its owner alone', async (context) => {
  const directory = folder(context);
  assert.equal(fileIn(directory).read(), null);
  await keep(fileIn(directory), tableOf(5, 7));
  assert.deepEqual(fileIn(directory).read(), tableOf(5, 7));
  const [name = ''] = readdirSync(directory);
  assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
});

test('whatever the order in which routers write, the newest table is read', async (context) => {
  const directory = folder(context);
  const tables = [
    tableOf(9, 1),
    tableOf(8, 50),
    tableOf(9, 3),
    tableOf(9, 2),
    tableOf(10, 1),
    tableOf(9, 30),
  ];
  await Promise.all(tables.map((table) => keep(fileIn(directory), table)));
  assert.deepEqual(fileIn(directory).read(), tableOf(10, 1));
});

test('of many tables only the newest two stay', async (context) => {
  const directory = folder(context);
  const file = fileIn(directory);
  for (let version = 1; version <= 20; version++) await keep(file, tableOf(1, version));
  assert.deepEqual(readdirSync(directory).sort(), ['table.1.19.json', 'table.1.20.json']);
});

test('tables that follow each other closely are not all written', async (context) => {
  const directory = folder(context);
  const file = fileIn(directory);
  for (let version = 1; version <= 20; version++) file.keep(tableOf(1, version));
  await file.flush();
  assert.deepEqual(readdirSync(directory), ['table.1.20.json']);
});

test('a table that is damaged gives way to the one before it, and is told', async (context) => {
  const directory = folder(context);
  const file = fileIn(directory);
  await keep(file, tableOf(1, 1));
  await keep(file, tableOf(1, 2));
  writeFileSync(join(directory, 'table.1.2.json'), '{"format":1,"epo');
  const problems: string[] = [];
  assert.deepEqual(fileIn(directory, problems).read(), tableOf(1, 1));
  assert.match(problems[0] ?? '', /^table\.1\.2\.json cannot be read/);
});

test('what is no table, or one of a format that is not known, is not acted by', () => {
  assert.throws(() => checkedTable({ ...tableOf(1, 1), format: 2 }), /format 2 is not known/);
  for (const wrong of [null, 'x', [], {}, { format: 1 }, { ...tableOf(1, 1), rules: {} }])
    assert.throws(() => checkedTable(wrong));
  assert.doesNotThrow(() => checkedTable({ ...tableOf(1, 1), something: 'of a later davit' }));
});

test('a table with settings that are not known, or without those that are, is one all the same', () => {
  const settings = { trace: 'as_nobody_knows_yet', later: { than: 'this' } } as never;
  assert.deepEqual(checkedTable({ ...tableOf(1, 1), settings }).settings, settings);
  assert.doesNotThrow(() => checkedTable(tableOf(1, 1)));
});

test('a folder that cannot be written to is told once, and the next table is tried', async (context) => {
  const directory = join(folder(context), 'missing');
  const problems: string[] = [];
  const file = fileIn(directory, problems);
  await keep(file, tableOf(1, 1));
  await keep(file, tableOf(1, 2));
  assert.equal(problems.length, 1);
});

test('what a router that died was writing goes after a while, and nothing else that lies there', async (context) => {
  const directory = folder(context);
  const [old, young] = ['table.1.1.json.0123456789ab', 'table.1.1.json.ba9876543210'];
  for (const name of [old, young, 'affinity.key', 'agent.sock']) writeFileSync(join(directory, name), name);
  utimesSync(join(directory, old), 1, 1);
  await keep(fileIn(directory), tableOf(1, 2));
  assert.deepEqual(readdirSync(directory).sort(), ['affinity.key', 'agent.sock', young, 'table.1.2.json']);
  assert.equal(readFileSync(join(directory, 'affinity.key'), 'utf8'), 'affinity.key');
});

test('a later agent counts more than a higher version', () => {
  assert.ok(isNewer({ epoch: 2, version: 1 }, { epoch: 1, version: 9 }));
  assert.ok(isNewer({ epoch: 1, version: 2 }, { epoch: 1, version: 1 }));
  assert.ok(!isNewer({ epoch: 1, version: 1 }, { epoch: 1, version: 1 }));
});
