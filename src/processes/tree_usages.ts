import { readdirSync } from 'node:fs';
import { type ControlGroup, findControlGroup } from './control_group.ts';
import { type CountedProcess, isShortage, readCounted, readResidentPages } from './counted_process.ts';
import { CpuAccount } from './cpu_account.ts';
import { type GroupOwner, relate, treeAmong } from './descendants.ts';
import { isDead, type ProcessIdentity, readBootId } from './identity.ts';
import { openFileCounter } from './open_files.ts';
import { readPageSize } from './page_size.ts';
import { Turn } from './turn.ts';

/** A process tree that is measured. */
export interface MeasuredTree extends ProcessIdentity {
  readonly instance_id: string;
  /** The folder of its control group; null when it has none. */
  readonly control_group: string | null;
}

/** What all processes of a tree use together. */
export interface TreeUsage {
  /** Since it was started, in seconds; never falls. */
  readonly cpu_seconds: number;
  /**
   * Resident memory, the sum over its processes, as `ps` tells it. Pages that they share count for each of them; to divide
   * these among them (PSS), the kernel has to walk the tables of every page, which takes milliseconds for one process.
   */
  readonly resident_bytes: number;
  readonly processes: number;
  readonly threads: number;
  readonly open_files: number;
}

/** What is known of a tree from one look to the next. */
interface Known {
  readonly account: CpuAccount;
  cpu_seconds: number;
}

/** A tree as one look found it. */
interface Measured {
  readonly processes: readonly CountedProcess[];
  readonly group: ControlGroup | null;
  readonly known: Known;
  readonly turn: Turn;
}

/**
 * Measures process trees, all in one pass over /proc: those that have a control group by the processes in it, the others
 * among all processes of the host. It gives way to others every few milliseconds. To be used by one at a time.
 */
export class TreeUsages {
  readonly #openFiles = openFileCounter();
  readonly #pageSize = readPageSize();
  readonly #boot = readBootId();
  /** By instance id, of those that were asked for last. */
  #known = new Map<string, Known>();
  #processes: ReadonlyMap<number, CountedProcess> = new Map();

  /**
   * What each tree uses, by instance id. One that has ended meanwhile, or cannot be proved to be there, is left out.
   * Throws when the agent lacks what it takes to look, such as open files: what it could not see has not ended.
   */
  async read(trees: readonly MeasuredTree[]): Promise<Map<string, TreeUsage>> {
    const turn = new Turn();
    const living = trees
      .filter(({ boot_id }) => boot_id === this.#boot)
      .map((tree) => ({ tree, group: findControlGroup(tree.control_group) }));
    const ungrouped = living.filter(({ group }) => group === null).map(({ tree }) => tree);
    const found = await this.#amongAll(ungrouped, turn);
    this.#known = new Map(trees.map(({ instance_id }) => [instance_id, this.#knownOf(instance_id)]));
    const usages = new Map<string, TreeUsage>();
    for (const { tree, group } of living) {
      const processes = group === null ? found.get(tree) : await readAll(group.pids(), turn);
      if (processes === undefined || processes.length === 0) continue;
      const known = this.#knownOf(tree.instance_id);
      usages.set(tree.instance_id, await this.#sum({ processes, group, known, turn }));
    }
    return usages;
  }

  #knownOf(instance_id: string): Known {
    return this.#known.get(instance_id) ?? { account: new CpuAccount(), cpu_seconds: 0 };
  }

  /** The processes of trees that have no control group, out of one look at all of the host. */
  async #amongAll(
    trees: readonly MeasuredTree[],
    turn: Turn,
  ): Promise<Map<MeasuredTree, readonly CountedProcess[]>> {
    const seen = new Map<number, CountedProcess>();
    const found = new Map<MeasuredTree, readonly CountedProcess[]>();
    const marked = new Map<string, CountedProcess[]>();
    for (const pid of trees.length === 0 ? [] : readPids()) {
      if (turn.isOver) await turn.next();
      const each = readCounted(pid, this.#processes.get(pid));
      if (each === null || each.of_kernel || pid === process.pid) continue;
      seen.set(pid, each);
      const { mark } = each;
      const alike = marked.get(mark);
      if (alike === undefined) marked.set(mark, [each]);
      else alike.push(each);
    }
    this.#processes = seen;
    const processes = [...seen.values()];
    const kinship = { ...relate(processes), marked };
    for (const tree of trees) {
      if (turn.isOver) await turn.next();
      const target = { identity: tree, instance_id: tree.instance_id };
      found.set(tree, treeAmong(processes, target, ownerAmong(seen, tree), kinship));
    }
    return found;
  }

  /** What has ended and nobody has taken note of yet uses nothing any more, but has used time. */
  async #sum({ processes, group, known, turn }: Measured): Promise<TreeUsage> {
    known.cpu_seconds = Math.max(known.cpu_seconds, group?.cpuSeconds() ?? known.account.take(processes));
    let [pages, count, threads, open_files] = [0, 0, 0, 0];
    for (const each of processes) {
      if (turn.isOver) await turn.next();
      if (isDead(each)) continue;
      pages += readResidentPages(each.pid);
      count += 1;
      threads += each.threads;
      open_files += this.#openFiles(each.pid);
    }
    const resident_bytes = pages * this.#pageSize;
    return { cpu_seconds: known.cpu_seconds, resident_bytes, processes: count, threads, open_files };
  }
}

async function readAll(pids: readonly number[], turn: Turn): Promise<CountedProcess[]> {
  const processes: CountedProcess[] = [];
  for (const pid of pids) {
    if (turn.isOver) await turn.next();
    const each = readCounted(pid);
    if (each !== null) processes.push(each);
  }
  return processes;
}

function ownerAmong(seen: ReadonlyMap<number, CountedProcess>, tree: MeasuredTree): GroupOwner {
  const first = seen.get(tree.pid);
  if (first === undefined) return 'unproved';
  return first.start_ticks === tree.start_ticks ? 'tree' : 'somebody_else';
}

function readPids(): number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 1);
  } catch (error) {
    if (isShortage(error)) throw error;
    return [];
  }
}
