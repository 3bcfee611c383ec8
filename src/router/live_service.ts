import type { Routing } from '../contract/balancing.ts';
import type { TableService } from '../contract/routing_table.ts';
import { type Failure, isFull } from '../routing/circuit_breaker.ts';
import { RequestFacts } from '../routing/facts.ts';
import { mayEject, mostOut, toReadmit } from '../routing/outliers.ts';
import type { RoutedRequest } from '../routing/request.ts';
import { RetryBudget } from '../routing/retry_budget.ts';
import { Selection } from '../routing/selection.ts';
import { type ServicePolicy, takesRelease } from '../routing/service_policy.ts';
import { rampedShare } from '../routing/slow_start.ts';
import { compareCandidates } from '../routing/strategies/strategy.ts';
import type { LiveInstance } from './live_instance.ts';
import { LiveInstances } from './live_instances.ts';
import { type LeaseKeeper, LiveLease } from './live_lease.ts';
import type { LiveTallies } from './live_tallies.ts';
import { LiveWaiters } from './live_waiters.ts';
import type { NoInstance, TargetService } from './target.ts';

export interface LiveServiceOptions {
  readonly now: () => number;
  readonly random: () => number;
  readonly tallies: LiveTallies;
  /** Something that whoever looks after the service should know, as a sentence. */
  readonly onProblem: (message: string) => void;
  /** An instance that drains or has left has nothing open any more. */
  readonly onDrained: (instance_id: string) => void;
}

/** One that has refused a connection is not waited for within this time, in milliseconds: its process may have ended just now. */
const refusalTime = 1_000;

const none: ReadonlySet<string> = new Set();

/** A service, with what is known of its instances from table to table. */
export class LiveService implements TargetService, LeaseKeeper {
  readonly id: string;
  readonly #options: LiveServiceOptions;
  readonly #selection: Selection;
  readonly #budget = new RetryBudget();
  readonly #waiters = new LiveWaiters();
  readonly #instances: LiveInstances;
  /** Those that take new requests by the table, in order. */
  #members: readonly LiveInstance[] = [];
  /** How many of them have a breaker that is not closed. */
  #out = 0;
  /** Whether one of them starts slowly. */
  #isRamping = false;
  #policy: ServicePolicy;
  // Used again for each request.
  readonly #takers: LiveInstance[] = [];
  readonly #last: LiveInstance[] = [];

  constructor(id: string, policy: ServicePolicy, options: LiveServiceOptions) {
    this.id = id;
    this.#policy = policy;
    this.#options = options;
    this.#instances = new LiveInstances({ service: id, ...options });
    this.#selection = new Selection(policy, { service: id, random: options.random });
  }

  get timeouts(): TargetService['timeouts'] {
    return this.#policy.timeouts;
  }

  get retries(): Routing['retries'] {
    return this.#policy.retries;
  }

  get hold(): number | null {
    return this.#policy.hold;
  }

  /** Whether nobody would miss it if no table named it. */
  get isIdle(): boolean {
    return this.#waiters.count === 0;
  }

  /** Acts by what a table says from now on. @param key signs the cookies of affinity */
  update(policy: ServicePolicy, instances: TableService['instances'], key: string): void {
    this.#policy = policy;
    this.#selection.update(policy, instances, key);
    this.#instances.update(instances);
    this.#members = this.#instances
      .values()
      .filter((instance) => takesNew(instance, policy))
      .sort(compareCandidates);
    this.#weigh(this.#options.now());
    this.#readmit();
    this.#look();
  }

