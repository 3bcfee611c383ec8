import { nextPlace, type Strategy } from './strategy.ts';

/** One after the other. One that starts slowly is passed over as often as its share is below the full one. */
export const roundRobin: Strategy = (pool, _facts, state) => {
  const first = nextPlace(pool, state.last);
  let chosen = pool[first] ?? null;
  for (let step = 0; step < pool.length; step++) {
    const candidate = pool[(first + step) % pool.length];
    if (candidate === undefined || (candidate.weight < 1 && state.random() >= candidate.weight)) continue;
    chosen = candidate;
    break;
  }
  state.last = chosen;
  return chosen;
};
