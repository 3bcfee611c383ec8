import type { ProbeKind } from '../../contract/health.ts';
import type { EventLog } from '../../services/event_log.ts';
import { CountedDistribution, type Distribution } from './distribution.ts';
import type { InstanceKey } from './view.ts';

/** In seconds. Few: there are as many of these histograms as there are probes. */
export const probeBounds = [0.005, 0.05, 0.5, 5] as const;

/** What one probe of an instance found out. */
interface ProbeOutcome extends InstanceKey {
  readonly kind: ProbeKind;
  readonly success: boolean;
  readonly duration_ms: number;
}

/** The probes of one kind of an instance. */
interface ProbeCount {
  readonly kind: ProbeKind;
  readonly succeeded: number;
  readonly failed: number;
  readonly durations: Distribution;
}

interface Counted extends ProbeCount {
  succeeded: number;
  failed: number;
  readonly durations: CountedDistribution;
}

/** Counts the probes of each instance, since the agent was started. */
export class ProbeCounts {
  readonly #services = new Map<string, Map<number, Counted[]>>();

  /** From now on a service that is deleted is forgotten. */
  watch(events: Pick<EventLog, 'subscribe'>): void {
    events.subscribe(({ type, service }) => {
      if (type === 'service.deleted' && service !== null) this.#services.delete(service);
    });
  }

  take({ service, instance, kind, success, duration_ms }: ProbeOutcome): void {
    const instances = this.#services.get(service) ?? new Map<number, Counted[]>();
    this.#services.set(service, instances);
    const counts = instances.get(instance) ?? [];
    instances.set(instance, counts);
    const count = counts.find((each) => each.kind === kind) ?? newCount(kind);
    if (!counts.includes(count)) counts.push(count);
    count[success ? 'succeeded' : 'failed'] += 1;
    count.durations.observe(duration_ms / 1_000);
  }

  /** By kind, as far as there were any. */
  of({ service, instance }: InstanceKey): readonly ProbeCount[] {
    return this.#services.get(service)?.get(instance) ?? [];
  }
}

function newCount(kind: ProbeKind): Counted {
  return { kind, succeeded: 0, failed: 0, durations: new CountedDistribution(probeBounds) };
}
