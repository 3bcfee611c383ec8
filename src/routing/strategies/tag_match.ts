import { roundRobin } from './round_robin.ts';
import type { Strategy } from './strategy.ts';

/** Those that have every tag that the request asks for, one after the other. A request that asks for none goes to any. */
export const tagMatch: Strategy = {
  choose(pool, facts, state) {
    const { tags } = facts;
    if (tags.size === 0) return roundRobin.choose(pool, facts, state);
    const wanted = [...tags];
    const suited = pool.filter((candidate) => wanted.every((tag) => candidate.tags.has(tag)));
    return roundRobin.choose(suited, facts, state);
  },
  reason(chosen, which, { tags }) {
    const wanted = [...tags].join(', ');
    if (chosen === null) return `no instance that takes requests has every tag of ${wanted}`;
    return tags.size === 0
      ? `the request asks for no tags, so that any does; ${which} stands for the one whose turn it is`
      : `${which} has every tag of ${wanted}`;
  },
};
