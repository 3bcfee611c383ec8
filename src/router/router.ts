import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { InstanceTraffic } from '../contract/connections.ts';
import type { RoutingTable } from '../contract/routing_table.ts';
import { errorMessage } from '../lib/errors.ts';
import { version } from '../lib/version.ts';
import { AccessLog } from './access_log.ts';
import { AgentLink } from './agent_link.ts';
import { FastPath } from './fast_path.ts';
import { HeldRequests } from './held_requests.ts';
import { HttpFront } from './http_front.ts';
import { LineOutput } from './line_output.ts';
import { LiveTable } from './live_table.ts';
import { OpenConnections } from './open_connections.ts';
import { Problems } from './problems.ts';
import { isNewer, TableFile } from './table_file.ts';
import { Tracing } from './tracing.ts';
import { TrustedProxies } from './trusted_proxies.ts';
import { Upgrades } from './upgrades.ts';

export interface RouterOptions {
  /** The folder that it shares with the agent and the other routers. */
  readonly directory: string;
  readonly log: Logger;
  /** Where the access log goes: an open file. Default: the standard output, to which nothing else is written. */
  readonly output?: number;
}

/** How often the agent is told what went through, in milliseconds. */
const factsInterval = 1_000;
/** How often it is looked whether a router that ends has anything open, in milliseconds. */
const drainInterval = 50;
/** Over which share of the time to drain WebSocket connections are closed. */
const closingShare = 0.5;

/**
 * The data plane: takes connections of clients to instances by the newest table. It begins with the table that the last router
 * kept, needs no agent for what it does, and takes each newer table that an agent sends.
 */
export class Router {
  readonly #log: Logger;
  readonly #id = randomBytes(4).toString('hex');
  readonly #ending = { is_ending: false };
  readonly #problems: Problems;
  readonly #open = new OpenConnections(this.#id);
  readonly #trusted = new TrustedProxies();
  readonly #output: LineOutput;
  readonly #access: AccessLog;
  readonly #live: LiveTable;
  readonly #front: HttpFront;
  readonly #upgrades: Upgrades;
  readonly #fast: FastPath;
  readonly #file: TableFile;
  readonly #link: AgentLink;
  #table: RoutingTable | null = null;
  #isReady = false;
  #lastFacts = '';
  #factsTimer: NodeJS.Timeout | undefined;

  constructor({ directory, log, output = 1 }: RouterOptions) {
    this.#log = log;
    this.#problems = new Problems({ onNew: (message) => log.warn(message) });
    const onProblem = (message: string) => this.#problems.tell(message);
    const open = this.#open;
    const ending = this.#ending;
    const isTrusted = this.#trusted.includes;
    const director = new LiveTable({ onProblem, onDrained: () => this.#link.sendFacts() });
    const limits = () => this.#settings.limits;
    const held = new HeldRequests();
    this.#output = new LineOutput({ descriptor: output, onProblem });
    this.#access = new AccessLog({ write: (line) => this.#output.write(line) });
    const access = this.#access;
    const tracing = new Tracing();
    this.#live = director;
    this.#upgrades = new Upgrades({ director, open, held, isTrusted, access, tracing, onProblem });
    this.#fast = new FastPath({ director, open, ending, limits, isTrusted, access, tracing });
    this.#front = new HttpFront({
      director,
      open,
      upgrades: this.#upgrades,
      fastPath: this.#fast,
      ending,
      trusted: this.#trusted,
      held,
      access,
      tracing,
      onProblem,
    });
    this.#file = new TableFile({ directory, onProblem });
    this.#link = new AgentLink({
      file: join(directory, 'agent.sock'),
      hello: () => ({ router: this.#id, pid: process.pid, version, table: this.#live.table }),
      open,
      onTable: (table) => this.#take(table),
      facts: (whole) => this.#facts(whole),
      onProblem,
    });
  }

