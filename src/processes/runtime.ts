import { createHash, randomUUID } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StopReport } from '../contract/processes.ts';
import { failPoint } from '../lib/fail_point.ts';
import { Adoption } from './adopt.ts';
import {
  type ControlGroup,
  type ControlGroupPlace,
  ControlGroups,
  findControlGroup,
} from './control_group.ts';
import { findTree, type TreeTarget } from './descendants.ts';
import { type ProcessIdentity, readIdentity, readStat } from './identity.ts';
import { KernelLog } from './kernel_log.ts';
import { explainFailure, type LaunchedProcess, type Program, startOnWindows } from './launch.ts';
import { Lifelines, type WrapperNotes } from './lifeline.ts';
import { limitations } from './limitations.ts';
import { checkLimits } from './limits.ts';
import { endOrphan, findOrphans, type OrphanTree } from './orphans.ts';
import { type OutOfMemory, whyOutOfMemory } from './out_of_memory.ts';
import { markName, ProcessTable } from './process_table.ts';
import { signalTree } from './signal.ts';
import { type StopOptions, stopTree } from './stop.ts';
import { SystemdRunner } from './systemd_runner.ts';
import { readUsages, type Usages } from './usage.ts';
import { type OutputDescriptors, Wrappers } from './wrappers.ts';

/** What proves, also to a later agent, which process tree an instance is. */
export interface InstanceProof extends ProcessIdentity {
  /** Stands in the environment of every process of the tree. */
  readonly instance_id: string;
  /** The folder of its control group; null when it has none. */
  readonly control_group: string | null;
}

/** The process tree of an instance, which this agent watches. */
export interface ProcessTree extends LaunchedProcess {
  readonly instance_id: string;
  readonly control_group: ControlGroup | null;
}

/** A tree that has been prepared, and starts its program when it is let go. */
export interface PreparedTree extends ProcessTree {
  readonly proof: InstanceProof;
  /** Resolves with the pid of the program, which may have ended by then. */
  letGo(): Promise<number>;
}

/** A tree that was taken up. `told`: the pid of its program, if that has not been read before. */
export interface AdoptedTree extends ProcessTree {
  readonly told: Promise<number | null>;
}

export interface RuntimeOptions {
  /** The folder of what instances leave for later agents; it belongs to this agent alone. */
  readonly directory: string;
  readonly controlGroups: ControlGroupPlace;
  readonly onProblem: (message: string) => void;
  /** The agent's own, which says where the systemd of its account is; default: that of this process. */
  readonly environment?: NodeJS.ProcessEnv;
}

/** How often the removal of a control group is tried; the next agent removes what is left. */
const mostTries = 20;

/** Starts, takes up, signals and stops the process trees of instances. */
export class Runtime {
  readonly #lifelines: Lifelines;
  readonly #adoption: Adoption;
  readonly #groups: ControlGroups;
  readonly #wrappers: Wrappers;
  readonly #systemd: SystemdRunner;
  readonly #table = new ProcessTable();
  readonly #kernelLog = new KernelLog();
  /** By what the instances of this agent are told from those of others on the same host. */
  readonly #ownPrefix: string;
  readonly #directory: string;
  /** The instances that this agent has started or taken up, until it forgets them: also those that nobody else knows yet. */
  readonly #kept = new Set<string>();

