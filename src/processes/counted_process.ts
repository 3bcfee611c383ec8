import { readFileSync } from 'node:fs';
import { systemErrorCode } from '../lib/errors.ts';
import { parseStat, ticksPerSecond } from './identity.ts';
import { SeenProcess } from './process_table.ts';

/** A process with what it used, as one look at its /proc/<pid>/stat (proc(5)) found it. */
export class CountedProcess extends SeenProcess {
  /** Processor time of its own, in seconds, in steps of 10 ms. */
  readonly cpu_seconds: number;
  /** That of its children that have ended and of whose end it has taken note, with all that they had from theirs. */
  readonly children_cpu_seconds: number;
  readonly threads: number;

  /** @param before what an earlier look found of the same pid: its mark is not read again. */
  constructor(pid: number, stat: string, before?: SeenProcess) {
    super(parseStat(pid, stat), 0, before);
    // From the state on, which is field 3: utime, stime, cutime and cstime are the fields 14 to 17, the threads 20.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 18);
    const [own = 0, ofOwn = 0, children = 0, ofChildren = 0] = fields.slice(11, 15).map(Number);
    this.cpu_seconds = (own + ofOwn) / ticksPerSecond;
    this.children_cpu_seconds = (children + ofChildren) / ticksPerSecond;
    this.threads = Number(fields[17] ?? 0);
  }
}

/** Whether the agent lacks what it takes to look, so that what it does not see may well be there. */
export function isShortage(error: unknown): boolean {
  return ['EMFILE', 'ENFILE', 'ENOMEM'].includes(systemErrorCode(error));
}

/** Null when there is no such process any more, or it is hidden. Throws when the agent lacks what it takes to look. */
export function readCounted(pid: number, before?: SeenProcess): CountedProcess | null {
  try {
    return new CountedProcess(pid, readFileSync(`/proc/${pid}/stat`, 'utf8'), before);
  } catch (error) {
    if (isShortage(error)) throw error;
    return null;
  }
}

/**
 * How many pages of memory a process has resident; 0 when it is gone. Its `stat` has such a number too, which since
 * Linux 6.2 is wrong by megabytes on a host with many processors; `statm` is put right where the kernel can (6.17).
 */
export function readResidentPages(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ', 2)[1]);
  } catch {
    return 0;
  }
}
