import type { StopReport } from '../contract/processes.ts';
import type { EventLog } from '../services/event_log.ts';
import { type Instance, noRestarts, waitsForStart } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import { stayingInstances } from '../services/service.ts';
import type { Dependencies } from '../supervision/dependencies.ts';
import { startsAgain } from '../supervision/last_exit.ts';
import type { Reconciler } from '../supervision/reconciler.ts';
import type { Supervisor } from '../supervision/supervisor.ts';
import type { Retirement } from './retirement.ts';
import { stopDrained } from './stop_instances.ts';
import type { Traffic } from './traffic.ts';

interface ConvergenceParts {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly reconciler: Reconciler;
  readonly dependencies: Dependencies;
  readonly events: EventLog;
  readonly retirement: Retirement;
  readonly traffic: Traffic;
}

/** Brings the instances of a service to what is wanted, without a new release. Callers hold the service's lock. */
export class Convergence {
  readonly #parts: ConvergenceParts;

  constructor(parts: ConvergenceParts) {
    this.#parts = parts;
  }

  /** Lets those start that ended with an agent or with the host, and those that wait for their turn. Their restarts count on. */
  wakeDue(id: string): void {
    for (const instance of this.#parts.registry.get(id).instances)
      if (this.#isDue(id, instance)) this.#wait(id, instance.number, null, instance.restarts);
    this.#parts.reconciler.look(id);
  }

  /** Lets every instance start that does not run. Returns how many these are. */
  wake(id: string, actor: string): number {
    const { registry, reconciler } = this.#parts;
    registry.addPlaces(id, registry.wantedInstances(id) - stayingInstances(registry.get(id)).length);
    const idle = registry.get(id).instances.filter(({ process }) => process === null);
    for (const { number } of idle) this.#wait(id, number, actor);
    reconciler.look(id);
    return idle.length;
  }

  /**
   * Makes as many instances as there are to be: ends those with the highest numbers, lets those start that are missing. Those
   * that connections come to by a router finish what they have first, and nobody waits for that.
   */
  async converge(id: string, actor: string): Promise<StopReport | null> {
    const { registry } = this.#parts;
    const staying = stayingInstances(registry.get(id)).map(({ number }) => number);
    const wanted = registry.wantedInstances(id);
    if (staying.length > wanted) return this.#shrink(id, staying.slice(wanted), actor);
    const areStarted = registry.get(id).wanted === 'running' && registry.spec(id).schedule === null;
    const missing = wanted - staying.length - this.#readmit(id, wanted - staying.length);
    // With fixed ports the missing ones have the ports of those that go.
    if (missing > 0 && typeof registry.spec(id).port === 'number')
      await this.#parts.retirement.hasten(id, { actor, cause: null });
    // An agent that dies here leaves to the next what is to be started.
    const added = registry.addPlaces(id, missing, areStarted ? 'pending' : 'stopped');
    if (added.length === 0 || !areStarted) return null;
    for (const number of added) this.#wait(id, number, actor);
    this.#parts.reconciler.look(id);
    return null;
  }

  /** Lets so many at most stay that were on their way out. Returns how many these are. */
  #readmit(id: string, count: number): number {
    const { registry, retirement } = this.#parts;
    const { instances, current_release } = registry.get(id);
    const leaving = instances.filter(
      ({ process, draining }) => draining?.is_leaving && process?.release === current_release,
    );
    const readmitted = leaving.filter(({ number }, index) => index < count && retirement.readmit(id, number));
    return readmitted.length;
  }

  async #shrink(id: string, numbers: readonly number[], actor: string): Promise<StopReport | null> {
    const { registry, retirement, traffic } = this.#parts;
    const order = { actor, cause: null };
    const isServing = (number: number) => registry.instance(id, number).state === 'running';
    const retired = traffic.isRouted(id) ? numbers.filter(isServing) : [];
    for (const number of retired) retirement.retire(id, number, order);
    const others = numbers.filter((number) => !retired.includes(number));
    const isMeant = (_: string, number: number) => others.includes(number);
    const stop = await stopDrained(this.#parts, id, { ...order, timeout: 0 }, isMeant);
    registry.removePlaces(id, others);
    return stop;
  }

  /** Nothing follows any more for instances that wait for something. Returns whether there were such. */
  rest(id: string): boolean {
    const { registry } = this.#parts;
    const waiting = registry
      .get(id)
      .instances.filter(({ state }) => state === 'pending' || state === 'backoff' || state === 'failed');
    for (const { number } of waiting) registry.advance(id, number, 'rests', { retry_at: null });
    return waiting.length > 0;
  }

  /** Whether anything of a service is to be started by itself. */
  startsByItself(id: string): boolean {
    const { instances } = this.#parts.registry.get(id);
    return instances.some((instance) => waitsForStart(instance) || this.#isDue(id, instance));
  }

  /** Whether an instance is to be started although its restart policy says nothing of it: nobody was there to end it. */
  #isDue(id: string, { state, last_exit }: Instance): boolean {
    const isScheduled = this.#parts.registry.spec(id).schedule !== null;
    return state === 'stopped' && !isScheduled && startsAgain(last_exit);
  }

  #wait(id: string, number: number, actor: string | null, restarts = noRestarts): void {
    const { registry, dependencies, events } = this.#parts;
    const unmet = dependencies.unmet(id);
    const { last_event } = registry.instance(id, number);
    const change = { restarts, retry_at: null };
    if (unmet.length === 0) {
      registry.advance(id, number, 'waits', change);
      return;
    }
    const event = events.record({
      type: 'service.waiting',
      service: id,
      instance: number,
      ...(actor !== null && { actor }),
      cause: last_event,
      message: `It is not started yet: it waits for ${unmet.join(' and ')}`,
    });
    registry.advance(id, number, 'waits', { ...change, last_event: event.id });
  }
}
