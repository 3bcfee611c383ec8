import type { ProcessList } from '../../../contract/processes.ts';

type Process = ProcessList['processes'][number];

interface InstanceTree {
  readonly instance: number;
  /** Each after its parent, with how deep below the first one it is. */
  readonly processes: readonly { readonly process: Process; readonly depth: number }[];
}

/** Puts the processes of each instance below their parents; one whose parent is not listed is at the top. */
export function treeOf(processes: readonly Process[]): InstanceTree[] {
  const byInstance = Map.groupBy(processes, ({ instance }) => instance);
  return [...byInstance].map(([instance, those]) => {
    const pids = new Set(those.map(({ pid }) => pid));
    const children = Map.groupBy(those, ({ parent, pid }) =>
      pids.has(parent) && parent !== pid ? parent : null,
    );
    const below = (parent: number | null, depth: number): InstanceTree['processes'] =>
      (children.get(parent) ?? []).flatMap((process) => [
        { process, depth },
        ...below(process.pid, depth + 1),
      ]);
    return { instance, processes: below(null, 0) };
  });
}
