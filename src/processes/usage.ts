import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import type { ProcessInformation } from '../contract/processes.ts';
import { joinWords } from '../lib/words.ts';
import { localUserNames } from './account_database.ts';
import type { TreeMember } from './descendants.ts';
import { parseStat, ticksPerSecond } from './identity.ts';

/** What a process is and what it uses, as /proc tells it. */
export type ProcessUsage = Omit<ProcessInformation, 'role'>;

/** Processes of a tree. */
export interface Usages {
  readonly processes: readonly ProcessUsage[];
  /** How many there are, also of those that are not listed because they are too many. */
  readonly process_count: number;
}

/** The files of a /proc/<pid> that tell it (proc(5)). */
export interface ProcessFiles {
  readonly stat: string;
  readonly status: string;
  /** The beginning of it. */
  readonly cmdline: string;
}

/** What the numbers in these files are counted from. */
export interface HostFacts {
  /** Milliseconds from the epoch to the boot of the host. */
  readonly booted_at: number;
  /** Names of users by their numbers. */
  readonly users: ReadonlyMap<number, string>;
}

/** How much of the arguments of a process is shown, in bytes. */
const longestCommand = 4_096;
/** How many processes are read before others get their turn. */
const readAtOnce = 100;

const states: Readonly<Record<string, ProcessInformation['state']>> = {
  R: 'running',
  S: 'sleeping',
  D: 'disk_wait',
  T: 'stopped',
  t: 'traced',
  I: 'idle',
  Z: 'zombie',
};

/** What these processes are and use, at most so many of them, in the order in which they were started. None where there is no /proc. */
export async function readUsages(members: readonly TreeMember[], most: number): Promise<Usages> {
  if (process.platform !== 'linux') return { processes: [], process_count: 0 };
  const host = readHostFacts();
  const listed = members.toSorted(byStart).slice(0, most);
  const processes: ProcessUsage[] = [];
  for (let at = 0; at < listed.length; at += readAtOnce) {
    if (at > 0) await new Promise(setImmediate);
    processes.push(...listed.slice(at, at + readAtOnce).flatMap((member) => readUsage(member, host) ?? []));
  }
  return { processes, process_count: members.length - listed.length + processes.length };
}

function byStart(a: TreeMember, b: TreeMember): number {
  return Number(a.start_ticks) - Number(b.start_ticks) || a.pid - b.pid;
}

/** Null when the process has ended, also when its pid is another's by now. */
function readUsage({ pid, start_ticks }: TreeMember, host: HostFacts): ProcessUsage | null {
  try {
    const folder = `/proc/${pid}`;
    const status = readFileSync(`${folder}/status`, 'utf8');
    const cmdline = readBeginning(`${folder}/cmdline`);
    const stat = readFileSync(`${folder}/stat`, 'utf8');
    if (parseStat(pid, stat).start_ticks !== start_ticks) return null;
    return parseUsage(pid, { stat, status, cmdline }, host);
  } catch {
    return null;
  }
}

/** What the files of a process say. */
export function parseUsage(
  pid: number,
  { stat, status, cmdline }: ProcessFiles,
  host: HostFacts,
): ProcessUsage {
  const { state, parent, start_ticks } = parseStat(pid, stat);
  // From the state on, as in parseStat: utime and stime are the fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const cpu_ticks = Number(fields[11]) + Number(fields[12]);
  const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  const uid = numberIn(status, /^Uid:\t\d+\t(\d+)/m);
  return {
    pid,
    parent,
    name,
    command: commandIn(cmdline) || `[${name}]`,
    state: states[state] ?? 'other',
    user: host.users.get(uid) ?? String(uid),
    started_at: new Date(host.booted_at + (Number(start_ticks) / ticksPerSecond) * 1_000).toISOString(),
    cpu_seconds: cpu_ticks / ticksPerSecond,
    resident_bytes: numberIn(status, /^VmRSS:\s+(\d+) kB/m) * 1_024,
    threads: numberIn(status, /^Threads:\t(\d+)/m),
  };
}

function numberIn(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? 0);
}

/** Arguments end with NUL. A program that gives itself a title has that alone, with NULs behind it. */
function commandIn(cmdline: string): string {
  const isCut = Buffer.byteLength(cmdline) >= longestCommand;
  const words = cmdline.replace(/\0+$/, '').split('\0');
  const text = words.length === 1 ? (words[0] ?? '') : joinWords(words);
  return isCut ? `${text.replace(/\uFFFD$/, '')}…` : text.trimEnd();
}

function readBeginning(file: string): string {
  const descriptor = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(longestCommand);
    return buffer.toString('utf8', 0, readSync(descriptor, buffer));
  } finally {
    closeSync(descriptor);
  }
}

function readHostFacts(): HostFacts {
  const [uptime] = readFileSync('/proc/uptime', 'utf8').split(' ');
  return { booted_at: Date.now() - Number(uptime) * 1_000, users: localUserNames() };
}
