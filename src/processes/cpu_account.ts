import type { CountedProcess } from './counted_process.ts';

/** What is remembered of a process. */
export type Account = Pick<
  CountedProcess,
  'pid' | 'parent' | 'start_ticks' | 'cpu_seconds' | 'children_cpu_seconds'
>;

/**
 * The processor time of a tree whose processes come and go, out of looks at those that are there. What a process used
 * until it was last seen stays counted. The kernel adds the whole time of a process that ends to its parent, if that
 * takes note of it, so that also those count that came and went between two looks; it is not added twice.
 */
export class CpuAccount {
  #seconds = 0;
  #known: ReadonlyMap<number, Account> = new Map();

  /** Takes the processes that are there now, and returns the seconds so far. They never become fewer. */
  take(processes: readonly Account[]): number {
    const before = this.#known;
    const now = new Map(processes.map((each) => [each.pid, each]));
    const inherited = inheritances(before, now);
    for (const each of processes) {
      const { cpu_seconds, children_cpu_seconds } = sameOf(before, each) ?? nothing;
      const fromChildren = each.children_cpu_seconds - children_cpu_seconds - (inherited.get(each.pid) ?? 0);
      this.#seconds += Math.max(0, each.cpu_seconds - cpu_seconds) + Math.max(0, fromChildren);
    }
    this.#known = now;
    return this.#seconds;
  }
}

const nothing = { cpu_seconds: 0, children_cpu_seconds: 0 };

/** What was already counted of the time that each living process was given by those that have ended. */
function inheritances(
  before: ReadonlyMap<number, Account>,
  now: ReadonlyMap<number, Account>,
): Map<number, number> {
  const inherited = new Map<number, number>();
  for (const ended of before.values()) {
    if (sameOf(now, ended) !== undefined) continue;
    const heir = heirOf(ended, before, now);
    if (heir === null) continue;
    const counted = ended.cpu_seconds + ended.children_cpu_seconds;
    inherited.set(heir, (inherited.get(heir) ?? 0) + counted);
  }
  return inherited;
}

/** Its closest ancestor that is still there: those between have ended too, and have passed on what they were given. */
function heirOf(
  ended: Account,
  before: ReadonlyMap<number, Account>,
  now: ReadonlyMap<number, Account>,
): number | null {
  let parent = before.get(ended.parent);
  for (let generations = 0; parent !== undefined && generations < before.size; generations++) {
    if (sameOf(now, parent) !== undefined) return parent.pid;
    parent = before.get(parent.parent);
  }
  return null;
}

/** The process with that pid, unless the pid is another's. */
function sameOf(among: ReadonlyMap<number, Account>, { pid, start_ticks }: Account): Account | undefined {
  const found = among.get(pid);
  return found?.start_ticks === start_ticks ? found : undefined;
}
