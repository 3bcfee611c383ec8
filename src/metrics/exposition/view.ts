import type { TrafficCounts } from '../../contract/connections.ts';
import type { ServiceState } from '../../contract/services.ts';
import { type Instance, isReady } from '../../services/instance.ts';
import type { Registry } from '../../services/registry.ts';
import { runningInstances, type Service, stateOf } from '../../services/service.ts';
import type { TrafficFacts } from '../../traffic/facts.ts';
import type { InstanceUsage, Tick } from '../tick.ts';
import { LabelSet } from './label_set.ts';

/** An instance, and what it uses. */
export interface InstanceView {
  readonly subject: LabelSet;
  readonly key: InstanceKey;
  readonly instance: Instance;
  /** null: it does not run, or has not been looked at yet. */
  readonly usage: InstanceUsage | null;
}

/** Names an instance: its service and its number. */
export interface InstanceKey {
  readonly service: string;
  readonly instance: number;
}

/** A service, and what goes through it. */
export interface ServiceView {
  readonly id: string;
  readonly subject: LabelSet;
  readonly service: Service;
  readonly state: ServiceState;
  readonly instances: { readonly wanted: number; readonly running: number; readonly ready: number };
  /** null: no router has sent it anything. */
  readonly traffic: TrafficCounts | null;
  /** How many of its instances routers leave out for now. */
  readonly ejected: number;
}

/** All services and instances at one time. */
export interface View {
  readonly services: readonly ServiceView[];
  readonly instances: readonly InstanceView[];
}

export interface ViewSources {
  readonly registry: Pick<Registry, 'services' | 'spec' | 'wantedInstances'>;
  readonly facts: Pick<TrafficFacts, 'services'>;
  readonly tick: () => Tick | null;
}

/** How long a view stands for the present, in milliseconds: as long as a scrape takes. */
const freshFor = 250;

/** Gives every metric of one scrape the same view of the services. */
export class Views {
  readonly #sources: ViewSources;
  #view: View = { services: [], instances: [] };
  #madeAt = Number.NEGATIVE_INFINITY;

  constructor(sources: ViewSources) {
    this.#sources = sources;
  }

  get present(): View {
    const now = performance.now();
    if (now - this.#madeAt > freshFor) {
      this.#view = makeView(this.#sources);
      this.#madeAt = now;
    }
    return this.#view;
  }
}

function makeView({ registry, facts, tick }: ViewSources): View {
  const traffic = new Map(facts.services().map((each) => [each.service, each]));
  const usages = usagesOf(tick());
  const all = registry.services().sort((a, b) => (a.id < b.id ? -1 : 1));
  const services = all.map((service): ServiceView => {
    const { id } = service;
    const passed = traffic.get(id);
    const spec = registry.spec(id);
    // A task ends by itself, and is ready at no time.
    const isToBeReady = service.wanted === 'running' && spec.type !== 'task';
    return {
      id,
      subject: new LabelSet({ service: id }),
      service,
      state: stateOf(service, spec),
      instances: {
        wanted: isToBeReady ? registry.wantedInstances(id) : 0,
        running: runningInstances(service).length,
        ready: service.instances.filter(isReady).length,
      },
      traffic: passed?.total ?? null,
      ejected: passed?.instances.filter(({ ejected }) => ejected).length ?? 0,
    };
  });
  const instances = all.flatMap(({ id, instances }) =>
    instances.map((instance): InstanceView => {
      const { number, process } = instance;
      const key = { service: id, instance: number };
      // A label `instance` would collide with the one by which Prometheus tells hosts apart.
      const subject = new LabelSet({ service: id, service_instance: number });
      const usage = process === null ? undefined : usages.get(process.instance_id);
      return { subject, key, instance, usage: usage ?? null };
    }),
  );
  return { services, instances };
}

function usagesOf(tick: Tick | null): ReadonlyMap<string, InstanceUsage> {
  return new Map(tick?.instances.map((usage) => [usage.instance_id, usage]));
}
