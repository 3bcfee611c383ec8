import type { operations as contract } from '../contract/operations.ts';
import type { Orphans } from '../supervision/orphans.ts';
import type { TreeView } from '../supervision/tree_view.ts';
import type { Handler } from './route.ts';

/** What the routes on processes call. */
export function processHandlers(trees: TreeView, orphans: Orphans) {
  return {
    list: ({ path }) => trees.list(path.id),
    orphans: () => orphans.list(),
    stopOrphan: ({ path, principal }) => orphans.stop(path.instance_id, principal.actor),
  } satisfies {
    list: Handler<(typeof contract)['listProcesses']>;
    orphans: Handler<(typeof contract)['listOrphans']>;
    stopOrphan: Handler<(typeof contract)['stopOrphan']>;
  };
}
