import { systemErrorCode } from '../lib/errors.ts';
import { findTree, hasGroup, isGone, type TreeMember, type TreeTarget } from './descendants.ts';
import { readStat } from './identity.ts';
import type { ProcessTable } from './process_table.ts';

/**
 * Sends a signal to every process of a tree: to its group at once, and to each that left it.
 * Returns the pids that it reached.
 */
export async function signalTree(
  table: ProcessTable,
  target: TreeTarget,
  signal: NodeJS.Signals,
): Promise<number[]> {
  const members = await findTree(table, target);
  return signalMembers(target, members, signal).map(({ pid }) => pid);
}

/** Signals the group of a tree at once, and each of its members that has left it. Returns those that it reached. */
export function signalMembers(
  target: TreeTarget,
  members: readonly TreeMember[],
  signal: NodeJS.Signals,
): TreeMember[] {
  const { pid } = target.identity;
  // An agent that was started by a service of an earlier one may itself be in the group.
  const wholeGroup =
    readStat(process.pid)?.group !== pid &&
    (members.some((member) => member.in_group) || hasGroup(target)) &&
    send(-pid, signal);
  return members.filter((member) => (wholeGroup && member.in_group) || signalMember(member, signal));
}

/** Signals one process, unless its pid is another's by now. */
export function signalMember(member: TreeMember, signal: NodeJS.Signals): boolean {
  return !isGone(member) && send(member.pid, signal);
}

/** Whether it was sent. 0 and -1 would mean our own group and everybody. */
function send(pid: number, signal: NodeJS.Signals): boolean {
  if (Math.abs(pid) <= 1) return false;
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (systemErrorCode(error) === 'EPERM' || systemErrorCode(error) === 'ESRCH') return false;
    throw error;
  }
}
