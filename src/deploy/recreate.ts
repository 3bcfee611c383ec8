import type { StopReport } from '../contract/processes.ts';
import { failPoint } from '../lib/fail_point.ts';
import { milliseconds } from '../lib/units.ts';
import { stayingInstances } from '../services/service.ts';
import { Abandonment, type Attempt, type Course, type CourseParts } from './course.ts';
import { startAt } from './starts.ts';
import { stopDrained, stopWhere } from './stop_instances.ts';

/** The old instances end before the new ones start: both may want the same port. */
export class Recreate implements Course {
  readonly #parts: CourseParts;
  readonly #attempt: Attempt;

  constructor(parts: CourseParts, attempt: Attempt) {
    this.#parts = parts;
    this.#attempt = attempt;
  }

  async run(): Promise<StopReport | null> {
    const { service: id, target, under_way } = this.#attempt;
    const timeout = milliseconds(target.spec.rollout.drain_timeout);
    const isOld = (instance_id: string) => under_way.before?.instance_ids.includes(instance_id) ?? false;
    const stop = await stopDrained(this.#parts, id, { ...under_way, timeout }, isOld);
    failPoint('deploy.old_stopped');
    this.#makePlaces(under_way.instances, typeof target.spec.port === 'number');
    const numbers = stayingInstances(this.#parts.registry.get(id)).map(({ number }) => number);
    try {
      await startAt(this.#parts, this.#attempt, numbers);
    } catch (error) {
      await stopWhere(this.#parts, id, under_way, () => true);
      throw error;
    }
    return stop;
  }

  /**
   * Makes of the service what it was: starts again what ran before, unless that is what has just failed. What should have
   * run and did not waits for its start.
   */
  async putBack(): Promise<void> {
    const { registry, supervisor } = this.#parts;
    const { service: id, under_way, steering } = this.#attempt;
    const { release, before, actor, cause } = under_way;
    if (under_way.was_resumed) await this.#endLeft();
    const isFixed = typeof registry.spec(id).port === 'number';
    this.#makePlaces(registry.wantedInstances(id), isFixed);
    if (steering.cancelled.reason instanceof Abandonment) return;
    const { instances, wanted, current_release } = registry.get(id);
    const idle = instances.filter(({ process }) => process === null).map(({ number }) => number);
    const restored = this.#placesOfBefore(idle);
    if (wanted === 'running' && current_release !== release)
      for (const number of idle)
        if (!restored.includes(number)) registry.advance(id, number, 'waits', { retry_at: null });
    if (before === null || before.release === release) return;
    const { spec } = registry.release(id, before.release);
    const order = { service: id, release: before.release, spec, actor, cause, trigger: 'deploy' } as const;
    // Their own failures are events; the answer tells of the deploy's.
    await Promise.allSettled(restored.map((number) => supervisor.start({ ...order, number })));
  }

  /** Ends what an agent that died has started, or was about to end. */
  async #endLeft(): Promise<void> {
    const { registry } = this.#parts;
    const { service: id, under_way } = this.#attempt;
    const { release, before } = under_way;
    const isLeft = (instance_id: string, number: number) => {
      const { state, process } = registry.instance(id, number);
      return (
        state === 'stopping' || (process?.release === release && !before?.instance_ids.includes(instance_id))
      );
    };
    await stopWhere(this.#parts, id, under_way, isLeft).catch(() => {
      // What the system does not let go of has been noted, and keeps nothing else from being started.
    });
  }

  /** The places where something ran before, or as many others. */
  #placesOfBefore(idle: readonly number[]): readonly number[] {
    const { before } = this.#attempt.under_way;
    const numbers = before?.numbers ?? before?.instance_ids.map((_, at) => at + 1) ?? [];
    const same = numbers.filter((number) => idle.includes(number));
    const others = idle.filter((number) => !numbers.includes(number));
    return [...same, ...others].slice(0, numbers.length);
  }

  #makePlaces(count: number, isFixed: boolean): void {
    const { registry } = this.#parts;
    const { service } = this.#attempt;
    // Fixed ports are those of the first numbers.
    if (isFixed) registry.renumber(service, count);
    else registry.fitPlaces(service, count);
  }
}
