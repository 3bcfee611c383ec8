import { failPoint } from '../lib/fail_point.ts';
import { milliseconds } from '../lib/units.ts';
import { type Instance, isReady } from '../services/instance.ts';
import { stayingInstances, type UnderWay } from '../services/service.ts';
import { Abandonment, type Attempt, type CourseParts, note } from './course.ts';
import { emptyFirst, newInstances, oldInstances, oldPlaces } from './places.ts';
import { surgeOf } from './rollout_strategy.ts';
import { stopDrained, stopWhere } from './stop_instances.ts';

/** What ran before a replacement. */
type Before = NonNullable<UnderWay['before']>;

/**
 * Makes of a service what it was before instances of a new release started beside its own, or in their places. An agent that
 * dies in it leaves it to the next one, which begins anew.
 */
export class Restoration {
  readonly #parts: CourseParts;
  readonly #attempt: Attempt;

  constructor(parts: CourseParts, attempt: Attempt) {
    this.#parts = parts;
    this.#attempt = attempt;
  }

  /** Old instances that still live take connections again, those that ended are started again, and the new ones end. */
  async run(): Promise<void> {
    const { traffic, reconciler } = this.#parts;
    const { service: id, under_way } = this.#attempt;
    note(this.#parts, this.#attempt, { shares: this.#shares() });
    if (under_way.before !== null && !this.#isAbandoned()) await this.#bringBack(under_way.before);
    failPoint('deploy.brought_back');
    await traffic.applied(id);
    await this.#endNew();
    this.#makePlaces();
    reconciler.look(id);
  }

  /** Where requests were shared out, all go to old instances at once, as far as any can take them. */
  #shares(): UnderWay['shares'] {
    const { service, under_way } = this.#attempt;
    const { before, shares } = under_way;
    const canServe = oldInstances(this.#parts.registry.get(service), under_way).some(isReady);
    return shares === null || before === null || !canServe ? null : [{ release: before.release, weight: 1 }];
  }

  async #bringBack(before: Before): Promise<void> {
    const { registry } = this.#parts;
    const { service: id, target, under_way } = this.#attempt;
    const { spec } = registry.release(id, before.release);
    const numbers = before.numbers ?? [];
    this.#readmit(before);
    const isEnding = (instance_id: string, number: number) =>
      before.instance_ids.includes(instance_id) && registry.instance(id, number).state === 'stopping';
    await stopWhere(this.#parts, id, under_way, isEnding).catch(() => {
      // What the system does not let go of has been noted, and keeps nothing else from being started.
    });
    const old = oldInstances(registry.get(id), this.#attempt.under_way);
    if (typeof spec.port === 'number' || surgeOf(target.spec, under_way.instances) === 0) {
      const missing = numbers.filter((number) => !old.some((each) => each.number === number));
      await this.#giveBack(missing, before);
    } else {
      await this.#startBeside(numbers.length - old.length, before);
    }
  }

  #readmit(before: Before): void {
    const { registry, retirement } = this.#parts;
    const { service } = this.#attempt;
    // What drained already when this began is to go.
    const isMeant = ({ number, process }: Instance) =>
      before.numbers?.includes(number) && before.instance_ids.includes(process?.instance_id ?? '');
    for (const instance of registry.get(service).instances)
      if (instance.draining !== null && isMeant(instance)) retirement.readmit(service, instance.number);
  }

  /** What ran at these places starts there again: its port, or its number, is to be the same. */
  async #giveBack(numbers: readonly number[], before: Before): Promise<void> {
    const { registry } = this.#parts;
    const { service: id, target } = this.#attempt;
    const timeout = milliseconds(target.spec.rollout.drain_timeout);
    for (const number of numbers) registry.makePlace(id, number);
    const places = registry.get(id).instances.filter(({ number }) => numbers.includes(number));
    for (const number of emptyFirst(places)) {
      if (this.#isAbandoned()) return;
      const { under_way } = this.#attempt;
      await stopDrained(this.#parts, id, { ...under_way, timeout }, (_, other) => other === number);
      registry.makePlace(id, number);
      note(this.#parts, this.#attempt, { places: under_way.places.filter((place) => place !== number) });
      await this.#start([number], before);
    }
  }

  async #startBeside(count: number, before: Before): Promise<void> {
    const { registry } = this.#parts;
    const { service: id, under_way } = this.#attempt;
    if (count <= 0) return;
    const idle = oldPlaces(registry.get(id), under_way).map(({ number }) => number);
    const numbers = [...idle, ...registry.addPlaces(id, count - idle.length)].slice(0, count);
    await this.#start(numbers, before);
  }

  /** What cannot be started is left to its restart policy. */
  async #start(numbers: readonly number[], { release }: Before): Promise<void> {
    const { registry, supervisor } = this.#parts;
    const { service: id, under_way } = this.#attempt;
    const { spec } = registry.release(id, release);
    const { actor, cause } = under_way;
    const order = { service: id, release, spec, actor, cause, trigger: 'deploy' } as const;
    const starts = await Promise.allSettled(numbers.map((number) => supervisor.start({ ...order, number })));
    starts.forEach(({ status }, index) => {
      const number = numbers[index];
      if (status === 'rejected' && number !== undefined)
        registry.advance(id, number, 'waits', { retry_at: null });
    });
  }

  /** Those that serve finish what they have, and nobody waits for that. */
  async #endNew(): Promise<void> {
    const { registry, retirement } = this.#parts;
    const { service: id, under_way } = this.#attempt;
    const left = newInstances(registry.get(id), under_way);
    const places = left.map(({ number }) => number);
    for (const { number, state } of left) if (state === 'running') retirement.retire(id, number, under_way);
    const isLeft = (_: string, number: number) =>
      places.includes(number) && registry.instance(id, number).draining === null;
    await stopWhere(this.#parts, id, under_way, isLeft);
  }

  /** As many places as there are to be; what should have run in those that were tried in vain waits for its start. */
  #makePlaces(): void {
    const { registry } = this.#parts;
    const { service: id, under_way } = this.#attempt;
    const tried = newInstances(registry.get(id), under_way).map(({ number }) => number);
    const count = registry.wantedInstances(id);
    const spare = stayingInstances(registry.get(id)).length - count;
    registry.removePlaces(id, tried.toReversed().slice(0, Math.max(0, spare)));
    const known = registry.get(id).instances.map(({ number }) => number);
    registry.fitPlaces(id, count);
    const { instances, wanted, current_release } = registry.get(id);
    if (wanted !== 'running' || current_release === under_way.release || this.#isAbandoned()) return;
    for (const { number, process } of instances)
      if (process === null && (tried.includes(number) || !known.includes(number)))
        registry.advance(id, number, 'waits', { retry_at: null });
  }

  #isAbandoned(): boolean {
    return this.#attempt.steering.cancelled.reason instanceof Abandonment;
  }
}
