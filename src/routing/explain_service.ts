import type { RoutingTable, TableInstance, TableService } from '../contract/routing_table.ts';
import { isFull } from './circuit_breaker.ts';
import type { RequestFacts } from './facts.ts';
import { Selection } from './selection.ts';
import { compilePolicy, type ServicePolicy, takesRelease } from './service_policy.ts';
import { rampedShare } from './slow_start.ts';
import { type Candidate, compareCandidates } from './strategies/strategy.ts';
import { strategies } from './strategies/table.ts';

/** How it stands with an instance, over all routers. */
export interface InstanceLoad {
  /** Requests and connections. */
  readonly open: number;
  readonly ejected: boolean;
}

/** What is known besides the table. */
export interface Circumstances {
  /** By the id of the instance; of those that are not there, nothing is open. */
  readonly loads: ReadonlyMap<string, InstanceLoad>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** From 0 to less than 1. */
  readonly random: () => number;
}

/** Which instance a request gets, or why none, with the reasons in order. */
export interface ExplainedChoice {
  readonly chosen: Candidate | null;
  readonly reasons: readonly string[];
}

/** A service as a request meets it that is only thought of. */
export class ExplainedService {
  readonly id: string;
  readonly #policy: ServicePolicy;
  readonly #selection: Selection;
  readonly #takers: readonly Candidate[];
  readonly #reasons: string[] = [];

  constructor(service: TableService, table: RoutingTable, circumstances: Circumstances) {
    this.id = service.id;
    this.#policy = compilePolicy(service);
    this.#selection = new Selection(this.#policy, { service: service.id, random: circumstances.random });
    this.#selection.update(this.#policy, service.instances, table.affinity_key);
    this.#takers = this.#findTakers(service.instances, circumstances);
  }

  keeps(facts: RequestFacts): boolean {
    return this.#selection.kept(this.#takers, facts) !== null;
  }

  clientKey(facts: RequestFacts): number | null {
    return this.#selection.clientKey(facts);
  }

  choose(facts: RequestFacts): ExplainedChoice {
    if (this.#takers.length === 0) return { chosen: null, reasons: this.#reasons };
    const kept = this.#selection.kept(this.#takers, facts);
    if (kept !== null) {
      const reason = `the cookie of the client keeps it with ${named(kept)}, which takes requests`;
      return { chosen: kept, reasons: [...this.#reasons, reason] };
    }
    const chosen = this.#selection.choose(this.#takers, facts);
    return { chosen, reasons: [...this.#reasons, ...this.#reasonsOf(chosen, facts)] };
  }

  #reasonsOf(chosen: Candidate | null, facts: RequestFacts): string[] {
    const release = chosen === null ? [] : this.#reasonOfRelease(chosen, facts);
    return [...release, this.#reasonOfInstance(chosen, facts)];
  }

  #reasonOfRelease({ release }: Candidate, facts: RequestFacts): string[] {
    const { shares } = this.#policy;
    if (shares === null) return [];
    const all = [...shares].map(([each, weight]) => `release ${each} ${weight}`).join(', ');
    const how = this.clientKey(facts) === null ? 'by lot' : 'by the hash of the client';
    return [`the shares of the releases are ${all}: ${how} it is release ${release}`];
  }

  #reasonOfInstance(chosen: Candidate | null, facts: RequestFacts): string {
    const { affinity, settings, strategy } = this.#policy;
    const which = chosen === null ? '' : named(chosen);
    return affinity !== null && this.clientKey(facts) !== null
      ? `the hash of the client's ${affinity.by} leads to ${which}, where a router does not remember it at another one`
      : strategies[strategy].reason(chosen, which, facts, settings);
  }

  /** Those that a router would choose from; says of the others why not. */
  #findTakers(instances: readonly TableInstance[], circumstances: Circumstances): readonly Candidate[] {
    const members = instances
      .filter((instance) => this.#isMember(instance))
      .map((instance) => this.#candidate(instance, circumstances))
      .sort(compareCandidates);
    const open = members.filter((each) => this.#hasRoom(each));
    const isOut = ({ id }: Candidate) => circumstances.loads.get(id)?.ejected === true;
    const takers = open.filter((each) => !isOut(each));
    for (const each of open.filter(isOut)) this.#reasons.push(`${named(each)} is out because it has failed`);
    if (takers.length === 0 && open.length > 0)
      this.#reasons.push('no other one is left, so that they get requests nevertheless');
    if (members.length === 0) this.#reasons.push('no instance takes requests');
    else if (open.length === 0) this.#reasons.push('every instance is full');
    return takers.length > 0 ? takers : open;
  }

  #isMember({ number, release, draining }: TableInstance): boolean {
    const which = named({ number, release });
    if (draining !== null) this.#reasons.push(`${which} drains`);
    else if (!takesRelease(this.#policy, release))
      this.#reasons.push(`${which} gets nothing: its release has no share`);
    else if (this.#policy.weightOf(number) === 0) this.#reasons.push(`${which} has the weight 0`);
    else return true;
    return false;
  }

  #hasRoom(candidate: Candidate): boolean {
    if (!isFull(candidate.open, this.#policy.max_requests)) return true;
    this.#reasons.push(`${named(candidate)} is full: it has ${candidate.open} open`);
    return false;
  }

  #candidate(
    { id, number, release, tags, ready_at }: TableInstance,
    { loads, now }: Circumstances,
  ): Candidate {
    const share = rampedShare(ready_at, this.#policy.slow_start, now);
    const weight = this.#policy.weightOf(number) * share;
    return { id, number, release, tags: new Set(tags), weight, open: loads.get(id)?.open ?? 0 };
  }
}

function named({ number, release }: Pick<Candidate, 'number' | 'release'>): string {
  return `instance ${number} of release ${release}`;
}
