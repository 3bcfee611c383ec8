import type { ControlGroup } from './control_group.ts';
import { answersSignals, isDead, type ProcessIdentity, readBootId, readStat } from './identity.ts';
import type { ProcessTable, SeenProcess } from './process_table.ts';

/** What is known of a process tree whose first process may be gone. */
export interface TreeTarget {
  readonly identity: ProcessIdentity;
  /** The value of DAVIT_INSTANCE_ID in the environment of its processes. */
  readonly instance_id: string;
  /**
   * Resolves when the first process is gone. That this agent has watched it to its end proves that the group it left
   * behind is still the tree's; without this, only a process that carries the mark is taken for one of the tree then.
   */
  readonly exited?: Promise<unknown>;
  /** Holds all of the tree, and nothing else; null where there are no control groups. */
  readonly control_group?: ControlGroup | null;
}

/** One process of a tree; with its start, so that a pid that is used again is never taken for it. */
export interface TreeMember {
  readonly pid: number;
  readonly start_ticks: string;
  /** Whether it is in the process group that the tree was started with, which one signal reaches. */
  readonly in_group: boolean;
}

/** What tells to which tree a process belongs. */
export type Relations = Pick<SeenProcess, 'pid' | 'parent' | 'group' | 'session' | 'start_ticks' | 'mark'>;

/**
 * Whose the process group and session are that bear the number of the tree's first process. `unproved`: that process is
 * gone, and the number may by now have been given again.
 */
export type GroupOwner = 'tree' | 'unproved' | 'somebody_else';

/**
 * The living processes of a tree: those of its control group or, where it has none, those in its group or session, those
 * that carry its mark, and all their descendants: what has left the session, lost its parent and cleared its environment
 * cannot be found then.
 */
export async function findTree(table: ProcessTable, target: TreeTarget): Promise<TreeMember[]> {
  if (target.control_group) return membersOf(target.control_group, target.identity.pid);
  const processes = await table.look();
  if (processes === null) return findGroup(target);
  const owner = ownerOfGroup(target);
  return treeAmong(processes, target, owner).flatMap((seen) => {
    const stat = readStat(seen.pid);
    if (stat === null || isDead(stat) || stat.start_ticks !== seen.start_ticks) return [];
    const in_group = stat.group === target.identity.pid && owner !== 'somebody_else';
    return [{ pid: stat.pid, start_ticks: stat.start_ticks, in_group }];
  });
}

function membersOf(control_group: ControlGroup, group: number): TreeMember[] {
  return control_group.pids().flatMap((pid) => {
    const stat = readStat(pid);
    if (stat === null || isDead(stat)) return [];
    return [{ pid, start_ticks: stat.start_ticks, in_group: stat.group === group }];
  });
}

/** Whether a process that was there since this boot of the host no longer is. */
export function isGone({ pid, start_ticks }: Pick<TreeMember, 'pid' | 'start_ticks'>): boolean {
  if (start_ticks === '') return !answersSignals(-pid);
  const stat = readStat(pid);
  return stat === null || isDead(stat) || stat.start_ticks !== start_ticks;
}

/** Whether anybody is in the group of a tree, if only a zombie or one that ends before it can be looked at. */
export function hasGroup(target: TreeTarget): boolean {
  return ownerOfGroup(target) === 'tree' && answersSignals(-target.identity.pid);
}

/** By what processes belong together. */
export interface Kinship<P> {
  readonly children: ReadonlyMap<number, P[]>;
  readonly groups: ReadonlyMap<number, P[]>;
  readonly sessions: ReadonlyMap<number, P[]>;
  /** By their marks; left out: each process is asked for its own, when it matters. */
  readonly marked?: ReadonlyMap<string, P[]>;
}

/** How these processes belong together, for whoever looks for many trees among the same ones. */
export function relate<P extends Relations>(processes: readonly P[]): Kinship<P> {
  return {
    children: Map.groupBy(processes, (seen) => seen.parent),
    groups: Map.groupBy(processes, (seen) => seen.group),
    sessions: Map.groupBy(processes, (seen) => seen.session),
  };
}

/** The members of a tree among the processes of the host. */
export function treeAmong<P extends Relations>(
  processes: readonly P[],
  { identity, instance_id }: Pick<TreeTarget, 'identity' | 'instance_id'>,
  owner: GroupOwner,
  kinship: Kinship<P> = relate(processes),
): P[] {
  const { children, groups, sessions, marked } = kinship;
  const found = new Set<P>();
  const take = (...queue: P[]): void => {
    for (let seen = queue.pop(); seen !== undefined; seen = queue.pop()) {
      if (found.has(seen)) continue;
      found.add(seen);
      // Only a descendant can be in a session that a member has begun, or in a group in it.
      for (const related of [children, groups, sessions]) queue.push(...(related.get(seen.pid) ?? []));
    }
  };
  const own = [...(groups.get(identity.pid) ?? []), ...(sessions.get(identity.pid) ?? [])];
  if (owner === 'tree') take(...own);
  const candidates = marked === undefined ? processes : (marked.get(instance_id) ?? []);
  for (const seen of candidates) {
    if (!found.has(seen) && !startedBefore(seen, identity) && seen.mark === instance_id) take(seen);
  }
  // One that is proved to be of the tree proves it of the group that it is still in.
  if (owner === 'unproved' && own.some((seen) => found.has(seen))) take(...own);
  return [...found];
}

function startedBefore(seen: Relations, { start_ticks }: ProcessIdentity): boolean {
  return Number(seen.start_ticks) < Number(start_ticks);
}

/** The number of a group is not given again while somebody is in it. */
function ownerOfGroup({ identity, exited }: TreeTarget): GroupOwner {
  if (identity.boot_id !== readBootId()) return 'somebody_else';
  const first = readStat(identity.pid);
  if (first === null) return exited === undefined ? 'unproved' : 'tree';
  return first.start_ticks === identity.start_ticks ? 'tree' : 'somebody_else';
}

/** What can be known without /proc: whether somebody is left in the group, not who. */
function findGroup({ identity: { pid } }: TreeTarget): TreeMember[] {
  return answersSignals(-pid) ? [{ pid, start_ticks: '', in_group: true }] : [];
}
