import { failPoint } from '../lib/fail_point.ts';
import type { Instance } from '../services/instance.ts';
import type { Service, Share } from '../services/service.ts';
import { bake } from './baking.ts';
import { type Attempt, type Course, type CourseParts, note } from './course.ts';
import { InPlace } from './in_place.ts';
import { newInstances, oldInstances, oldPlaces } from './places.ts';
import { Restoration } from './restoration.ts';
import { canaryInstances, surgeOf } from './rollout_strategy.ts';
import { startAt } from './starts.ts';

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
      oldPlaces(this.#service(), this.#attempt.under_way).map(({ number }) => number),
    );
    return null;
  }

  putBack(): Promise<void> {
    return new Restoration(this.#parts, this.#attempt).run();
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
    // As long as nothing of the new release is proved, nothing of the old one goes.
    if (this.#new().length > 0) this.#retireSurplus();
    while (this.#new().length < instances) {
      await this.#startMore(Math.min(Math.max(1, surge), instances - this.#new().length));
      steering.step(`${this.#new().length} of ${instances} instances run release ${target.release}`);
      this.#retireSurplus();
    }
    steering.cancelled.throwIfAborted();
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
    const { registry, retirement, traffic } = this.#parts;
    const { service: id, steering, target, under_way } = this.#attempt;
    steering.interrupted.throwIfAborted();
    // Each number has its port.
    if (typeof target.spec.port === 'number') await retirement.hasten(id, under_way);
    const added = registry.addPlaces(id, count);
    note(this.#parts, this.#attempt, { places: [...this.#attempt.under_way.places, ...added] });
    failPoint('deploy.places_noted');
    await startAt(this.#parts, this.#attempt, added);
    await traffic.applied(id);
  }

  async #share(shares: readonly Share[]): Promise<void> {
    note(this.#parts, this.#attempt, { shares });
    failPoint('deploy.shared');
    await this.#parts.traffic.applied(this.#attempt.service);
  }

  async #bake(): Promise<void> {
    const { steering, under_way } = this.#attempt;
    const { is_deployment, before } = under_way;
    steering.cancelled.throwIfAborted();
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

  #new(): readonly Instance[] {
    return newInstances(this.#service(), this.#attempt.under_way);
  }

  #old(): readonly Instance[] {
    return oldInstances(this.#service(), this.#attempt.under_way);
  }

  #service(): Service {
    return this.#parts.registry.get(this.#attempt.service);
  }
}
