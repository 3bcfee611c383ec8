import { uptime } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StopReport } from '../contract/answers.ts';
import type { Spec } from '../contract/spec.ts';
import { errorMessage } from '../lib/errors.ts';
import { findControlGroup } from '../processes/control_group.ts';
import { isAlive, readBootId, ticksPerSecond } from '../processes/identity.ts';
import type { OrphanTree } from '../processes/orphans.ts';
import type { AdoptedTree, Runtime } from '../processes/runtime.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import { pidOf, type Service, type ServiceProcess } from '../services/service.ts';
import { endReason, type FoundInstance, type StopOrder, sweepTimeout } from './instance.ts';
import { lastExit, unseenExit } from './last_exit.ts';
import type { OutputStore } from './output.ts';

interface TakeUpParts {
  readonly registry: Registry;
  readonly events: EventLog;
  readonly output: OutputStore;
  readonly runtime: Runtime;
  readonly onProblem: (message: string) => void;
}

/** What is done with what is found. */
export interface TakeUpActions {
  watch(found: FoundInstance): void;
  stop(service: string, options: Spec['stop'], order: StopOrder): Promise<StopReport>;
}

/** How long a wrapper that has just been let go may take to say what it started, in milliseconds. */
const tellTimeout = 1_000;

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
    const left = registry.services().filter((service) => service.state !== 'stopped');
    const known = new Set(left.flatMap(({ process }) => process?.instance_id ?? []));
    await Promise.all(left.map((service) => this.#takeUp(service)));
    runtime.tidy(known);
  }

  /** The end of the state may be lost: what runs of a service that should run is then found by the marks that it carries. */
  async #claimUnrecorded(): Promise<void> {
    const { registry, runtime } = this.#parts;
    const services = registry.services();
    const isLost = ({ wanted, state, under_way, process }: Service) =>
      (wanted === 'running' || state !== 'stopped' || under_way !== null) &&
      (process === null || !isAlive(process));
    const lost = services.filter(isLost);
    if (lost.length === 0) return;
    const known = new Set(services.flatMap(({ process }) => process?.instance_id ?? []));
    const trees = await runtime.orphans(known);
    for (const service of lost) {
      const [tree, another] = trees.filter((orphan) => orphan.service === service.id && !orphan.holdsOthers);
      if (tree !== undefined && another === undefined) this.#claim(service, tree);
    }
  }

  #claim({ id, state, runs, current_release, under_way }: Service, tree: OrphanTree): void {
    const { registry, runtime, output } = this.#parts;
    const proof = runtime.proofOf(tree);
    const release = Number(tree.release);
    if (proof === null || !registry.releases(id).some((known) => known.release === release)) return;
    const process = { ...proof, release, started_at: startOf(proof) };
    // Another release than the current one runs only while it replaces that.
    const before = { release: current_release, instance_id: '' };
    const lost = { release, before, actor: 'agent', is_deployment: true, was_resumed: false };
    if (state !== 'stopped') registry.advance(id, 'ended', { process: null });
    registry.advance(id, 'start', {
      process,
      runs: Math.max(runs, output.lastRun(id)),
      under_way: under_way ?? (release === current_release ? null : lost),
    });
  }

  async #takeUp(service: Service): Promise<void> {
    const { process: facts } = service;
    if (facts === null) return this.#noteLostStart(service.id);
    const tree = this.#parts.runtime.adopt(facts);
    if (tree === null) {
      this.#noteDeathInAbsence(service, facts);
      return;
    }
    await this.#adopt(service, tree, facts);
    const order = stopInProgress(service);
    if (order === null || this.#parts.registry.get(service.id).process === null) return;
    const { spec } = this.#parts.registry.release(service.id, facts.release);
    this.#inItsTurn(service.id, () => this.#actions.stop(service.id, spec.stop, order));
  }

  async #adopt({ id, runs: run, state }: Service, tree: AdoptedTree, before: ServiceProcess): Promise<void> {
    const { registry, output, events } = this.#parts;
    const main_pid = before.main_pid ?? (await soon(tree.told));
    if (main_pid === null && !isAlive(before)) {
      this.#noteLostStart(id);
      return this.#parts.runtime.forget(before.instance_id, tree.control_group);
    }
    const facts = { ...before, main_pid };
    registry.update(id, { process: facts });
    const capture = output.adopt(id, run, { release: facts.release, instance: 1 });
    this.#actions.watch({ service: id, run, facts, tree, capture });
    if (state === 'starting') registry.advance(id, 'started');
    const pid = pidOf(facts);
    const message = `Service was found running as pid ${pid} and is watched again`;
    events.record({ type: 'service.adopted', service: id, release: facts.release, pid, message });
  }

  /** The agent died before it let this one start anything. */
  #noteLostStart(id: string): void {
    const last_exit = unseenExit('start_lost');
    this.#parts.registry.advance(id, 'ended', { process: null, last_exit });
    this.#parts.events.record({ type: 'service.start_failed', service: id, message: last_exit.message });
  }

  #noteDeathInAbsence(service: Service, facts: ServiceProcess): void {
    const { registry, events, runtime } = this.#parts;
    const { id } = service;
    const rebooted = readBootId() !== facts.boot_id;
    const { pid: main_pid, exit: status } = runtime.notesOf(facts.instance_id);
    if (main_pid === null && facts.main_pid === null && !rebooted) {
      this.#noteLostStart(id);
      void runtime.forget(facts.instance_id, findControlGroup(facts.control_group));
      return;
    }
    const reason = stopInProgress(service)?.reason ?? endReason(service, facts, status, runtime);
    const last_exit = rebooted ? unseenExit('host_rebooted') : lastExit(reason, status, null);
    const { message } = last_exit;
    const { release } = facts;
    registry.advance(id, 'ended', { process: null, last_exit });
    events.record({ type: 'service.exited', service: id, release, pid: pidOf(facts), message });
    if (rebooted) return;
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

/** When a process was started, in milliseconds since the epoch. */
function startOf({ start_ticks }: Pick<ServiceProcess, 'start_ticks'>): number {
  return Math.round(Date.now() - (uptime() - Number(start_ticks) / ticksPerSecond) * 1000);
}

/** Null when it takes long: a wrapper that was halted tells nothing. */
function soon<T>(told: Promise<T>): Promise<T | null> {
  return Promise.race([told, sleep(tellTimeout, null, { ref: false })]);
}

/** The stop that an earlier agent was about to make, or in the midst of; null when there was none. */
function stopInProgress({ state, wanted, under_way }: Service): StopOrder | null {
  if (under_way !== null || (state !== 'stopping' && wanted === 'running')) return null;
  return { reason: wanted === 'running' ? 'agent_stopped' : 'stopped', actor: 'agent' };
}
