import type { Alert, AlertInFull, AlertList } from '../contract/alerts.ts';
import { DavitError } from '../lib/errors.ts';
import type { AlertBoard } from './alert_board.ts';
import { type AlertRecord, alertInFull, isFiring, shownAlert } from './alert_record.ts';
import type { AlertPlace, AlertStore } from './alert_store.ts';
import type { Suppressions } from './suppression.ts';

/** Which alerts are wanted. */
export interface AlertFilter {
  /** Left out: both. */
  readonly state?: 'pending' | 'firing' | undefined;
  readonly service?: string | undefined;
  readonly rule?: string | undefined;
  /** At most so many. */
  readonly limit: number;
  /** Whether who asks may read a service; null: what concerns the agent. */
  readonly maySee: (service: string | null) => boolean;
}

interface AlertViewParts {
  readonly board: AlertBoard;
  readonly store: AlertStore;
  readonly suppressions: Suppressions;
}

/** Alerts as they are shown to those who ask. */
export class AlertView {
  readonly #parts: AlertViewParts;

  constructor(parts: AlertViewParts) {
    this.#parts = parts;
  }

  /** Those that fit and are not over, the newest first. */
  list(filter: AlertFilter): Alert[] {
    const found = [...this.#parts.board.all()].reverse().filter((record) => fits(record, filter));
    return found.slice(0, filter.limit).map((record) => this.#shown(record));
  }

  /**
   * Those that fit and are over, the newest first.
   * @param before the `next` of the page after it; left out: the newest page
   */
  history(filter: Omit<AlertFilter, 'state'>, before?: string): AlertList {
    const all = this.#parts.store.resolved(before === undefined ? null : placeOf(before));
    const found = all.filter((record) => fits(record, filter));
    const page = found.slice(0, filter.limit);
    const last = page.at(-1);
    return {
      alerts: page.map((record) => this.#shown(record)),
      next: last !== undefined && found.length > page.length ? cursorOf(last) : null,
    };
  }

  /** Throws `alert_not_found`, also for one that who asks may not see. */
  get(id: string, maySee: AlertFilter['maySee']): AlertInFull {
    const { board, store, suppressions } = this.#parts;
    const record = board.find(id) ?? store.find(id);
    if (record !== null && maySee(record.service))
      return alertInFull(record, suppressions.of(record), maySee);
    throw new DavitError(
      'alert_not_found',
      `there is no alert "${id}"; the last 1,000 are kept that are over`,
    );
  }

  #shown(record: AlertRecord): Alert {
    return shownAlert(record, this.#parts.suppressions.of(record));
  }
}

function cursorOf({ resolved_at, id }: AlertRecord): string {
  return `${resolved_at ?? 0}.${id}`;
}

function placeOf(cursor: string): AlertPlace {
  const [resolved_at, id = ''] = cursor.split('.');
  return { resolved_at: Number(resolved_at), id };
}

function fits(record: AlertRecord, { state, service, rule, maySee }: AlertFilter): boolean {
  if (service !== undefined && record.service !== service) return false;
  if (rule !== undefined && record.rule !== rule) return false;
  if (state === 'pending' && isFiring(record)) return false;
  if (state === 'firing' && !isFiring(record)) return false;
  return maySee(record.service);
}
