import type { DatabaseSync } from 'node:sqlite';
import type { Config } from './config/schema.ts';
import { Configs } from './configs/configs.ts';
import { readConnections } from './declarations/connections.ts';
import { Declarations } from './declarations/declarations.ts';
import { DeclarationMemory } from './declarations/memory.ts';
import { DeclarationWatcher } from './declarations/watcher.ts';
import { Operations } from './deploy/operations.ts';
import { portRange } from './lib/port_range.ts';
import { LogStore } from './logs/log_store.ts';
import { hostQuota, readRetention } from './logs/retention.ts';
import { findControlGroupPlace } from './processes/control_group.ts';
import { Ports } from './processes/ports.ts';
import { Runtime } from './processes/runtime.ts';
import type { EventLog } from './services/event_log.ts';
import { HealthHistory } from './services/health_history.ts';
import type { Instance } from './services/instance.ts';
import { Registry } from './services/registry.ts';
import { RunHistory } from './services/run_history.ts';
import { ServiceStore } from './services/store.ts';
import { Dependencies } from './supervision/dependencies.ts';
import { HealthWatch } from './supervision/health_watch.ts';
import { Orphans } from './supervision/orphans.ts';
import { PortBook } from './supervision/port_book.ts';
import { Programs } from './supervision/programs.ts';
import { Reconciler } from './supervision/reconciler.ts';
import type { RunningInstance } from './supervision/running_instance.ts';
import { Scheduler } from './supervision/scheduler.ts';
import { Supervisor } from './supervision/supervisor.ts';
import { TreeView } from './supervision/tree_view.ts';
import { Why } from './supervision/why.ts';

interface ServicePlaneOptions {
  readonly database: DatabaseSync;
  readonly events: EventLog;
  /** The agent's own. */
  readonly environment: NodeJS.ProcessEnv;
  /** A place in the data directory. */
  readonly inData: (...names: string[]) => string;
  /** As they are now: they may change while the agent runs. */
  readonly settings: () => Config;
  /** Told of each write that must outlive a power cut. */
  readonly onCommit: () => void;
  readonly onProblem: (message: string) => void;
}

