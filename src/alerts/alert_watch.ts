import { type Measurements, seriesKey } from '../contract/series.ts';
import { errorMessage } from '../lib/errors.ts';
import type { DeploymentHistory } from '../services/deployment_history.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import type { AlertBoard } from './alert_board.ts';
import type { Detectors } from './conditions/detectors.ts';
import { seriesFinding } from './conditions/series_conditions.ts';
import type { RuleBook } from './rule_book.ts';
import type { WatchedRule } from './watched_rule.ts';

interface AlertWatchOptions {
  readonly registry: Registry;
  readonly events: EventLog;
  readonly deployments: DeploymentHistory;
  readonly detectors: Detectors;
  readonly rules: RuleBook;
  readonly board: AlertBoard;
  /** Told when looks are over that may have changed alerts. */
  readonly onLooked: () => void;
  readonly onProblem: (message: string) => void;
  readonly now: () => number;
}

/** A look that is to be made although nothing has happened. */
interface Again {
  readonly rule: string;
  readonly service: string | null;
  readonly at: number;
}

/** How often what tells nobody of its changes is looked at, in milliseconds. */
const hostInterval = 5_000;

/** Looks by every rule when what it is about may have changed, and has the board take up what is found. */
export class AlertWatch {
  readonly #options: AlertWatchOptions;
  readonly #changed = new Set<string>();
  readonly #again = new Map<string, Again>();
  readonly #ends: (() => void)[] = [];
  /** The rules that could not be looked at last, each with its service. */
  readonly #failing = new Set<string>();
  #soon: NodeJS.Immediate | undefined;

  constructor(options: AlertWatchOptions) {
    this.#options = options;
  }

