import type { TargetService } from './target.ts';

/** Requests that wait until an instance of their service takes some again. */
export class HeldRequests {
  readonly #waiting = new Map<string, number>();
  /** How many requests of one service wait at the same time. */
  most = 0;

  /** Resolves with whether an instance is there again before `signal` ends the wait; at once with false where too many wait. */
  async wait(service: TargetService, signal: AbortSignal): Promise<boolean> {
    const waiting = this.#waiting.get(service.id) ?? 0;
    if (waiting >= this.most) return false;
    this.#waiting.set(service.id, waiting + 1);
    try {
      return await service.available(signal);
    } finally {
      this.#leave(service.id);
    }
  }

  #leave(service: string): void {
    const left = (this.#waiting.get(service) ?? 1) - 1;
    if (left === 0) this.#waiting.delete(service);
    else this.#waiting.set(service, left);
  }
}
