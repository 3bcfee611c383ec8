import type { InstanceTraffic } from '../contract/connections.ts';
import type { RoutingTable, TableService } from '../contract/routing_table.ts';
import { errorMessage } from '../lib/errors.ts';
import { refusedPath } from '../routing/actions.ts';
import { RequestFacts } from '../routing/facts.ts';
import type { RoutedRequest } from '../routing/request.ts';
import { type CompiledRule, RuleSet } from '../routing/rule_set.ts';
import { compilePolicy, type ServicePolicy } from '../routing/service_policy.ts';
import { LiveRule } from './live_rule.ts';
import { LiveService, type LiveServiceOptions } from './live_service.ts';
import { LiveTallies } from './live_tallies.ts';
import type { Destination, Director } from './target.ts';

export interface LiveTableOptions {
  /** Milliseconds since the epoch. Default: the clock. */
  readonly now?: () => number;
  /** From 0 to less than 1. Default: Math.random. */
  readonly random?: () => number;
  /** Something that whoever looks after the services should know, as a sentence. */
  readonly onProblem: (message: string) => void;
  /** An instance that drains or that no table names has nothing open any more. */
  readonly onDrained?: (instance_id: string) => void;
}

interface CompiledService {
  readonly source: TableService;
  readonly policy: ServicePolicy;
}

const nowhere: Destination = { kind: 'nowhere' };

/** Knows where requests go by the newest table, and what has become of those that went there. */
export class LiveTable implements Director {
  readonly #options: LiveServiceOptions;
  readonly #services = new Map<string, LiveService>();
  #rules = RuleSet.compile([]);
  #ends = new Map<CompiledRule, LiveRule>();
  #table: { epoch: number; version: number } | null = null;

  constructor({ now = Date.now, random = Math.random, onProblem, onDrained = () => {} }: LiveTableOptions) {
    this.#options = { now, random, onProblem, onDrained, tallies: new LiveTallies(now) };
  }

  /** Which table it acts by; null: none yet. */
  get table(): { epoch: number; version: number } | null {
    return this.#table;
  }

  /** Acts by a table from now on. Throws an Error that says why when it cannot, and goes on as before then. */
  update(table: RoutingTable): void {
    const rules = RuleSet.compile(table.rules, this.#rules);
    const services = table.services.map(compileService);
    this.#updateServices(services, table.affinity_key);
    const rest = { services: this.#services, random: this.#options.random };
    this.#ends = new Map(rules.rules.map((rule) => [rule, new LiveRule(rule, rest)]));
    this.#rules = rules;
    this.#table = { epoch: table.epoch, version: table.version };
  }

  direct(request: RoutedRequest): Destination {
    const facts = new RequestFacts(request);
    if (facts.path === null) return refused;
    const rule = this.#rules.find(facts);
    return rule === null ? nowhere : (this.#ends.get(rule)?.direct(facts) ?? nowhere);
  }

  /** Of every instance that the table names or that has something open. */
  counts(): InstanceTraffic[] {
    return this.#options.tallies.all();
  }

  /** Of those of which something has changed since this was last called, also when they have left meanwhile. */
  changedCounts(): InstanceTraffic[] {
    return this.#options.tallies.takeChanged();
  }

  /** Ends every wait for an instance. */
  close(): void {
    for (const service of this.#services.values()) service.close();
  }

  #updateServices(services: readonly CompiledService[], key: string): void {
    const named = new Set(services.map(({ source }) => source.id));
    for (const { source, policy } of services) {
      const service = this.#services.get(source.id) ?? new LiveService(source.id, policy, this.#options);
      this.#services.set(source.id, service);
      service.update(policy, source.instances, key);
    }
    for (const [id, service] of this.#services) {
      if (named.has(id)) continue;
      service.leave();
      // Those who wait for it learn of its return by the same object.
      if (service.isIdle) this.#services.delete(id);
    }
  }
}

const refused: Destination = { kind: 'answer', rule: '', ...refusedPath };

function compileService(source: TableService): CompiledService {
  try {
    return { source, policy: compilePolicy(source) };
  } catch (cause) {
    throw new Error(`service ${source.id}: ${errorMessage(cause)}`, { cause });
  }
}
