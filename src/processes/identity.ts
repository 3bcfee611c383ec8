import { readFileSync } from 'node:fs';
import { systemErrorCode } from '../lib/errors.ts';

/** What tells one process from every other, also from a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to its start; '' where the system does not tell. */
  readonly start_ticks: string;
  /** Which boot of the host it belongs to; '' where the system does not tell. */
  readonly boot_id: string;
}

/** What /proc/<pid>/stat says, as far as it is needed (proc(5)). */
export interface ProcessStat {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly start_ticks: string;
  /** Whether it is a thread of the kernel itself. */
  readonly of_kernel: boolean;
}

/** What the kernel counts times in, on every processor that Linux runs on today (USER_HZ). */
export const ticksPerSecond = 100;

/** The flag PF_KTHREAD of the kernel's own threads. */
const kernelFlag = 0x0020_0000;

/** Reads /proc/<pid>/stat; null when there is no such process, or no /proc. */
export function readStat(pid: number): ProcessStat | null {
  try {
    return parseStat(pid, readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return null;
  }
}

/** The fields of a /proc/<pid>/stat. */
export function parseStat(pid: number, text: string): ProcessStat {
  // The name stands in parentheses and may hold anything, also spaces and parentheses; all that follows are a letter and numbers.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ', 20);
  const [state = '', parent, group, session, , , flags] = fields;
  return {
    pid,
    state,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    start_ticks: fields[19] ?? '',
    of_kernel: (Number(flags) & kernelFlag) !== 0,
  };
}

/** Which boot of the host this is. */
export function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** The identity of a running process. Where there is no /proc it is the pid alone, which proves nothing later. */
export function readIdentity(pid: number): ProcessIdentity | null {
  const stat = readStat(pid);
  if (stat !== null) return { pid, start_ticks: stat.start_ticks, boot_id: readBootId() };
  return process.platform === 'linux' ? null : { pid, start_ticks: '', boot_id: '' };
}

/** Whether exactly this process is still there. A zombie is dead. What cannot be proved is not alive. */
export function isAlive({ pid, start_ticks, boot_id }: ProcessIdentity): boolean {
  if (process.platform !== 'linux') return start_ticks === '' && answersSignals(pid);
  const stat = readStat(pid);
  if (stat === null || isDead(stat) || stat.start_ticks !== start_ticks) return false;
  return boot_id === readBootId();
}

/** Whether a process is only an entry in the table that nobody has taken note of yet. */
export function isDead({ state }: Pick<ProcessStat, 'state'>): boolean {
  return state === 'Z' || state === 'X';
}

/** Whether there is a process with this pid or, below zero, a process group: somebody's, and maybe a zombie. */
export function answersSignals(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}
