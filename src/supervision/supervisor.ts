import { randomUUID } from 'node:crypto';
import type { StopReport } from '../contract/answers.ts';
import type { Spec } from '../contract/spec.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { milliseconds } from '../lib/units.ts';
import { ownAccount, resolveAccount } from '../processes/account.ts';
import { Adoption } from '../processes/adopt.ts';
import { buildEnvironment, readEnvironmentFile } from '../processes/environment.ts';
import { readBootId } from '../processes/identity.ts';
import {
  checkLaunch,
  type ExitStatus,
  type LaunchedProcess,
  launch,
  type Program,
} from '../processes/launch.ts';
import { ProcessTable } from '../processes/process_table.ts';
import { signalTree } from '../processes/signal.ts';
import { stopTree } from '../processes/stop.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import type { LastExit, Service, ServiceProcess } from '../services/service.ts';
import { lastExit, startsAgain, unseenExit } from './last_exit.ts';
import { type Capture, type OutputStore, shownLines } from './output.ts';

export interface SupervisorOptions {
  readonly registry: Registry;
  readonly events: EventLog;
  readonly output: OutputStore;
  /** The agent's own environment; services get the harmless part of it. */
  readonly agentEnvironment: NodeJS.ProcessEnv;
  /** Names of further variables of the agent that services get. */
  readonly passedVariables: () => readonly string[];
}

/** What is to be started, and by whom. */
export interface StartOrder {
  readonly service: string;
  readonly release: number;
  readonly spec: Spec;
  readonly actor: string;
}

/** Why and by whom something is stopped. */
export interface StopOrder {
  readonly reason: 'stopped' | 'agent_stopped';
  readonly actor: string;
}

/** A stop that is under way. */
interface Stopping extends StopOrder {
  readonly report: Promise<StopReport>;
}

/** The living process tree of a service. */
interface Instance {
  readonly service: string;
  readonly run: number;
  readonly facts: ServiceProcess;
  readonly process: LaunchedProcess;
  readonly capture: Capture;
  /** Resolves when the process is gone, its leftovers are swept and its output is closed. */
  readonly ended: Promise<LastExit>;
  stopping: Stopping | null;
}

/** How long leftovers of a process that ended by itself get to end. */
const sweepTimeout = 2_000;

