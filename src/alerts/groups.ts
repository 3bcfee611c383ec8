import type { AlertsConfig } from '../config/alerts.ts';
import type { Notification } from '../contract/alerts.ts';
import { errorMessage } from '../lib/errors.ts';
import { milliseconds } from '../lib/units.ts';
import { type AlertRecord, alertInFull, isFiring, type Suppression } from './alert_record.ts';
import { notificationOf } from './notification.ts';
import type { Outbox } from './notifiers/notifier.ts';

interface GroupsOptions {
  readonly settings: () => Pick<AlertsConfig, 'group_by' | 'group_wait' | 'group_interval' | 'repeat'>;
  readonly outbox: Outbox;
  readonly agent: () => Notification['agent'];
  /** An alert as it is now; null: it is over. */
  readonly find: (id: string) => AlertRecord | null;
  /** What its rule says of telling; null: there is no such rule any more. */
  readonly ruleOf: (
    record: AlertRecord,
  ) => { readonly notify: readonly string[] | null; readonly repeat_ms: number | null } | null;
  readonly suppressionOf: (record: AlertRecord) => Suppression;
  readonly update: (id: string, change: Partial<AlertRecord>) => void;
  readonly onProblem: (message: string) => void;
}

/** Alerts that are told together. Times in milliseconds since the epoch. */
interface Group {
  readonly key: string;
  /** The ids of those that fire. */
  readonly firing: Set<string>;
  /** Those that are over, of which somebody has to be told that. */
  readonly resolved: Map<string, AlertRecord>;
  told_at: number | null;
  /** When it is looked at next; null: when something happens. */
  due_at: number | null;
  /** Whether it is told as soon as it is known what led to its alerts. */
  is_late: boolean;
}

/** What was handed over of a group. */
interface Handed {
  readonly told: readonly { readonly record: AlertRecord; readonly names: readonly string[] }[];
  /** What was to be told, also where nobody wants to know. */
  readonly due: readonly AlertRecord[];
  readonly resolved: readonly AlertRecord[];
}

/** How long an alert waits at most for what led to it, in milliseconds. */
const patience = 2_000;

/** Tells of alerts in groups: not each by itself, not too often, and again while they fire. */
export class Groups {
  readonly #options: GroupsOptions;
  readonly #groups = new Map<string, Group>();
  /** When nobody was there to be told of an alert, by its id. */
  readonly #offered = new Map<string, number>();

  constructor(options: GroupsOptions) {
    this.#options = options;
  }

