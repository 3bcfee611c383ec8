import { roundRobin } from './round_robin.ts';
import type { Strategy } from './strategy.ts';

/** Those that have every tag that the request asks for, one after the other. A request that asks for none goes to any. */
export const tagMatch: Strategy = (pool, facts, state) => {
  const { tags } = facts;
  if (tags.size === 0) return roundRobin(pool, facts, state);
  const suited = pool.filter((candidate) => tags.isSubsetOf(candidate.tags));
  return roundRobin(suited, facts, state);
};