  /** Opens what the table says that was kept, and looks for the agent. */
  start(): void {
    this.#useKept();
    this.#link.begin();
    this.#factsTimer = setInterval(() => {
      this.#announce();
      this.#link.sendFacts();
    }, factsInterval);
  }

  /** Accepts nothing new, lets what is under way finish for as long as the settings say, and ends. */
  async stop(): Promise<void> {
    const timeout = this.#table?.settings.drain_timeout ?? 0;
    const deadline = performance.now() + timeout;
    this.#ending.is_ending = true;
    this.#front.stopListening();
    this.#upgrades.closeAll(timeout * closingShare);
    while (this.#open.count > 0 && performance.now() < deadline) await sleep(drainInterval);
    const left = this.#open.count;
    if (left > 0) this.#log.warn(`${left} connections are cut off: they did not end within ${timeout} ms`);
    clearInterval(this.#factsTimer);
    this.#access.cuts_off = true;
    this.#upgrades.close();
    this.#fast.close();
    await this.#front.close();
    this.#live.close();
    this.#link.sendFacts();
    this.#link.end();
    await this.#file.flush();
    await this.#output.flush();
  }

  /** Writes what would be lost by the end of the process, for one that ends now. */
  salvage(): void {
    this.#output.flushNow();
  }

  get #settings(): RoutingTable['settings'] {
    if (this.#table === null) throw new Error('nothing is served without a table');
    return this.#table.settings;
  }

  #useKept(): void {
    const kept = this.#file.read();
    if (kept === null) return;
    try {
      this.#use(kept);
    } catch (error) {
      // Another version may have kept it; the agent has one that fits.
      this.#problems.tell(`the table that was kept cannot be gone by: ${errorMessage(error)}`);
    }
  }

  /** Takes a table of the agent; one that is older than what it has is no use. */
  #take(table: RoutingTable): void {
    if (this.#table !== null && isNewer(this.#table, table)) return;
    this.#use(table);
    this.#file.keep(table);
  }

  /** Throws when it cannot go by the table, and goes on as before. */
  #use(table: RoutingTable): void {
    const before = this.#table;
    this.#live.update(table);
    this.#table = table;
    const settings = JSON.stringify(table.settings);
    if (before !== null && JSON.stringify(before.settings) === settings) return;
    if (this.#ending.is_ending) return;
    const onFailure = (error: unknown) => this.#problems.tell(`the settings are not in effect: ${error}`);
    this.#front.apply(table.settings).then(() => this.#announce(), onFailure);
  }

  /** Says once, as the agent waits for it, that connections are taken. */
  #announce(): void {
    const { listening } = this.#front.facts();
    if (this.#isReady || this.#table === null || listening.length === 0) return;
    this.#isReady = true;
    const { epoch, version: number } = this.#table;
    this.#log.info(
      { router: this.#id, pid: process.pid, version, epoch, table: number, listening },
      'routing',
    );
  }

  /** Null: nothing is other than when this was told last. */
  #facts(whole: boolean) {
    const changed = this.#live.changedCounts();
    const instances = whole ? merge(changed, this.#live.counts()) : changed;
    const { admitted, refused, unroutable } = this.#front.facts();
    const rest = {
      connections: this.#open.count,
      connections_total: admitted,
      unroutable: unroutable + this.#upgrades.unroutable + this.#fast.unroutable,
      refused,
      problems: [...this.#notListening(), ...this.#problems.recent],
    };
    const text = JSON.stringify(rest);
    if (!whole && instances.length === 0 && text === this.#lastFacts) return null;
    this.#lastFacts = text;
    return { instances, ...rest };
  }

  #notListening(): string[] {
    if (this.#table === null || this.#ending.is_ending) return [];
    const { listening } = this.#front.facts();
    const closed = this.#table.settings.listeners.filter(({ address }) => !listening.includes(address));
    return closed.map(({ address }) => `it does not listen on ${address}`);
  }
}

/** Each instance once; what is said later counts. */
function merge(...lists: InstanceTraffic[][]): InstanceTraffic[] {
  return [...new Map(lists.flat().map((each) => [each.instance_id, each])).values()];
}