  /** No table names it any more. */
  leave(): void {
    this.update(this.#policy, [], '');
  }

  acquire(request: RoutedRequest, tried: ReadonlySet<string>): LiveLease | NoInstance {
    const now = this.#options.now();
    if (tried.size === 0) this.#budget.requested(now);
    const takers = this.#takersAt(now, tried);
    if (typeof takers === 'string') return takers;
    if (this.#isRamping) this.#weigh(now);
    const facts = new RequestFacts(request);
    const kept = this.#selection.kept(takers, facts);
    const chosen = kept ?? this.#selection.choose(takers, facts) ?? this.#chooseLast(takers, facts);
    if (chosen === null) return 'none_ready';
    const cookie = kept === null ? this.#selection.cookieFor(chosen.id, request.is_tls) : null;
    return new LiveLease(chosen, cookie, chosen.breaker.begin(now), this);
  }

  mayRetry(): boolean {
    return this.#budget.take(this.#policy.retries.budget_percent, this.#options.now());
  }

  available(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    if (this.#hasTaker(this.#options.now())) return Promise.resolve(true);
    const wait = this.#waiters.wait(signal);
    this.#look();
    return wait;
  }

  /** Whether the client is kept with an instance of this service that takes requests. */
  keeps(facts: RequestFacts): boolean {
    const takers = this.#takersAt(this.#options.now(), none);
    return typeof takers !== 'string' && this.#selection.kept(takers, facts) !== null;
  }

  /** The hash of what the client is known by, where that keeps it with an instance; else null. */
  clientKey(facts: RequestFacts): number | null {
    return this.#selection.clientKey(facts);
  }

  /** Ends every wait. */
  close(): void {
    this.#waiters.close();
  }

  onOutcome(instance: LiveInstance, how: Failure | null, isTrial: boolean): void {
    const { breaker } = instance;
    if (how === null) {
      breaker.succeeded(isTrial);
      if (isTrial) this.#count();
      if (instance.refused_at === null) return;
      instance.refused_at = null;
      this.#look();
    } else this.#onFailure(instance, how, isTrial);
  }

  onAbandoned({ breaker }: LiveInstance): void {
    breaker.abandoned();
  }

  onChanged({ tally }: LiveInstance): void {
    this.#options.tallies.changed(tally);
  }

  onEnd(instance: LiveInstance): void {
    this.#instances.release(instance);
  }

  #onFailure(instance: LiveInstance, how: Failure, isTrial: boolean): void {
    const policy = this.#policy;
    const now = this.#options.now();
    if (how === 'unreachable') instance.refused_at = now;
    const { breaker } = instance;
    const wasOut = breaker.state !== 'closed';
    if (!breaker.failed(how, isTrial, policy.breaker)) return;
    const census = { members: this.#members.length, out: this.#out };
    const mayBeOut =
      wasOut || (this.#members.includes(instance) && mayEject(how, census, policy.max_percent));
    if (!mayBeOut) return;
    const { failures } = breaker;
    breaker.trip(how, now, policy.breaker);
    this.#count();
    if (!wasOut) this.#options.onProblem(ejection(instance, how, failures));
  }

  /** Those that may get a request now; when all that are left are out, those. */
  #takersAt(now: number, tried: ReadonlySet<string>): readonly LiveInstance[] | NoInstance {
    const { max_requests } = this.#policy;
    if (this.#members.length === 0) return 'none_ready';
    if (tried.size === 0 && this.#out === 0 && max_requests === null) return this.#members;
    this.#takers.length = 0;
    this.#last.length = 0;
    let full = 0;
    for (const instance of this.#members) {
      if (tried.has(instance.id)) continue;
      if (isFull(instance.open, max_requests)) full++;
      else if (instance.breaker.admits(now)) this.#takers.push(instance);
      else this.#last.push(instance);
    }
    if (this.#takers.length > 0) return this.#takers;
    if (this.#last.length > 0) return this.#last;
    return full > 0 ? 'all_full' : 'none_ready';
  }

  /** By its tags a request may suit only instances that are out. */
  #chooseLast(takers: readonly LiveInstance[], facts: RequestFacts): LiveInstance | null {
    return takers === this.#takers ? this.#selection.choose(this.#last, facts) : null;
  }

  /** Gives each its weight, which rises while it starts slowly. */
  #weigh(now: number): void {
    const { slow_start, weightOf } = this.#policy;
    this.#isRamping = false;
    for (const instance of this.#members) {
      const share = rampedShare(instance.ready_at, slow_start, now);
      instance.weight = weightOf(instance.number) * share;
      if (share < 1) this.#isRamping = true;
    }
  }

  /** Lets instances back in where more are out than may be now that there are fewer, or that nothing is to be out any more. */
  #readmit(): void {
    const { breaker: policy, max_percent } = this.#policy;
    const out = this.#members.map(({ breaker }) => breaker).filter(({ state }) => state !== 'closed');
    const mayBeOut = policy.consecutive_failures > 0;
    const back = mayBeOut ? toReadmit(out, mostOut(this.#members.length, max_percent)) : out;
    for (const breaker of back) breaker.reset();
    this.#count();
  }

  #count(): void {
    this.#out = this.#members.reduce((sum, { breaker }) => sum + (breaker.state === 'closed' ? 0 : 1), 0);
  }

  #hasTaker(now: number): boolean {
    return this.#members.some(({ refused_at }) => refused_at === null || restOf(refused_at, now) <= 0);
  }

  /** Wakes those that wait if an instance is there, or looks again when one that has refused may be tried once more. */
  #look(): void {
    if (this.#waiters.count === 0) return;
    const now = this.#options.now();
    if (this.#hasTaker(now)) this.#waiters.wake();
    else if (this.#members.length > 0) {
      const rests = this.#members.map(({ refused_at }) => restOf(refused_at ?? now, now));
      this.#waiters.lookAfter(Math.min(...rests), () => this.#look());
    }
  }
}

/** Whether new requests may go to an instance as far as the table says. */
function takesNew({ draining, release, number }: LiveInstance, policy: ServicePolicy): boolean {
  return draining === null && takesRelease(policy, release) && policy.weightOf(number) > 0;
}

/** How long one that has refused is still not waited for. One that refused in the future is: the clock has been set back. */
function restOf(refused_at: number, now: number): number {
  return now < refused_at ? 0 : refusalTime - (now - refused_at);
}

function ejection(
  { service, number, release, breaker }: LiveInstance,
  how: Failure,
  failures: number,
): string {
  const cause = how === 'unreachable' ? 'it refused a connection' : `${failures} failures in a row`;
  return `${service}: instance ${number} of release ${release} gets nothing new for ${breaker.duration} ms: ${cause}`;
}
