import type { RequestFacts } from '../facts.ts';
import { roundRobin } from './round_robin.ts';
import type { Candidate, Strategy } from './strategy.ts';

function suited<C extends Candidate>(pool: readonly C[], { tags }: RequestFacts): readonly C[] {
  if (tags.size === 0) return pool;
  const wanted = [...tags];
  return pool.filter((candidate) => wanted.every((tag) => candidate.tags.has(tag)));
}

/** Those that have every tag that the request asks for, one after the other. A request that asks for none goes to any. */
export const tagMatch: Strategy = {
  suited,
  choose: (pool, facts, state) => roundRobin.choose(suited(pool, facts), facts, state),
  reason(chosen, which, { tags }) {
    const wanted = [...tags].join(', ');
    if (chosen === null) return `no instance that takes requests has every tag of ${wanted}`;
    return tags.size === 0
      ? `the request asks for no tags, so that any does; ${which} stands for the one whose turn it is`
      : `${which} has every tag of ${wanted}`;
  },
};