  /** Looks at all that is, and then at what changes. */
  begin(): void {
    const { registry, deployments, events, board, detectors } = this.#options;
    this.#ends.push(
      registry.subscribe((service) => this.noteChange(service)),
      deployments.subscribe((service) => {
        detectors.deployed(service);
        this.noteChange(service);
      }),
      // What is counted of events is told by nothing else.
      events.subscribe(({ type, service }) => {
        if (type === 'service.restarting' && service !== null) this.noteChange(service);
      }),
    );
    const timer = setInterval(() => this.#guard(() => this.lookAtHost()), hostInterval).unref();
    this.#ends.push(() => clearInterval(timer));
    for (const { id } of registry.services()) this.#changed.add(id);
    for (const { service } of board.all()) if (service !== null) this.#changed.add(service);
    this.#guard(() => {
      this.#endGone();
      this.#turn();
      this.lookAtHost();
    });
  }

  close(): void {
    clearImmediate(this.#soon);
    for (const end of this.#ends.splice(0)) end();
  }

  /** Has a service looked at soon; many changes at once are one look. */
  noteChange(service: string): void {
    this.#changed.add(service);
    this.#soon ??= setImmediate(() => this.#guard(() => this.#turn()));
  }

  /** Looks at what concerns no service. */
  lookAtHost(): void {
    for (const rule of this.#options.rules.watched.values())
      if (!rule.isOfServices && rule.watched.kind === 'event') this.#look(rule, null);
    this.#options.onLooked();
  }

  /** Looks at the series by what was measured. */
  observe(measured: Measurements): void {
    this.#options.detectors.observe(measured);
    for (const rule of this.#options.rules.watched.values())
      if (rule.watched.kind === 'series') this.#lookAtSeries(rule, measured);
    this.lookAtHost();
  }

  /** There are other rules: alerts of those that are gone are over. */
  rulesChanged(): void {
    const { registry } = this.#options;
    this.#again.clear();
    this.#endGone();
    for (const { id } of registry.services()) this.#changed.add(id);
    this.#turn();
    this.lookAtHost();
  }

  /** When there is something to look at although nothing has happened, in milliseconds since the epoch. */
  get nextDue(): number | null {
    let next: number | null = null;
    for (const { at } of this.#again.values()) if (next === null || at < next) next = at;
    return next;
  }

  /** Looks at what is due. */
  elapse(now: number): void {
    const { rules, registry, board } = this.#options;
    for (const [key, { rule: name, service, at }] of [...this.#again]) {
      if (at > now) continue;
      this.#again.delete(key);
      const rule = rules.watched.get(name);
      if (rule !== undefined && (service === null || registry.find(service) !== null))
        this.#look(rule, service);
    }
    board.elapse(rules.watched, now);
  }

  #turn(): void {
    clearImmediate(this.#soon);
    this.#soon = undefined;
    const { registry, rules, detectors } = this.#options;
    const changed = [...this.#changed];
    this.#changed.clear();
    const ofServices = [...rules.watched.values()].filter(
      ({ isOfServices, watched }) => isOfServices && watched.kind === 'event',
    );
    const gone = changed.filter((service) => registry.find(service) === null);
    for (const service of gone) detectors.forget(service);
    if (gone.length > 0) this.#endGone();
    for (const service of changed)
      if (registry.find(service) !== null)
        for (const rule of ofServices) if (rule.fits(service)) this.#look(rule, service);
    this.#options.onLooked();
  }

  /** Ends alerts of what there is no more: rules, and services. */
  #endGone(): void {
    const { registry, rules, board, now } = this.#options;
    for (const record of [...board.all()]) {
      const rule = rules.watched.get(record.rule);
      const { service } = record;
      const isThere = service === null || registry.find(service) !== null;
      const isMeant = rule?.isOfServices === (service !== null) && (service === null || rule.fits(service));
      if (!isThere || !isMeant) board.end(record, now());
    }
  }

  /** Whatever fails here ends no agent. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.onProblem(`alerts cannot be looked after: ${errorMessage(error)}`);
    }
  }

  #look(rule: WatchedRule, service: string | null): void {
    const { detectors, board, onProblem } = this.#options;
    if (rule.watched.kind !== 'event') return;
    const now = this.#options.now();
    const key = `${rule.name} ${service ?? ''}`;
    try {
      const look = detectors.look(rule.watched.event, {
        rule,
        service: service ?? '',
        isKnown: (instance, subject) => board.isKnown(rule.name, service, instance, subject),
        now,
      });
      if (look === null) return;
      board.settle(rule, service, look.findings, now);
      this.#lookAgain(rule.name, service, look.again_at);
      this.#failing.delete(key);
    } catch (error) {
      // Told once: it is looked at again and again.
      if (!this.#failing.has(key))
        onProblem(`alert rule "${rule.name}" cannot be looked at: ${errorMessage(error)}`);
      this.#failing.add(key);
    }
  }

  #lookAgain(rule: string, service: string | null, at: number | null): void {
    const key = `${rule} ${service ?? ''}`;
    if (at === null) this.#again.delete(key);
    else this.#again.set(key, { rule, service, at });
  }

  #lookAtSeries(rule: WatchedRule, measured: Measurements): void {
    const { registry, board } = this.#options;
    const { watched } = rule;
    if (watched.kind !== 'series') return;
    if (!rule.isOfServices) {
      this.#settleSeries(rule, null, measured);
      return;
    }
    for (const { id } of registry.services()) {
      const isMeasured = measured.values.has(seriesKey(watched.series, id));
      if ((isMeasured || board.of(rule.name, id).length > 0) && rule.fits(id))
        this.#settleSeries(rule, id, measured);
    }
  }

  #settleSeries(rule: WatchedRule, service: string | null, measured: Measurements): void {
    const { board } = this.#options;
    if (rule.watched.kind !== 'series') return;
    const known = board.of(rule.name, service);
    const isFiring = known.some(({ state }) => state === 'firing');
    const found = seriesFinding(rule.watched, service, measured, isFiring);
    if (found !== null || known.length > 0)
      board.settle(rule, service, found === null ? [] : [found], this.#options.now());
  }
}
