import { failPoint } from '../lib/fail_point.ts';
import { milliseconds } from '../lib/units.ts';
import { stayingInstances } from '../services/service.ts';
import { type Attempt, type CourseParts, note } from './course.ts';
import { emptyFirst } from './places.ts';
import { startAt } from './starts.ts';
import { stopDrained } from './stop_instances.ts';

/** Each old instance finishes its requests and ends, and a new one starts in its place and at its port: one after another. */
export class InPlace {
  readonly #parts: CourseParts;
  readonly #attempt: Attempt;

  constructor(parts: CourseParts, attempt: Attempt) {
    this.#parts = parts;
    this.#attempt = attempt;
  }

  async run(): Promise<void> {
    const { service: id, under_way, steering, target } = this.#attempt;
    const isFixed = typeof target.spec.port === 'number';
    const staying = stayingInstances(this.#parts.registry.get(id));
    // Fixed ports are those of the first numbers.
    const taken = staying.filter(({ number }) => !isFixed || number <= under_way.instances);
    const numbers = emptyFirst(taken.slice(0, under_way.instances));
    for (const number of numbers) {
      const { places } = this.#attempt.under_way;
      if (places.length >= under_way.instances) break;
      if (places.includes(number)) continue;
      steering.interrupted.throwIfAborted();
      steering.cancelled.throwIfAborted();
      await this.#replace(number);
      steering.step(`Instance ${number} runs release ${target.release}`);
    }
  }

  async #replace(number: number): Promise<void> {
    const { traffic } = this.#parts;
    const { service: id, under_way, target } = this.#attempt;
    const timeout = milliseconds(target.spec.rollout.drain_timeout);
    await stopDrained(this.#parts, id, { ...under_way, timeout }, (_, other) => other === number);
    note(this.#parts, this.#attempt, { places: [...this.#attempt.under_way.places, number] });
    failPoint('deploy.places_noted');
    await startAt(this.#parts, this.#attempt, [number]);
    await traffic.applied(id);
  }
}
