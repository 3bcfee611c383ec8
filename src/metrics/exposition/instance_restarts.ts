import type { EventLog } from '../../services/event_log.ts';
import type { InstanceKey } from './view.ts';

/** How often each instance was started again after an end that nobody asked for, since the agent was started. */
export class InstanceRestarts {
  readonly #services = new Map<string, Map<number, number>>();

  constructor(events: Pick<EventLog, 'subscribe'>) {
    events.subscribe(({ type, service, instance }) => {
      if (service === null) return;
      if (type === 'service.deleted') this.#services.delete(service);
      if (type === 'service.restarting' && instance !== null) this.#count(service, instance);
    });
  }

  of({ service, instance }: InstanceKey): number {
    return this.#services.get(service)?.get(instance) ?? 0;
  }

  #count(service: string, instance: number): void {
    const counts = this.#services.get(service) ?? new Map<number, number>();
    this.#services.set(service, counts.set(instance, (counts.get(instance) ?? 0) + 1));
  }
}
