import type { RouterSettings, RoutingTable, TableRule } from '../contract/routing_table.ts';
import type { Rule } from '../contract/rules.ts';
import { errorMessage } from '../lib/errors.ts';
import { inOrder } from '../routing/rule_order.ts';
import type { Registry } from '../services/registry.ts';
import type { PublishedTable, RouterPeer } from './peer.ts';
import type { RuleStore } from './rule_store.ts';
import { ServiceTables } from './service_tables.ts';
import { apiRule, routeRules, servicesOf } from './table.ts';

interface PublisherOptions {
  readonly registry: Registry;
  readonly rules: RuleStore;
  /** As they are now; null: there is no router. */
  readonly settings: () => RouterSettings | null;
  /** Signs the cookies of affinity; as hexadecimal digits. */
  readonly affinityKey: string;
  /** When the agent was started, in milliseconds; later than that of every agent before it. */
  readonly epoch: number;
  /** The routers that are connected. */
  readonly peers: () => Iterable<RouterPeer>;
  /** How many routers run, connected or not. */
  readonly expectedRouters: () => number;
  readonly onProblem: (message: string) => void;
}

/** How long changes are gathered before they are sent, in milliseconds. */
const gatherTime = 5;
/** How long a router may take to act by a table, in milliseconds, before nobody waits for it any more. */
const patience = 3_000;

