/** Whether an instance gets requests: `half_open` takes one to see whether it is well again, `trying` waits for what becomes of that. */
export type BreakerState = 'closed' | 'open' | 'half_open' | 'trying';

type BreakerEvent = 'tripped' | 'time_over' | 'trial_began' | 'trial_succeeded' | 'trial_abandoned' | 'reset';

/** A trial may also be made while it is open, when no instance is left but those that are out. */
const transitions: Readonly<Record<BreakerState, Readonly<Record<BreakerEvent, BreakerState>>>> = {
  closed: {
    tripped: 'open',
    time_over: 'closed',
    trial_began: 'closed',
    trial_succeeded: 'closed',
    trial_abandoned: 'closed',
    reset: 'closed',
  },
  open: {
    tripped: 'open',
    time_over: 'half_open',
    trial_began: 'open',
    trial_succeeded: 'closed',
    trial_abandoned: 'open',
    reset: 'closed',
  },
  half_open: {
    tripped: 'open',
    time_over: 'half_open',
    trial_began: 'trying',
    trial_succeeded: 'closed',
    trial_abandoned: 'half_open',
    reset: 'closed',
  },
  trying: {
    tripped: 'open',
    time_over: 'trying',
    trial_began: 'trying',
    trial_succeeded: 'closed',
    trial_abandoned: 'half_open',
    reset: 'closed',
  },
};

/** How a request to an instance failed: `error` is an answer with 5xx. */
export type Failure = 'error' | 'unreachable' | 'broken' | 'timed_out';

/** Times in milliseconds. */
export interface BreakerPolicy {
  /** 0: never. */
  readonly consecutive_failures: number;
  readonly base_time: number;
  readonly max_time: number;
}

/** A refused connection says more than a failed request, but a process that begins to listen must not be kept waiting for long. */
const unreachableTime = 1_000;

/** After this time another trial is made, whatever may become of the one before. */
const leastTrialTime = 1_000;

/** The circuit breaker of one instance: after failures in a row it is open for a time, then one request is let through. */
export class Breaker {
  #state: BreakerState = 'closed';
  #failures = 0;
  #times = 0;
  #until = 0;
  #duration = 0;
  #cause: Failure = 'error';
  #trialAt = 0;

  get state(): BreakerState {
    return this.#state;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** What it was opened for the last time. */
  get cause(): Failure {
    return this.#cause;
  }

  /** For how long it was opened the last time, in milliseconds. */
  get duration(): number {
    return this.#duration;
  }

  /** Until when it is open, in milliseconds since the epoch. */
  get until(): number {
    return this.#until;
  }

  /** Whether a request may go there at `now`, in milliseconds since the epoch. */
  admits(now: number): boolean {
    if (this.#state === 'closed') return true;
    if (this.#state === 'open' && isOver(this.#until - this.#duration, this.#duration, now))
      this.#on('time_over');
    // Its answer may take long by its nature, as of a request that waits for news.
    if (this.#state === 'trying' && isOver(this.#trialAt, Math.max(this.#duration, leastTrialTime), now))
      this.#on('trial_abandoned');
    return this.#state === 'half_open';
  }

  /** A request goes there. Returns whether by what becomes of it this is closed or opened again. */
  begin(now: number): boolean {
    if (this.#state === 'closed') return false;
    this.#trialAt = now;
    this.#on('trial_began');
    return true;
  }

  succeeded(isTrial: boolean): void {
    if (isTrial) this.#on('trial_succeeded');
    if (this.#state === 'closed') this.#failures = 0;
  }

  /** Returns whether it should be opened now; whoever knows the other instances decides. */
  failed(how: Failure, isTrial: boolean, { consecutive_failures }: BreakerPolicy): boolean {
    // What was sent before it was opened says nothing new.
    if (this.#state !== 'closed') return isTrial && this.#state === 'trying';
    this.#failures++;
    if (consecutive_failures === 0) return false;
    return how === 'unreachable' || this.#failures >= consecutive_failures;
  }

  /** Nobody will ever know what became of a trial: the client went away. */
  abandoned(): void {
    this.#on('trial_abandoned');
  }

  /** Opens it, for longer each time that it comes to that soon after the last one. */
  trip(how: Failure, now: number, { base_time, max_time }: BreakerPolicy): void {
    const goodFor = Math.max(0, now - this.#until);
    this.#times = Math.max(0, this.#times - Math.floor(goodFor / Math.max(base_time, 1))) + 1;
    const base = how === 'unreachable' ? Math.min(base_time, unreachableTime) : base_time;
    this.#duration = Math.min(base * this.#times, max_time);
    this.#until = now + this.#duration;
    this.#cause = how;
    this.#on('tripped');
  }

  /** Closes it whatever was. */
  reset(): void {
    this.#failures = 0;
    this.#on('reset');
  }

  #on(event: BreakerEvent): void {
    const next = transitions[this.#state][event];
    if (next === 'closed' && this.#state !== 'closed') this.#failures = 0;
    this.#state = next;
  }
}

/** Whether a time has passed. What began in the future is over: the clock has been set back. */
function isOver(since: number, duration: number, now: number): boolean {
  return now < since || now >= since + duration;
}

/** Whether an instance has as much open as it may. null: it may any number. */
export function isFull(open: number, max_requests: number | null): boolean {
  return max_requests !== null && open >= max_requests;
}
