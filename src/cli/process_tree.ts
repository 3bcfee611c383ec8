import type { ProcessInformation } from '../contract/processes.ts';

/** A process with the lines that lead to it from its parent. */
export interface TreeLine {
  readonly process: ProcessInformation;
  /** Such as `│  └─ `; '' for one whose parent is not among them. */
  readonly lead: string;
}

/** How much room a level takes, and how many levels are drawn: a deeper one would leave no room for the command. */
const deepest = 12;

/** Processes as a tree: parents before their children, and these in the order of the list. */
export function drawTree(processes: readonly ProcessInformation[]): TreeLine[] {
  const children = Map.groupBy(processes, ({ parent }) => parent);
  const pids = new Set(processes.map(({ pid }) => pid));
  const lines: TreeLine[] = [];
  const open = processes
    .filter(({ pid, parent }) => !pids.has(parent) || pid === parent)
    .map((process) => ({ process, lead: '', below: '', depth: 0 }))
    .reverse();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { process, lead, below, depth } = next;
    lines.push({ process, lead });
    const inner = (children.get(process.pid) ?? []).filter(({ pid }) => pid !== process.pid);
    for (const [index, child] of inner.entries().toArray().reverse()) {
      const isLast = index === inner.length - 1;
      const isDrawn = depth < deepest;
      open.push({
        process: child,
        lead: isDrawn ? `${below}${isLast ? '└─ ' : '├─ '}` : lead,
        below: isDrawn ? `${below}${isLast ? '   ' : '│  '}` : below,
        depth: depth + 1,
      });
    }
  }
  return lines;
}

/** The same without some of them; the children of these hang on their grandparents. */
export function without(
  processes: readonly ProcessInformation[],
  isLeftOut: (process: ProcessInformation) => boolean,
): ProcessInformation[] {
  const parents = new Map(processes.filter(isLeftOut).map(({ pid, parent }) => [pid, parent]));
  return processes
    .filter(({ pid }) => !parents.has(pid))
    .map((process) => ({ ...process, parent: parents.get(process.parent) ?? process.parent }));
}