/** Tells routers what to act by: a whole table whenever anything of it has changed. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #tables: ServiceTables;
  readonly #ends: (() => void)[];
  #epoch: number;
  #version = 0;
  #rules: readonly Rule[] = [];
  #ruleVersions = '';
  #rulesText = '';
  #sent = '';
  #published: PublishedTable | null = null;
  #timer: NodeJS.Timeout | undefined;
  readonly #waiting = new Set<() => void>();
  readonly #givenUp = new WeakSet<RouterPeer>();
  /** How many that run and have not come are not waited for any more. */
  #absent = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#epoch = options.epoch;
    this.#tables = new ServiceTables(options.registry);
    const onService = (id: string) => {
      this.#tables.note(id);
      this.schedule();
    };
    this.#ends = [options.registry.subscribe(onService), options.rules.subscribe(() => this.schedule())];
  }

  /** What was sent last; null: there is no router to send anything to. */
  get published(): PublishedTable | null {
    return this.#published;
  }

  /** Every rule, also those that are not enabled, in the order in which they are looked at. */
  get rules(): readonly Rule[] {
    this.#refreshRules();
    return this.#rules;
  }

  /** What routers are to act by now; null: there is no router. */
  table(): RoutingTable | null {
    const settings = this.#options.settings();
    if (settings === null) return null;
    this.publish();
    return {
      format: 1,
      epoch: this.#epoch,
      version: this.#version,
      settings,
      affinity_key: this.#options.affinityKey,
      services: this.#tables.services,
      rules: this.#tableRules(),
    };
  }

  /** Whether requests can reach a service through a router. */
  isRouted(service: string): boolean {
    this.#refreshRules();
    return this.#options.settings() !== null && this.#tables.has(service);
  }

  /** Has a changed table sent soon, together with what changes until then. */
  schedule(): void {
    this.#timer ??= setTimeout(() => this.publish(), gatherTime).unref();
  }

  /** Sends the table now, if anything of it is other than what was sent last. */
  publish(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      this.#publishChange();
    } catch (error) {
      // The one before stays: nothing of this may reach whoever changed a service.
      this.#options.onProblem(`the routing table cannot be made: ${errorMessage(error)}`);
    }
  }

  /** Brings a router that has just connected up to date. */
  greet(peer: RouterPeer): void {
    const { table } = peer.identity;
    // It would not go back to what it takes for an older agent's.
    if (table !== null && (table.epoch - this.#epoch || table.version - this.#version) > 0) {
      this.#epoch = table.epoch + 1;
      this.#published = null;
    }
    this.publish();
    if (this.#published !== null) peer.publish(this.#published);
    this.#absent = 0;
    this.wake();
  }

  /** A router acts by another table, or is gone. */
  wake(): void {
    for (const resume of this.#waiting) resume();
    this.#waiting.clear();
  }

  /** Whether a router acts by what was sent last. */
  isUpToDate({ applied }: RouterPeer): boolean {
    const published = this.#published;
    return published === null || (applied?.epoch === published.epoch && applied.version >= published.version);
  }

  /**
   * Resolves when every router acts by what stands in the registry now, or has not answered for a few seconds. Routers that
   * run and are not connected yet, as after a start of the agent, are waited for likewise.
   */
  async applied(): Promise<void> {
    this.publish();
    if (this.#published === null) return;
    const { version } = this.#published;
    const { peers, expectedRouters } = this.#options;
    const isOfNow = (table: RouterPeer['applied']) =>
      table?.epoch === this.#epoch && table.version >= version;
    const isThere = ({ applied }: RouterPeer) => isOfNow(applied);
    const isSettled = (peer: RouterPeer) => isThere(peer) || isOfNow(peer.refused) || this.#givenUp.has(peer);
    const isMet = () => {
      const connected = [...peers()];
      return connected.length + this.#absent >= expectedRouters() && connected.every(isSettled);
    };
    const deadline = AbortSignal.timeout(patience);
    while (!isMet() && !deadline.aborted) await this.nextChange(deadline);
    for (const peer of peers()) {
      if (isThere(peer)) this.#givenUp.delete(peer);
      else this.#giveUp(peer);
    }
    this.#absent = Math.max(0, expectedRouters() - [...peers()].length);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const end of this.#ends) end();
    this.wake();
  }

  /** Resolves at the next thing that `wake` tells, or when `signal` is aborted. */
  async nextChange(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const resume = () => resolve();
    this.#waiting.add(resume);
    signal.addEventListener('abort', resume, { once: true });
    await promise;
    signal.removeEventListener('abort', resume);
    this.#waiting.delete(resume);
  }

  #publishChange(): void {
    const settings = this.#options.settings();
    if (settings === null) {
      this.#published = null;
      return;
    }
    this.#refreshRules();
    const servicesChanged = this.#tables.refresh();
    const rest = `"settings":${JSON.stringify(settings)},"rules":${this.#rulesText}`;
    if (!servicesChanged && rest === this.#sent && this.#published !== null) return;
    this.#sent = rest;
    this.#version += 1;
    this.#send();
  }

  #giveUp(peer: RouterPeer): void {
    if (this.#givenUp.has(peer)) return;
    this.#givenUp.add(peer);
    const { router, pid } = peer.identity;
    const why = peer.refused === null ? 'does not answer' : `refuses it: ${peer.refused.message}`;
    this.#options.onProblem(
      `router ${router} (pid ${pid}) does not act by the newest table and is not waited for: it ${why}`,
    );
  }

  #send(): void {
    const head = `"format":1,"epoch":${this.#epoch},"version":${this.#version}`;
    const key = JSON.stringify(this.#options.affinityKey);
    const body = `${this.#sent},"affinity_key":${key},"services":${this.#tables.text}`;
    const message = `{"type":"table","table":{${head},${body}}}`;
    this.#published = { epoch: this.#epoch, version: this.#version, message };
    for (const peer of this.#options.peers()) peer.publish(this.#published);
  }

  #tableRules(): TableRule[] {
    return this.#rules
      .filter(({ enabled }) => enabled)
      .map(({ id, match, action }) => ({ id, match, action }));
  }

  #refreshRules(): void {
    const { registry, rules } = this.#options;
    const versions = `${registry.specsVersion} ${rules.version}`;
    if (versions === this.#ruleVersions) return;
    this.#ruleVersions = versions;
    const ofRoutes = registry.services().flatMap(({ id }) => routeRules(id, registry.spec(id).routes));
    this.#rules = inOrder([...rules.all().map(apiRule), ...ofRoutes]);
    this.#tables.want(this.#rules.filter(({ enabled }) => enabled).flatMap(servicesOf));
    this.#rulesText = JSON.stringify(this.#tableRules());
  }
}
