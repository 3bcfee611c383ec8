import { setTimeout as sleep } from 'node:timers/promises';
import type { StopReport } from '../contract/processes.ts';
import type { Spec } from '../contract/spec.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { failPoint } from '../lib/fail_point.ts';
import { milliseconds } from '../lib/units.ts';
import type { ExitStatus } from '../processes/exit_status.ts';
import { checkLaunch } from '../processes/launch.ts';
import { checkPlaceholders } from '../processes/placeholders.ts';
import type { PreparedTree, Runtime } from '../processes/runtime.ts';
import type { EventLog } from '../services/event_log.ts';
import { type InstanceProcess, type LastExit, noRestarts, pidOf } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import { Endings, type NextStep, type RunEnd, subjectOf } from './endings.ts';
import { lastExit } from './last_exit.ts';
import type { Capture, OutputStore } from './output.ts';
import type { PortBook } from './port_book.ts';
import type { Programs } from './programs.ts';
import { endedWell } from './restart.ts';
import {
  exitByItself,
  type FoundInstance,
  type RunningInstance,
  type StopOrder,
  type Stopping,
  sweepTimeout,
  type Trigger,
} from './running_instance.ts';
import { TakeUp, type TakeUpActions } from './take_up.ts';
import { Trials } from './trials.ts';

export interface SupervisorOptions {
  readonly registry: Registry;
  readonly events: EventLog;
  readonly output: OutputStore;
  readonly runtime: Runtime;
  readonly ports: PortBook;
  readonly programs: Programs;
  /** Has the files ready that a spec needs. Throws where they cannot be had. */
  readonly prepareFiles: (service: string, spec: Spec) => Promise<void>;
  readonly onProblem: (message: string) => void;
  /** Told of each instance that is started or taken up. */
  readonly onWatched: (instance: RunningInstance, spec: Spec) => void;
  /** Told of each instance that is gone, when nothing is left of it. */
  readonly onGone: (instance: RunningInstance) => void;
  /** Told of each end of a run as soon as it is known. */
  readonly onRunEnded: (run: RunEnd) => void;
  /** What the last failed probe of an instance said. */
  readonly lastFailedProbe: (service: string, number: number) => string | null;
}

/** What is to be started, by whom, and why. */
export interface StartOrder {
  readonly service: string;
  readonly number: number;
  readonly release: number;
  readonly spec: Spec;
  /** Null: nobody, it came about by itself. */
  readonly actor: string | null;
  /** The id of the event that led to it; null: what happened to the instance before. */
  readonly cause: number | null;
  readonly trigger: Trigger;
  /** When a schedule asked for it. */
  readonly scheduled_for?: Date;
  /** Ends the wait for it to be ready: it is stopped then, and its start has failed. */
  readonly signal?: AbortSignal;
}

/** How often it is tried to end what a process has left, and how long to wait in between, in milliseconds. */
const sweepTries = 10;
const sweepPause = 300;

