import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RoutingTable } from '../contract/routing_table.ts';
import { errorMessage, systemErrorCode } from '../lib/errors.ts';

interface TableFileOptions {
  /** The folder that all routers of an agent share. */
  readonly directory: string;
  readonly onProblem: (message: string) => void;
  /** How long at least between two writes, in milliseconds. Default: a second. */
  readonly interval?: number;
}

type TableName = Pick<RoutingTable, 'epoch' | 'version'>;

/** How many tables stay: the newest, and the one before it should that be damaged. */
const keptTables = 2;
/** After how long what a router that died was writing goes, in milliseconds. */
const partialAge = 60_000;

/**
 * The table by which a router begins without an agent. Each has a file of its own, named by agent and version, so that of
 * several routers none ever puts an older one in the place of a newer one; what is older than the newest two goes.
 */
export class TableFile {
  readonly #directory: string;
  readonly #onProblem: (message: string) => void;
  readonly #interval: number;
  #waiting: RoutingTable | null = null;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #lastProblem = '';
  #lastBegin = Number.NEGATIVE_INFINITY;

  constructor({ directory, onProblem, interval = 1_000 }: TableFileOptions) {
    this.#directory = directory;
    this.#onProblem = onProblem;
    this.#interval = interval;
  }

  /** The newest that can be read; null: there is none. */
  read(): RoutingTable | null {
    for (const { name } of this.#named(this.#list())) {
      try {
        return checkedTable(JSON.parse(readFileSync(join(this.#directory, name), 'utf8')));
      } catch (error) {
        this.#onProblem(`${name} cannot be read: ${errorMessage(error)}`);
      }
    }
    return null;
  }

  /** Writes a table; of several that come soon after one another, the first and the last. */
  keep(table: RoutingTable): void {
    this.#waiting = table;
    const rest = this.#interval - (performance.now() - this.#lastBegin);
    this.#timer ??= setTimeout(() => this.#begin(), Math.max(0, rest)).unref();
  }

  /** Writes what waits now. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#begin();
    await this.#writing;
  }

  #begin(): void {
    this.#timer = undefined;
    this.#lastBegin = performance.now();
    const table = this.#waiting;
    this.#waiting = null;
    if (table !== null) this.#writing = this.#writing.then(() => this.#write(table));
  }

  /** A table that cannot be written is told once, and the next one is tried all the same. */
  async #write(table: RoutingTable): Promise<void> {
    try {
      const names = await readdir(this.#directory);
      const name = fileName(table);
      if (!names.includes(name)) await writeFile(join(this.#directory, name), JSON.stringify(table));
      await this.#tidy([...new Set([...names, name])]);
      this.#lastProblem = '';
    } catch (error) {
      const problem = `the routing table cannot be written to ${this.#directory}: ${errorMessage(error)}`;
      if (problem !== this.#lastProblem) this.#onProblem(problem);
      this.#lastProblem = problem;
    }
  }

  async #tidy(names: readonly string[]): Promise<void> {
    const old = this.#named(names).slice(keptTables);
    for (const { name } of old) await rm(join(this.#directory, name), { force: true });
    for (const name of names.filter((each) => partialPattern.test(each))) {
      const file = join(this.#directory, name);
      const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Date.now() }));
      if (Date.now() - mtimeMs > partialAge) await rm(file, { force: true });
    }
  }

  #list(): string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT')
        this.#onProblem(`${this.#directory} cannot be read: ${errorMessage(error)}`);
      return [];
    }
  }

  /** The names of tables, newest first. */
  #named(names: readonly string[]): (TableName & { readonly name: string })[] {
    const tables = names.flatMap((name) => {
      const [, epoch, version] = namePattern.exec(name) ?? [];
      return version === undefined ? [] : [{ name, epoch: Number(epoch), version: Number(version) }];
    });
    return tables.sort((a, b) => (isNewer(a, b) ? -1 : 1));
  }
}

const namePattern = /^table\.(\d{1,16})\.(\d{1,16})\.json$/;
const partialPattern = /^table\.\d{1,16}\.\d{1,16}\.json\.[0-9a-f]{12}$/;

function fileName({ epoch, version }: TableName): string {
  return `table.${epoch}.${version}.json`;
}

/** Whether one table counts more than another: of a later agent, or of the same one and later. */
export function isNewer(one: TableName, other: TableName): boolean {
  return one.epoch === other.epoch ? one.version > other.version : one.epoch > other.epoch;
}

/**
 * What is a table as far as can be told at a glance: it comes from the agent's own account, and a router must take one with
 * fields that a later davit added. Throws an Error that says why it is none.
 */
export function checkedTable(given: unknown): RoutingTable {
  const table = given as Partial<RoutingTable> | null;
  if (table?.format !== 1)
    throw new Error(`a table of format ${table?.format} is not known to this davit; it knows 1`);
  const hasNumbers = Number.isSafeInteger(table.epoch) && Number.isSafeInteger(table.version);
  if (!hasNumbers || !Array.isArray(table.services) || !Array.isArray(table.rules) || !table.settings)
    throw new Error('it is no whole routing table');
  return table as RoutingTable;
}

/** It appears whole or not at all, for its owner alone. */
async function writeFile(file: string, content: string): Promise<void> {
  const partial = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await using handle = await open(partial, 'wx', 0o600);
    await handle.writeFile(content);
    await handle.datasync();
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
