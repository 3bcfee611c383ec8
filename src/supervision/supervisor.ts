import type { StopReport } from '../contract/answers.ts';
import type { Spec } from '../contract/spec.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { failPoint } from '../lib/fail_point.ts';
import { milliseconds } from '../lib/units.ts';
import { ownAccount, resolveAccount } from '../processes/account.ts';
import { buildEnvironment, readEnvironmentFile } from '../processes/environment.ts';
import type { ExitStatus } from '../processes/exit_status.ts';
import { checkLaunch, type Program } from '../processes/launch.ts';
import type { PreparedTree, Runtime } from '../processes/runtime.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import { type LastExit, pidOf, type ServiceProcess } from '../services/service.ts';
import {
  endReason,
  type FoundInstance,
  type Instance,
  type StopOrder,
  staysUp,
  sweepTimeout,
} from './instance.ts';
import { lastExit } from './last_exit.ts';
import { type OutputStore, shownLines } from './output.ts';
import { TakeUp, type TakeUpActions } from './take_up.ts';

export interface SupervisorOptions {
  readonly registry: Registry;
  readonly events: EventLog;
  readonly output: OutputStore;
  readonly runtime: Runtime;
  readonly onProblem: (message: string) => void;
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

/**
 * Starts and stops the process trees of services and notes how they end. It decides nothing: what should run,
 * and the order of operations on one service, is up to its callers, who hold the service's lock.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #account = ownAccount();
  readonly #instances = new Map<string, Instance>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Throws `spawn_failed` where it can be known beforehand that the system would refuse to start this. */
  check(service: string, spec: Spec): void {
    checkLaunch(this.#program(service, 0, spec));
  }

  /**
   * Starts a stopped service and waits until it has been up for `min_uptime`. Returns its pid.
   * Throws `spawn_failed`, or `exited_early` with the exit code and the last lines; the service is stopped then.
   */
  async start(order: StartOrder): Promise<number> {
    const { service, release, spec, actor } = order;
    await this.#instances.get(service)?.ended;
    const instance = await this.#launch(order);
    const pid = pidOf(instance.facts);
    await this.#proveUp(instance, spec);
    this.#options.registry.advance(service, 'started');
    const message = `Service runs as pid ${pid}`;
    this.#options.events.record({ type: 'service.started', service, release, pid, actor, message });
    return pid;
  }

  /** Waits until an instance that was taken up has been up for `min_uptime`, as `start` does. Returns its pid. */
  async finishStart(service: string, spec: Spec): Promise<number> {
    const instance = this.#instance(service);
    await this.#proveUp(instance, spec);
    return pidOf(instance.facts);
  }

  /** Stops the whole tree of a service that is not stopped and returns what that took. */
  async stop(service: string, stop: Spec['stop'], order: StopOrder): Promise<StopReport> {
    const instance = this.#instance(service);
    const { release } = instance.facts;
    const pid = pidOf(instance.facts);
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
    instance.stopping = { ...order, report: this.#options.runtime.stop(instance.tree, limits) };
    const report = await instance.stopping.report;
    failPoint('stop.emptied');
    if (report.survivors.includes(instance.facts.pid)) {
      throw new DavitError(
        'internal',
        `process ${pid} could not be ended: the system does not let go of it yet`,
      );
    }
    await instance.ended;
    return report;
  }

  /** Sends a signal to every process of the tree and returns how many it reached. */
  signal(service: string, signal: NodeJS.Signals): Promise<number> {
    return this.#options.runtime.signal(this.#instance(service).tree, signal);
  }

  /**
   * Takes up what an earlier agent left. What takes longer, as a stop that it was in, has its turn first among the
   * operations on the service.
   */
  takeUp(): Promise<void> {
    const watch = (found: FoundInstance) => this.#watch(found);
    const stop: TakeUpActions['stop'] = (service, options, order) => this.stop(service, options, order);
    return new TakeUp(this.#options, { watch, stop }).run();
  }

  #instance(service: string): Instance {
    const instance = this.#instances.get(service);
    if (instance !== undefined) return instance;
    throw new DavitError('state_conflict', `service "${service}" is not running`);
  }

  #program(service: string, release: number, spec: Spec): Program {
    const account = resolveAccount(spec.user, spec.group, this.#account);
    const env = buildEnvironment({
      agentEnvironment: this.#options.agentEnvironment,
      passed: this.#options.passedVariables(),
      files: [spec.env_file].flat().map(readEnvironmentFile),
      env: spec.env,
      account,
      marker: { service, release },
    });
    return { command: spec.command, cwd: spec.cwd, env, account };
  }

  async #launch({ service, release, spec, actor }: StartOrder): Promise<Instance> {
    const { registry, output, runtime } = this.#options;
    const program = this.#program(service, release, spec);
    // A state that was restored from a backup does not know of the last runs.
    const run = Math.max(registry.get(service).runs, output.lastRun(service)) + 1;
    const capture = output.open(service, run, { release, instance: 1 });
    registry.advance(service, 'start', { runs: run });
    try {
      failPoint('start.prepared');
      const tree = await runtime.prepare(program, capture);
      const facts = await this.#letGo(service, tree, release);
      return this.#watch({ service, run, facts, tree, capture });
    } catch (error) {
      this.#noteFailedStart(service, release, actor, errorMessage(error));
      await capture.close();
      throw error;
    }
  }

  /** Before the program is started stands on disk what proves, later, that it was. */
  async #letGo(service: string, tree: PreparedTree, release: number): Promise<ServiceProcess> {
    const { registry } = this.#options;
    const facts = { ...tree.proof, main_pid: null, release, started_at: Date.now() };
    registry.update(service, { process: facts });
    failPoint('start.recorded');
    const main_pid = await tree.letGo();
    failPoint('start.let_go');
    return registry.update(service, { process: { ...facts, main_pid } }).process ?? facts;
  }

