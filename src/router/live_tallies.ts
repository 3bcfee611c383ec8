import type { InstanceTraffic } from '../contract/connections.ts';
import type { TableInstance } from '../contract/routing_table.ts';
import type { LiveInstance } from './live_instance.ts';
import { LiveTally } from './live_tally.ts';

/** So many instances that have left are remembered, so that totals go on when one comes back that was not ready for a while. */
const mostLeft = 1_000;

/** The tallies of all instances, and which of them have changed. */
export class LiveTallies {
  readonly #now: () => number;
  readonly #live = new Map<LiveTally, LiveInstance>();
  readonly #left = new Map<string, LiveTally>();
  readonly #byId = new Map<string, LiveTally>();
  readonly #changed = new Set<LiveTally>();
  readonly #ejected = new Set<LiveTally>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The tally of an instance that a table names: the one that it had, where it is still known. */
  of(service: string, { id, number, release }: Pick<TableInstance, 'id' | 'number' | 'release'>): LiveTally {
    const known = this.#byId.get(id) ?? this.#left.get(id);
    if (known !== undefined) return known;
    return new LiveTally({ service, instance: number, release, instance_id: id });
  }

  /** From now on this instance is the one by which the tally is kept. */
  add(instance: LiveInstance): void {
    const { tally } = instance;
    this.#left.delete(tally.instance_id);
    this.#byId.set(tally.instance_id, tally);
    this.#live.set(tally, instance);
    this.#changed.add(tally);
  }

  /** The instance is named by no table and has nothing open. */
  leave(instance: LiveInstance): void {
    const { tally } = instance;
    // It may have come back meanwhile, or something may be open from before it was away.
    if (this.#live.get(tally)?.isNamed || tally.open > 0) return;
    this.#live.delete(tally);
    this.#byId.delete(tally.instance_id);
    this.#ejected.delete(tally);
    this.#left.set(tally.instance_id, tally);
    for (const oldest of this.#left.keys()) {
      if (this.#left.size <= mostLeft) break;
      this.#left.delete(oldest);
    }
  }

  changed(tally: LiveTally): void {
    this.#changed.add(tally);
  }

  /** Every instance that a table names or that has something open. */
  all(): InstanceTraffic[] {
    const now = this.#now();
    return [...this.#live].map(([tally, instance]) => tally.show(instance.isEjected(now)));
  }

  /** Those that have changed since this was last asked, which may have left meanwhile. */
  takeChanged(): InstanceTraffic[] {
    const now = this.#now();
    for (const tally of this.#ejected) this.#changed.add(tally);
    const shown = [...this.#changed].map((tally) => this.#show(tally, now));
    this.#changed.clear();
    return shown;
  }

  #show(tally: LiveTally, now: number): InstanceTraffic {
    const isEjected = this.#live.get(tally)?.isEjected(now) ?? false;
    // It comes back by the mere passing of time, so it is looked at until it has.
    if (isEjected) this.#ejected.add(tally);
    else this.#ejected.delete(tally);
    return tally.show(isEjected);
  }
}
