import type { DatabaseSync } from 'node:sqlite';
import type { AlertsConfig } from '../config/alerts.ts';
import type { Notification } from '../contract/alerts.ts';
import type { Measurements } from '../contract/series.ts';
import { errorMessage } from '../lib/errors.ts';
import type { DeploymentHistory } from '../services/deployment_history.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import type { Why } from '../supervision/why.ts';
import { AlertBoard } from './alert_board.ts';
import { AlertEvents } from './alert_events.ts';
import { type AlertRecord, type Circumstances, isFiring } from './alert_record.ts';
import { AlertStore } from './alert_store.ts';
import { AlertView } from './alert_view.ts';
import { AlertWatch } from './alert_watch.ts';
import { CircumstancesOf, type Redact } from './circumstances.ts';
import { Detectors, type DetectorsOptions } from './conditions/detectors.ts';
import { type FiringCount, firingByRule, firingByService } from './firing_counts.ts';
import { Groups } from './groups.ts';
import type { Outbox } from './notifiers/notifier.ts';
import { RuleBook } from './rule_book.ts';
import { Silences } from './silences.ts';
import { Suppressions } from './suppression.ts';

export interface AlertsOptions extends Pick<DetectorsOptions, 'certificates' | 'routers'> {
  readonly database: DatabaseSync;
  readonly registry: Registry;
  readonly events: EventLog;
  readonly deployments: DeploymentHistory;
  readonly why: Pick<Why, 'tell'>;
  /** The setting `alerts`, as it is now. */
  readonly settings: () => AlertsConfig;
  readonly outbox: Outbox;
  /** The names of the notifiers that there are. */
  readonly notifiers: () => readonly string[];
  readonly redact: Redact;
  /** Who tells. */
  readonly agent: () => Notification['agent'];
  readonly onProblem: (message: string) => void;
  /** Milliseconds since the epoch. Default: the clock. */
  readonly now?: () => number;
}

/** The longest time that a timer is set to, in milliseconds: the clock may be set meanwhile. */
const longestTimer = 60_000;

/** Finds what is not as it should be, by rules, keeps it, and has it told to those who want to know. */
export class Alerts {
  readonly rules: RuleBook;
  /** What is shown to those who ask. */
  readonly view: AlertView;
  readonly silences: Silences;
  readonly #options: AlertsOptions;
  readonly #now: () => number;
  readonly #store: AlertStore;
  readonly #board: AlertBoard;
  readonly #detectors: Detectors;
  readonly #watch: AlertWatch;
  readonly #groups: Groups;
  readonly #circumstances: CircumstancesOf;
  readonly #suppressions: Suppressions;
  readonly #notes: AlertEvents;
  #groupBy: AlertsConfig['group_by'];
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;
  readonly #listeners = new Set<() => void>();
  #endEvents = () => {};
  #isRunning = false;
  #hasEnded = false;
  /** By the clock, in milliseconds since the epoch. */
  #elapsedAt = 0;
  /** How many fire, by service; made when it is asked for after a change. */
  #firing: ReadonlyMap<string | null, number> | null = null;
  /** Whether alerts may have to be told that another one explained. */
  #mayBeOpen = false;

