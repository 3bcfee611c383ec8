import type { TableRule } from '../contract/routing_table.ts';
import { errorMessage } from '../lib/errors.ts';
import { type CompiledAction, compileAction } from './actions.ts';
import { type Condition, conditionsOf } from './conditions.ts';
import type { RequestFacts } from './facts.ts';
import { RuleIndex } from './rule_index.ts';

/** A rule that is ready to be tried. */
export interface CompiledRule {
  readonly id: string;
  readonly match: TableRule['match'];
  readonly conditions: readonly Condition[];
  readonly action: CompiledAction;
}

/** Throws an Error that says which rule cannot be understood, and why. */
export function compileRule({ id, match, action }: TableRule): CompiledRule {
  try {
    return { id, match, conditions: conditionsOf(match), action: compileAction(action, match) };
  } catch (cause) {
    throw new Error(`rule ${id}: ${errorMessage(cause)}`, { cause });
  }
}

/** What of a request does not fit a rule, the first thing only; null: it fits. */
export function misfit(rule: CompiledRule, facts: RequestFacts): Condition | null {
  for (const condition of rule.conditions) if (!condition.holds(facts)) return condition;
  return null;
}

/** All rules, ready to be asked which one decides. */
export class RuleSet {
  readonly rules: readonly CompiledRule[];
  readonly #index: RuleIndex<CompiledRule>;
  readonly #bySource: ReadonlyMap<string, CompiledRule>;

  private constructor(sources: readonly string[], rules: readonly CompiledRule[]) {
    this.rules = rules;
    this.#index = new RuleIndex(rules);
    this.#bySource = new Map(sources.map((source, index) => [source, rules[index] as CompiledRule]));
  }

  /**
   * @param rules in the order in which they are tried
   * @param before the set that these take the place of: what has not changed is not made anew, as a table comes with each
   *   instance that starts or ends
   */
  static compile(rules: readonly TableRule[], before: RuleSet | null = null): RuleSet {
    const sources = rules.map((rule) => JSON.stringify(rule));
    const compiled = rules.map(
      (rule, index) => (before === null ? undefined : before.#of(sources[index])) ?? compileRule(rule),
    );
    const isSame =
      before?.rules.length === compiled.length &&
      compiled.every((rule, index) => rule === before.rules[index]);
    return isSame ? before : new RuleSet(sources, compiled);
  }

  /** The first rule that fits; null: none does, or the path is to be refused. */
  find(facts: RequestFacts): CompiledRule | null {
    if (facts.path === null) return null;
    for (const rule of this.#index.candidates(facts.request.host, facts.path))
      if (misfit(rule, facts) === null) return rule;
    return null;
  }

  #of(source: string | undefined): CompiledRule | undefined {
    return source === undefined ? undefined : this.#bySource.get(source);
  }
}
