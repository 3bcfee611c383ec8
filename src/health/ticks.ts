/** The longest time that calls are put off, in milliseconds, and the share of an interval that they are. */
const longestTick = 500;
const ticksPerInterval = 20;

interface Tick {
  readonly timer: NodeJS.Timeout;
  readonly calls: Set<() => void>;
}

/**
 * Calls back at ticks, which those that are due at about the same time share: to wake up costs several times what a probe
 * does. Times are those of performance.now().
 */
export class Ticks {
  /** By the time of the tick, in milliseconds. */
  readonly #ticks = new Map<number, Tick>();

  /** Calls back once, at the tick at or after a time. The returned function calls that off. */
  at(time: number, interval: number, call: () => void): () => void {
    const length = Math.min(interval / ticksPerInterval, longestTick);
    const due = Math.ceil(Math.ceil(time / length) * length);
    const tick = this.#ticks.get(due) ?? this.#make(due);
    tick.calls.add(call);
    return () => {
      tick.calls.delete(call);
      if (tick.calls.size > 0) return;
      clearTimeout(tick.timer);
      if (this.#ticks.get(due) === tick) this.#ticks.delete(due);
    };
  }

  #make(due: number): Tick {
    const onDue = () => {
      this.#ticks.delete(due);
      for (const call of tick.calls) call();
    };
    const delay = Math.max(0, Math.ceil(due - performance.now()));
    const tick: Tick = { timer: setTimeout(onDue, delay).unref(), calls: new Set() };
    this.#ticks.set(due, tick);
    return tick;
  }
}
