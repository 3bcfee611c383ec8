import { loadWithOneMore, nextPlace, type Strategy } from './strategy.ts';

/** The one with the fewest requests and connections for its share; of equals one after the other. */
export const leastConnections: Strategy = {
  choose(pool, _facts, state) {
    const first = nextPlace(pool, state.last);
    let least = Number.POSITIVE_INFINITY;
    let chosen: (typeof pool)[number] | null = null;
    for (let step = 0; step < pool.length; step++) {
      const candidate = pool[(first + step) % pool.length];
      if (candidate === undefined) continue;
      const load = loadWithOneMore(candidate);
      if (load >= least) continue;
      least = load;
      chosen = candidate;
    }
    if (chosen !== null) state.last = chosen;
    return chosen;
  },
  reason: (chosen, which) =>
    `${which} has the fewest requests and connections for its share: ${chosen?.open}`,
};
