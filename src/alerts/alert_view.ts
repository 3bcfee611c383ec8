import type { Alert, AlertInFull } from '../contract/alerts.ts';
import { DavitError } from '../lib/errors.ts';
import type { AlertBoard } from './alert_board.ts';
import { type AlertRecord, alertInFull, isFiring, shownAlert } from './alert_record.ts';
import type { AlertStore } from './alert_store.ts';
import type { Suppressions } from './suppression.ts';

/** Which alerts are wanted. */
export interface AlertFilter {
  /** Left out: those that are pending or fire. */
  readonly state?: Alert['state'] | undefined;
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

  /** Those that fit, the newest first. */
  list(filter: AlertFilter): Alert[] {
    const { board, store, suppressions } = this.#parts;
    const all = filter.state === 'resolved' ? store.resolved() : [...board.all()].reverse();
    const found: Alert[] = [];
    for (const record of all) {
      if (!fits(record, filter)) continue;
      if (found.push(shownAlert(record, suppressions.of(record))) === filter.limit) break;
    }
    return found;
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
}

function fits(record: AlertRecord, { state, service, rule, maySee }: AlertFilter): boolean {
  if (service !== undefined && record.service !== service) return false;
  if (rule !== undefined && record.rule !== rule) return false;
  if (state === 'pending' && isFiring(record)) return false;
  if (state === 'firing' && !isFiring(record)) return false;
  return maySee(record.service);
}
