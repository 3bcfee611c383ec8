import { plainAnswer } from '../routing/actions.ts';
import type { RequestFacts } from '../routing/facts.ts';
import type { CompiledRule } from '../routing/rule_set.ts';
import { byWeight, placeOf } from '../routing/split.ts';
import type { LiveService } from './live_service.ts';
import type { Destination } from './target.ts';

interface LiveRuleOptions {
  readonly services: ReadonlyMap<string, LiveService>;
  /** From 0 to less than 1. */
  readonly random: () => number;
}

interface Part {
  readonly weight: number;
  /** Where those requests go whose path stays as it is. */
  readonly destination: Destination;
  /** null: the table has no such service. */
  readonly service: LiveService | null;
}

/** A rule, bound to the services that its requests go to. */
export class LiveRule {
  readonly #rule: CompiledRule;
  readonly #parts: readonly Part[];
  readonly #only: Part | null;
  readonly #missing: Destination;
  readonly #random: () => number;

  constructor(rule: CompiledRule, { services, random }: LiveRuleOptions) {
    this.#rule = rule;
    this.#random = random;
    this.#missing = {
      kind: 'answer',
      rule: rule.id,
      ...plainAnswer(503, 'The service of this request is not there.'),
    };
    const { action } = rule;
    this.#parts = action.kind === 'answer' ? [] : action.parts.map((part) => this.#bind(part, services));
    this.#only = this.#parts.length === 1 ? (this.#parts[0] ?? null) : null;
  }

  direct(facts: RequestFacts): Destination {
    const { id, action } = this.#rule;
    if (action.kind === 'answer') return { kind: 'answer', rule: id, ...action.answer(facts) };
    const part = this.#only ?? this.#choose(facts);
    if (part?.service == null) return this.#missing;
    const path = action.path(facts);
    return path === null ? part.destination : { kind: 'service', rule: id, service: part.service, path };
  }

  /** Clients that are kept with an instance stay with its service; those that are to be go by their hash, all others by lot. */
  #choose(facts: RequestFacts): Part | null {
    const kept = this.#parts.find(({ weight, service }) => weight > 0 && service?.keeps(facts));
    if (kept !== undefined) return kept;
    const key = this.#parts.reduce<number | null>(
      (found, { service }) => found ?? service?.clientKey(facts) ?? null,
      null,
    );
    return byWeight(this.#parts, key === null ? this.#random() : placeOf(key));
  }

  #bind(part: { service: string; weight: number }, services: ReadonlyMap<string, LiveService>): Part {
    const service = services.get(part.service) ?? null;
    const { id } = this.#rule;
    const destination: Destination =
      service === null ? this.#missing : { kind: 'service', rule: id, service, path: null };
    return { weight: part.weight, service, destination };
  }
}
