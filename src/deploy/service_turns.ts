import type { Registry } from '../services/registry.ts';
import type { RunningDeployments } from './running_deployments.ts';

interface ServiceTurnsParts {
  readonly registry: Registry;
  readonly running: RunningDeployments;
}

/** The turns of services: what is done with one of them is done one after another. */
export class ServiceTurns {
  readonly #parts: ServiceTurnsParts;

  constructor(parts: ServiceTurnsParts) {
    this.#parts = parts;
  }

  /** Waits for the turn of a service, and keeps it until the work is done. */
  take<T>(id: string, work: () => Promise<T>): Promise<T> {
    return this.#parts.registry.lock.run(id, work);
  }

  /** A turn for which nobody waits who knows how long: throws `state_conflict` while a deployment waits for somebody. */
  async takeNow<T>(id: string, work: () => Promise<T>): Promise<T> {
    this.#parts.running.refuseWhileWaiting(id);
    return this.take(id, work);
  }

  /** Ends deployments of a service, and takes its turn after that. */
  takeOver<T>(id: string, actor: string, work: () => Promise<T>): Promise<T> {
    const hasTurn = this.#parts.running.abandon(id, actor);
    return this.take(id, () => {
      hasTurn();
      return work();
    });
  }
}
