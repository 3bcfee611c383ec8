import { distance } from '../hash.ts';
import { hashKey } from './hash_key.ts';
import { roundRobin } from './round_robin.ts';
import type { Candidate, Strategy } from './strategy.ts';

/**
 * The same instance for the same key, and when one comes or goes only its own keys move. Instances are told apart by number: the
 * one that takes the place of another takes its keys. An instance that would have more than `load_factor` times its share of
 * all that is open is passed over for the next best ("Consistent Hashing with Bounded Loads", Mirrokni, Thorup and Zadimoghaddam
 * 2016). Requests without a key are spread one after the other.
 */
export const consistentHash: Strategy = {
  choose(pool, facts, state) {
    const key = hashKey(state.settings.hash_by, facts);
    if (key === null) return roundRobin.choose(pool, facts, state);
    const most = largestLoad(pool, state.settings.load_factor);
    let nearest = Number.POSITIVE_INFINITY;
    let chosen: (typeof pool)[number] | null = null;
    for (const candidate of pool) {
      if (candidate.open >= Math.ceil(most * candidate.weight)) continue;
      const away = distance(key, candidate.number, candidate.weight);
      if (away >= nearest) continue;
      nearest = away;
      chosen = candidate;
    }
    return chosen;
  },
  reason: (_chosen, which, facts, { hash_by }) =>
    hashKey(hash_by, facts) === null
      ? `the request has no ${hash_by.source} to go by; ${which} stands for the one whose turn it is`
      : `the hash of the ${hash_by.source} leads to ${which}, or those to which it leads have too much to do`,
};

/** What an instance of weight 1 may have open, with the request that is to be given to one. Together they may always have more than they have. */
function largestLoad(pool: readonly Candidate[], load_factor: number): number {
  let open = 1;
  let weight = 0;
  for (const candidate of pool) {
    open += candidate.open;
    weight += candidate.weight;
  }
  return (load_factor * open) / weight;
}