  /** When something is to be told next, in milliseconds since the epoch; null: nothing is. */
  get nextDue(): number | null {
    let next: number | null = null;
    for (const { due_at } of this.#groups.values())
      if (due_at !== null && (next === null || due_at < next)) next = due_at;
    return next;
  }

  /** An alert began to fire, may be told now, or did fire when this agent began. */
  add(record: AlertRecord, now: number): void {
    const group = this.#groupOf(record);
    group.firing.add(record.id);
    if (record.notified_at !== null)
      group.told_at = Math.max(group.told_at ?? 0, Math.min(record.notified_at, now));
    this.#wake(group, this.#lastTold(record) === null ? null : this.#nextTime(record, now), now);
  }

  /** An alert is over. */
  remove(record: AlertRecord, now: number): void {
    const group = this.#groupOf(record);
    group.firing.delete(record.id);
    this.#offered.delete(record.id);
    if (record.told.length > 0) {
      group.resolved.set(record.id, record);
      this.#wake(group, null, now);
    } else if (group.firing.size + group.resolved.size === 0) this.#wake(group, now, now);
  }

  /** Something that kept alerts from being told may be over, or there are other notifiers. */
  reconsider(alerts: Iterable<AlertRecord>, now: number, isAnew = false): void {
    if (isAnew) this.#offered.clear();
    for (const record of alerts) if (isFiring(record) && this.#isDue(record, now)) this.add(record, now);
  }

  /** Alerts are grouped in another way. */
  regroup(alerts: Iterable<AlertRecord>, now: number): void {
    const resolved = [...this.#groups.values()].flatMap((group) => [...group.resolved.values()]);
    this.#groups.clear();
    for (const record of alerts) if (isFiring(record)) this.add(record, now);
    for (const record of resolved) this.remove(record, now);
  }

  /** What led to an alert is known now. */
  complete(record: AlertRecord, now: number): void {
    const group = this.#groups.get(this.#keyOf(record));
    if (group?.is_late) this.#wake(group, now, now);
  }

  /** Tells what is due. */
  flush(now: number): void {
    for (const group of [...this.#groups.values()])
      if (group.due_at !== null && group.due_at <= now) this.#tell(group, now);
  }

  #tell(group: Group, now: number): void {
    const firing = [...group.firing].flatMap((id) => this.#options.find(id) ?? []).filter(isFiring);
    const open = firing.filter((record) => this.#isOpen(record));
    const due = open.filter((record) => this.#isDue(record, now));
    const unready = due.filter(({ circumstances }) => circumstances === null);
    const ready = Math.min(...unready.map(({ fired_at }) => (fired_at ?? now) + patience));
    if (unready.length > 0 && ready > now && ready <= now + patience) {
      group.due_at = ready;
      group.is_late = true;
      return;
    }
    group.is_late = false;
    if (due.length + group.resolved.size > 0) this.#post(group, due, open, now);
    const next = open.map((record) => this.#nextTime(this.#options.find(record.id) ?? record, now));
    group.due_at = next.length === 0 ? null : Math.max(Math.min(...next), this.#heldUntil(group, now));
    if (group.firing.size === 0) this.#rest(group, now);
  }

  /** A group that is empty is remembered for as long as what comes next has to wait for it. */
  #rest(group: Group, now: number): void {
    const end = this.#heldUntil(group, now);
    if (end === now) this.#groups.delete(group.key);
    else group.due_at = end;
  }

  #post(group: Group, due: readonly AlertRecord[], open: readonly AlertRecord[], now: number): void {
    const fresh = new Set(due);
    const firing = [...due, ...open.filter((record) => !fresh.has(record))];
    const resolved = [...group.resolved.values()];
    const receivers = new Map<string, { firing: AlertRecord[]; resolved: AlertRecord[]; isNews: boolean }>();
    const give = (record: AlertRecord, status: 'firing' | 'resolved', isNews: boolean) => {
      const names = this.#recipients(record, status);
      for (const name of names) {
        const known = receivers.get(name) ?? { firing: [], resolved: [], isNews: false };
        known[status].push(record);
        known.isNews ||= isNews;
        receivers.set(name, known);
      }
      return names;
    };
    const told = firing.flatMap((record) => {
      const names = give(record, 'firing', fresh.has(record));
      return names.length > 0 && fresh.has(record) ? [{ record, names }] : [];
    });
    for (const record of resolved) give(record, 'resolved', true);
    for (const [name, { isNews, ...alerts }] of receivers) if (isNews) this.#hand(name, group, alerts, now);
    this.#note(group, { told, due, resolved }, now);
  }

  /** Notes who was told. What nobody was there for is offered again later. */
  #note(group: Group, { told, due, resolved }: Handed, now: number): void {
    for (const { id } of due) this.#offered.set(id, now);
    for (const { record, names } of told) {
      this.#offered.delete(record.id);
      this.#options.update(record.id, {
        notified_at: now,
        told: [...new Set([...record.told, ...names])],
      });
    }
    for (const { id } of resolved) this.#options.update(id, { told: [] });
    group.resolved.clear();
    if (told.length + resolved.length > 0) group.told_at = now;
  }

  #recipients(record: AlertRecord, status: 'firing' | 'resolved'): readonly string[] {
    const { outbox, ruleOf, onProblem } = this.#options;
    const { service, severity } = record;
    try {
      // That it is over concerns those who know of it, whatever the rule says by now.
      const notify = status === 'resolved' ? record.told : (ruleOf(record)?.notify ?? null);
      return outbox.recipients({ notify, service, severity, status });
    } catch (error) {
      onProblem(`it cannot be said whom to tell of alert ${record.id}: ${errorMessage(error)}`);
      return [];
    }
  }

  #hand(
    notifier: string,
    { key }: Group,
    { firing, resolved }: Readonly<Record<'firing' | 'resolved', readonly AlertRecord[]>>,
    now: number,
  ): void {
    const { outbox, agent, suppressionOf, onProblem } = this.#options;
    const inFull = (record: AlertRecord) =>
      alertInFull({ ...record, notified_at: now }, suppressionOf(record), () => true);
    try {
      outbox.post(
        notifier,
        notificationOf({
          firing: firing.map(inFull),
          resolved: resolved.map(inFull),
          key,
          agent: agent(),
          now,
        }),
      );
    } catch (error) {
      onProblem(`notifier "${notifier}" cannot be told: ${errorMessage(error)}`);
    }
  }

  /** @param at when it is to be looked at; null: as soon as its group may be told */
  #wake(group: Group, at: number | null, now: number): void {
    const held = this.#heldUntil(group, now);
    const wait = milliseconds(this.#options.settings().group_wait);
    const wanted = Math.max(at ?? (held > now ? held : now + wait), held);
    group.due_at = group.due_at === null ? wanted : Math.min(group.due_at, wanted);
  }

  /** Until when a group is not told again, in milliseconds since the epoch; now where nothing holds it. */
  #heldUntil({ told_at }: Group, now: number): number {
    const interval = milliseconds(this.#options.settings().group_interval);
    return told_at === null || told_at > now ? now : Math.max(now, told_at + interval);
  }

  #isOpen(record: AlertRecord): boolean {
    const { silenced_by, inhibited_by } = this.#options.suppressionOf(record);
    return silenced_by === null && inhibited_by === null;
  }

  /** Whether nobody knows of it, or it is time to say it again. */
  #isDue(record: AlertRecord, now: number): boolean {
    const last = this.#lastTold(record);
    return last === null || last > now || last + this.#repeat(record) <= now;
  }

  /** When it is to be told again. */
  #nextTime(record: AlertRecord, now: number): number {
    const last = this.#lastTold(record);
    return last === null || last > now ? now + this.#repeat(record) : last + this.#repeat(record);
  }

  #lastTold({ id, notified_at }: AlertRecord): number | null {
    const offered = this.#offered.get(id) ?? null;
    return offered === null ? notified_at : Math.max(offered, notified_at ?? 0);
  }

  /** A repeat that is shorter than the interval of its group is never kept, and would only wake it in vain. */
  #repeat(record: AlertRecord): number {
    const { repeat, group_interval } = this.#options.settings();
    const own = this.#options.ruleOf(record)?.repeat_ms ?? milliseconds(repeat);
    return Math.max(own, milliseconds(group_interval), 1_000);
  }

  #groupOf(record: AlertRecord): Group {
    const key = this.#keyOf(record);
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const made: Group = {
      key,
      firing: new Set(),
      resolved: new Map(),
      told_at: null,
      due_at: null,
      is_late: false,
    };
    this.#groups.set(key, made);
    return made;
  }

  /** One that comes back within the interval finds its group again, so that it does not flood anybody. */
  #keyOf({ rule, service, instance, subject }: AlertRecord): string {
    const { group_by } = this.#options.settings();
    if (group_by === 'rule') return rule;
    if (group_by === 'service') return service ?? '';
    return [rule, service, instance, subject].map((part) => part ?? '').join(' ');
  }
}