  /** To be made before this agent notes its own start. */
  constructor(options: AlertsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    const { database, registry, events, settings, redact, onProblem, why } = options;
    this.#groupBy = settings().group_by;
    this.#notes = new AlertEvents(events, this.#now);
    this.#suppressions = new Suppressions({
      registry,
      silences: () => this.silences,
      rules: () => this.rules.watched,
      alerts: () => this.#board.all(),
      isInhibited: () => settings().inhibit,
    });
    this.#store = new AlertStore(database, onProblem);
    this.rules = new RuleBook({
      database,
      settings,
      onChange: () => this.#rulesChanged(),
      onProblem,
    });
    this.silences = new Silences({
      database,
      events,
      onChange: () => this.#isRunning && this.#reconsider(),
      onProblem,
      now: this.#now,
    });
    this.#detectors = new Detectors({ ...options, now: this.#now() });
    this.#circumstances = new CircumstancesOf({
      why,
      registry,
      events,
      dependenciesOf: (service) => this.#suppressions.closure.of(service),
      redact,
      onProblem,
    });
    this.#board = new AlertBoard({
      store: this.#store,
      onFiring: (record) => this.#fired(record),
      onResolved: (record) => this.#resolved(record),
      redact: (service, text) => redact(service, [text])[0] ?? '',
      onProblem,
    });
    this.view = new AlertView({
      board: this.#board,
      store: this.#store,
      suppressions: this.#suppressions,
    });
    this.#groups = new Groups({
      ...options,
      find: (id) => this.#board.find(id),
      ruleOf: ({ rule }) => this.rules.watched.get(rule) ?? null,
      suppressionOf: (record) => this.#suppressions.of(record),
      update: (id, change) => this.#board.update(id, change),
    });
    this.#watch = new AlertWatch({
      ...options,
      detectors: this.#detectors,
      rules: this.rules,
      board: this.#board,
      onLooked: () => this.#looked(),
      now: this.#now,
    });
  }

  /** Looks at all that is, and from then on at what changes. To be called when what runs has been taken up. */
  begin(): void {
    this.#isRunning = true;
    // A disk that cannot be read must keep no agent from its services.
    this.#guard(() => this.#takeUp());
    // Whoever is to be told from now on is told of what there is.
    this.#endEvents = this.#options.events.subscribe(({ type }) => {
      if (type === 'notifier.created' || type === 'notifier.updated') this.#reconsider(true);
    });
    this.#watch.begin();
  }

  /** Takes up what was measured. */
  observe(measured: Measurements): void {
    if (this.#isRunning) this.#watch.observe(measured);
  }

  /** Notes that something cannot be delivered to a receiver, or (null) that it can again. */
  deliveryFailing(subject: string, message: string | null): void {
    if (this.#detectors.deliveries.note(subject, message) && this.#isRunning) this.#watch.lookAtHost();
  }

  /** Notes that output of a service was removed before its time; `why` goes on after the service. */
  noteLogShortage(service: string, why: string): void {
    this.#detectors.shortage.note(service, why, this.#now());
    if (this.#isRunning) this.#watch.noteChange(service);
  }

  /** The settings may be others. What fires stays as far as its rule does. */
  reload(): void {
    this.#detectors.certificates.reload();
    const { group_by } = this.#options.settings();
    if (group_by !== this.#groupBy) this.#groups.regroup(this.#board.all(), this.#now());
    this.#groupBy = group_by;
    this.rules.reload();
    if (this.#isRunning) this.#reconsider(true);
  }

  /** Looks no more. What could not be told is told by the next agent. */
  close(): void {
    this.#isRunning = false;
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    clearImmediate(this.#soon);
    this.#endEvents();
    this.#watch.close();
    this.#store.flush();
  }

  /** Calls `listener` whenever alerts may have changed, until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** How many fire on a service; null: on the host and the agent. */
  firing(service: string | null): number {
    this.#firing ??= firingByService(this.#board.all());
    return this.#firing.get(service) ?? 0;
  }

  /** How many fire, by rule and severity; a rule that finds nothing is there with 0. */
  firingByRule(): FiringCount[] {
    return firingByRule(this.#board.all(), this.rules.watched.values());
  }

  /** What somebody should know, in sentences. */
  get warnings(): string[] {
    return [...this.rules.warnings(this.#options.notifiers()), ...this.#board.warnings];
  }

  /** Goes on with what an earlier agent left. */
  #takeUp(): void {
    const now = this.#now();
    this.#detectors.begin();
    this.silences.expire();
    for (const record of this.#board.all()) {
      if (!isFiring(record)) continue;
      this.#groups.add(record, now);
      if (record.circumstances === null) this.#gather(record);
    }
    for (const record of this.#store.resolved()) if (record.told.length > 0) this.#groups.remove(record, now);
  }

  #rulesChanged(): void {
    if (!this.#isRunning) return;
    this.#suppressions.changed();
    this.#watch.rulesChanged();
  }

  #fired(record: AlertRecord): Partial<AlertRecord> {
    this.#changed();
    this.#groups.add(record, this.#now());
    this.#gather(record);
    return { firing_event: this.#notes.firing(record) };
  }

  #resolved(record: AlertRecord): void {
    this.#notes.resolved(record);
    this.#changed();
    this.#groups.remove(record, this.#now());
    // What it explained may have to be told now.
    this.#mayBeOpen ||= record.service !== null;
  }

  #changed(): void {
    this.#suppressions.changed();
    this.#firing = null;
  }

  #gather(record: AlertRecord): void {
    void this.#circumstances.gather(record).then((circumstances) => {
      if (!this.#hasEnded) this.#guard(() => this.#complete(record, circumstances));
    });
  }

  #complete(record: AlertRecord, circumstances: Circumstances): void {
    const cause = record.event === null ? null : this.#options.events.find(record.event);
    this.#board.update(record.id, { circumstances, trace_id: cause?.trace_id ?? null });
    this.#groups.complete(record, this.#now());
    // When many fire, they are written together.
    this.#soon ??= setImmediate(() => this.#looked());
  }

  #reconsider(isAnew = false): void {
    this.#groups.reconsider(this.#board.all(), this.#now(), isAnew);
    this.#looked();
  }

  /** Writes what has changed, and sets the clock for what comes next. */
  #looked(): void {
    clearImmediate(this.#soon);
    this.#soon = undefined;
    if (this.#isRunning) this.#guard(() => this.#plan());
    for (const listener of this.#listeners) listener();
  }

  #plan(): void {
    this.#store.flush();
    if (this.#mayBeOpen) this.#groups.reconsider(this.#board.all(), this.#now());
    this.#mayBeOpen = false;
    const dues = [
      this.#board.nextDue(this.rules.watched),
      this.#watch.nextDue,
      this.#groups.nextDue,
      this.silences.nextEnd,
    ].filter((due) => due !== null);
    clearTimeout(this.#timer);
    const wait = Math.min(longestTimer, ...dues.map((due) => Math.max(0, due - this.#now())));
    this.#timer = setTimeout(() => this.#elapse(), wait).unref();
  }

  #elapse(): void {
    const now = this.#now();
    this.#guard(() => {
      this.silences.expire();
      // What was to happen at times of a clock that was set back is planned anew.
      if (now < this.#elapsedAt) this.#groups.regroup(this.#board.all(), now);
      this.#elapsedAt = now;
      this.#watch.elapse(now);
      this.#groups.flush(now);
    });
    this.#looked();
  }

  /** Whatever fails here ends no agent. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.onProblem(`alerts cannot be looked after: ${errorMessage(error)}`);
    }
  }
}
