import type { TrafficCounts } from '../contract/connections.ts';
import type { Tick } from './tick.ts';

/** A service at one time; sums that are `null` are not counted. */
export interface ServiceSnapshot {
  /** Instances that are ready, and that there are to be. */
  readonly ready: number;
  readonly wanted: number;
  /** Since the agent was started. */
  readonly restarts: number;
  /** What it wrote, in bytes, since the agent was started. */
  readonly log_bytes: number | null;
  /** null: no router sends it anything. */
  readonly traffic: TrafficCounts | null;
}

/** What the routers tell of themselves. */
export interface RouterSnapshot {
  /** The routers whose totals are in those of the services, also of such that are gone. */
  readonly counted: ReadonlySet<string>;
  /** Those that are connected, by name. */
  readonly connected: ReadonlyMap<string, { readonly connections: number; readonly unroutable: number }>;
}

/** All that series are made of, at one time. */
export interface Snapshot {
  readonly tick: Tick;
  /** When it was taken by a clock that nobody sets, in milliseconds. */
  readonly clock: number;
  readonly services: ReadonlyMap<string, ServiceSnapshot>;
  /** null: there is no router and there is to be none. */
  readonly routers: RouterSnapshot | null;
  /** Answers of the API with a status of 500 or above. */
  readonly request_errors: number;
}
