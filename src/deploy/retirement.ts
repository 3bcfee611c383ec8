import { errorMessage } from '../lib/errors.ts';
import { failPoint } from '../lib/fail_point.ts';
import { milliseconds } from '../lib/units.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Instance } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import type { Supervisor } from '../supervision/supervisor.ts';
import type { Traffic } from './traffic.ts';

interface RetirementParts {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly events: EventLog;
  readonly traffic: Traffic;
  readonly onProblem: (message: string) => void;
}

/** Why instances are to go. */
interface RetirementOrder {
  readonly actor: string | null;
  readonly cause: number | null;
}

/** How long the close of a WebSocket connection may take beyond its time, in milliseconds. */
const closeGrace = 3_000;

/**
 * Ends instances that take no new requests any more, once they have finished those that they have. That goes on beside
 * everything else that is done with a service, so nobody holds the lock of the service for it.
 */
export class Retirement {
  readonly #parts: RetirementParts;
  /** By instance id: what ends the wait. */
  readonly #waits = new Map<string, AbortController>();
  #isClosed = false;

  constructor(parts: RetirementParts) {
    this.#parts = parts;
  }

  /** Goes on with what an earlier agent had begun. What was to start again in its place goes on to serve instead. */
  begin(): void {
    for (const { id, instances, wanted, under_way } of this.#parts.registry.services())
      for (const { number, draining, process } of instances) {
        if (draining === null || process === null) continue;
        const isWanted = !draining.is_leaving && wanted === 'running' && under_way === null;
        if (!isWanted || !this.readmit(id, number))
          void this.#finish(id, number, { actor: 'agent', cause: null });
      }
  }

  /** Takes an instance out, and lets it end when it has finished what it has; its place goes with it. */
  retire(id: string, number: number, order: RetirementOrder): void {
    const { registry, traffic } = this.#parts;
    const { drain_timeout, drain_spread } = registry.specOf(id, number).rollout;
    const until = Date.now() + (traffic.isRouted(id) ? milliseconds(drain_timeout) : 0);
    this.#mark(id, number, { until, spread: milliseconds(drain_spread), is_leaving: true }, order);
    failPoint('deploy.retiring');
    void this.#finish(id, number, order);
  }

  /**
   * Takes instances out that are to be stopped, and waits until they have finished their requests, for `timeout`
   * milliseconds at most. WebSocket connections are closed at once. Their places stay.
   */
  async drain(
    id: string,
    numbers: readonly number[],
    timeout: number,
    order: RetirementOrder,
  ): Promise<void> {
    const { registry, traffic } = this.#parts;
    if (!traffic.isRouted(id)) return;
    const draining = { until: Date.now(), spread: 0, is_leaving: false };
    const taken = numbers.filter((number) => registry.instance(id, number).state === 'running');
    for (const number of taken) this.#mark(id, number, draining, order);
    await Promise.all(taken.map((number) => this.#drained(id, number, timeout)));
  }

  /** Lets an instance take new requests again. Returns whether it still can. */
  readmit(id: string, number: number): boolean {
    const { registry, events } = this.#parts;
    const { state, process, last_event } = registry.instance(id, number);
    if (state !== 'draining' || process === null) return false;
    const message = 'It takes new connections again';
    const about = { service: id, instance: number, release: process.release, cause: last_event };
    const event = events.record({ type: 'service.readmitted', ...about, message });
    registry.advance(id, number, 'readmit', { draining: null, last_event: event.id });
    this.#waits.get(process.instance_id)?.abort();
    return true;
  }

  /** Ends what is on its way out at once: its places, and with them its ports, are wanted. */
  async hasten(id: string, { actor, cause }: RetirementOrder): Promise<void> {
    const { registry, supervisor } = this.#parts;
    const { instances } = registry.get(id);
    const leaving = instances.filter(({ process, draining }) => process !== null && draining?.is_leaving);
    const order = { reason: 'stopped', actor, cause } as const;
    await Promise.all(
      leaving.map(({ number }) => supervisor.stop(id, number, registry.specOf(id, number).stop, order)),
    );
  }

  /** Waits for nothing any more; what drains is left to the next agent. */
  close(): void {
    this.#isClosed = true;
    for (const wait of this.#waits.values()) wait.abort();
  }

  #mark(
    id: string,
    number: number,
    draining: NonNullable<Instance['draining']>,
    order: RetirementOrder,
  ): void {
    const { registry, events } = this.#parts;
    const { state, process, last_event } = registry.instance(id, number);
    if (state !== 'running') {
      registry.updateInstance(id, number, { draining });
      return;
    }
    const event = events.record({
      type: 'service.draining',
      service: id,
      instance: number,
      ...(process !== null && { release: process.release }),
      ...(order.actor !== null && { actor: order.actor }),
      cause: order.cause ?? last_event,
      message: 'It gets no new connections, and ends when those that it has are done',
    });
    registry.advance(id, number, 'drain', { draining, last_event: event.id });
  }

  async #finish(id: string, number: number, order: RetirementOrder): Promise<void> {
    const { registry, supervisor, onProblem } = this.#parts;
    try {
      const { process, draining } = registry.instance(id, number);
      if (process === null || draining === null) return;
      await this.#drained(id, number, draining.until - Date.now() + draining.spread + closeGrace);
      const now = registry.find(id)?.instances.find((each) => each.number === number);
      // By now it may have ended, or have been taken back.
      if (now?.process?.instance_id !== process.instance_id || now.draining === null || this.#isClosed)
        return;
      const { stop } = registry.specOf(id, number);
      await supervisor.stop(id, number, stop, { reason: 'stopped', actor: order.actor, cause: null });
    } catch (error) {
      onProblem(`service "${id}": ${errorMessage(error)}`);
    }
  }

  /** Resolves when it has nothing open any more, is gone or taken back, or after `timeout` milliseconds. */
  async #drained(id: string, number: number, timeout: number): Promise<void> {
    const { registry, traffic } = this.#parts;
    const { process } = registry.instance(id, number);
    if (process === null || !traffic.isRouted(id)) return;
    const wait = new AbortController();
    this.#waits.set(process.instance_id, wait);
    const timer = setTimeout(() => wait.abort(), Math.max(0, timeout)).unref();
    try {
      await traffic.applied(id);
      if (!wait.signal.aborted) await traffic.drained(process.instance_id, wait.signal);
    } finally {
      clearTimeout(timer);
      this.#waits.delete(process.instance_id);
    }
  }
}