  #noteFailedStart(service: string, release: number, actor: string, message: string): void {
    const { registry, events } = this.#options;
    const last_exit: LastExit = {
      return_code: null,
      signal: null,
      at: Date.now(),
      reason: 'start_failed',
      message,
    };
    registry.advance(service, 'ended', { process: null, last_exit });
    events.record({ type: 'service.start_failed', service, release, actor, message });
  }

  async #proveUp(instance: Instance, spec: Spec): Promise<void> {
    if (!(await staysUp(instance, milliseconds(spec.min_uptime)))) throw await this.#exitedEarly(instance);
  }

  #watch(started: FoundInstance): Instance {
    const { promise, resolve } = Promise.withResolvers<LastExit>();
    const instance: Instance = { ...started, stopping: null, ended: promise };
    this.#instances.set(instance.service, instance);
    void instance.tree.exited.then((status) => this.#end(instance, status)).then(resolve);
    return instance;
  }

  /** The process is gone: notes how, and clears away what it left. */
  async #end(instance: Instance, status: ExitStatus): Promise<LastExit> {
    const { service, facts, stopping, tree } = instance;
    const { registry, runtime } = this.#options;
    if (stopping !== null) await stopping.report;
    const reason = stopping?.reason ?? endReason(registry.get(service), facts, status, runtime);
    const exit = lastExit(reason, status, facts.started_at);
    // A service whose process died says so at once; one that is being stopped is stopped when nothing is left of it.
    if (stopping === null) {
      this.#noteEnd(instance, exit);
      await runtime.stop(tree, { signal: 'SIGTERM', timeout_ms: sweepTimeout });
    }
    await instance.capture.close();
    if (stopping !== null) this.#noteEnd(instance, exit);
    failPoint('stop.noted');
    void runtime.forget(facts.instance_id, tree.control_group);
    if (this.#instances.get(service) === instance) this.#instances.delete(service);
    return exit;
  }

  #noteEnd({ service, facts, stopping }: Instance, last_exit: LastExit): void {
    const { registry, events } = this.#options;
    registry.advance(service, 'ended', { process: null, last_exit });
    events.record({
      type: stopping === null ? 'service.exited' : 'service.stopped',
      service,
      release: facts.release,
      pid: pidOf(facts),
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
}
