import type { Registry } from '../services/registry.ts';
import type { AlertRecord, Suppression } from './alert_record.ts';
import { DependencyClosure, explains, inhibitorOf } from './inhibition.ts';
import type { Silences } from './silences.ts';
import type { WatchedRule } from './watched_rule.ts';

interface SuppressionsOptions {
  readonly registry: Registry;
  readonly silences: () => Silences;
  readonly rules: () => ReadonlyMap<string, WatchedRule>;
  readonly alerts: () => Iterable<AlertRecord>;
  /** Whether alerts of dependencies keep others from being told. */
  readonly isInhibited: () => boolean;
}

/** What keeps alerts from being told: silences, and alerts that explain them. */
export class Suppressions {
  readonly closure: DependencyClosure;
  readonly #options: SuppressionsOptions;
  /** Of each service, the alert that explains those of others; made when it is first needed after a change. */
  #explainers: ReadonlyMap<string, string> | null = null;

  constructor(options: SuppressionsOptions) {
    this.#options = options;
    this.closure = new DependencyClosure(options.registry);
  }

  of(record: AlertRecord): Suppression {
    const { silences, isInhibited } = this.#options;
    if (record.state === 'resolved') return { silenced_by: null, inhibited_by: null };
    return {
      silenced_by: silences().of(record.rule, record.service)?.id ?? null,
      inhibited_by: isInhibited() ? inhibitorOf(record, this.#explaining(), this.closure) : null,
    };
  }

  /** Other alerts fire, or by other rules. */
  changed(): void {
    this.#explainers = null;
  }

  #explaining(): ReadonlyMap<string, string> {
    if (this.#explainers !== null) return this.#explainers;
    const rules = this.#options.rules();
    const found = new Map<string, string>();
    for (const record of this.#options.alerts()) {
      const { service, id } = record;
      const watched = rules.get(record.rule)?.watched;
      if (service !== null && watched !== undefined && !found.has(service) && explains(record, watched))
        found.set(service, id);
    }
    this.#explainers = found;
    return found;
  }
}
