import { EventEmitter } from 'node:events';
import type { DatabaseSync } from 'node:sqlite';
import { type NewRule, newRule } from '../contract/rules.ts';
import { transaction } from '../lib/database.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { closestName } from '../lib/validation.ts';

interface RuleStoreOptions {
  readonly database: DatabaseSync;
  /** Told after each write that must outlive a power cut. */
  readonly onCommit: () => void;
  readonly onProblem: (message: string) => void;
}

/** How many rules there may be; each is looked at for requests that none before it fits. */
const mostRules = 10_000;
/** By how much the priorities of rules differ that were put in order, so that others fit in between. */
const step = 10;
/** As the contract has it. */
const highestPriority = 1_000_000;

/** The rules of the rules API, in memory and in SQLite. A change is refused when it cannot be written (`storage_unavailable`). */
export class RuleStore {
  readonly #options: RuleStoreOptions;
  readonly #rules = new Map<string, NewRule>();
  readonly #emitter = new EventEmitter();
  readonly #save;
  readonly #delete;
  #version = 0;

  constructor(options: RuleStoreOptions) {
    this.#options = options;
    const { database } = options;
    this.#save = database.prepare(
      'INSERT INTO rules (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record',
    );
    this.#delete = database.prepare('DELETE FROM rules WHERE id = ?');
    for (const row of database.prepare('SELECT record FROM rules ORDER BY rowid').all())
      this.#load(String(row['record']));
  }

  /** Rises with every change. */
  get version(): number {
    return this.#version;
  }

  /** In the order in which they were made. */
  all(): NewRule[] {
    return [...this.#rules.values()];
  }

  /** Throws `rule_not_found`, with the name that was probably meant. */
  get(id: string): NewRule {
    const rule = this.#rules.get(id);
    if (rule !== undefined) return rule;
    const meant = closestName(id, this.#rules.keys());
    throw new DavitError(
      'rule_not_found',
      `there is no rule "${id}"${meant ? `; did you mean "${meant}"?` : ''}`,
    );
  }

  /** Throws `rule_exists`, and `state_conflict` when there are too many. */
  create(rule: NewRule): void {
    if (this.#rules.has(rule.id)) throw new DavitError('rule_exists', `rule "${rule.id}" exists already`);
    if (this.#rules.size >= mostRules)
      throw new DavitError('state_conflict', `there are ${mostRules} rules already, which is the most`);
    this.#keep([rule]);
  }

  /** Throws `rule_not_found`. */
  replace(rule: NewRule): void {
    this.get(rule.id);
    this.#keep([rule]);
  }

  /** Throws `rule_not_found`. */
  remove(id: string): NewRule {
    const removed = this.get(id);
    this.#write(() => this.#delete.run(id));
    this.#rules.delete(id);
    this.#changed();
    return removed;
  }

  /**
   * Gives rules priorities by which they come in this order: the last keeps the least that any of them has. Throws
   * `rule_not_found`, and `invalid_request` where that would lead beyond the highest priority.
   */
  order(ids: readonly string[]): void {
    const rules = ids.map((id) => this.get(id));
    const least = Math.min(...rules.map(({ priority }) => priority));
    const highest = least + (rules.length - 1) * step;
    if (highest > highestPriority)
      throw new DavitError(
        'invalid_request',
        `the first would need the priority ${highest}, beyond ${highestPriority}: lower the priority of one of them first`,
      );
    this.#keep(rules.map((rule, index) => ({ ...rule, priority: highest - index * step })));
  }

  /** Calls back after each change, until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.#emitter.on('change', listener);
    return () => this.#emitter.off('change', listener);
  }

  #keep(rules: readonly NewRule[]): void {
    this.#write(() => {
      for (const rule of rules) this.#save.run(rule.id, JSON.stringify(rule));
    });
    for (const rule of rules) this.#rules.set(rule.id, rule);
    this.#changed();
  }

  #changed(): void {
    this.#version += 1;
    this.#emitter.emit('change');
  }

  #write(work: () => void): void {
    try {
      transaction(this.#options.database, work);
    } catch (cause) {
      const message = `the rules cannot be written: ${errorMessage(cause)}`;
      throw new DavitError('storage_unavailable', message, { cause });
    }
    this.#options.onCommit();
  }

  #load(record: string): void {
    try {
      const rule = newRule.parse(JSON.parse(record));
      this.#rules.set(rule.id, rule);
    } catch (error) {
      this.#options.onProblem(`a rule cannot be read and does not count: ${errorMessage(error)}`);
    }
  }
}