/** Makes the parts of the agent that keep services as they are wanted, and know nothing of who asks, and puts them together. */
export function createServicePlane(options: ServicePlaneOptions) {
  const { database, events, environment, inData, settings, onCommit, onProblem } = options;
  const store = new ServiceStore(database, onCommit, () => events.flush());
  const registry = new Registry(store, onProblem);
  const logs = new LogStore({
    directory: inData('logs'),
    retentionOf: (id) => (registry.find(id) === null ? null : readRetention(registry.spec(id).logs)),
    maxBytes: () => hostQuota(settings().logs_max_size, inData('logs')),
    onProblem,
  });
  const runtime = new Runtime({
    directory: inData('instances'),
    controlGroups: findControlGroupPlace(settings().cgroups),
    environment,
    onProblem,
  });
  const programs = new Programs({
    agentEnvironment: environment,
    passedVariables: () => settings().pass_env,
  });
  const runs = new RunHistory(database, onProblem);
  const healthHistory = new HealthHistory(database, onProblem);
  events.subscribe(({ type, service }) => {
    if (type === 'service.deleted' && service !== null) healthHistory.forget(service);
  });
  const ports = new Ports({ range: () => portRange(settings().port_range) });
  const dependencies = new Dependencies(registry);
  const health = new HealthWatch({
    registry,
    events,
    runtime,
    programs,
    output: logs,
    onResult: (result) => healthHistory.record(result),
    onUnhealthy: (service, number, cause) => reconciler.restartUnhealthy(service, number, cause),
    onProblem,
  });
  const supervisor = new Supervisor({
    registry,
    runtime,
    onProblem,
    events,
    output: logs,
    programs,
    ports: new PortBook(registry, ports),
    onWatched: (instance, spec) => {
      health.watch(instance, spec);
      if (spec.type === 'task') noteRun(runs, instance);
    },
    onGone: ({ service }) => reconciler.look(service),
    onRunEnded: (run) => registry.spec(run.service).type === 'task' && runs.ended(run),
    lastFailedProbe: (service, number) => health.lastFailure(service, number),
  });
  const reconciler = new Reconciler({ registry, supervisor, events, dependencies, onProblem });
  const orphans = new Orphans({ registry, runtime, events });
  const operations = new Operations({
    registry,
    supervisor,
    reconciler,
    dependencies,
    events,
    forget: (service) => {
      configs.removeAll(service);
      return logs.remove(service);
    },
    refuseSecond: (service) => orphans.refuseSecond(service),
  });
  const configs = new Configs({
    directory: inData('configs'),
    registry,
    events,
    // As its first instance; a port that is yet to be chosen is not known, and 0 stands for it.
    placeOf: (service) => {
      const spec = registry.spec(service);
      const port = spec.port === 'auto' ? (registry.instance(service, 1).port ?? 0) : spec.port;
      const release = registry.get(service).current_release;
      return programs.of({ service, instance: 1, release, port, spec });
    },
    restart: (service, actor) => operations.restart(service, undefined, actor),
    signal: (service, signal, actor) => operations.signal(service, signal, actor),
  });
  const scheduler = new Scheduler({
    registry,
    isRunning: (service) => registry.get(service).instances.some(isActive),
    run: (service, scheduledFor) => operations.runScheduled(service, scheduledFor),
    stopRun: (service) => operations.endRun(service),
    lastDue: (service) => runs.lastDue(service),
    onNotRun: (noted) => runs.noted(noted),
    onProblem,
  });
  const why = new Why({
    registry,
    events,
    lastLines: async ({ service, instance, release, lines }) =>
      (await logs.query(service, { lines, release, instance: instance ?? undefined })).lines,
    onProblem,
  });
  const declarationMemory = new DeclarationMemory(inData('declarations.json'), onProblem);
  const declarations = new Declarations({
    registry,
    operations,
    planKey: declarationMemory.planKey,
    readConnections,
  });
  const watcher = new DeclarationWatcher({
    declarations,
    registry,
    events,
    memory: declarationMemory,
    settings,
    onProblem,
  });

  let awakeUntil: Date | null = null;
  return {
    registry,
    operations,
    logs,
    orphans,
    configs,
    runs,
    why,
    declarations,
    healthHistory,
    monitor: health.monitor,
    trees: new TreeView(registry, runtime),
    /** What this host or this account keeps from it, in sentences. */
    limitations: runtime.limitations,
    controlGroups: runtime.controlGroups,

    /** Takes up what an earlier agent left. Nothing is started by it. */
    async takeUp(): Promise<void> {
      awakeUntil = events.lastTime;
      await supervisor.takeUp();
      logs.keepWithinBounds();
      configs.tidy();
    },

    /** Brings to an end what was under way, and begins to act by itself. */
    begin(onFailure: (service: string, error: unknown) => void): void {
      for (const { id } of registry.services()) operations.finish(id).catch((error) => onFailure(id, error));
      reconciler.begin();
      scheduler.start(awakeUntil);
      watcher.start();
    },

    /** Resolves when nothing is under way any more. */
    async idle(): Promise<void> {
      await Promise.all([watcher.close(), registry.lock.idle()]);
    },

    /** Does nothing by itself any more. */
    rest(): void {
      scheduler.close();
      reconciler.close();
      health.close();
      healthHistory.close();
    },

    /** What runs stays. */
    close(): void {
      logs.close();
      runtime.close();
      ports.close();
    },
  };
}

/** Whether a run of a task has not ended, which is also so between two attempts of one. */
function isActive({ process, state }: Instance): boolean {
  return process !== null || state === 'backoff' || state === 'starting';
}

/** One that was taken up has been noted by the agent that started it. */
function noteRun(
  runs: RunHistory,
  { service, number, run, facts, trigger, scheduled_for }: RunningInstance,
): void {
  if (trigger === null) return;
  runs.started({ service, instance: number, run, release: facts.release, trigger, scheduled_for });
}
