import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { localUserNames } from './account_database.ts';
import { readVariables } from './process_table.ts';

/** A socket that waits for connections. */
export interface Listener {
  /** By what the system knows the socket. */
  readonly inode: string;
  /** The number of the user who made it. */
  readonly uid: number;
}

/** A process that has a socket. */
export interface SocketHolder {
  readonly pid: number;
  /** Of its program, such as nginx. */
  readonly name: string;
  /** The name of its user, or the number of one that has none. */
  readonly user: string;
  /** The service of davit that it belongs to; '' where it is none, or this account may not see that. */
  readonly service: string;
}

/** What the system calls a socket that listens (TCP_LISTEN). */
const listening = '0A';

/** Who listens on TCP, on any address of this host, by port. Null where the system does not tell. */
export async function readListeners(): Promise<ReadonlyMap<number, Listener[]> | null> {
  try {
    // The kernel takes milliseconds for each, but not those of the agent.
    const tables = [readFile('/proc/net/tcp', 'latin1'), readIfThere('/proc/net/tcp6')] as const;
    const [table, table6] = await Promise.all(tables);
    // Not every system that has the file fills it.
    return table.includes('local_address') ? listenersIn(`${table}\n${table6}`) : null;
  } catch {
    return null;
  }
}

/** The listeners of a table such as /proc/net/tcp (proc(5)). */
export function listenersIn(table: string): Map<number, Listener[]> {
  const found = new Map<number, Listener[]>();
  const row = new RegExp(
    `^ *\\d+: [0-9A-F]+:([0-9A-F]{4}) \\S+ ${listening} \\S+ \\S+ \\S+ +(\\d+) +\\d+ (\\d+)`,
    'gm',
  );
  for (const [, port = '', uid, inode = ''] of table.matchAll(row)) {
    const number = Number.parseInt(port, 16);
    found.set(number, [...(found.get(number) ?? []), { inode, uid: Number(uid) }]);
  }
  return found;
}

/** The first process that has one of these sockets; null where this account may see none of them. */
export async function findHolder(inodes: readonly string[]): Promise<SocketHolder | null> {
  const links = new Set(inodes.map((inode) => `socket:[${inode}]`));
  const pids = (await list('/proc')).map(Number).filter((pid) => pid > 0);
  for (const pid of pids.sort((one, other) => one - other)) {
    const folder = `/proc/${pid}/fd`;
    if ((await list(folder)).some((name) => links.has(linkOf(`${folder}/${name}`)))) return describe(pid);
  }
  return null;
}

/** The name of a user, or the number of one that has none. */
export function userName(uid: number): string {
  return localUserNames().get(uid) ?? String(uid);
}

/** Null when it has ended. */
function describe(pid: number): SocketHolder | null {
  try {
    const program = basename(linkOf(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '');
    // A process may call itself anything, and every Node.js calls itself "MainThread".
    const name = (program || readFileSync(`/proc/${pid}/comm`, 'utf8').trim()).replaceAll(
      /[^\x20-\x7e]/g,
      '?',
    );
    const [service = ''] = readVariables(pid, ['DAVIT_SERVICE']);
    const isService = /^[A-Za-z0-9._-]{1,128}$/.test(service);
    return { pid, name, user: userName(statSync(`/proc/${pid}`).uid), service: isService ? service : '' };
  } catch {
    return null;
  }
}

/** A host may have no addresses of version 6. */
async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'latin1');
  } catch {
    return '';
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
