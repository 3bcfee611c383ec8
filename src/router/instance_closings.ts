import { CloseSchedule } from './close_schedule.ts';
import type { TargetInstance } from './target.ts';

interface Draining<Connection> {
  readonly schedule: CloseSchedule<Connection>;
  readonly stop: () => void;
}

/** Which connections are open with which instance, so that those of one that drains are closed when the time for it comes. */
export class InstanceClosings<Connection> {
  readonly #instances = new Map<TargetInstance, Draining<Connection>>();
  readonly #close: (connection: Connection) => void;

  constructor(close: (connection: Connection) => void) {
    this.#close = close;
  }

  /** Returns what takes it out again. */
  add(instance: TargetInstance, connection: Connection): () => void {
    const { schedule, stop } = this.#of(instance);
    schedule.add(connection);
    return () => {
      schedule.delete(connection);
      if (schedule.size > 0 || !this.#instances.delete(instance)) return;
      stop();
    };
  }

  #of(instance: TargetInstance): Draining<Connection> {
    const known = this.#instances.get(instance);
    if (known !== undefined) return known;
    const schedule = new CloseSchedule<Connection>({ close: this.#close });
    const forget = instance.onDraining((draining) => schedule.plan(draining));
    schedule.plan(instance.draining);
    const stop = () => {
      forget();
      schedule.plan(null);
    };
    const draining = { schedule, stop };
    this.#instances.set(instance, draining);
    return draining;
  }
}
