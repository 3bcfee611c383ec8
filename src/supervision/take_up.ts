import { uptime } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StopReport } from '../contract/processes.ts';
import type { Spec } from '../contract/spec.ts';
import { errorMessage } from '../lib/errors.ts';
import { findControlGroup } from '../processes/control_group.ts';
import { isAlive, readBootId, ticksPerSecond } from '../processes/identity.ts';
import type { OrphanTree } from '../processes/orphans.ts';
import type { AdoptedTree, Runtime } from '../processes/runtime.ts';
import type { EventLog } from '../services/event_log.ts';
import { type Instance, type InstanceProcess, pidOf } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import type { Service } from '../services/service.ts';
import type { Endings } from './endings.ts';
import { lastExit, unseenExit } from './last_exit.ts';
import type { OutputStore } from './output.ts';
import type { PortBook } from './port_book.ts';
import { exitByItself, type FoundInstance, type StopOrder, sweepTimeout } from './running_instance.ts';

interface TakeUpParts {
  readonly registry: Registry;
  readonly events: EventLog;
  readonly output: OutputStore;
  readonly runtime: Runtime;
  readonly ports: PortBook;
  readonly onProblem: (message: string) => void;
}

/** What is done with what is found. */
export interface TakeUpActions {
  watch(found: FoundInstance): void;
  stop(service: string, number: number, options: Spec['stop'], order: StopOrder): Promise<StopReport>;
  readonly endings: Endings;
}

/** An instance that an earlier agent has left. */
interface LeftInstance {
  readonly service: Service;
  readonly instance: Instance;
}

/** How long a wrapper that has just been let go may take to say what it started, in milliseconds. */
const tellTimeout = 1_000;

/** The states in which an instance has a process. */
const withProcess: ReadonlySet<Instance['state']> = new Set([
  'starting',
  'running',
  'paused',
  'draining',
  'stopping',
]);

/**
 * Takes up what an earlier agent left. What takes longer, as a stop that it was in, has its turn first among the operations
 * on the service.
 */
export class TakeUp {
  readonly #parts: TakeUpParts;
  readonly #actions: TakeUpActions;

  constructor(parts: TakeUpParts, actions: TakeUpActions) {
    this.#parts = parts;
    this.#actions = actions;
  }

  async run(): Promise<void> {
    const { registry, runtime } = this.#parts;
    await this.#claimUnrecorded();
    const left = registry
      .services()
      .flatMap((service) => service.instances.map((instance) => ({ service, instance })))
      .filter(({ instance }) => withProcess.has(instance.state));
    const known = new Set(left.flatMap(({ instance }) => instance.process?.instance_id ?? []));
    await Promise.all(left.map((each) => this.#takeUp(each)));
    runtime.tidy(known);
  }

  /** The end of the state may be lost: what runs of a service that should run is then found by the marks that it carries. */
  async #claimUnrecorded(): Promise<void> {
    const { registry, runtime } = this.#parts;
    const services = registry.services();
    const isDue = ({ wanted, under_way }: Service, { state }: Instance) =>
      wanted === 'running' || withProcess.has(state) || under_way !== null;
    const lost = services.flatMap((service) =>
      service.instances
        .filter((instance) => isDue(service, instance))
        .filter(({ process }) => process === null || !isAlive(process))
        .map((instance) => ({ service, instance })),
    );
    if (lost.length === 0) return;
    const known = new Set(
      services.flatMap(({ instances }) => instances.flatMap(({ process }) => process?.instance_id ?? [])),
    );
    const trees = await runtime.orphans(known);
    for (const each of lost) {
      const [tree, another] = trees.filter((orphan) => isOf(orphan, each) && !orphan.holdsOthers);
      if (tree !== undefined && another === undefined) this.#claim(each, tree);
    }
  }

  #claim({ service, instance }: LeftInstance, tree: OrphanTree): void {
    const { registry, runtime, output } = this.#parts;
    const { id, current_release, under_way } = service;
    const proof = runtime.proofOf(tree);
    const release = Number(tree.release);
    if (proof === null || !registry.releases(id).some((known) => known.release === release)) return;
    const process = { ...proof, release, started_at: startOf(proof) };
    // Another release than the current one runs only while it replaces that.
    const before = { release: current_release, instance_ids: [] };
    const order = { release, instances: service.instances.length, actor: 'agent', cause: null };
    const how = { strategy: 'recreate', places: [instance.number], shares: null, deployment: null } as const;
    const lost = { ...order, ...how, before, is_deployment: true, was_resumed: false };
    if (withProcess.has(instance.state)) registry.advance(id, instance.number, 'ended', { process: null });
    registry.begin(id, instance.number, Math.max(service.runs, output.lastRun(id)), { process });
    if (under_way === null && release !== current_release) registry.update(id, { under_way: lost });
  }

