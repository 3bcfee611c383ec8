import type { Failure } from '../routing/circuit_breaker.ts';
import type { LiveInstance } from './live_instance.ts';
import type { Lease } from './target.ts';

/** Who is told what becomes of the requests to an instance. */
export interface LeaseKeeper {
  /** @param how null: it has answered well */
  onOutcome(instance: LiveInstance, how: Failure | null, isTrial: boolean): void;
  /** Nobody knows how it ended, and the breaker waits for that. */
  onAbandoned(instance: LiveInstance): void;
  onChanged(instance: LiveInstance): void;
  /** The place is free again. */
  onEnd(instance: LiveInstance): void;
}

/** A place at an instance. */
export class LiveLease implements Lease {
  readonly instance: LiveInstance;
  readonly cookie: string | null;
  readonly #keeper: LeaseKeeper;
  #isTrial: boolean;
  #kind: 'undecided' | 'request' | 'websocket' = 'undecided';
  #isWell = false;
  #hasEnded = false;

  /** @param isTrial whether the breaker of the instance waits for what becomes of this */
  constructor(instance: LiveInstance, cookie: string | null, isTrial: boolean, keeper: LeaseKeeper) {
    this.instance = instance;
    this.cookie = cookie;
    this.#isTrial = isTrial;
    this.#keeper = keeper;
    instance.take();
    instance.tally.open_requests++;
    keeper.onChanged(instance);
  }

  answered(status: number, duration: number): void {
    const { tally } = this.instance;
    this.#decide(status === 101 ? 'websocket' : 'request');
    tally.answered(status, duration);
    if (status >= 500) this.#outcome('error');
    else if (this.#isTrial || status === 101) this.#outcome(null);
    // An answer that breaks off is no success: whether it does is known at its end.
    else this.#isWell = true;
    this.#keeper.onChanged(this.instance);
  }

  failed(how: 'unreachable' | 'broken' | 'timed_out'): void {
    this.#decide('request');
    this.instance.tally.failures++;
    this.#isWell = false;
    this.#outcome(how);
    this.#keeper.onChanged(this.instance);
  }

  retried(): void {
    this.instance.tally.retries++;
    this.#keeper.onChanged(this.instance);
  }

  end(bytes_in: number, bytes_out: number): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#decide('request');
    const { tally } = this.instance;
    if (this.#kind === 'websocket') tally.open_websockets--;
    else tally.open_requests--;
    tally.bytes_in += bytes_in;
    tally.bytes_out += bytes_out;
    if (this.#isWell) this.#outcome(null);
    if (this.#isTrial) this.#keeper.onAbandoned(this.instance);
    this.#keeper.onChanged(this.instance);
    this.#keeper.onEnd(this.instance);
  }

  /** What it is turns out with its answer: it counts as one request or one WebSocket connection, once. */
  #decide(kind: 'request' | 'websocket'): void {
    if (this.#kind !== 'undecided') return;
    this.#kind = kind;
    const { tally } = this.instance;
    if (kind === 'request') {
      tally.requests++;
      return;
    }
    tally.websockets++;
    if (this.#hasEnded) return;
    tally.open_requests--;
    tally.open_websockets++;
  }

  #outcome(how: Failure | null): void {
    const isTrial = this.#isTrial;
    this.#isTrial = false;
    this.#keeper.onOutcome(this.instance, how, isTrial);
  }
}