/**
 * Starts and stops the process trees of services and notes how they end. It decides nothing: what should run,
 * and the order of operations on one service, is up to its callers, who hold the service's lock.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #account = ownAccount();
  readonly #table = new ProcessTable();
  readonly #adoption = new Adoption();
  readonly #instances = new Map<string, Instance>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Throws `spawn_failed` where it can be known beforehand that the system would refuse to start this. */
  check(service: string, spec: Spec): void {
    checkLaunch(this.#program(service, 0, spec, ''));
  }

  /**
   * Starts a stopped service and waits until it has been up for `min_uptime`. Returns its pid.
   * Throws `spawn_failed`, or `exited_early` with the exit code and the last lines; the service is stopped then.
   */
  async start(order: StartOrder): Promise<number> {
    const { service, release, spec, actor } = order;
    await this.#instances.get(service)?.ended;
    const instance = await this.#launch(order);
    const { pid } = instance.facts;
    if (!(await staysUp(instance, milliseconds(spec.min_uptime)))) throw await this.#exitedEarly(instance);
    this.#options.registry.advance(service, 'started');
    const message = `Service runs as pid ${pid}`;
    this.#options.events.record({ type: 'service.started', service, release, pid, actor, message });
    return pid;
  }

  /** Stops the whole tree of a service that is not stopped and returns what that took. */
  async stop(service: string, stop: Spec['stop'], order: StopOrder): Promise<StopReport> {
    const instance = this.#instance(service);
    const { pid, release } = instance.facts;
    if (this.#options.registry.get(service).state !== 'stopping')
      this.#options.registry.advance(service, 'stop');
    const message = `Sending ${stop.signal} to pid ${pid} and its descendants`;
    this.#options.events.record({
      type: 'service.stopping',
      service,
      release,
      pid,
      actor: order.actor,
      message,
    });
    const limits = { signal: stop.signal, timeout_ms: milliseconds(stop.timeout) };
    instance.stopping = { ...order, report: stopTree(this.#table, targetOf(instance), limits) };
    const report = await instance.stopping.report;
    this.#adoption.look();
    if (report.survivors.includes(pid)) {
      throw new DavitError(
        'internal',
        `process ${pid} could not be ended: the system does not let go of it yet`,
      );
    }
    await instance.ended;
    return report;
  }

  /** Sends a signal to every process of the tree and returns how many it reached. */
  async signal(service: string, signal: NodeJS.Signals): Promise<number> {
    const reached = await signalTree(this.#table, targetOf(this.#instance(service)), signal);
    return reached.length;
  }

  /** Takes up what an earlier agent left, and returns the services that should run and have to be started again. */
  async takeUp(): Promise<string[]> {
    const left = this.#options.registry.services().filter((service) => service.state !== 'stopped');
    await Promise.all(left.map((service) => this.#takeUp(service)));
    return this.#options.registry
      .services()
      .filter(
        ({ wanted, state, last_exit }) =>
          wanted === 'running' && state === 'stopped' && startsAgain(last_exit),
      )
      .map((service) => service.id);
  }

  #instance(service: string): Instance {
    const instance = this.#instances.get(service);
    if (instance !== undefined) return instance;
    throw new DavitError('state_conflict', `service "${service}" is not running`);
  }

  #program(service: string, release: number, spec: Spec, instanceId: string): Program {
    const account = resolveAccount(spec.user, spec.group, this.#account);
    const env = buildEnvironment({
      agentEnvironment: this.#options.agentEnvironment,
      passed: this.#options.passedVariables(),
      files: [spec.env_file].flat().map(readEnvironmentFile),
      env: spec.env,
      account,
      marker: { service, release, instance_id: instanceId },
    });
    return { command: spec.command, cwd: spec.cwd, env, account };
  }

  async #launch({ service, release, spec, actor }: StartOrder): Promise<Instance> {
    const { registry, output } = this.#options;
    const instanceId = randomUUID();
    const program = this.#program(service, release, spec, instanceId);
    const run = registry.get(service).runs + 1;
    const capture = output.open(service, run, { release, instance: 1 });
    registry.advance(service, 'start', { runs: run });
    try {
      const process = await launch({ ...program, stdout: capture.stdout, stderr: capture.stderr });
      const facts = { ...process.identity, instance_id: instanceId, release, started_at: Date.now() };
      registry.update(service, { process: facts });
      return this.#watch({ service, run, facts, process, capture });
    } catch (error) {
      const message = errorMessage(error);
      const last_exit: LastExit = {
        return_code: null,
        signal: null,
        at: Date.now(),
        reason: 'start_failed',
        message,
      };
      registry.advance(service, 'ended', { last_exit });
      this.#options.events.record({ type: 'service.start_failed', service, release, actor, message });
      await capture.close();
      throw error;
    } finally {
      capture.release();
    }
  }

  #watch(started: Omit<Instance, 'ended' | 'stopping'>): Instance {
    const { promise, resolve } = Promise.withResolvers<LastExit>();
    const instance: Instance = { ...started, stopping: null, ended: promise };
    this.#instances.set(instance.service, instance);
    void instance.process.exited.then((status) => this.#end(instance, status)).then(resolve);
    return instance;
  }

  /** The process is gone: notes how, and clears away what it left. */
  async #end(instance: Instance, status: ExitStatus): Promise<LastExit> {
    const { service, facts, stopping } = instance;
    if (stopping !== null) await stopping.report;
    const wasStarting = this.#options.registry.get(service).state === 'starting';
    const reason = stopping?.reason ?? (wasStarting ? 'start_failed' : 'exited');
    const exit = lastExit(reason, status, facts.started_at);
    // A service whose process died says so at once; one that is being stopped is stopped when nothing is left of it.
    if (stopping === null) {
      this.#noteEnd(instance, exit);
      await stopTree(this.#table, targetOf(instance), { signal: 'SIGTERM', timeout_ms: sweepTimeout });
    }
    await instance.capture.close();
    if (stopping !== null) this.#noteEnd(instance, exit);
    if (this.#instances.get(service)?.facts.instance_id === facts.instance_id)
      this.#instances.delete(service);
    return exit;
  }

  #noteEnd({ service, facts, stopping }: Instance, last_exit: LastExit): void {
    const { registry, events } = this.#options;
    registry.advance(service, 'ended', { process: null, last_exit });
    events.record({
      type: stopping === null ? 'service.exited' : 'service.stopped',
      service,
      release: facts.release,
      pid: facts.pid,
      message: last_exit.message,
      ...(stopping && { actor: stopping.actor }),
    });
  }

  async #exitedEarly(instance: Instance): Promise<DavitError> {
    const { return_code, signal, message } = await instance.ended;
    const last_lines = await this.#options.output.tail(instance.service, instance.run, shownLines);
    const sentence = `service "${instance.service}" did not stay up: ${message.toLowerCase()}`;
    return new DavitError('exited_early', sentence, { fields: { return_code, signal, last_lines } });
  }

  async #takeUp(service: Service): Promise<void> {
    const { process: facts } = service;
    if (facts === null) return this.#noteLostStart(service);
    const process = this.#adoption.adopt(facts);
    if (process === null) return this.#noteDeathInAbsence(service, facts);
    const spec = this.#options.registry.release(service.id, facts.release).spec;
    const capture = this.#options.output.adopt(service.id, service.runs, {
      release: facts.release,
      instance: 1,
    });
    this.#watch({ service: service.id, run: service.runs, facts, process, capture });
    if (service.state === 'starting') this.#options.registry.advance(service.id, 'started');
    const { pid, release } = facts;
    const message = `Service was found running as pid ${pid} and is watched again`;
    this.#options.events.record({ type: 'service.adopted', service: service.id, release, pid, message });
    if (service.state === 'stopping')
      await this.stop(service.id, spec.stop, { reason: 'stopped', actor: 'agent' });
  }

  /** The agent died while it started this one: no process is known. */
  #noteLostStart({ id }: Service): void {
    const last_exit = unseenExit('start_lost');
    this.#options.registry.advance(id, 'ended', { last_exit });
    this.#options.events.record({ type: 'service.start_failed', service: id, message: last_exit.message });
  }

  async #noteDeathInAbsence(service: Service, facts: ServiceProcess): Promise<void> {
    const rebooted = readBootId() !== facts.boot_id;
    const last_exit = unseenExit(rebooted ? 'host_rebooted' : 'ended_unwatched');
    const { message } = last_exit;
    const { id } = service;
    this.#options.registry.advance(id, 'ended', { process: null, last_exit });
    this.#options.events.record({
      type: 'service.exited',
      service: id,
      release: facts.release,
      pid: facts.pid,
      message,
    });
    const target = { identity: facts, instance_id: facts.instance_id };
    if (!rebooted) await stopTree(this.#table, target, { signal: 'SIGTERM', timeout_ms: sweepTimeout });
  }
}

function targetOf({ facts, process: { exited } }: Instance) {
  return { identity: facts, instance_id: facts.instance_id, exited };
}

/** Whether the process is still there after `duration` milliseconds. */
async function staysUp(instance: Instance, duration: number): Promise<boolean> {
  if (duration === 0) return true;
  const { promise: survived, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(true), duration - (Date.now() - instance.facts.started_at));
  try {
    return await Promise.race([survived, instance.process.exited.then(() => false)]);
  } finally {
    clearTimeout(timer);
  }
}
