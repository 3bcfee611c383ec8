import { type AlertRecord, isFiring, newId, subjectKey } from './alert_record.ts';
import type { AlertStore } from './alert_store.ts';
import type { Finding } from './conditions/finding.ts';
import { type Course, dueAt, nextCourse } from './lifecycle.ts';
import type { WatchedRule } from './watched_rule.ts';

interface AlertBoardOptions {
  readonly store: AlertStore;
  /** Makes an alert ready that begins to fire: notes the event, and gives what is added to it. */
  readonly onFiring: (record: AlertRecord) => Partial<AlertRecord>;
  /** Told of one that fired and is over. */
  readonly onResolved: (record: AlertRecord) => void;
  readonly redact: (service: string | null, text: string) => string;
  readonly onProblem: (message: string) => void;
}

/** How many alerts there may be at once. */
const mostAlerts = 10_000;

/** How long a summary may be, in UTF-16 units. */
const mostText = 1_000;

const notBegun: Course = { state: 'inactive', since: 0 };

/** Every alert that is pending or fires, in memory and in the store. */
export class AlertBoard {
  readonly #options: AlertBoardOptions;
  readonly #alerts = new Map<string, AlertRecord>();
  /** The ids of those of one rule on one service, by what tells them apart. */
  readonly #places = new Map<string, Map<string, string>>();
  #isFull = false;

  constructor(options: AlertBoardOptions) {
    this.#options = options;
    for (const record of options.store.live()) this.#put(record);
  }

  all(): IterableIterator<AlertRecord> {
    return this.#alerts.values();
  }

  find(id: string): AlertRecord | null {
    return this.#alerts.get(id) ?? null;
  }

  /** What somebody should know, in sentences. */
  get warnings(): readonly string[] {
    return this.#isFull ? [`there are ${mostAlerts} alerts, which is the most: others are not noted`] : [];
  }

  /** The alerts of a rule on a service; null: on the host or the agent. */
  of(rule: string, service: string | null): AlertRecord[] {
    const place = this.#places.get(placeKey(rule, service));
    return place === undefined ? [] : [...place.values()].flatMap((id) => this.#alerts.get(id) ?? []);
  }

  isKnown(rule: string, service: string | null, instance: number | null, subject: string | null): boolean {
    const place = this.#places.get(placeKey(rule, service));
    return place?.has(subjectKey({ instance, subject })) === true;
  }

  /** Takes up what a look found of a rule on a service: what was not found is over. */
  settle(rule: WatchedRule, service: string | null, findings: readonly Finding[], now: number): void {
    const found = new Map(findings.map((each) => [subjectKey(each), each]));
    for (const record of this.of(rule.name, service))
      if (!found.has(subjectKey(record))) this.#step(rule, record, null, now);
    for (const each of found.values()) {
      const id = this.#places.get(placeKey(rule.name, service))?.get(subjectKey(each));
      const known = id === undefined ? undefined : this.#alerts.get(id);
      if (known === undefined) this.#open(rule, service, each, now);
      else this.#step(rule, known, each, now);
    }
  }

  /** Takes alerts on whose time has come, although nothing was found anew. */
  elapse(rules: ReadonlyMap<string, WatchedRule>, now: number): void {
    for (const record of [...this.#alerts.values()]) {
      const rule = rules.get(record.rule);
      const due = rule === undefined ? null : dueAt(record, rule);
      // After the clock was set back, what waits begins to wait anew.
      if (rule === undefined || due === null || (due > now && record.since <= now)) continue;
      this.#move(rule, record, nextCourse(record, record.state === 'pending', rule, now), now);
    }
  }

  /** When `elapse` has something to do next, in milliseconds since the epoch. */
  nextDue(rules: ReadonlyMap<string, WatchedRule>): number | null {
    let next: number | null = null;
    for (const record of this.#alerts.values()) {
      const rule = record.state === 'firing' ? undefined : rules.get(record.rule);
      const due = rule === undefined ? null : dueAt(record, rule);
      if (due !== null && (next === null || due < next)) next = due;
    }
    return next;
  }

  /** Ends an alert at once, as when its rule or its service is gone. */
  end(record: AlertRecord, now: number): void {
    if (isFiring(record)) this.#resolve(record, now);
    else this.#drop(record);
  }

  /** Notes what has become known of an alert that is still there, or of one that is over and not written yet. */
  update(id: string, change: Partial<AlertRecord>): void {
    const { store } = this.#options;
    const live = this.#alerts.get(id);
    const record = live ?? store.find(id);
    if (record === null) return;
    const changed = { ...record, ...change };
    if (live !== undefined) this.#alerts.set(id, changed);
    store.save(changed);
  }

  #open(rule: WatchedRule, service: string | null, found: Finding, now: number): void {
    if (this.#alerts.size >= mostAlerts) {
      this.#noteFull();
      return;
    }
    const started_at = Math.min(found.since ?? now, now);
    // What has been so before it was found has lasted as long already.
    const begun: Course = rule.hold_ms > 0 ? { state: 'pending', since: started_at } : notBegun;
    const course = nextCourse(begun, true, rule, now);
    const record: AlertRecord = {
      id: newId(),
      rule: rule.name,
      severity: rule.severity,
      service,
      instance: found.instance,
      subject: found.subject,
      summary: this.#summary(rule, service, found),
      value: found.value,
      event: found.event,
      trace_id: null,
      state: 'pending',
      since: started_at,
      started_at,
      fired_at: null,
      resolved_at: null,
      firing_event: null,
      notified_at: null,
      told: [],
      circumstances: null,
    };
    this.#move(rule, record, course, now);
  }

  #step(rule: WatchedRule, record: AlertRecord, found: Finding | null, now: number): void {
    const course = nextCourse(record, found !== null, rule, now);
    const told = found === null ? {} : this.#told(rule, record, found);
    const known = { ...record, ...told };
    if (course.state === record.state) {
      // A value that changes is not worth a write.
      this.#put({ ...known, since: course.since });
      if (known.severity !== record.severity) this.#options.store.save(known);
      return;
    }
    this.#move(rule, known, course, now);
  }

