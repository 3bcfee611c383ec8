import type { DatabaseSync } from 'node:sqlite';
import type { TrafficCounts } from '../contract/connections.ts';
import type { RouterSettings } from '../contract/routing_table.ts';
import type { RouterInformation, RouterList } from '../contract/traffic.ts';
import type { Traffic } from '../deploy/traffic.ts';
import { pidOf } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import { affinityKey } from './affinity_key.ts';
import { TrafficFacts } from './facts.ts';
import { RouterLink } from './link.ts';
import { LiveConnections } from './live_connections.ts';
import type { RouterPeer } from './peer.ts';
import { Publisher } from './publisher.ts';
import { RouterCounts } from './router_counts.ts';
import { RouterService, type RouterServiceOptions, routerServiceId } from './router_service.ts';
import { RuleStore } from './rule_store.ts';

export interface RouterTrafficOptions {
  readonly database: DatabaseSync;
  readonly registry: Registry;
  /** The folder that the agent shares with its routers. */
  readonly directory: string;
  /** What routers are to act by, as it is now; null: there is to be no router. */
  readonly settings: () => RouterSettings | null;
  /** Told after each write that must outlive a power cut. */
  readonly onCommit: () => void;
  readonly onProblem: (message: string) => void;
}

/** The agent's side of the data plane: what routers are told, what they tell, and what the rules are. */
export class RouterTraffic implements Traffic {
  readonly rules: RuleStore;
  readonly facts: TrafficFacts;
  readonly routerCounts = new RouterCounts();
  readonly connections: LiveConnections;
  readonly publisher: Publisher;
  readonly #link: RouterLink;
  readonly #options: RouterTrafficOptions;
  #service: RouterService | null = null;

  constructor(options: RouterTrafficOptions) {
    this.#options = options;
    const { registry, directory, settings, onProblem } = options;
    const peers = () => this.#link.peers;
    this.rules = new RuleStore(options);
    this.facts = new TrafficFacts({ services: () => registry.services() });
    this.connections = new LiveConnections(peers);
    this.publisher = new Publisher({
      registry,
      rules: this.rules,
      settings,
      affinityKey: affinityKey(directory, onProblem),
      epoch: Date.now(),
      peers,
      expectedRouters: () => this.#running(),
      onProblem,
    });
    this.#link = new RouterLink({
      directory,
      onHello: (peer) => this.publisher.greet(peer),
      onFacts: (peer, told) => {
        this.facts.take(peer.identity.router, told.instances);
        this.routerCounts.take(peer.identity.router, this.#numberOf(peer), told);
        this.publisher.wake();
      },
      onTable: () => this.publisher.wake(),
      onGone: (peer) => {
        this.facts.gone(peer.identity.router);
        this.routerCounts.gone(peer.identity.router);
        this.publisher.wake();
      },
      onProblem,
    });
  }

  /** Lets routers connect. Those that an earlier agent left come back by themselves. */
  listen(): void {
    this.#link.listen();
  }

  /** Has routers run, or not, as the configuration says. */
  begin(service: Omit<RouterServiceOptions, 'directory' | 'onProblem'>): void {
    const { directory, onProblem } = this.#options;
    this.#service = new RouterService({ ...service, directory, onProblem });
    this.#service.look();
  }

  /** The settings may be others. */
  reload(): void {
    this.publisher.schedule();
    this.#service?.look();
  }

  /** Starts and ends no routers any more. */
  rest(): void {
    this.#service?.close();
  }

  /** Lets go of the routers; they go on. */
  close(): void {
    this.publisher.close();
    this.#link.close();
  }

  isRouted(service: string): boolean {
    return this.publisher.isRouted(service);
  }

  applied(_service: string): Promise<void> {
    return this.publisher.applied();
  }

  async drained(instance_id: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // What a router has told by the time at which it acts by the table counts all that came before.
      await this.publisher.applied();
      if (![...this.#link.peers].some((peer) => this.#isOpen(peer, instance_id))) return;
      await this.publisher.nextChange(signal);
    }
  }

  counts(service: string, release: number): TrafficCounts {
    return this.facts.release(service, release);
  }

  ejected(service: string, wanted: number): number {
    const { instances } = this.facts.service(service);
    return instances.filter(({ release, ejected }) => ejected && release === wanted).length;
  }

  /** The routers that are connected. */
  list(): RouterList {
    this.publisher.publish();
    const { published } = this.publisher;
    return {
      configured: this.#options.settings() !== null,
      table: published && { epoch: published.epoch, version: published.version },
      routers: [...this.#link.peers].map((peer) => this.#show(peer)),
    };
  }

  /** What somebody should know of the routers, in sentences. */
  get warnings(): string[] {
    const { configured, routers } = this.list();
    if (!configured) return [];
    if (routers.length === 0) return ['no router is connected; davit logs davit.router says more'];
    // What they tell may name services that not everybody may see.
    const isWell = routers.every(({ problems }) => problems.length === 0);
    return isWell ? [] : ['the router has problems; davit logs davit.router says which'];
  }

  #show(peer: RouterPeer): RouterInformation {
    const { router, pid, version } = peer.identity;
    const { connections = 0, unroutable = 0, refused = 0, problems = [] } = peer.told ?? {};
    const refusal = peer.refused === null ? [] : [`the table is refused: ${peer.refused.message}`];
    return {
      router,
      pid,
      version,
      table: peer.applied,
      up_to_date: this.publisher.isUpToDate(peer),
      connections,
      unroutable,
      refused,
      problems: [...refusal, ...problems],
    };
  }

  /** Which instance of the service of the routers it is; null: of none, as when somebody started it by hand. */
  #numberOf(peer: RouterPeer): number | null {
    const routers = this.#options.registry.find(routerServiceId)?.instances ?? [];
    return (
      routers.find(({ process }) => process !== null && pidOf(process) === peer.identity.pid)?.number ?? null
    );
  }

  #isOpen(peer: RouterPeer, instance_id: string): boolean {
    return this.facts.open(peer.identity.router, instance_id) > 0;
  }

  #running(): number {
    const routers = this.#options.registry.find(routerServiceId)?.instances ?? [];
    return routers.filter(({ state }) => state === 'running').length;
  }
}
