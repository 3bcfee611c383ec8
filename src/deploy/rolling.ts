import type { Instance } from '../services/instance.ts';
import { type Share, stayingInstances } from '../services/service.ts';
import { bake } from './baking.ts';
import { Abandonment, type Attempt, type Course, type CourseParts, note } from './course.ts';
import { InPlace } from './in_place.ts';
import { canaryInstances, surgeOf } from './rollout_strategy.ts';
import { startAt } from './starts.ts';
import { stopWhere } from './stop_instances.ts';

/** New instances start beside the old ones and take their connections over; the old ones end when they have finished what they have. */
export class Rolling implements Course {
  readonly #parts: CourseParts;
  readonly #attempt: Attempt;

  constructor(parts: CourseParts, attempt: Attempt) {
    this.#parts = parts;
    this.#attempt = attempt;
  }

  async run(): Promise<null> {
    const { strategy, before, release } = this.#attempt.under_way;
    await this.#resume();
    // Between instances of the same release no requests can be shared out by release.
    const isSame = before === null || before.release === release;
    if (strategy === 'blue_green' && !isSame) await this.#switchOver();
    else if (strategy === 'canary' && !isSame) await this.#tryCanary();
    else await this.#replaceInTurn();
    const old = this.#old();
    for (const { number } of old) this.#retire(number);
    this.#parts.registry.removePlaces(
      this.#attempt.service,
      this.#idle().map(({ number }) => number),
    );
    return null;
  }

  /** Old instances that still live take connections again, those that ended are started again, and the new ones end. */
  async putBack(): Promise<void> {
    const { registry, traffic, reconciler } = this.#parts;
    const { service: id, under_way, steering } = this.#attempt;
    const isAbandoned = steering.cancelled.reason instanceof Abandonment;
    note(this.#parts, this.#attempt, { shares: null });
    if (!isAbandoned) {
      this.#readmit();
      const missing = (under_way.before?.numbers?.length ?? 0) - this.#old().length;
      await this.#restart(missing);
    }
    await traffic.applied(id);
    const places = this.#new().map(({ number }) => number);
    for (const { number, state } of this.#new()) if (state === 'running') this.#retire(number);
    const isLeft = (_: string, number: number) =>
      places.includes(number) && registry.instance(id, number).draining === null;
    await stopWhere(this.#parts, id, under_way, isLeft);
    registry.removePlaces(id, places);
    registry.fitPlaces(id, registry.wantedInstances(id));
    reconciler.look(id);
  }

  /** What an agent that died in this has started is proved first, or started again. */
  async #resume(): Promise<void> {
    const numbers = this.#new().map(({ number }) => number);
    note(this.#parts, this.#attempt, { places: numbers });
    if (numbers.length > 0) await startAt(this.#parts, this.#attempt, numbers);
  }

  /** Some after others, so that there are never fewer than wanted. */
  async #replaceInTurn(): Promise<void> {
    const { target, under_way, steering } = this.#attempt;
    const { instances } = under_way;
    const surge = surgeOf(target.spec, instances);
    if (surge === 0) await new InPlace(this.#parts, this.#attempt).run();
    this.#retireSurplus();
    while (this.#new().length < instances) {
      await this.#startMore(Math.min(Math.max(1, surge), instances - this.#new().length));
      steering.step(`${this.#new().length} of ${instances} instances run release ${target.release}`);
      this.#retireSurplus();
    }
    for (const { number } of this.#old()) this.#retire(number);
    await this.#bake();
  }

  /** All beside the old ones, and then all requests at once; the old ones are there until the new ones have proved themselves. */
  async #switchOver(): Promise<void> {
    const { target, under_way, steering } = this.#attempt;
    const { release } = target;
    await this.#startUpTo(under_way.instances, [{ release: under_way.before?.release ?? 0, weight: 1 }]);
    await this.#share([{ release, weight: 1 }]);
    steering.step(`All new connections go to release ${release}`);
    await this.#bake();
  }

  /** A share of the requests first, and more step by step. */
  async #tryCanary(): Promise<void> {
    const { target, under_way, steering } = this.#attempt;
    const { instances, before } = under_way;
    const { canary } = target.spec.rollout;
    const old = before?.release ?? 0;
    let isPromoted = false;
    void steering.promoted.then(() => {
      isPromoted = true;
    });
    for (const weight of [canary.weight, ...canary.steps]) {
      if (isPromoted) break;
      const count = canaryInstances(weight, instances);
      await this.#startUpTo(count, under_way.shares ?? [{ release: old, weight: 1 }]);
      await this.#share([
        { release: target.release, weight },
        { release: old, weight: 100 - weight },
      ]);
      steering.step(`${weight} % of the requests go to release ${target.release}`);
      await this.#bake();
    }
    await this.#startUpTo(instances, this.#attempt.under_way.shares ?? []);
    await this.#share([{ release: target.release, weight: 1 }]);
    steering.step(`All new connections go to release ${target.release}`);
  }

  async #startUpTo(count: number, shares: readonly Share[]): Promise<void> {
    if (this.#attempt.under_way.shares === null) note(this.#parts, this.#attempt, { shares });
    const missing = count - this.#new().length;
    if (missing > 0) await this.#startMore(missing);
  }

  async #startMore(count: number): Promise<void> {
    const { registry, traffic } = this.#parts;
    const { service: id, steering } = this.#attempt;
    steering.interrupted.throwIfAborted();
    const added = registry.addPlaces(id, count);
    note(this.#parts, this.#attempt, { places: [...this.#attempt.under_way.places, ...added] });
    await startAt(this.#parts, this.#attempt, added);
    await traffic.applied(id);
  }

  async #share(shares: readonly Share[]): Promise<void> {
    note(this.#parts, this.#attempt, { shares });
    await this.#parts.traffic.applied(this.#attempt.service);
  }

  async #bake(): Promise<void> {
    const { is_deployment, before } = this.#attempt.under_way;
    if (is_deployment && before !== null) await bake(this.#parts, this.#attempt);
  }

  /** Takes out old instances beyond how many are wanted. */
  #retireSurplus(): void {
    const old = this.#old();
    const surplus = this.#new().length + old.length - this.#attempt.under_way.instances;
    for (const { number } of old.toReversed().slice(0, Math.max(0, surplus))) this.#retire(number);
  }

  #retire(number: number): void {
    const { actor, cause } = this.#attempt.under_way;
    this.#parts.retirement.retire(this.#attempt.service, number, { actor, cause });
  }

  /** What was on its way out before this began stays so. */
  #readmit(): void {
    const { registry, retirement } = this.#parts;
    const { service, under_way } = this.#attempt;
    const { before } = under_way;
    for (const { number, process, draining } of registry.get(service).instances) {
      const served = before?.numbers?.includes(number) ?? true;
      if (draining !== null && served && before?.instance_ids.includes(process?.instance_id ?? ''))
        retirement.readmit(service, number);
    }
  }

  /** Starts what ran before, so many of it. What cannot be started is left to its restart policy. */
  async #restart(count: number): Promise<void> {
    const { registry, supervisor } = this.#parts;
    const { service: id, under_way } = this.#attempt;
    const { before, actor, cause } = under_way;
    if (before === null || count <= 0) return;
    const { release } = before;
    const { spec } = registry.release(id, release);
    const idle = this.#idle().map(({ number }) => number);
    const numbers = [...idle, ...registry.addPlaces(id, count - idle.length)].slice(0, count);
    const order = { service: id, release, spec, actor, cause, trigger: 'deploy' } as const;
    const starts = await Promise.allSettled(numbers.map((number) => supervisor.start({ ...order, number })));
    starts.forEach(({ status }, index) => {
      const number = numbers[index];
      if (status === 'rejected' && number !== undefined)
        registry.advance(id, number, 'waits', { retry_at: null });
    });
  }

  #new(): readonly Instance[] {
    const { places } = this.#attempt.under_way;
    return this.#staying().filter(({ number }) => places.includes(number));
  }

  /** Old ones that serve. */
  #old(): readonly Instance[] {
    const { places } = this.#attempt.under_way;
    return this.#staying().filter(({ number, process }) => process !== null && !places.includes(number));
  }

  /** Places of old ones that do not run. */
  #idle(): readonly Instance[] {
    const { places } = this.#attempt.under_way;
    return this.#staying().filter(({ number, process }) => process === null && !places.includes(number));
  }

  #staying(): readonly Instance[] {
    return stayingInstances(this.#parts.registry.get(this.#attempt.service));
  }
}
