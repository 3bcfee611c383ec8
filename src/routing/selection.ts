import { AffinityCookies } from './affinity_cookies.ts';
import { AffinityMemory } from './affinity_memory.ts';
import type { RequestFacts } from './facts.ts';
import { distance, hashText } from './hash.ts';
import type { ServicePolicy } from './service_policy.ts';
import { byWeight, placeOf } from './split.ts';
import { type Candidate, newState, type StrategyState } from './strategies/strategy.ts';
import { strategies } from './strategies/table.ts';

export interface SelectionOptions {
  readonly service: string;
  /** From 0 to less than 1. */
  readonly random: () => number;
}

/** Stands for all releases together. */
const anyRelease = 0;

/**
 * Chooses among the instances of one service: the one that the client is kept with, else a release by its share and of that one
 * by the strategy. It remembers between two choices what they need to be even.
 */
export class Selection {
  readonly #options: SelectionOptions;
  readonly #memory = new AffinityMemory();
  readonly #states = new Map<number, StrategyState>();
  #policy: ServicePolicy;
  #key = '';
  #cookies: AffinityCookies | null = null;

  constructor(policy: ServicePolicy, options: SelectionOptions) {
    this.#policy = policy;
    this.#options = options;
  }

  /** @param instances all of the service; what is known of others is forgotten @param key signs the cookies of affinity */
  update(policy: ServicePolicy, instances: readonly Pick<Candidate, 'id' | 'release'>[], key: string): void {
    this.#updateCookies(policy, instances, key);
    this.#policy = policy;
    this.#key = key;
    const releases = new Set(instances.map(({ release }) => release));
    const ids = new Set(instances.map(({ id }) => id));
    for (const [release, state] of this.#states) {
      state.settings = policy.settings;
      if (release !== anyRelease && !releases.has(release)) this.#states.delete(release);
      for (const id of state.current.keys()) if (!ids.has(id)) state.current.delete(id);
    }
  }

  /** The one of the pool that the client is kept with; null: none. */
  kept<C extends Candidate>(pool: readonly C[], facts: RequestFacts): C | null {
    if (this.#policy.affinity === null) return null;
    const id = this.#cookies === null ? this.#remembered(facts) : this.#cookies.instanceOf(facts);
    return id === null ? null : (this.#suited(pool, facts).find((candidate) => candidate.id === id) ?? null);
  }

  /** One of the pool for a client that is kept with none. */
  choose<C extends Candidate>(pool: readonly C[], facts: RequestFacts): C | null {
    const key = this.clientKey(facts);
    const suited = this.#suited(pool, facts);
    const release = this.#chooseRelease(suited, key);
    const ofRelease =
      release === anyRelease ? suited : suited.filter((candidate) => candidate.release === release);
    if (key === null)
      return strategies[this.#policy.strategy].choose(ofRelease, facts, this.#stateOf(release));
    const chosen = nearest(ofRelease, key);
    if (chosen !== null) this.#memory.remember(key, chosen.id);
    return chosen;
  }

  /** The hash of what the client is known by, where it is kept with an instance by a header or by its address; else null. */
  clientKey(facts: RequestFacts): number | null {
    const { affinity } = this.#policy;
    if (affinity === null || affinity.by === 'cookie') return null;
    const text =
      affinity.by === 'address' ? facts.request.client : facts.request.header(affinity.name.toLowerCase());
    return text === undefined ? null : hashText(text);
  }

  /** The header `Set-Cookie` that keeps the client with an instance; null: it is kept by something else, or not at all. */
  cookieFor(id: string, is_tls: boolean): string | null {
    return this.#cookies?.headerFor(id, is_tls) ?? null;
  }

  #suited<C extends Candidate>(pool: readonly C[], facts: RequestFacts): readonly C[] {
    return strategies[this.#policy.strategy].suited?.(pool, facts) ?? pool;
  }

  /** By the shares of those releases that have an instance in the pool; 0: any. */
  #chooseRelease(pool: readonly Candidate[], key: number | null): number {
    const { shares } = this.#policy;
    if (shares === null) return anyRelease;
    const present = new Set(pool.map(({ release }) => release));
    const parts = [...present].map((release) => ({ release, weight: shares.get(release) ?? 0 }));
    parts.sort((one, other) => one.release - other.release);
    return byWeight(parts, key === null ? this.#options.random() : placeOf(key))?.release ?? anyRelease;
  }

  #remembered(facts: RequestFacts): string | null {
    const key = this.clientKey(facts);
    return key === null ? null : this.#memory.instanceOf(key);
  }

  #stateOf(release: number): StrategyState {
    let state = this.#states.get(release);
    if (state === undefined) {
      state = newState(this.#policy.settings, this.#options.random);
      this.#states.set(release, state);
    }
    return state;
  }

  #updateCookies(
    { affinity }: ServicePolicy,
    instances: readonly Pick<Candidate, 'id'>[],
    key: string,
  ): void {
    const before = this.#policy.affinity;
    if (affinity?.by !== 'cookie') this.#cookies = null;
    else if (this.#cookies === null || key !== this.#key || before?.name !== affinity.name)
      this.#cookies = new AffinityCookies(key, this.#options.service, affinity.name);
    this.#cookies?.keep(instances.map(({ id }) => id));
  }
}

/** Where the hash of a client leads to: slow start does not count, as a client would move while it lasts. */
function nearest<C extends Candidate>(pool: readonly C[], key: number): C | null {
  let least = Number.POSITIVE_INFINITY;
  let chosen: C | null = null;
  for (const candidate of pool) {
    const away = distance(key, candidate.number, 1);
    if (away >= least) continue;
    least = away;
    chosen = candidate;
  }
  return chosen;
}
