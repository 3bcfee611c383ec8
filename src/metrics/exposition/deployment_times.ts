import type { Event } from '../../contract/events.ts';
import type { EventLog } from '../../services/event_log.ts';
import { CountedDistribution, type Distribution } from './distribution.ts';

/** In seconds. */
export const deploymentBounds = [1, 3, 10, 30, 60, 300, 1_800] as const;

const outcomes = { 'deployment.succeeded': 'succeeded', 'deployment.failed': 'failed' } as const;
type Outcome = (typeof outcomes)[keyof typeof outcomes];

interface Times {
  /** The deployment that began last. */
  begun: { readonly release: number | null; readonly at: number } | null;
  readonly byOutcome: Map<Outcome, CountedDistribution>;
}

/** How long the deployments of each service took, since the agent was started. */
export class DeploymentTimes {
  readonly #services = new Map<string, Times>();

  constructor(events: Pick<EventLog, 'subscribe'>) {
    events.subscribe((event) => this.#take(event));
  }

  /** By outcome, as far as there was any. */
  of(service: string): { readonly outcome: Outcome; readonly distribution: Distribution }[] {
    const times = this.#services.get(service);
    return [...(times?.byOutcome ?? [])].map(([outcome, distribution]) => ({ outcome, distribution }));
  }

  #take({ type, service, release }: Event): void {
    if (service === null) return;
    if (type === 'service.deleted') this.#services.delete(service);
    else if (type === 'deployment.started') this.#timesOf(service).begun = { release, at: performance.now() };
    else if (type === 'deployment.succeeded' || type === 'deployment.failed')
      this.#end(this.#timesOf(service), release, outcomes[type]);
  }

  /** The beginning of one that another has taken the place of, or that an earlier agent began, is not known. */
  #end(times: Times, release: number | null, outcome: Outcome): void {
    const { begun, byOutcome } = times;
    if (begun === null || begun.release !== release) return;
    const distribution = byOutcome.get(outcome) ?? new CountedDistribution(deploymentBounds);
    byOutcome.set(outcome, distribution);
    distribution.observe((performance.now() - begun.at) / 1_000);
    times.begun = null;
  }

  #timesOf(service: string): Times {
    const times = this.#services.get(service) ?? { begun: null, byOutcome: new Map() };
    this.#services.set(service, times);
    return times;
  }
}
