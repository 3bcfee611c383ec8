import type { DatabaseSync } from 'node:sqlite';
import { type AlertRule, alertRule, type ShownAlertRule } from '../contract/alerts.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { closestName, validate } from '../lib/validation.ts';
import { builtInRules } from './built_in_rules.ts';
import { type WatchedRule, watchedRule } from './watched_rule.ts';

interface RuleBookOptions {
  readonly database: DatabaseSync;
  /** The setting `alerts`, as it is now. */
  readonly settings: () => { readonly built_in: boolean; readonly rules: readonly AlertRule[] };
  /** Told after each change, also of the configuration. */
  readonly onChange: () => void;
  readonly onProblem: (message: string) => void;
}

/** How many rules the API may make: each is looked at for each service. */
const mostRules = 1_000;

/**
 * The rules by which alerts are found: ready-made ones, those of the configuration, which take the place of ready-made ones of
 * their name, and those of the API. A change is refused when it cannot be written (`storage_unavailable`).
 */
export class RuleBook {
  readonly #options: RuleBookOptions;
  readonly #own = new Map<string, AlertRule>();
  #shown: ReadonlyMap<string, ShownAlertRule> = new Map();
  #watched: ReadonlyMap<string, WatchedRule> = new Map();
  /** How many rules of the API those of the configuration hide. */
  #hidden = 0;

  constructor(options: RuleBookOptions) {
    this.#options = options;
    for (const { record } of options.database.prepare('SELECT record FROM alert_rules ORDER BY rowid').all())
      this.#load(String(record));
    this.#compose();
  }

  /** Every rule that there is, also those that are switched off. */
  all(): ShownAlertRule[] {
    return [...this.#shown.values()];
  }

  /** Those that are looked at. */
  get watched(): ReadonlyMap<string, WatchedRule> {
    return this.#watched;
  }

  /**
   * What somebody should know, in sentences. They name no rules: these may be named after services that not everybody may see.
   * @param notifiers the names of those that there are
   */
  warnings(notifiers: readonly string[]): string[] {
    const known = new Set(notifiers);
    // A name that is mistyped would have nobody told.
    const isMissing = [...this.#watched.values()].some(({ notify }) =>
      notify?.some((name) => !known.has(name)),
    );
    return [
      ...(this.#hidden > 0
        ? [`${this.#hidden} alert rules of the API do not count: the configuration has rules of their names`]
        : []),
      ...(isMissing
        ? ['an alert rule names a notifier that there is not; davit alert rules --json shows them']
        : []),
    ];
  }

  /**
   * Throws `alert_rule_not_found`, with the name that was probably meant.
   * @param maySee whether who asks may see a rule; one that is not for them is not there, and no name is given away
   */
  get(name: string, maySee: (rule: AlertRule) => boolean = () => true): ShownAlertRule {
    const rule = this.#shown.get(name);
    if (rule !== undefined && maySee(rule)) return rule;
    const meant = closestName(
      name,
      this.all().flatMap((each) => (maySee(each) ? [each.name] : [])),
    );
    const hint = meant ? `; did you mean "${meant}"?` : '';
    throw new DavitError('alert_rule_not_found', `there is no alert rule "${name}"${hint}`);
  }

  /** Throws `alert_rule_exists`, and `state_conflict` when there are too many. */
  create(rule: AlertRule): ShownAlertRule {
    const known = this.#shown.get(rule.name) ?? (isBuiltIn(rule.name) ? { origin: 'built_in' } : undefined);
    if (known !== undefined)
      throw new DavitError(
        'alert_rule_exists',
        `alert rule "${rule.name}" ${origins[known.origin]} exists already`,
      );
    if (this.#own.size >= mostRules)
      throw new DavitError('state_conflict', `there are ${mostRules} alert rules already, which is the most`);
    return this.#keep(rule);
  }

  /** Throws `alert_rule_not_found`, and `state_conflict` for one that is not of the API. */
  replace(rule: AlertRule): ShownAlertRule {
    this.#requireOwn(rule.name);
    return this.#keep(rule);
  }

  /** Throws `alert_rule_not_found`, and `state_conflict` for one that is not of the API. */
  remove(name: string): ShownAlertRule {
    const removed = this.#requireOwn(name);
    const statement = this.#options.database.prepare('DELETE FROM alert_rules WHERE name = ?');
    this.#write(() => statement.run(name));
    this.#own.delete(name);
    this.#changed();
    return removed;
  }

  /** The configuration may be another. */
  reload(): void {
    this.#changed();
  }

  #requireOwn(name: string): ShownAlertRule {
    const rule = this.get(name);
    if (rule.origin === 'api') return rule;
    throw new DavitError(
      'state_conflict',
      `alert rule "${name}" ${origins[rule.origin]} cannot be changed by the API; one of the configuration takes its place`,
    );
  }

  #keep(rule: AlertRule): ShownAlertRule {
    const statement = this.#options.database.prepare(
      'INSERT INTO alert_rules (name, record) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET record = excluded.record',
    );
    this.#write(() => statement.run(rule.name, JSON.stringify(rule)));
    this.#own.set(rule.name, rule);
    this.#changed();
    return { ...rule, origin: 'api' };
  }

  #changed(): void {
    this.#compose();
    this.#options.onChange();
  }

  #compose(): void {
    const { built_in, rules } = this.#options.settings();
    const shown = new Map<string, ShownAlertRule>();
    if (built_in) for (const rule of builtInRules) shown.set(rule.name, { ...rule, origin: 'built_in' });
    for (const rule of rules) shown.set(rule.name, { ...rule, origin: 'configuration' });
    this.#hidden = [...this.#own.keys()].filter((name) => shown.has(name)).length;
    for (const rule of this.#own.values())
      if (!shown.has(rule.name)) shown.set(rule.name, { ...rule, origin: 'api' });
    this.#watched = watchedOf([...shown.values()], this.#watched, this.#shown);
    this.#shown = shown;
  }

  #write(work: () => void): void {
    try {
      work();
    } catch (cause) {
      const message = `the alert rules cannot be written: ${errorMessage(cause)}`;
      throw new DavitError('storage_unavailable', message, { cause });
    }
  }

  #load(record: string): void {
    try {
      const rule = validate(alertRule, JSON.parse(record), 'what was kept');
      this.#own.set(rule.name, rule);
    } catch (error) {
      this.#options.onProblem(`an alert rule cannot be read and does not count: ${errorMessage(error)}`);
    }
  }
}

const origins: Readonly<Record<ShownAlertRule['origin'], string>> = {
  built_in: 'is ready-made: it',
  configuration: 'is of the configuration: it',
  api: 'is of the API: it',
};

function isBuiltIn(name: string): boolean {
  return builtInRules.some((rule) => rule.name === name);
}

/** Those that are switched on, made ready. */
function watchedOf(
  rules: readonly ShownAlertRule[],
  before: ReadonlyMap<string, WatchedRule>,
  shownBefore: ReadonlyMap<string, ShownAlertRule>,
): ReadonlyMap<string, WatchedRule> {
  const watched = rules
    .filter(({ enabled }) => enabled)
    .map((rule) => {
      const known = before.get(rule.name);
      const isSame = JSON.stringify(shownBefore.get(rule.name)) === JSON.stringify(rule);
      return [rule.name, known !== undefined && isSame ? known : watchedRule(rule)] as const;
    });
  return new Map(watched);
}
