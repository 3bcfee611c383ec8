import { hostname } from 'node:os';
import type { DatabaseSync } from 'node:sqlite';
import type { AlertsConfig } from '../../config/alerts.ts';
import type { Notification } from '../../contract/alerts.ts';
import type { NewNotifier, ReplaceNotifier, ShownNotifier } from '../../contract/notifiers.ts';
import { DavitError } from '../../lib/errors.ts';
import { matchesGlob } from '../../lib/glob.ts';
import { milliseconds } from '../../lib/units.ts';
import { closestName } from '../../lib/validation.ts';
import { version } from '../../lib/version.ts';
import type { RunExec } from '../notifiers/exec.ts';
import { withKept } from '../notifiers/kept_secrets.ts';
import { makeNotifier, type NotifierDefinition } from '../notifiers/make_notifier.ts';
import type { Delivered, Outbox } from '../notifiers/notifier.ts';
import { NotifierStore } from '../notifiers/notifier_store.ts';
import { shownSettings } from '../notifiers/shown_settings.ts';
import { TargetGuard } from '../notifiers/target_guard.ts';
import { testNotification } from '../notifiers/test_notification.ts';
import { type DeliveryCounts, DeliveryQueue } from './delivery_queue.ts';
import { DeliveryStore } from './delivery_store.ts';

interface OutboxOptions {
  readonly database: DatabaseSync;
  /** As they are now: they may change while the agent runs. */
  readonly settings: () => Pick<AlertsConfig, 'notifiers' | 'allowed_targets'>;
  readonly run: RunExec;
  /** On which ports the agent and its routers listen. */
  readonly ownPorts: () => readonly number[];
  /** The address of the agent, for people. */
  readonly url: () => string;
  /** Told of each try that failed, and with null of each that did not. */
  readonly onFailing: (notifier: string, message: string | null) => void;
  readonly onProblem: (message: string) => void;
}

type Origin = ShownNotifier['origin'];

/** A notifier that counts, with what waits for it. */
interface Place {
  readonly definition: NotifierDefinition;
  readonly origin: Origin;
  /** Of what it was made, with where it may lead: what is the same needs no other. */
  readonly made_of: string;
  readonly queue: DeliveryQueue;
}

/** How much waits for a notifier, and what became of what was posted to it. */
export interface NotifierCounts extends DeliveryCounts {
  readonly notifier: string;
  readonly waiting: number;
}

/** Every notifier, of the configuration and of the API, each with a queue and a worker of its own. */
export class NotifierOutbox implements Outbox {
  readonly #options: OutboxOptions;
  readonly #deliveries: DeliveryStore;
  readonly #store: NotifierStore;
  readonly #places = new Map<string, Place>();
  readonly #tested = new Set<string>();
  #hasBegun = false;

  constructor(options: OutboxOptions) {
    const { database, onProblem } = options;
    this.#options = options;
    this.#deliveries = new DeliveryStore({ database, onProblem });
    this.#store = new NotifierStore({ database, onProblem });
    this.reload();
  }

