import type { StopReport } from '../contract/processes.ts';
import {
  mostListed,
  type Orphan,
  type OrphanList,
  type ProcessInformation,
  type StoppedOrphan,
} from '../contract/processes.ts';
import { serviceIdPattern } from '../contract/scalars.ts';
import { DavitError } from '../lib/errors.ts';
import type { OrphanTree } from '../processes/orphans.ts';
import type { Runtime } from '../processes/runtime.ts';
import type { ProcessUsage } from '../processes/usage.ts';
import { wrapperCommand } from '../processes/wrapper.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';

interface OrphansOptions {
  readonly registry: Registry;
  readonly runtime: Runtime;
  readonly events: EventLog;
}

/** How orphans are ended: nobody knows any more what their service asked for. */
const stopOptions = { signal: 'SIGTERM', timeout_ms: 5_000 } as const;

/**
 * What still runs of instances that no service has: the state of their agent was lost, or they outlived their stop.
 * They are shown, and ended by whoever asks for it, never by themselves.
 */
export class Orphans {
  readonly #options: OrphansOptions;
  /** How many the last look found. */
  #count = 0;

  constructor(options: OrphansOptions) {
    this.#options = options;
  }

  /** What somebody should know, as the last look found it. */
  get warnings(): readonly string[] {
    if (this.#count === 0) return [];
    const what =
      this.#count === 1 ? 'instance runs that no service has' : 'instances run that no service has';
    return [`${this.#count} ${what}: see davit orphans, and end them with davit orphans stop`];
  }

  async list(): Promise<OrphanList> {
    const trees = await this.look();
    const shown = await Promise.all(trees.slice(0, mostListed.orphans).map((tree) => this.#show(tree)));
    return { orphans: shown.filter((orphan) => orphan !== null), orphan_count: trees.length };
  }

  /** Finds what there is, oldest first. */
  async look(): Promise<readonly OrphanTree[]> {
    const { registry, runtime } = this.#options;
    const claimed = new Set(
      registry
        .services()
        .flatMap(({ instances }) => instances.flatMap(({ process }) => process?.instance_id ?? [])),
    );
    const trees = await runtime.orphans(claimed);
    this.#count = trees.length;
    return trees.toSorted((a, b) => startOf(a) - startOf(b));
  }

  /** Throws `state_conflict` where one of a service runs: to start that beside it would make two. */
  async refuseSecond(service: string): Promise<void> {
    const tree = (await this.look()).find((orphan) => serviceOf(orphan) === service);
    if (tree === undefined) return;
    throw new DavitError(
      'state_conflict',
      `service "${service}" is not started again by itself: its orphan ${tree.instance_id} runs, see davit orphans`,
    );
  }

  /** Ends one with everything it started. Throws `orphan_not_found`; `state_conflict` where others would end with it. */
  async stop(instance_id: string, actor: string): Promise<StoppedOrphan> {
    const tree = (await this.look()).find((orphan) => orphan.instance_id === instance_id);
    if (tree === undefined) {
      throw new DavitError(
        'orphan_not_found',
        `there is no orphan ${instance_id}: it has ended, or belongs to a service`,
      );
    }
    if (tree.holdsOthers) {
      throw new DavitError(
        'state_conflict',
        `this agent, or a service of it, runs inside of ${instance_id} and would end with it; start the agent outside of it first`,
      );
    }
    const stop = await this.#options.runtime.stopOrphan(tree, stopOptions);
    const service = serviceOf(tree);
    const message = describe(tree, stop);
    this.#options.events.record({ type: 'orphan.stopped', ...(service && { service }), actor, message });
    await this.look();
    return { instance_id, service, message, stop };
  }

  async #show(tree: OrphanTree): Promise<Orphan | null> {
    const most = mostListed.processes_of_orphan;
    const { processes, process_count } = await this.#options.runtime.inspectOrphan(tree, most);
    const [first] = processes;
    if (first === undefined) return null;
    return {
      instance_id: tree.instance_id,
      service: serviceOf(tree),
      release: releaseOf(tree),
      started_at: first.started_at,
      processes: processes.map((each) => ({ ...each, role: roleOf(each, first) })),
      process_count,
    };
  }
}

function startOf({ members }: OrphanTree): number {
  return Math.min(...members.map(({ start_ticks }) => Number(start_ticks)));
}

/** Anybody may write anything into an environment. */
function serviceOf({ service }: OrphanTree): string | null {
  return service !== null && serviceIdPattern.test(service) ? service : null;
}

function releaseOf({ release }: OrphanTree): number | null {
  return release !== null && /^[1-9]\d{0,8}$/.test(release) ? Number(release) : null;
}

function roleOf({ pid, parent }: ProcessUsage, first: ProcessUsage): ProcessInformation['role'] {
  if (first.command !== wrapperCommand.join(' ')) return 'descendant';
  if (pid === first.pid) return 'wrapper';
  return parent === first.pid ? 'main' : 'descendant';
}

function describe(tree: OrphanTree, { ended_by, survivors }: StopReport): string {
  const service = serviceOf(tree);
  const what = `Orphan ${tree.instance_id}${service === null ? '' : ` of service ${service}`}`;
  if (survivors.length > 0) return `${what} was not ended whole: ${survivors.join(', ')} is still there`;
  return `${what} was ended${ended_by === 'kill' ? ' by SIGKILL' : ''}`;
}
