import type { TableInstance } from '../contract/routing_table.ts';
import { LiveInstance } from './live_instance.ts';
import type { LiveTallies } from './live_tallies.ts';

export interface LiveInstancesOptions {
  readonly service: string;
  readonly tallies: LiveTallies;
  readonly onProblem: (message: string) => void;
  /** An instance that drains or that no table names has nothing open any more. */
  readonly onDrained: (instance_id: string) => void;
}

/** The instances of a service from table to table. */
export class LiveInstances {
  readonly #options: LiveInstancesOptions;
  readonly #named = new Map<string, LiveInstance>();

  constructor(options: LiveInstancesOptions) {
    this.#options = options;
  }

  /** Those that the last table named. */
  values(): LiveInstance[] {
    return [...this.#named.values()];
  }

  /** Brings what is known to what a table says. */
  update(instances: readonly TableInstance[]): void {
    const ids = new Set(instances.map(({ id }) => id));
    for (const instance of instances) {
      const known = this.#named.get(instance.id);
      if (known === undefined) this.#add(instance);
      else this.#change(known, instance);
    }
    for (const instance of this.values()) if (!ids.has(instance.id)) this.#drop(instance);
  }

  /** A place at an instance is given back. */
  release(instance: LiveInstance): void {
    instance.giveBack();
    if (!instance.isDrained) return;
    if (!instance.isNamed) this.#forget(instance);
    // It may have come back meanwhile.
    if (instance.isNamed || !this.#named.has(instance.id)) this.#tellDrained(instance);
  }

  #add(instance: TableInstance): void {
    const { service, tallies } = this.#options;
    const added = new LiveInstance(service, instance, tallies.of(service, instance));
    this.#named.set(instance.id, added);
    tallies.add(added);
  }

  #change(known: LiveInstance, instance: TableInstance): void {
    const wasDrained = known.isDrained;
    this.#calling(known.update(instance));
    if (known.isDrained && !wasDrained) this.#tellDrained(known);
  }

  #drop(instance: LiveInstance): void {
    this.#named.delete(instance.id);
    const wasDrained = instance.isDrained;
    this.#calling(instance.leave());
    if (!instance.isDrained) return;
    this.#forget(instance);
    if (!wasDrained) this.#tellDrained(instance);
  }

  #forget(instance: LiveInstance): void {
    this.#calling(instance.takeGoneListeners());
    this.#options.tallies.leave(instance);
  }

  #tellDrained({ id }: LiveInstance): void {
    this.#calling([() => this.#options.onDrained(id)]);
  }

  /** Lets no one who listens keep a table from being applied. */
  #calling(listeners: readonly (() => void)[]): void {
    for (const listener of listeners)
      try {
        listener();
      } catch (error) {
        this.#options.onProblem(
          `${this.#options.service}: what follows an instance has failed: ${String(error)}`,
        );
      }
  }
}
