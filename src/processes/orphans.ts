import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { StopReport } from '../contract/processes.ts';
import { instanceIdPattern } from '../contract/scalars.ts';
import type { ControlGroup } from './control_group.ts';
import { findTree, type TreeMember, type TreeTarget } from './descendants.ts';
import { readBootId, readStat } from './identity.ts';
import { markName, type ProcessTable, readVariables, type SeenProcess } from './process_table.ts';
import { type StopOptions, stopTree } from './stop.ts';

/** What is left of an instance that nobody claims. */
export interface OrphanTree {
  readonly instance_id: string;
  /** As its processes carry it, which may be anything; null when it cannot be read. */
  readonly service: string | null;
  readonly release: string | null;
  readonly instance: string | null;
  readonly members: readonly TreeMember[];
  /** How to find it again, in the order in which it is to be ended; more than one where a part has left its group. */
  readonly targets: readonly TreeTarget[];
  /** Whether the agent, or an instance that is claimed, runs inside of it. */
  readonly holdsOthers: boolean;
}

/** By what the instances of an agent are known. */
export interface OwnInstances {
  /** What their ids begin with. */
  readonly prefix: string;
  /** The folder that belongs to this agent alone; whoever sees another one at its path is of another agent. */
  readonly directory: string;
  /** Their control groups. */
  readonly groups: ReadonlyMap<string, ControlGroup>;
  /** Whether an instance is no orphan. Asked after the look, for some begin while it lasts. */
  readonly isClaimed: (id: string) => boolean;
}

/** Finds the instances of an agent that run although nobody claims them. */
export async function findOrphans(table: ProcessTable, own: OwnInstances): Promise<OrphanTree[]> {
  const processes = (await table.look()) ?? [];
  const isOrphan = (id: string) =>
    id.startsWith(own.prefix) && instanceIdPattern.test(id) && !own.isClaimed(id);
  const marked = Map.groupBy(
    processes.filter(({ mark }) => isOrphan(mark)),
    ({ mark }) => mark,
  );
  const grouped = [...own.groups].filter(([id, group]) => isOrphan(id) && !group.isEmpty());
  const ids = new Set([...marked.keys(), ...grouped.map(([id]) => id)]);
  const trees = [...ids].map(async (id): Promise<OrphanTree | null> => {
    const carriers = marked.get(id) ?? [];
    const { members, targets } = await findMembers(table, id, carriers, own.groups.get(id) ?? null);
    // A container on this host may have an agent of the same name.
    if (!members.some(({ pid }) => seesDirectory(pid, own.directory))) return null;
    const holdsOthers = holdsAgent(id, members) || holdsClaimed(members, processes, own);
    return { instance_id: id, members, targets, holdsOthers, ...marksOf(id, carriers) };
  });
  return (await Promise.all(trees)).filter((tree) => tree !== null);
}

/** Ends what is left of an instance. Returns what that took. */
export async function endOrphan(
  table: ProcessTable,
  { targets }: OrphanTree,
  options: StopOptions,
): Promise<StopReport> {
  const reports: StopReport[] = [];
  for (const target of targets) reports.push(await stopTree(table, target, options));
  const ways = reports.map(({ ended_by }) => ended_by);
  return {
    signal: options.signal,
    ended_by: ways.find((way) => way === 'kill') ?? ways.find((way) => way === 'signal') ?? 'already_gone',
    swept: reports.flatMap(({ swept }) => swept),
    survivors: reports.flatMap(({ survivors }) => survivors),
    complete: reports.every(({ complete }) => complete === 'guaranteed') ? 'guaranteed' : 'best_effort',
    duration_ms: reports.reduce((sum, { duration_ms }) => sum + duration_ms, 0),
  };
}

async function findMembers(
  table: ProcessTable,
  instance_id: string,
  carriers: readonly SeenProcess[],
  control_group: ControlGroup | null,
): Promise<Pick<OrphanTree, 'members' | 'targets'>> {
  const first = carriers.toSorted((a, b) => Number(a.start_ticks) - Number(b.start_ticks))[0];
  const { pid, start_ticks } = first ?? { pid: 0, start_ticks: '' };
  const byMark = { identity: { pid, start_ticks, boot_id: readBootId() }, instance_id };
  const inGroup = control_group ? await findTree(table, { ...byMark, control_group }) : [];
  const related = first ? await findTree(table, byMark) : [];
  const grouped = new Set(inGroup.map((member) => member.pid));
  const outside = related.filter((member) => !grouped.has(member.pid));
  const targets: TreeTarget[] = [];
  if (inGroup.length > 0) targets.push({ ...byMark, control_group });
  if (outside.length > 0) targets.push(byMark);
  return { members: [...inGroup, ...outside], targets };
}

/** Whether a process finds the same folder at this path, however that is mounted. */
function seesDirectory(pid: number, directory: string): boolean {
  try {
    const [own, its] = [statSync(directory), statSync(join('/proc', String(pid), 'root', directory))];
    return own.dev === its.dev && own.ino === its.ino;
  } catch {
    return false;
  }
}

/** Whether this process is one of them, descends from one of them, or was started by a former part of it. */
function holdsAgent(id: string, members: readonly TreeMember[]): boolean {
  const pids = new Set(members.map(({ pid }) => pid));
  for (let pid = process.pid; pid > 1; pid = readStat(pid)?.parent ?? 0) if (pids.has(pid)) return true;
  return readVariables(process.pid, [markName])[0] === id;
}

function holdsClaimed(
  members: readonly TreeMember[],
  processes: readonly SeenProcess[],
  { isClaimed }: OwnInstances,
): boolean {
  const pids = new Set(members.map(({ pid }) => pid));
  return processes.some(({ pid, mark }) => pids.has(pid) && isClaimed(mark));
}

type Marks = Pick<OrphanTree, 'service' | 'release' | 'instance'>;

function marksOf(id: string, carriers: readonly SeenProcess[]): Marks {
  for (const { pid } of carriers) {
    const names = [markName, 'DAVIT_SERVICE', 'DAVIT_RELEASE', 'DAVIT_INSTANCE'];
    const [mark, service = '', release = '', instance = ''] = readVariables(pid, names);
    if (mark === id && service !== '')
      return { service, release: release || null, instance: instance || null };
  }
  return { service: null, release: null, instance: null };
}
