import type { StopReport } from '../contract/processes.ts';
import { DavitError } from '../lib/errors.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import type { StoredRelease } from '../services/release.ts';
import type { UnderWay } from '../services/service.ts';
import type { Reconciler } from '../supervision/reconciler.ts';
import type { Supervisor } from '../supervision/supervisor.ts';
import type { Retirement } from './retirement.ts';
import type { Traffic } from './traffic.ts';

export interface CourseParts {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly reconciler: Reconciler;
  readonly events: EventLog;
  readonly retirement: Retirement;
  readonly traffic: Traffic;
}

/** What is said to a replacement while it is under way. */
export interface Steering {
  /** Ends it, and what ran before is put back. Its reason is a DavitError. */
  readonly cancelled: AbortSignal;
  /** Leaves it to the next agent as it is. Its reason is an `Interruption`. */
  readonly interrupted: AbortSignal;
  /** Resolves when somebody wants no more comparing. */
  readonly promoted: Promise<void>;
  /** Says what it does. */
  step(message: string, status?: 'running' | 'baking' | 'baking_until_promoted'): void;
}

/** A replacement of what runs by a release. */
export interface Attempt {
  readonly service: string;
  readonly target: StoredRelease;
  /** As it stands in the registry, too. */
  under_way: UnderWay;
  readonly steering: Steering;
}

/** One way to replace what runs. */
export interface Course {
  /**
   * Has the release run and serve; what it replaces has ended, or is to end. Returns what the stop of that took; null when
   * nothing ran, or it ends by and by. Throws why it cannot.
   */
  run(): Promise<StopReport | null>;
  /** Has run again what ran before. */
  putBack(): Promise<void>;
}

/** The agent ends: the next one goes on. */
export class Interruption extends DavitError {
  constructor() {
    super('shutting_down', 'the agent is ending; the next one goes on with the deployment');
  }
}

/** The service is to be stopped: nothing is started any more, also not what ran before. */
export class Abandonment extends DavitError {
  constructor(actor: string) {
    super('deployment_cancelled', `the deployment was ended by ${actor}, who stopped the service`);
  }
}

/** Notes where a replacement has got to. */
export function note({ registry }: CourseParts, attempt: Attempt, change: Partial<UnderWay>): void {
  attempt.under_way = { ...attempt.under_way, ...change };
  registry.update(attempt.service, { under_way: attempt.under_way });
}