/**
 * Starts and stops instances and notes how they end. What should run, and the order of operations on one service, is up to
 * its callers, who hold the service's lock.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #endings: Endings;
  readonly #trials: Trials;
  readonly #instances = new Map<string, RunningInstance>();
  /** The stops that are under way: who asks for another one gets the same. */
  readonly #stops = new Map<RunningInstance, Promise<StopReport>>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#endings = new Endings(options);
    this.#trials = new Trials(options);
  }

  /** Throws what can be known beforehand of why this cannot be started, such as `spawn_failed`, `port_taken`, `not_supported`. */
  async check(service: string, spec: Spec): Promise<void> {
    const { programs, ports, runtime, prepareFiles, onProblem } = this.#options;
    checkPlaceholders(spec, { port: spec.port !== null, artifact: spec.artifact !== null });
    await prepareFiles(service, spec);
    const port = spec.port === null ? null : 1;
    const program = programs.of({ service, instance: 1, release: 0, port, spec });
    checkLaunch(program);
    for (const warning of [...runtime.checkRunner(program), ...runtime.checkLimits(program)])
      onProblem(`service "${service}": ${warning}`);
    await ports.check(service, spec);
  }

  /**
   * Sees to it that so many instances can be started next, as far as that can be known. Throws `spawn_failed` with the
   * system's reason.
   */
  async reserve(service: string, spec: Spec, count: number): Promise<void> {
    const { programs, runtime } = this.#options;
    const port = spec.port === null ? null : 1;
    await runtime.reserve(programs.of({ service, instance: 1, release: 0, port, spec }), count);
  }

  /**
   * Starts an instance and waits until it has been up for `min_uptime` and is ready; a task may also have ended well by
   * then. Returns its pid. Throws `spawn_failed`, `port_taken`, `exited_early` with the exit code and the last lines, or
   * `not_ready`; it is stopped then.
   */
  async start(order: StartOrder): Promise<number> {
    const instance = await this.#launch(order, true);
    await this.#prove(instance, order.spec, order.signal);
    return pidOf(instance.facts);
  }

  /** Starts an instance for which nobody waits: when it fails, its restart policy says what follows. */
  async restart(order: StartOrder): Promise<void> {
    await this.#launch(order, false).catch(() => {
      // It has been noted.
    });
  }

  /** Waits until an instance that was taken up has proved itself, as `start` does. Returns its pid. */
  async finishStart(service: string, number: number, spec: Spec, signal?: AbortSignal): Promise<number> {
    const instance = this.#instance(service, number);
    instance.isOnTrial = true;
    await this.#prove(instance, spec, signal);
    return pidOf(instance.facts);
  }

  /** Stops the whole tree of an instance that has one and returns what that took. */
  async stop(service: string, number: number, stop: Spec['stop'], order: StopOrder): Promise<StopReport> {
    const { registry, events, runtime } = this.#options;
    const instance = this.#instance(service, number);
    const underWay = this.#stops.get(instance);
    if (underWay !== undefined) return underWay;
    const pid = pidOf(instance.facts);
    const { last_event } = registry.instance(service, number);
    const event = events.record({
      type: 'service.stopping',
      service,
      instance: number,
      release: instance.facts.release,
      pid,
      ...(order.actor !== null && { actor: order.actor }),
      cause: order.cause ?? last_event,
      message: `${stop.signal} is sent to process ${pid}`,
    });
    registry.advance(service, number, 'stop', { last_event: event.id });
    const limits = { signal: stop.signal, timeout_ms: milliseconds(stop.timeout) };
    instance.stopping = { ...order, report: runtime.stop(instance.tree, limits) };
    const stopped = this.#stopped(instance, instance.stopping);
    this.#stops.set(instance, stopped);
    return stopped.finally(() => this.#stops.delete(instance));
  }

  async #stopped(instance: RunningInstance, stopping: Stopping): Promise<StopReport> {
    const report = await stopping.report;
    failPoint('stop.emptied');
    if (report.survivors.includes(instance.facts.pid)) {
      const pid = pidOf(instance.facts);
      throw new DavitError(
        'internal',
        `process ${pid} could not be ended: the system does not let go of it yet`,
      );
    }
    await instance.ended;
    return report;
  }

  /** Sends a signal to every process of an instance and returns how many it reached. */
  signal(service: string, number: number, signal: NodeJS.Signals): Promise<number> {
    return this.#options.runtime.signal(this.#instance(service, number).tree, signal);
  }

  /**
   * Takes up what an earlier agent left. What takes longer, as a stop that it was in, has its turn first among the
   * operations on the service.
   */
  takeUp(): Promise<void> {
    const watch = (found: FoundInstance) => void this.#watch(found);
    const stop: TakeUpActions['stop'] = (service, number, options, order) =>
      this.stop(service, number, options, order);
    return new TakeUp(this.#options, { watch, stop, endings: this.#endings }).run();
  }

  #instance(service: string, number: number): RunningInstance {
    const instance = this.#instances.get(keyOf(service, number));
    if (instance !== undefined) return instance;
    throw new DavitError('state_conflict', `service "${service}" is not running`);
  }

  async #launch(order: StartOrder, isOnTrial: boolean): Promise<RunningInstance> {
    const { service, number, release, spec, trigger, scheduled_for = null } = order;
    const { registry, output, ports, programs, runtime } = this.#options;
    await this.#instances.get(keyOf(service, number))?.ended;
    // A state that was restored from a backup does not know of the last runs.
    const run = Math.max(registry.get(service).runs, output.lastRun(service)) + 1;
    registry.begin(service, number, run, {
      ...healthAtStart(spec),
      retry_at: null,
      ...(isOnTrial && { restarts: noRestarts }),
    });
    let capture: Capture | null = null;
    try {
      const port = await ports.take(service, number, spec);
      const program = programs.of({ service, instance: number, release, port, spec });
      capture = output.open(service, run, { release, instance: number });
      failPoint('start.prepared');
      const tree = await runtime.prepare(program, capture);
      const facts = await this.#letGo(order, tree);
      return this.#watch({ service, number, run, facts, tree, capture, trigger, scheduled_for, isOnTrial });
    } catch (error) {
      this.#endings.noteFailedStart(order, isOnTrial, errorMessage(error));
      ports.release(service, number);
      await capture?.close();
      throw error;
    }
  }

  /** Before the program is started stands on disk what proves, later, that it was. */
  async #letGo(
    { service, number, release, actor, cause }: StartOrder,
    tree: PreparedTree,
  ): Promise<InstanceProcess> {
    const { registry, events } = this.#options;
    const before = { ...tree.proof, main_pid: null, release, started_at: Date.now() };
    const { last_event } = registry.updateInstance(service, number, { process: before });
    failPoint('start.recorded');
    const main_pid = await tree.letGo();
    failPoint('start.let_go');
    const facts = { ...before, main_pid };
    const event = events.record({
      type: 'service.starting',
      service,
      instance: number,
      release,
      pid: main_pid,
      ...(actor !== null && { actor }),
      cause: cause ?? last_event,
      message: `${subjectOf(registry, service, number)} was started as pid ${main_pid}`,
    });
    registry.updateInstance(service, number, { process: facts, last_event: event.id });
    return facts;
  }

  /** Waits until it is ready, or has failed; it is on trial until then. */
  async #prove(instance: RunningInstance, spec: Spec, signal?: AbortSignal): Promise<void> {
    const { service, number, facts } = instance;
    const outcome = await this.#trials.outcome(instance, spec, signal);
    if (outcome === 'ready') {
      instance.isOnTrial = false;
      return;
    }
    if (outcome === 'late') {
      const error = await this.#trials.notReady(instance, spec.rollout.ready_timeout);
      // It may have ended meanwhile.
      const { process } = this.#options.registry.instance(service, number);
      if (process?.instance_id === facts.instance_id)
        await this.stop(service, number, spec.stop, { reason: 'stopped', actor: null });
      throw error;
    }
    const exit = await instance.ended;
    if (spec.type === 'task' && endedWell({ exit, spec })) return;
    throw await this.#trials.exitedEarly(instance, exit);
  }

  #watch(started: FoundInstance): RunningInstance {
    const { promise, resolve } = Promise.withResolvers<LastExit>();
    const instance: RunningInstance = {
      ...started,
      stopping: null,
      ended: promise,
      unwatch: new AbortController(),
    };
    const { service, number, facts } = instance;
    this.#instances.set(keyOf(service, number), instance);
    void instance.tree.exited.then((status) => this.#end(instance, status)).then(resolve);
    const { spec } = this.#options.registry.release(service, facts.release);
    this.#noteUpInTime(instance, milliseconds(spec.min_uptime));
    this.#options.onWatched(instance, spec);
    return instance;
  }

  /** An instance runs, as opposed to being started, once it has been up for `min_uptime`. */
  #noteUpInTime(instance: RunningInstance, min_uptime: number): void {
    // A clock that was set back must not make it wait for longer than it was told.
    const left = Math.min(min_uptime - (Date.now() - instance.facts.started_at), min_uptime);
    if (left <= 0) {
      this.#noteUp(instance);
      return;
    }
    const timer = setTimeout(() => this.#noteUp(instance), left);
    instance.unwatch.signal.addEventListener('abort', () => clearTimeout(timer));
  }

  #noteUp({ service, number, facts }: RunningInstance): void {
    const { registry, events } = this.#options;
    const { state, last_event } = registry.instance(service, number);
    if (state !== 'starting') return;
    const pid = pidOf(facts);
    const event = events.record({
      type: 'service.started',
      service,
      instance: number,
      release: facts.release,
      pid,
      cause: last_event,
      message: `${subjectOf(registry, service, number)} runs as pid ${pid}`,
    });
    registry.advance(service, number, 'started', { last_event: event.id });
  }

  /** The process is gone: notes how, clears away what it left, and says what follows. */
  async #end(instance: RunningInstance, status: ExitStatus): Promise<LastExit> {
    const { service, number, facts, stopping, tree } = instance;
    const { runtime, ports, onGone } = this.#options;
    instance.unwatch.abort();
    // Who asked for a stop that failed is told so; what is left then is swept as after an end by itself.
    const isSwept =
      stopping !== null &&
      (await stopping.report.then(
        () => true,
        () => false,
      ));
    const exit = this.#exitOf(instance, status);
    // A service whose process died says so at once; one that is being stopped is stopped when nothing is left of it.
    if (stopping === null) this.#noteEnd(instance, exit);
    if (!isSwept) await this.#sweep(instance);
    await instance.capture.close();
    ports.release(service, number);
    if (stopping !== null) this.#noteEnd(instance, exit);
    failPoint('stop.noted');
    void runtime.forget(facts.instance_id, tree.control_group);
    const key = keyOf(service, number);
    if (this.#instances.get(key) === instance) this.#instances.delete(key);
    onGone(instance);
    return exit;
  }

  /** Ends what a process has left that is gone. A host that lacks what that takes, such as descriptors, may have it a moment later. */
  async #sweep({ service, tree }: RunningInstance): Promise<void> {
    const { runtime, onProblem } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        await runtime.stop(tree, { signal: 'SIGTERM', timeout_ms: sweepTimeout });
        return;
      } catch (error) {
        if (tries < sweepTries) await sleep(sweepPause);
        else {
          onProblem(`service "${service}": what a process has left cannot be ended: ${errorMessage(error)}`);
          return;
        }
      }
    }
  }

  #exitOf({ service, facts, stopping, isOnTrial }: RunningInstance, status: ExitStatus): LastExit {
    const { registry, runtime } = this.#options;
    if (stopping !== null) return lastExit(stopping.reason, status, facts.started_at);
    const { spec } = registry.release(service, facts.release);
    const limit = spec.limits.memory;
    const exit = exitByItself(facts, status, facts.started_at, { runtime, limit });
    const hasDoneItsTask = spec.type === 'task' && endedWell({ exit, spec });
    return isOnTrial && !hasDoneItsTask && exit.reason === 'exited'
      ? { ...exit, reason: 'start_failed' }
      : exit;
  }

  #noteEnd({ service, number, facts, stopping, isOnTrial }: RunningInstance, exit: LastExit): NextStep {
    return this.#endings.note({ service, number, facts, exit, stopping, isOnTrial, isSeen: true });
  }
}

function keyOf(service: string, number: number): string {
  return `${service}/${number}`;
}

/** What is known of the health of an instance when it is started. */
function healthAtStart({ readiness, liveness, ready_log }: Spec) {
  return {
    readiness: readiness === null ? null : ('unknown' as const),
    liveness: liveness === null ? null : ('unknown' as const),
    has_logged_ready: ready_log === null ? null : false,
    last_probe: null,
  };
}
