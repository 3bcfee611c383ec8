import type { EventLog } from '../services/event_log.ts';
import type { AlertRecord } from './alert_record.ts';

/** How many events of alerts there may be at once, and how long it takes until there may be one more, in milliseconds. */
const most = 1_000;
const interval = 2_000;

/**
 * Notes as events that alerts fire and are over. The agent keeps so many events of all kinds, and rules that come and go must
 * not push the others out: when there are too many, alerts are only kept as such.
 */
export class AlertEvents {
  readonly #events: EventLog;
  readonly #now: () => number;
  #left = most;
  #since: number;

  constructor(events: EventLog, now: () => number) {
    this.#events = events;
    this.#now = now;
    this.#since = now();
  }

  /** Returns the id of the event; null: there have been too many. */
  firing(record: AlertRecord): number | null {
    return this.#record('alert.firing', record, record.event, 'fires');
  }

  resolved(record: AlertRecord): void {
    this.#record('alert.resolved', record, record.firing_event, 'is over');
  }

  #record(
    type: 'alert.firing' | 'alert.resolved',
    { rule, service, instance, summary }: AlertRecord,
    cause: number | null,
    verb: string,
  ): number | null {
    if (!this.#mayRecord()) return null;
    const { id } = this.#events.record({
      type,
      ...(service !== null && { service }),
      ...(instance !== null && { instance }),
      cause,
      message: `Alert ${rule} ${verb}: ${summary}`,
    });
    return id;
  }

  #mayRecord(): boolean {
    const now = this.#now();
    const gained = Math.floor((now - this.#since) / interval);
    if (gained > 0) this.#left = Math.min(most, this.#left + gained);
    // A clock that was set back gains nothing, and begins anew.
    if (gained !== 0) this.#since = now;
    if (this.#left === 0) return false;
    this.#left -= 1;
    return true;
  }
}
