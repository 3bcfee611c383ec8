import type { operations as contract } from '../contract/operations.ts';
import type { TreeView } from '../supervision/tree_view.ts';
import type { Handler } from './route.ts';

/** What the routes on processes call. */
export function processHandlers(trees: TreeView) {
  return {
    list: ({ path }) => trees.list(path.id),
  } satisfies {
    list: Handler<(typeof contract)['listProcesses']>;
  };
}
