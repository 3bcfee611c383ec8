import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Event } from '../contract/events.ts';
import type { EventLog } from '../services/event_log.ts';
import { ChangedKeys } from './changed_keys.ts';
import { eventText } from './live_streams.ts';
import type { LiveView } from './live_view.ts';
import { allows, type Principal } from './permission.ts';

interface LiveReaderParts {
  readonly principal: Principal;
  readonly events: Pick<EventLog, 'lastId' | 'isKept' | 'next' | 'list'>;
  readonly view: LiveView;
  /** Make the messages that tell how something is now. */
  readonly changes: {
    service(id: string): Buffer;
    deployment(service: string, id: number): Buffer | null;
  };
}

/** How many events may have been missed to be told. */
const mostMissed = 1_000;
const eventsAtOnce = 200;
/** How often one service or one deployment is told at most, in milliseconds. */
const interval = 250;
/** After so many services others get their turn. */
const servicesAtOnce = 25;

/** One who reads all that changes: what has changed for it since it was told, and never more than the names of that. */
export class LiveReader {
  readonly #parts: LiveReaderParts;
  readonly #services = new ChangedKeys(interval);
  readonly #deployments = new ChangedKeys(interval);
  /** The last event that it knows or may not see. */
  #cursor: number;
  #hasEvents = false;
  #hasSkipped = false;
  #isMeasured = true;
  #hasAlerts = true;
  #toldAlerts: Buffer | null = null;
  #wake: () => void = () => {};

  /** @param after the last event that it knows; null: one that cannot be known; left out: all until now */
  constructor(parts: LiveReaderParts, after: number | null | undefined) {
    this.#parts = parts;
    const { events } = parts;
    this.#cursor = events.lastId;
    if (after === undefined) return;
    const isTold =
      after !== null &&
      events.isKept(after) &&
      events.list({ after, limit: mostMissed + 1, visible: this.#maySee }).length <= mostMissed;
    this.#hasSkipped = !isTold;
    if (!isTold) return;
    this.#cursor = after;
    this.#hasEvents = true;
  }

  noteEvent(event: Event): void {
    if (!this.#maySee(event)) {
      if (!this.#hasEvents) this.#cursor = event.id;
      return;
    }
    this.#hasEvents = true;
    this.#wake();
  }

  noteService(id: string): void {
    if (!allows(this.#parts.principal, 'read', id)) return;
    this.#note(this.#services, id);
  }

  noteDeployment(service: string, id: number): void {
    if (!allows(this.#parts.principal, 'read', service)) return;
    this.#note(this.#deployments, `${id} ${service}`);
  }

  noteMeasured(): void {
    this.#isMeasured = true;
    this.#wake();
  }

  noteAlerts(): void {
    this.#hasAlerts = true;
    this.#wake();
  }

  /** Messages, each made when it is read, until `signal` ends it. */
  async *read(signal: AbortSignal): AsyncGenerator<Buffer> {
    // Who is cut off before anything happened goes on from here.
    yield Buffer.from(`id: ${this.#cursor}\n\n`);
    while (!signal.aborted) {
      yield* this.#events();
      yield* this.#changed();
      yield* this.#overview();
      await this.#nextChange(signal);
    }
  }

  readonly #maySee = ({ service }: Event): boolean => allows(this.#parts.principal, 'read', service);

  #note(keys: ChangedKeys, key: string): void {
    if (!keys.note(key, performance.now())) this.#hasSkipped = true;
    this.#wake();
  }

  *#events(): Generator<Buffer> {
    const { events } = this.#parts;
    while (this.#hasEvents || this.#hasSkipped) {
      if (this.#hasSkipped || !events.isKept(this.#cursor)) {
        this.#cursor = events.lastId;
        this.#hasEvents = false;
        this.#hasSkipped = false;
        yield Buffer.from(eventText({ event: 'skipped', id: String(this.#cursor), data: {} }));
        continue;
      }
      const last = events.lastId;
      const found = events.next(this.#cursor, eventsAtOnce, this.#maySee);
      const isAll = found.length < eventsAtOnce;
      // What comes while these are read is noted anew.
      if (isAll) this.#hasEvents = false;
      for (const event of found) {
        this.#cursor = event.id;
        yield Buffer.from(eventText({ event: 'event', id: String(event.id), data: event }));
      }
      if (isAll) this.#cursor = Math.max(this.#cursor, last);
    }
  }

  async *#changed(): AsyncGenerator<Buffer> {
    const { changes } = this.#parts;
    for (const key of this.#deployments.take(performance.now())) {
      const [id = '', service = ''] = key.split(' ');
      const message = changes.deployment(service, Number(id));
      if (message !== null) yield message;
    }
    let made = 0;
    for (const id of this.#services.take(performance.now())) {
      yield changes.service(id);
      made += 1;
      if (made % servicesAtOnce === 0) await nextTurn();
    }
  }

  async *#overview(): AsyncGenerator<Buffer> {
    const { view } = this.#parts;
    if (this.#hasAlerts) {
      this.#hasAlerts = false;
      const alerts = view.alerts();
      if (alerts !== this.#toldAlerts) yield alerts;
      this.#toldAlerts = alerts;
    }
    if (this.#isMeasured) {
      this.#isMeasured = false;
      const stats = await view.stats();
      if (stats !== null) yield stats;
    }
  }

  async #nextChange(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    const isReady =
      this.#hasEvents || this.#hasSkipped || this.#isMeasured || this.#hasAlerts || signal.aborted;
    const due = Math.min(this.#services.nextDue, this.#deployments.nextDue);
    const wait = isReady ? 0 : due - performance.now();
    const timer = Number.isFinite(wait) ? setTimeout(resolve, Math.max(0, wait)) : undefined;
    await promise;
    clearTimeout(timer);
    signal.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => this.#wake();
}