  constructor(options: RuntimeOptions) {
    this.#lifelines = new Lifelines(options.directory, options.onProblem);
    this.#adoption = new Adoption(this.#lifelines);
    this.#groups = new ControlGroups(options.controlGroups);
    this.#directory = realpathSync(options.directory);
    this.#ownPrefix = `${createHash('sha256').update(this.#directory).digest('hex').slice(0, 8)}-`;
    this.#wrappers = new Wrappers({
      lifelines: this.#lifelines,
      groups: this.#groups,
      newId: () => this.#newInstanceId(),
      onProblem: options.onProblem,
    });
    this.#systemd = new SystemdRunner({
      lifelines: this.#lifelines,
      newId: () => this.#newInstanceId(),
      environment: options.environment ?? process.env,
    });
  }

  /** What this host or this account keeps from it, in sentences. */
  get limitations(): readonly string[] {
    return limitations(this.#groups.missing);
  }

  /** Whether instances get control groups of their own, and why not. */
  get controlGroups(): { readonly used: boolean; readonly reason: string | null } {
    return { used: this.#groups.missing === null, reason: this.#groups.missing };
  }

  /**
   * Makes the process of an instance, which waits until it is let go: what proves it can be written down before it does
   * anything. An agent that dies before that has started nothing. Throws `spawn_failed`.
   */
  async prepare(program: Program, output: OutputDescriptors): Promise<PreparedTree> {
    try {
      if (process.platform === 'win32') return await this.#startOnWindows(program, output);
      const runner = program.runner === 'systemd' ? this.#systemd : this.#wrappers;
      const wrapper = await runner.take(program, output);
      failPoint('start.spawned');
      const { identity, exited, instance_id, control_group } = wrapper;
      const proof = { ...identity, instance_id, control_group: control_group?.folder ?? null };
      return { identity, exited, instance_id, control_group, proof, letGo: () => wrapper.letGo() };
    } catch (error) {
      throw explainFailure(error, program);
    }
  }

  /**
   * Which limits of a program this agent cannot set, as sentences. Throws `not_supported` when the program must not be
   * started without. Nothing is begun by it.
   */
  checkLimits({ limits, runner }: Pick<Program, 'limits' | 'runner'>): readonly string[] {
    // systemd sets those of its units, and says what it cannot.
    return runner === 'systemd' ? [] : checkLimits(limits, this.#groups);
  }

  /**
   * Throws `not_supported` where it can be known beforehand that the runner of a program cannot start it here. Returns
   * which of its limits that runner cannot set, as sentences. Nothing is begun by it.
   */
  checkRunner(program: Pick<Program, 'runner' | 'env' | 'account' | 'limits'>): readonly string[] {
    return program.runner === 'systemd' ? this.#systemd.check(program) : [];
  }

  /**
   * Sees to it that so many instances of a program can be started next, as far as that can be known. Throws `spawn_failed`
   * with the system's reason; nothing has been started then.
   */
  async reserve(program: Program, count: number): Promise<void> {
    const isByReadyWrapper = program.runner === 'direct' && program.account.switch_to === null;
    if (process.platform === 'win32' || !isByReadyWrapper) return;
    try {
      await this.#wrappers.reserve(count);
    } catch (error) {
      throw explainFailure(error, program);
    }
  }

  /** Takes up what an earlier agent started; null when it cannot be proved to be alive. */
  adopt(proof: InstanceProof): AdoptedTree | null {
    const { pid, start_ticks, boot_id, instance_id } = proof;
    const adopted = this.#adoption.adopt({ pid, start_ticks, boot_id }, instance_id);
    if (adopted !== null) this.#kept.add(instance_id);
    return adopted && { ...adopted, instance_id, control_group: findControlGroup(proof.control_group) };
  }

  /** What was written down of an instance: the pid of its program, if that was started, and how it ended. */
  notesOf(instance_id: string): WrapperNotes {
    return this.#lifelines.notesOf(instance_id);
  }

  /**
   * Whether the kernel killed one of these processes of an instance because memory ran out, and whose; null: it did not.
   * Only to be asked of an instance that ended by SIGKILL, and before it is forgotten.
   */
  outOfMemory(proof: InstanceProof, pids: readonly (number | null)[]): OutOfMemory | null {
    const kill = this.#kernelLog.killForMemory(proof, pids, proof.control_group);
    return whyOutOfMemory(kill, proof.control_group, findControlGroup(proof.control_group)?.memoryEvents());
  }

  /** Ends the whole tree. Returns what that took. */
  async stop(tree: ProcessTree, options: StopOptions): Promise<StopReport> {
    const report = await stopTree(this.#table, targetOf(tree), options);
    this.#adoption.look();
    return report;
  }

  /** Ends what an instance left whose first process is gone. */
  async sweep(
    { instance_id, control_group, ...identity }: InstanceProof,
    options: StopOptions,
  ): Promise<StopReport> {
    const target = { identity, instance_id, control_group: findControlGroup(control_group) };
    this.#kept.add(instance_id);
    try {
      return await stopTree(this.#table, target, options);
    } finally {
      this.#kept.delete(instance_id);
    }
  }

  /** What runs of the instances of this agent that nobody claims. */
  orphans(claimed: ReadonlySet<string>): Promise<OrphanTree[]> {
    return findOrphans(this.#table, {
      prefix: this.#ownPrefix,
      directory: this.#directory,
      groups: this.#groupsThere(),
      isClaimed: (id) => claimed.has(id) || this.#kept.has(id),
    });
  }

  /** What proves an orphan to be a whole instance, with the wrapper that it was started by; null where that is gone. */
  proofOf({ instance_id, members }: OrphanTree): (InstanceProof & { main_pid: number | null }) | null {
    const leader = members.find(({ pid }) => readStat(pid)?.session === pid);
    const identity = leader ? readIdentity(leader.pid) : null;
    const { pid: main_pid } = this.#lifelines.notesOf(instance_id);
    const control_group = this.#groupsThere().get(instance_id)?.folder ?? null;
    return identity && main_pid !== null ? { ...identity, instance_id, control_group, main_pid } : null;
  }

  /** What the processes of an orphan are and use, at most so many of them. */
  inspectOrphan({ members }: OrphanTree, most: number): Promise<Usages> {
    return readUsages(members, most);
  }

  /** Ends an orphan, and removes what it has left. Returns what that took. */
  async stopOrphan(orphan: OrphanTree, options: StopOptions): Promise<StopReport> {
    const report = await endOrphan(this.#table, orphan, options);
    await this.forget(orphan.instance_id, this.#groupsThere().get(orphan.instance_id) ?? null);
    return report;
  }

  /** What the processes of an instance are and use, at most so many of them. */
  async inspect({ instance_id, control_group, ...identity }: InstanceProof, most: number): Promise<Usages> {
    const target = { identity, instance_id, control_group: findControlGroup(control_group) };
    return readUsages(await findTree(this.#table, target), most);
  }

  /** Sends a signal to every process of a tree and returns how many it reached. */
  async signal(tree: ProcessTree, signal: NodeJS.Signals): Promise<number> {
    return (await signalTree(this.#table, targetOf(tree), signal)).length;
  }

  /** Removes what an instance that is gone has left of itself. */
  async forget(instance_id: string, control_group: ControlGroup | null): Promise<void> {
    this.#kept.delete(instance_id);
    this.#lifelines.remove(instance_id);
    // The system lets go of a group a moment after the last process of it.
    for (let tries = 0; control_group && !control_group.remove() && tries < mostTries; tries++)
      await sleep(50, undefined, { ref: false });
  }

  /** Removes what is left of all instances but these, and makes ready for new ones. */
  tidy(instances: ReadonlySet<string>): void {
    this.#lifelines.keepOnly(instances);
    for (const [instance, group] of this.#groups.list()) {
      if (instance.startsWith(this.#ownPrefix) && !instances.has(instance) && group.isEmpty()) group.remove();
    }
    this.#wrappers.makeReady();
  }

  /** Ends what was made ready and is not needed any more. What runs stays. */
  close(): void {
    this.#wrappers.close();
  }

  /** The control groups of instances, those of units too. */
  #groupsThere(): Map<string, ControlGroup> {
    return new Map([...this.#groups.list(), ...this.#systemd.groups()]);
  }

  async #startOnWindows(program: Program, output: OutputDescriptors): Promise<PreparedTree> {
    const instance_id = this.#newInstanceId();
    const env = { ...program.env, [markName]: instance_id };
    const launched = await startOnWindows({ ...program, env }, output);
    const proof = { ...launched.identity, instance_id, control_group: null };
    return { ...launched, instance_id, control_group: null, proof, letGo: async () => launched.identity.pid };
  }

  /** An instance id names the agent that it belongs to, and no two are alike. */
  #newInstanceId(): string {
    const instance_id = this.#ownPrefix + randomUUID();
    this.#kept.add(instance_id);
    return instance_id;
  }
}

function targetOf({ identity, instance_id, control_group, exited }: ProcessTree): TreeTarget {
  return { identity, instance_id, control_group, exited };
}