  /** What somebody should know, in sentences. */
  get warnings(): string[] {
    const hidden = this.#store
      .all()
      .filter(({ name }) => this.#places.get(name)?.origin === 'configuration')
      .map(
        ({ name }) => `notifier "${name}" of the API does not count: the configuration has one of that name`,
      );
    const failing = [...this.#places].flatMap(([name, { queue }]) =>
      queue.lastError === null ? [] : `notifier "${name}" fails: davit alert notifiers says why`,
    );
    return [...hidden, ...failing];
  }

  get counts(): NotifierCounts[] {
    return [...this.#places].map(([notifier, { queue }]) => ({
      notifier,
      waiting: queue.waiting,
      ...queue.counts,
    }));
  }

  /** Begins to deliver. */
  begin(): void {
    this.#hasBegun = true;
    // The port of the agent may be known by now.
    this.reload();
    for (const name of this.#deliveries.notifiers().filter((each) => !this.#places.has(each)))
      this.#tellForgotten(name, this.#deliveries.forget(name));
    for (const { queue } of this.#places.values()) queue.begin();
  }

  /** The settings may be others: what waits for a notifier whose name stays is delivered as it says now. */
  reload(): void {
    const wanted = this.#wanted();
    for (const [name, { queue }] of this.#places) {
      if (wanted.has(name)) continue;
      this.#places.delete(name);
      this.#tellForgotten(name, queue.discard());
      this.#options.onFailing(name, null);
    }
    for (const [name, { definition, origin }] of wanted) this.#put(name, definition, origin);
  }

  /** Delivers nothing more; what waits stays for the next agent. */
  async close(): Promise<void> {
    await Promise.all([...this.#places.values()].map(({ queue }) => queue.close()));
  }

  recipients({ notify, service, severity, status }: Parameters<Outbox['recipients']>[0]): readonly string[] {
    return [...this.#places.values()]
      .map(({ definition }) => definition)
      .filter(({ name }) => notify === null || notify.includes(name))
      .filter(({ services }) => service === null || services.some((glob) => matchesGlob(glob, service)))
      .filter(({ severities }) => severities.some((each) => each === severity))
      .filter(({ send_resolved }) => send_resolved || status === 'firing')
      .map(({ name }) => name);
  }

  post(notifier: string, notification: Notification): void {
    this.#places.get(notifier)?.queue.post(notification);
  }

  list(): ShownNotifier[] {
    return [...this.#places.values()].map(shown);
  }

  /** Throws `notifier_not_found`, with the name that was probably meant. */
  show(name: string): ShownNotifier {
    return shown(this.#get(name));
  }

  /** Throws `notifier_exists`, `target_not_allowed`, `state_conflict` when there are too many, and `storage_unavailable`. */
  create(notifier: NewNotifier): ShownNotifier {
    const { name } = notifier;
    if (this.#places.has(name) || this.#store.has(name))
      throw new DavitError('notifier_exists', `notifier "${name}" exists already`);
    return this.#keep(notifier);
  }

  /** Throws `notifier_not_found`, `state_conflict` of one of the configuration, `invalid_request`, `target_not_allowed` and `storage_unavailable`. */
  replace(name: string, sent: ReplaceNotifier): ShownNotifier {
    this.#requireApi(name);
    return this.#keep(withKept(sent, this.#store.get(name)));
  }

  /** What waits for it is forgotten. Throws `notifier_not_found`, `state_conflict` of one of the configuration, and `storage_unavailable`. */
  remove(name: string): ShownNotifier {
    const removed = this.show(name);
    this.#requireApi(name);
    this.#store.remove(name);
    this.reload();
    return removed;
  }

  /** Sends one notification at once, beside what waits. Throws `notifier_not_found`, `state_conflict` while another test goes on, and a DeliveryFailure. */
  async test(name: string, signal: AbortSignal): Promise<Delivered> {
    const { queue } = this.#get(name);
    if (this.#tested.has(name))
      throw new DavitError('state_conflict', `notifier "${name}" is being tested already`);
    this.#tested.add(name);
    try {
      const agent = { hostname: hostname(), version, url: this.#options.url() };
      return await queue.test(testNotification(agent, Date.now()), signal);
    } finally {
      this.#tested.delete(name);
    }
  }

  #keep(notifier: NewNotifier): ShownNotifier {
    const target = targetOf(notifier);
    if (target !== null) this.#guard().checkHost(target.host, target.port);
    this.#store.keep(notifier);
    this.reload();
    return this.show(notifier.name);
  }

  #get(name: string): Place {
    const place = this.#places.get(name);
    if (place !== undefined) return place;
    const meant = closestName(name, this.#places.keys());
    const hint = meant ? `; did you mean "${meant}"?` : '';
    throw new DavitError('notifier_not_found', `there is no notifier "${name}"${hint}`);
  }

  #requireApi(name: string): void {
    if (this.#get(name).origin === 'configuration')
      throw new DavitError(
        'state_conflict',
        `notifier "${name}" stands in the configuration file: change it there`,
      );
  }

  /** Those of the configuration come first: they take the place of one of the API. */
  #wanted(): Map<string, { definition: NotifierDefinition; origin: Origin }> {
    const wanted = new Map<string, { definition: NotifierDefinition; origin: Origin }>();
    for (const definition of this.#options.settings().notifiers)
      wanted.set(definition.name, { definition, origin: 'configuration' });
    for (const definition of this.#store.all())
      if (!wanted.has(definition.name)) wanted.set(definition.name, { definition, origin: 'api' });
    return wanted;
  }

  #put(name: string, definition: NotifierDefinition, origin: Origin): void {
    const made_of = JSON.stringify([origin, definition, origin === 'api' ? this.#guardSettings() : null]);
    const known = this.#places.get(name);
    if (known?.made_of === made_of) return;
    const { run, onFailing, onProblem } = this.#options;
    const notifier = makeNotifier(definition, { run, guard: origin === 'api' ? this.#guard() : null });
    const keep_trying = milliseconds(definition.keep_trying);
    const queue =
      known?.queue ??
      new DeliveryQueue({
        notifier,
        keep_trying,
        store: this.#deliveries,
        onFailing: (message) => onFailing(name, message),
        onProblem,
      });
    this.#places.set(name, { definition, origin, made_of, queue });
    if (known) queue.use(notifier, keep_trying);
    else if (this.#hasBegun) queue.begin();
  }

  #guard(): TargetGuard {
    return new TargetGuard(this.#guardSettings());
  }

  #guardSettings() {
    return { allowed: this.#options.settings().allowed_targets, ownPorts: this.#options.ownPorts() };
  }

  #tellForgotten(name: string, count: number): void {
    if (count > 0)
      this.#options.onProblem(`notifier "${name}" is gone, and ${count} notifications that waited for it`);
  }
}

/** Where one of the API leads. */
function targetOf(notifier: NewNotifier): { readonly host: string; readonly port: number } | null {
  if (notifier.type === 'email') return { host: notifier.host, port: notifier.port };
  const url = new URL(notifier.url);
  return { host: url.hostname, port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)) };
}

function shown({ definition, origin, queue }: Place): ShownNotifier {
  return {
    ...shownSettings(definition),
    origin,
    waiting: queue.waiting,
    last_delivered_at: queue.lastDeliveredAt === null ? null : new Date(queue.lastDeliveredAt).toISOString(),
    last_error: queue.lastError,
    dropped: queue.counts.dropped,
  };
}
