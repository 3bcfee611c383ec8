import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
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

/** Whether the process was started by the bench itself. */
export function isOwnChild(pid: number): boolean {
  return readProcess(pid, 'status').includes(`\nPPid:\t${process.pid}\n`);
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
