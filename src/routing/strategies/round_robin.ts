import { nextPlace, type Strategy } from './strategy.ts';

/** One after the other. One that starts slowly is passed over as often as its share is below the full one. */
export const roundRobin: Strategy = {
  choose(pool, _facts, state) {
    const first = nextPlace(pool, state.last);
    let chosen = pool[first] ?? null;
    for (let step = 0; step < pool.length; step++) {
      const candidate = pool[(first + step) % pool.length];
      if (candidate === undefined || (candidate.weight < 1 && state.random() >= candidate.weight)) continue;
      chosen = candidate;
      break;
    }
    if (chosen !== null) state.last = chosen;
    return chosen;
  },
  reason: (_chosen, which) =>
    `round_robin takes one after the other; ${which} stands for the one whose turn it is`,
};