  async #takeUp({ service, instance }: LeftInstance): Promise<void> {
    const { id } = service;
    const { number, process: facts } = instance;
    if (facts === null) return this.#noteLostStart(id, number);
    const tree = this.#parts.runtime.adopt(facts);
    if (tree === null) {
      this.#noteDeathInAbsence(service, instance, facts);
      return;
    }
    await this.#adopt(id, instance, tree, facts);
    const order = stopInProgress(service, instance);
    if (order === null || this.#parts.registry.instance(id, number).process === null) return;
    const { spec } = this.#parts.registry.release(id, facts.release);
    this.#inItsTurn(id, () => this.#actions.stop(id, number, spec.stop, order));
  }

  async #adopt(
    id: string,
    { number, run, state }: Instance,
    tree: AdoptedTree,
    before: InstanceProcess,
  ): Promise<void> {
    const { registry, output, events, ports } = this.#parts;
    const main_pid = before.main_pid ?? (await soon(tree.told));
    if (main_pid === null && !isAlive(before)) {
      this.#noteLostStart(id, number);
      return this.#parts.runtime.forget(before.instance_id, tree.control_group);
    }
    const facts = { ...before, main_pid };
    await ports.hold(id, number);
    const capture = output.adopt(id, run, { release: facts.release, instance: number });
    const pid = pidOf(facts);
    const { id: last_event } = events.record({
      type: 'service.adopted',
      service: id,
      instance: number,
      release: facts.release,
      pid,
      cause: registry.instance(id, number).last_event,
      message: `Service was found running as pid ${pid} and is watched again`,
    });
    registry.updateInstance(id, number, { process: facts, last_event });
    if (state === 'starting') registry.advance(id, number, 'started');
    this.#actions.watch({
      service: id,
      number,
      run,
      facts,
      tree,
      capture,
      trigger: null,
      scheduled_for: null,
      isOnTrial: false,
    });
  }

  /** The agent died before it let this one start anything. */
  #noteLostStart(id: string, number: number): void {
    this.#actions.endings.noteUnseen(id, number, unseenExit('start_lost'), 'service.start_failed');
  }

  #noteDeathInAbsence(service: Service, instance: Instance, facts: InstanceProcess): void {
    const { runtime } = this.#parts;
    const { id } = service;
    const { number } = instance;
    const rebooted = readBootId() !== facts.boot_id;
    const { pid: main_pid, exit: status } = runtime.notesOf(facts.instance_id);
    if (main_pid === null && facts.main_pid === null && !rebooted) {
      this.#noteLostStart(id, number);
      void runtime.forget(facts.instance_id, findControlGroup(facts.control_group));
      return;
    }
    if (rebooted) {
      const exit = unseenExit('host_rebooted');
      this.#actions.endings.noteUnseen(id, number, exit, 'service.exited', pidOf(facts));
      return;
    }
    const stopping = stopInProgress(service, instance);
    const limit = this.#parts.registry.release(id, facts.release).spec.limits.memory;
    const exit =
      stopping === null
        ? exitByItself(facts, status, null, { runtime, limit })
        : lastExit(stopping.reason, status, null);
    const isOnTrial = service.under_way !== null;
    this.#actions.endings.note({ service: id, number, facts, exit, stopping, isOnTrial, isSeen: false });
    this.#inItsTurn(id, async () => {
      await runtime.sweep(facts, { signal: 'SIGTERM', timeout_ms: sweepTimeout });
      await runtime.forget(facts.instance_id, findControlGroup(facts.control_group));
    });
  }

  #inItsTurn(service: string, work: () => Promise<unknown>): void {
    const { registry, onProblem } = this.#parts;
    registry.lock
      .run(service, work)
      .catch((error) => onProblem(`service "${service}": ${errorMessage(error)}`));
  }
}

/** Whether an orphan carries the marks of an instance. */
function isOf(orphan: OrphanTree, { service, instance }: LeftInstance): boolean {
  const number = orphan.instance === null ? 1 : Number(orphan.instance);
  return orphan.service === service.id && number === instance.number;
}

/** When a process was started, in milliseconds since the epoch. */
function startOf({ start_ticks }: Pick<InstanceProcess, 'start_ticks'>): number {
  return Math.round(Date.now() - (uptime() - Number(start_ticks) / ticksPerSecond) * 1000);
}

/** Null when it takes long: a wrapper that was halted tells nothing. */
function soon<T>(told: Promise<T>): Promise<T | null> {
  return Promise.race([told, sleep(tellTimeout, null, { ref: false })]);
}

/** The stop that an earlier agent was about to make, or in the midst of; null when there was none. */
function stopInProgress({ wanted, under_way }: Service, { state }: Instance): StopOrder | null {
  if (under_way !== null || (state !== 'stopping' && wanted === 'running')) return null;
  return { reason: wanted === 'running' ? 'agent_stopped' : 'stopped', actor: 'agent' };
}
