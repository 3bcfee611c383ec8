import { readFileSync } from 'node:fs';
import { parseStat, ticksPerSecond } from './identity.ts';
import { SeenProcess } from './process_table.ts';

/**
 * A process with what it uses, as one look at its /proc/<pid>/stat (proc(5)) found it. One small file says both to whom it
 * belongs and what it uses, which is why it is this one.
 */
export class CountedProcess extends SeenProcess {
  /** Processor time of its own, in seconds, in steps of 10 ms. */
  readonly cpu_seconds: number;
  /** That of its children that have ended and of whose end it has taken note, with all that they had from theirs. */
  readonly children_cpu_seconds: number;
  readonly threads: number;
  readonly resident_pages: number;

  /** @param before what an earlier look found of the same pid: its mark is not read again. */
  constructor(pid: number, stat: string, before?: SeenProcess) {
    super(parseStat(pid, stat), 0, before);
    // From the state on, which is field 3: utime, stime, cutime and cstime are the fields 14 to 17, then 20 and 24.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 22);
    const [own = 0, ofOwn = 0, children = 0, ofChildren = 0] = fields.slice(11, 15).map(Number);
    this.cpu_seconds = (own + ofOwn) / ticksPerSecond;
    this.children_cpu_seconds = (children + ofChildren) / ticksPerSecond;
    this.threads = Number(fields[17] ?? 0);
    this.resident_pages = Number(fields[21] ?? 0);
  }
}

/** Null when there is no such process any more. */
export function readCounted(pid: number, before?: SeenProcess): CountedProcess | null {
  try {
    return new CountedProcess(pid, readFileSync(`/proc/${pid}/stat`, 'utf8'), before);
  } catch {
    return null;
  }
}
