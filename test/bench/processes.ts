import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a process holds, in bytes. */
export interface Memory {
  readonly resident: number;
  /** Of it what no file backs: what the process itself has written, and what a fork has to copy the tables of. */
  readonly anonymous: number;
  /** What is resident, with shared pages divided among those who share them; null when that is not readable. */
  readonly proportional: number | null;
}

function readProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

function workingDirectory(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/**
 * Every process that works in `folder`, or whose arguments or environment name it. The folder's name is unique
 * to a run, so that nothing else on the machine is ever taken for a process of the bench.
 */
export function processesOf(folder: string): number[] {
  return allPids().filter(
    (pid) =>
      pid !== process.pid &&
      (workingDirectory(pid).startsWith(folder) ||
        readProcess(pid, 'cmdline').includes(folder) ||
        readProcess(pid, 'environ').includes(folder)),
  );
}

/** The processes that run the program `name` and work in exactly `folder`. */
export function runningIn(folder: string, name: string): number[] {
  return allPids().filter(
    (pid) => workingDirectory(pid) === folder && readProcess(pid, 'comm').trim() === name,
  );
}

/** The living processes of each command line, its words separated by zero bytes. */
export function commandLines(): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const pid of allPids()) {
    const words = readProcess(pid, 'cmdline').replace(/\0$/, '');
    // A zombie has none.
    if (words !== '') found.set(words, [...(found.get(words) ?? []), pid]);
  }
  return found;
}

/** The processes whose command line is exactly `command`. */
export function runningAs(command: readonly string[], among = commandLines()): readonly number[] {
  return among.get(command.join('\0')) ?? [];
}

/** Whether the process was started by the bench itself. */
export function isOwnChild(pid: number): boolean {
  return readProcess(pid, 'status').includes(`\nPPid:\t${process.pid}\n`);
}

/** The processes that a process has started itself and that are still there. */
export function childrenOf(pid: number): number[] {
  return allPids().filter((each) => readProcess(each, 'status').includes(`\nPPid:\t${pid}\n`));
}

/** The memory of a process; zero when it is gone. */
export function memoryOf(pid: number): Memory {
  const kibibytes = (text: string, field: string) => {
    const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
    return found === undefined ? null : Number(found) * 1024;
  };
  return {
    resident: kibibytes(readProcess(pid, 'status'), 'VmRSS') ?? 0,
    anonymous: kibibytes(readProcess(pid, 'status'), 'RssAnon') ?? 0,
    proportional: kibibytes(readProcess(pid, 'smaps_rollup'), 'Pss'),
  };
}

/**
 * Seconds of processor time that the living threads of a process have used so far; 0 when it is gone. Where the kernel does
 * not tell it by thread, that of the process in steps of 10 ms.
 */
export function processorTime(pid: number): number {
  const nanoseconds = threadsOf(pid).map((thread) =>
    Number(readProcess(pid, `task/${thread}/schedstat`).split(' ')[0]),
  );
  const sum = nanoseconds.reduce((total, one) => total + one, 0) / 1e9;
  return sum > 0 ? sum : processorTicks(pid);
}

/** Seconds of processor time of a process and of those that it started and that have ended, in steps of 10 ms. */
export function processorTimeWithChildren(pid: number): number {
  const stat = readProcess(pid, 'stat');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at] ?? 0), 0) / 100;
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function processorTicks(pid: number): number {
  const stat = readProcess(pid, 'stat');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
}

/** Forgets how much memory a process has had at most; throws where the system does not let one. */
export function forgetPeakMemory(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** How many bytes were resident at most since `forgetPeakMemory`. */
export function peakMemory(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readProcess(pid, 'status'))?.[1] ?? 0) * 1024;
}

/** Kills every process of `folder`, and looks again until none is found. */
export async function killAllOf(folder: string): Promise<void> {
  for (;;) {
    const found = processesOf(folder);
    if (found.length === 0) return;
    for (const pid of found) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself meanwhile.
      }
    }
    await sleep(10);
  }
}
