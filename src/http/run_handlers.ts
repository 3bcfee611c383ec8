import type { operations as contract } from '../contract/operations.ts';
import type { Registry } from '../services/registry.ts';
import type { RunHistory } from '../services/run_history.ts';
import type { Handler } from './route.ts';

/** How many runs are given when nobody says. */
const defaultLimit = 50;

/** The route on the history of the runs of a task. */
export function runHandlers(registry: Registry, history: RunHistory) {
  return {
    list: ({ path: { id }, query }) => {
      registry.get(id);
      return { service: id, runs: history.list({ service: id, limit: Number(query.limit ?? defaultLimit) }) };
    },
  } satisfies { list: Handler<(typeof contract)['listRuns']> };
}