  /** What is told of one that goes on: how it is now, but the event that led to it stays. */
  #told(rule: WatchedRule, record: AlertRecord, found: Finding): Partial<AlertRecord> {
    const { value } = found;
    const changes = value !== record.value || record.state === 'pending' || record.severity !== rule.severity;
    return changes
      ? { value, severity: rule.severity, summary: this.#summary(rule, record.service, found) }
      : {};
  }

  #move(rule: WatchedRule, record: AlertRecord, { state, since }: Course, now: number): void {
    if (state === 'inactive') this.#drop(record);
    else if (state === 'resolved') this.#resolve(record, now);
    else this.#enter({ ...record, severity: rule.severity, state, since }, now);
  }

  #enter(record: AlertRecord, now: number): void {
    const begins = record.state === 'firing' && record.fired_at === null;
    const kept = begins ? this.#fire({ ...record, fired_at: now }) : record;
    this.#put(kept);
    this.#options.store.save(kept);
  }

  #fire(record: AlertRecord): AlertRecord {
    // It is known before others are told of it.
    this.#put(record);
    return { ...record, ...this.#options.onFiring(record) };
  }

  #resolve(record: AlertRecord, now: number): void {
    const resolved: AlertRecord = { ...record, state: 'resolved', since: now, resolved_at: now };
    this.#remove(record);
    this.#options.store.save(resolved);
    this.#options.onResolved(resolved);
  }

  #drop(record: AlertRecord): void {
    this.#remove(record);
    this.#options.store.remove(record.id);
  }

  #put(record: AlertRecord): void {
    const key = placeKey(record.rule, record.service);
    const place = this.#places.get(key) ?? new Map<string, string>();
    this.#places.set(key, place.set(subjectKey(record), record.id));
    this.#alerts.set(record.id, record);
  }

  #remove(record: AlertRecord): void {
    const key = placeKey(record.rule, record.service);
    const place = this.#places.get(key);
    place?.delete(subjectKey(record));
    if (place?.size === 0) this.#places.delete(key);
    this.#alerts.delete(record.id);
    if (this.#alerts.size < mostAlerts / 2) this.#isFull = false;
  }

  #summary(rule: WatchedRule, service: string | null, { summary }: Finding): string {
    if (rule.summary !== null || rule.watched.kind === 'series') return rule.summary ?? summary;
    return this.#options.redact(service, summary).slice(0, mostText);
  }

  #noteFull(): void {
    if (!this.#isFull)
      this.#options.onProblem(`there are ${mostAlerts} alerts, which is the most: others are not noted`);
    this.#isFull = true;
  }
}

function placeKey(rule: string, service: string | null): string {
  return `${rule} ${service ?? ''}`;
}
