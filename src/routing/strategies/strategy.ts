import type { Routing } from '../../contract/balancing.ts';
import type { RequestFacts } from '../facts.ts';

/** An instance that may be chosen. */
export interface Candidate {
  readonly id: string;
  /** The one in its place after a restart or a deploy has the same. */
  readonly number: number;
  readonly release: number;
  readonly tags: ReadonlySet<string>;
  /** Of what share it gets, beside those of the others: 1, less while it starts slowly, or as the service says. 0: none. */
  readonly weight: number;
  /** Requests and connections that it has now. */
  readonly open: number;
}

/** What a strategy remembers between two choices among the instances of a release, and what it is set to. */
export interface StrategyState {
  settings: Pick<Routing, 'hash_by' | 'load_factor'>;
  /** Where in the order the last choice was; null: none was made. */
  last: Pick<Candidate, 'number' | 'id'> | null;
  /** By id, how far `weighted_round_robin` is with an instance. */
  readonly current: Map<string, number>;
  /** From 0 to less than 1. */
  readonly random: () => number;
}

/** A way to choose among instances. */
export interface Strategy {
  /** Those that suit the request at all, of whatever release they are; where this is left out, all do. */
  suited?<C extends Candidate>(pool: readonly C[], facts: RequestFacts): readonly C[];
  /**
   * One of those that may take the request, which are in the order of their numbers and ids; null: none suits. It does nothing but
   * choose, and note in `state` what the next choice needs.
   */
  choose<C extends Candidate>(pool: readonly C[], facts: RequestFacts, state: StrategyState): C | null;
  /** Why it was this one, or none, as a sentence for people. @param which names the one that was chosen */
  reason(
    chosen: Candidate | null,
    which: string,
    facts: RequestFacts,
    state: StrategyState['settings'],
  ): string;
}

export function newState(settings: StrategyState['settings'], random: () => number): StrategyState {
  return { settings, last: null, current: new Map(), random };
}

/** The order of a pool. */
export function compareCandidates(
  one: Pick<Candidate, 'number' | 'id'>,
  other: Pick<Candidate, 'number' | 'id'>,
): number {
  return one.number - other.number || (one.id < other.id ? -1 : one.id > other.id ? 1 : 0);
}

/** Whose turn it is after the last choice, as a place in the pool: a pool that changes lets nobody wait for ever. */
export function nextPlace(pool: readonly Candidate[], last: StrategyState['last']): number {
  if (last === null) return 0;
  let low = 0;
  let high = pool.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareCandidates(pool[middle] as Candidate, last) > 0) high = middle;
    else low = middle + 1;
  }
  return low === pool.length ? 0 : low;
}

/** How busy an instance would be with one more, for the share that it is to have. */
export function loadWithOneMore({ open, weight }: Candidate): number {
  return (open + 1) / weight;
}
