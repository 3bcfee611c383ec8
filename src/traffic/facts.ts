import type { InstanceTraffic, TrafficCounts } from '../contract/connections.ts';
import type { ServiceTraffic } from '../contract/traffic.ts';
import type { Service } from '../services/service.ts';
import { noTraffic, sumOf } from './traffic_counts.ts';

/** What one router has told, from its start until it ended or now. */
interface RouterTotals {
  isConnected: boolean;
  /** By the id of the instance. */
  readonly instances: Map<string, Told>;
}

interface Told {
  traffic: InstanceTraffic;
  /** Milliseconds since the epoch. */
  at: number;
}

interface TrafficFactsOptions {
  readonly services: () => readonly Service[];
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** How long an instance that has ended is shown by itself, in milliseconds. */
const shownAfterEnd = 60_000;
/** How often it is looked for those that have ended, in milliseconds. */
const tidyInterval = 10_000;
/** Of how many routers that are gone the totals are kept apart, should one come back. */
const keptRouters = 64;
/** Of how many releases of a service, the newest, what went through their former instances is told apart. */
const keptReleases = 20;
/** Instances of which one router may tell. */
const mostInstances = 50_000;

/**
 * What went through the routers, by instance, release and service. Routers tell totals since they began; those of routers and
 * instances that are gone stay in the sums, for as long as there is the service.
 */
export class TrafficFacts {
  readonly #services: () => readonly Service[];
  readonly #now: () => number;
  readonly #routers = new Map<string, RouterTotals>();
  /** By service and release: 0 stands for all that are older than those that are told apart. */
  readonly #ended = new Map<string, Map<number, TrafficCounts>>();
  /** How often routers ejected instances, by service. */
  readonly #ejections = new Map<string, number>();
  #tidiedAt = 0;

  constructor({ services, now = Date.now }: TrafficFactsOptions) {
    this.#services = services;
    this.#now = now;
  }

  /** Takes what a router tells. */
  take(router: string, instances: readonly InstanceTraffic[]): void {
    const totals = this.#routers.get(router) ?? { isConnected: true, instances: new Map<string, Told>() };
    totals.isConnected = true;
    this.#routers.set(router, totals);
    const at = this.#now();
    for (const traffic of instances) {
      const before = totals.instances.get(traffic.instance_id);
      if (before === undefined && totals.instances.size >= mostInstances) continue;
      if (traffic.ejected && before?.traffic.ejected !== true) this.#noteEjection(traffic.service);
      totals.instances.set(traffic.instance_id, { traffic, at });
    }
    if (at - this.#tidiedAt >= tidyInterval) this.tidy();
  }

  /** A router is gone, and with it all that was open; should it come back, it goes on where it was. */
  gone(router: string): void {
    const totals = this.#routers.get(router);
    if (totals === undefined) return;
    totals.isConnected = false;
    // As the one that went last.
    this.#routers.delete(router);
    this.#routers.set(router, totals);
    const gone = [...this.#routers].filter(([, { isConnected }]) => !isConnected);
    for (const [name, { instances }] of gone.slice(0, -keptRouters)) {
      for (const { traffic } of instances.values()) this.#end(traffic);
      this.#routers.delete(name);
    }
  }

  /** The routers whose totals are told apart, also of such that are gone, by name. */
  get routers(): string[] {
    return [...this.#routers.keys()];
  }

  /** How many requests and connections a router has open with an instance. */
  open(router: string, instance_id: string): number {
    const totals = this.#routers.get(router);
    const told = totals?.isConnected ? totals.instances.get(instance_id) : undefined;
    return told === undefined ? 0 : told.traffic.open_requests + told.traffic.open_websockets;
  }

  /** What went through to the instances of a release. */
  release(service: string, release: number): TrafficCounts {
    const living = this.#living().filter((each) => each.service === service && each.release === release);
    return sumOf([...living, this.#ended.get(service)?.get(release) ?? noTraffic()]);
  }

  /** What went through to a service, by instance and in all. */
  service(service: string): ServiceTraffic {
    return this.#sum(
      service,
      this.#living().filter((each) => each.service === service),
    );
  }

  /** The same of each service of which anything is known, by their ids. */
  services(): ServiceTraffic[] {
    const living = Map.groupBy(this.#living(), ({ service }) => service);
    const ids = [...new Set([...living.keys(), ...this.#ended.keys()])].sort();
    return ids.map((id) => this.#sum(id, living.get(id) ?? []));
  }

  /** What is known of each instance. */
  instances(): InstanceTraffic[] {
    return this.services().flatMap(({ instances }) => instances);
  }

  /** How often a router took an instance of the service out for a while, since the agent was started. */
  ejections(service: string): number {
    return this.#ejections.get(service) ?? 0;
  }

  /** Sums up what is known of instances that have ended, and forgets services that are gone. */
  tidy(): void {
    const now = this.#now();
    this.#tidiedAt = now;
    const services = this.#services();
    const ids = new Set(services.map(({ id }) => id));
    const present = new Set(
      services.flatMap(({ instances }) => instances.map(({ process }) => process?.instance_id)),
    );
    for (const { instances, isConnected } of this.#routers.values())
      for (const [id, { traffic, at }] of instances) {
        const isOpen = isConnected && traffic.open_requests + traffic.open_websockets > 0;
        if (present.has(id) || isOpen || now - at < shownAfterEnd) continue;
        instances.delete(id);
        if (ids.has(traffic.service)) this.#end(traffic);
      }
    for (const known of [this.#ended, this.#ejections])
      for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
  }

  #sum(service: string, living: readonly InstanceTraffic[]): ServiceTraffic {
    const byInstance = Map.groupBy(living, ({ instance_id }) => instance_id);
    const instances = [...byInstance.values()].map(merged);
    instances.sort((a, b) => a.instance - b.instance || a.release - b.release);
    const ended = this.#ended.get(service)?.values() ?? [];
    return { service, total: sumOf([...living, ...ended]), instances };
  }

  #noteEjection(service: string): void {
    this.#ejections.set(service, this.ejections(service) + 1);
  }

  #end(traffic: TrafficCounts & { readonly service: string; readonly release: number }): void {
    const { service, release } = traffic;
    const releases = this.#ended.get(service) ?? new Map<number, TrafficCounts>();
    this.#ended.set(service, releases);
    const closed = { ...traffic, open_requests: 0, open_websockets: 0 };
    releases.set(release, sumOf([releases.get(release) ?? noTraffic(), closed]));
    const apart = [...releases.keys()].filter((each) => each > 0).sort((a, b) => b - a);
    for (const old of apart.slice(keptReleases)) {
      releases.set(0, sumOf([releases.get(0), releases.get(old)].filter((each) => each !== undefined)));
      releases.delete(old);
    }
  }

  /** One for each router and instance. What was open with a router that is gone is not any more. */
  #living(): InstanceTraffic[] {
    return [...this.#routers.values()].flatMap(({ isConnected, instances }) =>
      [...instances.values()].map(({ traffic }) =>
        isConnected ? traffic : { ...traffic, open_requests: 0, open_websockets: 0, ejected: false },
      ),
    );
  }
}

/** What several routers tell of one instance. */
function merged(told: InstanceTraffic[]): InstanceTraffic {
  const [first] = told as [InstanceTraffic];
  const { service, instance, release, instance_id } = first;
  const ejected = told.some((each) => each.ejected);
  return { ...sumOf(told), service, instance, release, instance_id, ejected };
}
