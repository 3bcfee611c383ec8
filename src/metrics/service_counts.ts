import type { Event } from '../contract/events.ts';
import type { EventLog } from '../services/event_log.ts';

/** What happened to a service since the agent was started. */
export interface ServiceCount {
  /** Starts again after an end that nobody asked for. */
  restarts: number;
  deployments_succeeded: number;
  deployments_failed: number;
}

/** Counts what happens to services. Those that are deleted are forgotten. */
export class ServiceCounts {
  readonly #counts = new Map<string, ServiceCount>();

  constructor(events: EventLog) {
    events.subscribe((event) => this.#take(event));
  }

  of(service: string): Readonly<ServiceCount> {
    return this.#counts.get(service) ?? nothing();
  }

  #take({ type, service }: Event): void {
    if (service === null) return;
    if (type === 'service.deleted') this.#counts.delete(service);
    if (type === 'service.restarting') this.#count(service).restarts += 1;
    if (type === 'deployment.succeeded') this.#count(service).deployments_succeeded += 1;
    if (type === 'deployment.failed') this.#count(service).deployments_failed += 1;
  }

  #count(service: string): ServiceCount {
    const count = this.#counts.get(service) ?? nothing();
    this.#counts.set(service, count);
    return count;
  }
}

function nothing(): ServiceCount {
  return { restarts: 0, deployments_succeeded: 0, deployments_failed: 0 };
}
