import type { Strategy } from './strategy.ts';

/**
 * By weight, and as evenly as that can be: with weights 5, 1 and 1 the turn is a a b a c a a. This is the smooth weighted round robin
 * of nginx: with each choice every instance gains its weight, and the one that has most is chosen and loses the sum of all.
 */
export const weightedRoundRobin: Strategy = {
  choose(pool, _facts, { current }) {
    let total = 0;
    let most = Number.NEGATIVE_INFINITY;
    let chosen: (typeof pool)[number] | null = null;
    for (const candidate of pool) {
      if (candidate.weight <= 0) continue;
      total += candidate.weight;
      const gained = (current.get(candidate.id) ?? 0) + candidate.weight;
      current.set(candidate.id, gained);
      if (gained <= most) continue;
      most = gained;
      chosen = candidate;
    }
    if (chosen !== null) current.set(chosen.id, most - total);
    return chosen;
  },
  reason: (_chosen, which) =>
    `weighted_round_robin takes one after the other by weight; ${which} stands for the one whose turn it is`,
};
