import { errorMessage } from '../lib/errors.ts';
import { eventText } from './live_streams.ts';
import type { Principal } from './permission.ts';

/** Makes what a principal may see of all services. */
export interface Overview {
  /** How everything stands, in numbers. */
  readonly stats: (principal: Principal) => unknown | Promise<unknown>;
  readonly alerts: (principal: Principal) => unknown;
  readonly onProblem: (message: string) => void;
}

/** The overview of those who may see the same: made once for all of them. */
export class LiveView {
  readonly #overview: Overview;
  readonly #principal: Principal;
  #stats: Promise<Buffer | null> | null = null;
  #alerts: Buffer | null = null;
  #isAlertsOld = false;
  /** How many read it. */
  readers = 0;

  /** @param principal one of those for whom it is */
  constructor(overview: Overview, principal: Principal) {
    this.#overview = overview;
    this.#principal = principal;
  }

  /** What principals share who may see the same. */
  static key({ grants }: Principal): string {
    return JSON.stringify(grants);
  }

  measured(): void {
    this.#stats = null;
  }

  alertsChanged(): void {
    this.#isAlertsOld = true;
  }

  /** The message that tells the numbers; null when there are none. */
  stats(): Promise<Buffer | null> {
    this.#stats ??= this.#lookAtStats();
    return this.#stats;
  }

  /** The message that tells the alerts; the same object as long as they are the same. */
  alerts(): Buffer {
    if (this.#alerts !== null && !this.#isAlertsOld) return this.#alerts;
    this.#isAlertsOld = false;
    const text = message('alerts', this.#overview.alerts(this.#principal));
    if (this.#alerts?.equals(text) !== true) this.#alerts = text;
    return this.#alerts ?? text;
  }

  async #lookAtStats(): Promise<Buffer | null> {
    try {
      return message('stats', await this.#overview.stats(this.#principal));
    } catch (error) {
      this.#overview.onProblem(`numbers cannot be told: ${errorMessage(error)}`);
      return null;
    }
  }
}

function message(event: string, data: unknown): Buffer {
  return Buffer.from(eventText({ event, data }));
}
