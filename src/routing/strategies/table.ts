import type { StrategyName } from '../../contract/balancing.ts';
import { consistentHash } from './consistent_hash.ts';
import { leastConnections } from './least_connections.ts';
import { randomOfTwo } from './random_of_two.ts';
import { roundRobin } from './round_robin.ts';
import type { Strategy } from './strategy.ts';
import { tagMatch } from './tag_match.ts';
import { weightedRoundRobin } from './weighted_round_robin.ts';

/** Every strategy by its name in a spec. One more is a file, a name in the contract and a line here. */
export const strategies: Readonly<Record<StrategyName, Strategy>> = {
  round_robin: roundRobin,
  weighted_round_robin: weightedRoundRobin,
  least_connections: leastConnections,
  random_of_two: randomOfTwo,
  consistent_hash: consistentHash,
  tag_match: tagMatch,
};
