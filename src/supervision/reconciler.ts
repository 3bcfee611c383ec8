import { errorMessage } from '../lib/errors.ts';
import type { EventLog } from '../services/event_log.ts';
import { type Instance, waitsForStart } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import type { Service } from '../services/service.ts';
import type { Dependencies } from './dependencies.ts';
import { isOver, policyOf } from './restart.ts';
import type { Supervisor } from './supervisor.ts';

interface ReconcilerParts {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly events: EventLog;
  readonly dependencies: Dependencies;
  readonly onProblem: (message: string) => void;
}

/** The longest time that a timer can be set to, in milliseconds. */
const longestTimer = 2 ** 31 - 1;

/**
 * Starts what is to run and does not: instances whose next restart is due, and those that waited for what they depend on.
 * Ends, or starts again, those that asked for that when what they depend on is lost or is back.
 */
export class Reconciler {
  readonly #parts: ReconcilerParts;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Services that will be looked at when their turn comes. */
  readonly #waiting = new Set<string>();
  /** Whether everything that a service depends on was there when it was looked at last. */
  readonly #wasMet = new Map<string, boolean>();
  #unsubscribe = () => {};
  #isClosed = false;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
  }

  /** Begins to act on what changes. What is there already has its first turn elsewhere. */
  begin(): void {
    const { registry } = this.#parts;
    this.#unsubscribe = registry.subscribe((id) => this.#noteChange(id));
    for (const { id } of registry.services()) {
      // What runs did so with all that it needs.
      this.#wasMet.set(id, true);
      this.#compare(id);
    }
  }

  /** Starts what is due of a service, in its turn. */
  look(id: string): void {
    if (this.#isClosed || this.#waiting.has(id)) return;
    this.#waiting.add(id);
    const work = async () => {
      this.#waiting.delete(id);
      if (!this.#isClosed) await this.#reconcile(id);
    };
    this.#inItsTurn(id, work);
  }

  /** Ends an instance whose liveness probe fails; its restart policy says what follows. */
  restartUnhealthy(id: string, number: number, cause: number): void {
    const { registry } = this.#parts;
    this.#inItsTurn(id, async () => {
      const instance = registry.find(id)?.instances.find((each) => each.number === number);
      // By now it may be another one, or well again.
      if (instance !== undefined && isFoundDead(instance) && !this.#isClosed)
        await this.#endUnhealthy(id, number, cause);
    });
  }

  async #endUnhealthy(id: string, number: number, cause: number | null): Promise<void> {
    const { registry, supervisor } = this.#parts;
    const { stop } = registry.spec(id);
    await supervisor.stop(id, number, stop, { reason: 'unhealthy', actor: null, cause });
  }

  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  async #reconcile(id: string): Promise<void> {
    const service = this.#parts.registry.find(id);
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    if (service === null || service.wanted === 'stopped' || service.under_way !== null) return;
    await this.#startDue(service, (at) => this.#lookAt(id, at));
  }

  /**
   * Keeps up what runs of a service whose release is being replaced: starts what is due, each by the release that it is of,
   * and ends what its liveness probe finds dead. Callers hold the service's lock.
   */
  async attend(id: string): Promise<void> {
    const { registry } = this.#parts;
    const service = registry.find(id);
    if (service === null || this.#isClosed) return;
    const { liveness } = registry.spec(id);
    const isRestarted = liveness?.on_unhealthy === 'restart' && policyOf(registry.spec(id)) !== 'never';
    const dead = isRestarted ? service.instances.filter(isFoundDead) : [];
    await Promise.all(dead.map(({ number, last_event }) => this.#endUnhealthy(id, number, last_event)));
    await this.#startDue(registry.get(id), () => {});
  }

  /** @param onLater told when the next one is due, in milliseconds since the epoch */
  async #startDue(service: Service, onLater: (at: number) => void): Promise<void> {
    const { id } = service;
    const waiting = service.instances.filter(waitsForStart);
    const { restart } = this.#parts.registry.spec(id);
    // Looked at once: what is not due now must be looked at later, whatever time it is by then.
    const now = Date.now();
    const isDue = ({ retry_at }: Instance) => retry_at === null || isOver(retry_at, restart, now);
    const due = waiting.filter(isDue);
    const later = waiting.flatMap((instance) => (isDue(instance) ? [] : (instance.retry_at ?? [])));
    if (later.length > 0) onLater(Math.min(...later));
    await Promise.all(due.map((instance) => this.#startIfItCan(service, instance)));
  }

  async #startIfItCan(
    { id, current_release, under_way }: Service,
    { number, state, last_event }: Instance,
  ): Promise<void> {
    const { registry, supervisor, dependencies } = this.#parts;
    const release = under_way?.places.includes(number) ? under_way.release : current_release;
    const spec = release === current_release ? registry.spec(id) : registry.release(id, release).spec;
    const ignores = state !== 'pending' && spec.on_dependency_failure === 'ignore';
    const unmet = ignores ? [] : dependencies.unmet(id);
    if (unmet.length > 0) return this.#noteWait(id, number, unmet);
    const cause = state === 'pending' ? this.#causeOfStart(id, last_event) : last_event;
    await supervisor.restart({
      service: id,
      number,
      release,
      spec,
      actor: null,
      cause,
      trigger: 'restart',
    });
  }

  #noteWait(id: string, number: number, unmet: readonly string[]): void {
    const { registry } = this.#parts;
    const { state } = registry.instance(id, number);
    if (state === 'pending') return;
    const last_event = this.recordWait(id, number, unmet);
    registry.advance(id, number, 'waits', { last_event, retry_at: null });
  }

  /** Says that an instance waits for what its service depends on. Returns the id of the event. */
  recordWait(id: string, number: number, unmet: readonly string[]): number {
    const { registry, events, dependencies } = this.#parts;
    const { last_event } = registry.instance(id, number);
    const cause = latest(dependencies.firstUnmet(id)) ?? last_event;
    const message = `It is not started yet: it waits for ${unmet.join(' and ')}`;
    return events.record({ type: 'service.waiting', service: id, instance: number, cause, message }).id;
  }

  /** What let an instance start that has waited: what happened last to one of those that it waited for. */
  #causeOfStart(id: string, last_event: number | null): number | null {
    const { registry } = this.#parts;
    const names = Object.keys(registry.spec(id).depends_on);
    const happened = names.map((name) => latest(registry.find(name)) ?? 0);
    return Math.max(last_event ?? 0, ...happened) || null;
  }

  #lookAt(id: string, at: number): void {
    const timer = setTimeout(() => this.look(id), Math.min(at - Date.now(), longestTimer));
    this.#timers.set(id, timer.unref());
  }

  #noteChange(id: string): void {
    const { registry, dependencies } = this.#parts;
    if (registry.find(id) === null) this.#wasMet.delete(id);
    for (const dependent of dependencies.dependentsOf(id)) this.#compare(dependent);
  }

  /** Acts when what a service depends on is lost, or is back. */
  #compare(id: string): void {
    const { registry, dependencies } = this.#parts;
    const isMet = dependencies.unmet(id).length === 0;
    // A service that nobody has looked at yet was started with all that it needs.
    const wasMet = this.#wasMet.get(id) ?? true;
    this.#wasMet.set(id, isMet);
    if (isMet) {
      // First of all, so that what waits is not started twice.
      if (!wasMet && registry.spec(id).on_dependency_failure === 'restart') this.#endInItsTurn(id);
      if (registry.get(id).instances.some(({ state }) => state === 'pending')) this.look(id);
    } else if (wasMet && registry.spec(id).on_dependency_failure === 'stop') {
      this.#endInItsTurn(id);
    }
  }

  /** Ends what runs of a service, which then waits for what it depends on, and starts when that is there. */
  #endInItsTurn(id: string): void {
    const { registry, supervisor, dependencies } = this.#parts;
    const lost = dependencies.firstUnmet(id);
    this.#inItsTurn(id, async () => {
      const service = registry.find(id);
      if (service === null || service.wanted === 'stopped' || this.#isClosed) return;
      const isMet = dependencies.unmet(id).length === 0;
      const { on_dependency_failure, stop } = registry.spec(id);
      // By now it may be otherwise.
      if (isMet !== (on_dependency_failure === 'restart')) return;
      const cause = latest(lost) ?? this.#causeOfStart(id, null);
      const order = { reason: 'dependency', actor: null, cause } as const;
      const running = service.instances.filter(({ process }) => process !== null);
      await Promise.all(running.map(({ number }) => supervisor.stop(id, number, stop, order)));
    });
    this.look(id);
  }

  #inItsTurn(id: string, work: () => Promise<unknown>): void {
    const { registry, onProblem } = this.#parts;
    registry.lock.run(id, work).catch((error) => onProblem(`service "${id}": ${errorMessage(error)}`));
  }
}

/** Whether an instance is up that its liveness probe finds dead. */
function isFoundDead({ state, liveness }: Instance): boolean {
  return (state === 'running' || state === 'starting') && liveness === 'unhealthy';
}

/** The id of what happened last to a service. */
function latest(service: Service | null): number | null {
  const happened = service?.instances.flatMap(({ last_event }) => last_event ?? []) ?? [];
  return happened.length === 0 ? null : Math.max(...happened);
}
