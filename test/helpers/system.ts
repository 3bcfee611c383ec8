import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Whether a process is there and not a zombie. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Resolves when `fact` holds. Throws after ten seconds, with what was waited for. */
export async function until(what: string, fact: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await fact())) {
    if (Date.now() > deadline) throw new Error(`waited ten seconds in vain until ${what}`);
    await sleep(10);
  }
}

export async function untilGone(pid: number): Promise<void> {
  await until(`process ${pid} is gone`, () => !isRunning(pid));
}

/** What davit put into the environment of a process to know its tree by. */
export function markOf(pid: number): string {
  // A process that is just becoming another program has no environment for a moment.
  for (let tries = 0; tries < 200; tries++) {
    const entry = environmentOf(pid).find((variable) => variable.startsWith('DAVIT_INSTANCE_ID='));
    if (entry !== undefined) return entry;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  throw new Error(`process ${pid} carries no mark`);
}

/** The living processes whose environment holds `entry`. */
export function processesWith(entry: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && environmentOf(pid).includes(entry) && isRunning(pid));
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
